//! Listings: a query put together from the restrictions asked for. The text is the same in every engine (`$1` names the first
//! value in each of them); what stands before the WHERE, and how a value is bound, is the engine's.

use connections::Verdict;
use events::{AppName, ConnectionToken};
use uuid::Uuid;

use crate::rebuilding::{Key, Place};
use crate::{ConnectionFilter, Cursor, DeadLetterFilter, DeliveryFilter, FeedFilter, GapFilter, RebuildFilter};

/// A value as an engine binds it.
pub(crate) trait Bound {
    fn text(text: &str) -> Self;
    fn number(number: i64) -> Self;
    fn flag(flag: bool) -> Self;
    fn id(id: Uuid) -> Self;
}

/// A SELECT whose restrictions follow each other; every value is bound, never written into the text.
pub(crate) struct Listing<V> {
    sql: String,
    values: Vec<V>,
}

impl<V: Bound> Listing<V> {
    /// `select` ends before the WHERE.
    fn new(select: &str) -> Self {
        Self { sql: format!("{select} WHERE TRUE"), values: Vec::new() }
    }

    /// A restriction without a value.
    fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// A restriction by a value, where there is one; `condition` has a `?` for it.
    fn and_value(&mut self, condition: &str, value: Option<V>) {
        if let Some(value) = value {
            let condition = condition.replace('?', &self.place(value));
            self.and(&condition);
        }
    }

    /// A restriction by app and token, where there is one.
    fn and_key(&mut self, than: &str, key: Option<&(AppName, ConnectionToken)>) {
        if let Some((app, token)) = key {
            let (app, token) = (self.place(V::text(app.as_str())), self.place(V::text(token.as_str())));
            self.and(&format!("(app, token) {than} ({app}, {token})"));
        }
    }

    /// Keeps a value; answers what stands for it in the text.
    fn place(&mut self, value: V) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// All rows, or the first `limit`, in the order given: text and values.
    fn ordered(mut self, order: &str, limit: Option<usize>) -> (String, Vec<V>) {
        self.sql.push_str(" ORDER BY ");
        self.sql.push_str(order);
        if let Some(limit) = limit {
            let limit = self.place(V::number(i64::try_from(limit).unwrap_or(i64::MAX)));
            self.sql.push_str(" LIMIT ");
            self.sql.push_str(&limit);
        }
        (self.sql, self.values)
    }
}

/// Deliveries, newest first: in the order of the primary key.
pub(crate) fn deliveries<V: Bound>(select: &str, filter: &DeliveryFilter) -> (String, Vec<V>) {
    let DeliveryFilter { app, verification, duplicate, token, since, limit, before } = filter;
    let mut listing = Listing::new(select);
    listing.and_value("deliveries.app = ?", app.as_ref().map(|app| V::text(app.as_str())));
    listing.and_value("token = ?", token.as_ref().map(|token| V::text(token.as_str())));
    listing.and_value("received_at >= ?", since.map(|since| V::number(since.0)));
    listing.and_value("receipt < ?", before.map(|receipt| V::id(receipt.0)));
    listing.and_value("duplicate = ?", duplicate.map(V::flag));
    match verification.as_deref() {
        None => {}
        // Words that have an index of their own stand in the text: a bound value could not choose it.
        Some("pending") => listing.and("verification = 'pending'"),
        Some("rejected") => listing.and("verification = 'rejected'"),
        Some(word) => listing.and_value("verification = ?", Some(V::text(word))),
    }
    listing.ordered("receipt DESC", *limit)
}

/// Connections, by app and token.
pub(crate) fn connections<V: Bound>(select: &str, filter: &ConnectionFilter) -> (String, Vec<V>) {
    let ConnectionFilter { app, status, external_id, deleted, limit, after } = filter;
    let mut listing = Listing::new(select);
    listing.and_value("app = ?", app.as_ref().map(|app| V::text(app.as_str())));
    listing.and_value("status = ?", status.as_deref().map(V::text));
    listing.and_value("external_id = ?", external_id.as_deref().map(V::text));
    match deleted {
        None => {}
        Some(true) => listing.and("deleted_at IS NOT NULL"),
        Some(false) => listing.and("deleted_at IS NULL"),
    }
    listing.and_key(">", after.as_ref());
    listing.ordered("app, token", *limit)
}

/// Connections that are compared with the reads on record, by app and token.
pub(crate) fn compared<V: Bound>(select: &str, filter: &RebuildFilter) -> (String, Vec<V>) {
    let mut listing = rebuilt(select, filter);
    listing.and_key(">", filter.after.as_ref());
    listing.ordered("app, token", Some(filter.limit))
}

/// Rows of the connections that are compared.
fn rebuilt<V: Bound>(select: &str, filter: &RebuildFilter) -> Listing<V> {
    let RebuildFilter { app, token, .. } = filter;
    let mut listing = Listing::new(select);
    match app {
        Some(app) => listing.and_value("app = ?", Some(V::text(app.as_str()))),
        // App by app, by the primary key: there are few apps.
        None if token.is_some() => listing.and("app IN (SELECT app FROM apps)"),
        None => {}
    }
    listing.and_value("token = ?", token.as_ref().map(|token| V::text(token.as_str())));
    listing
}

/// True of a read on record that did not begin a version of its connection.
pub(crate) fn goes_on() -> String {
    let raising = Verdict::ALL.into_iter().filter(|verdict| verdict.raises_version());
    let words: Vec<_> = raising.map(|verdict| format!("'{}'", verdict.word())).collect();
    format!("verdict NOT IN ({})", words.join(", "))
}

/// Reads on record, connection by connection, as far as they show it in the order in which they were judged: versions only
/// rise. Reads that were judged while a version lasted come in the order of their numbers, and what they made of it does not
/// depend on their order. `from`: the last one that was read before.
pub(crate) fn records<V: Bound>(
    select: &str,
    filter: &RebuildFilter,
    through: Option<&Key>,
    from: Option<&Place>,
    limit: usize,
) -> (String, Vec<V>) {
    let order = format!("app, token, version, {}, read_no", goes_on());
    let mut listing = rebuilt(select, filter);
    match from {
        None => listing.and_key(">", filter.after.as_ref()),
        Some(place) => {
            // By the key alone as well, which has an index.
            listing.and_key(">=", Some(&place.key));
            let (app, token) = &place.key;
            let values = [
                V::text(app.as_str()),
                V::text(token.as_str()),
                V::number(place.version as i64),
                V::flag(place.goes_on),
                V::number(place.read_no as i64),
            ];
            let values = values.map(|value| listing.place(value)).join(", ");
            listing.and(&format!("({order}) > ({values})"));
        }
    }
    listing.and_key("<=", through);
    listing.ordered(&order, Some(limit))
}

/// Numbered events after `cursor`. `of_token`: the order where they are of one connection, which has few.
pub(crate) fn events<V: Bound>(
    select: &str,
    cursor: Cursor,
    filter: &FeedFilter,
    of_token: &str,
    limit: usize,
) -> (String, Vec<V>) {
    let FeedFilter { app, token } = filter;
    let mut listing = Listing::new(select);
    listing.and_value("number > ?", Some(V::number(cursor.0 as i64)));
    listing.and_value("app = ?", app.as_ref().map(|app| V::text(app.as_str())));
    listing.and_value("token = ?", token.as_ref().map(|token| V::text(token.as_str())));
    listing.ordered(if token.is_some() { of_token } else { "number" }, Some(limit))
}

/// Gaps, newest first. `token`: of this connection only.
pub(crate) fn gaps<V: Bound>(select: &str, filter: &GapFilter, token: Option<&ConnectionToken>) -> (String, Vec<V>) {
    let GapFilter { app, open, since, limit } = filter;
    let mut listing = Listing::new(select);
    listing.and_value("app = ?", app.as_ref().map(|app| V::text(app.as_str())));
    listing.and_value("token = ?", token.map(|token| V::text(token.as_str())));
    listing.and_value("found_at >= ?", since.map(|since| V::number(since.0)));
    match open {
        None => {}
        Some(true) => listing.and("closed_at IS NULL"),
        Some(false) => listing.and("closed_at IS NOT NULL"),
    }
    listing.ordered("id DESC", *limit)
}

/// Dead letters, newest first.
pub(crate) fn letters<V: Bound>(select: &str, filter: &DeadLetterFilter) -> (String, Vec<V>) {
    let DeadLetterFilter { app, reason, limit, before } = filter;
    let mut listing = Listing::new(select);
    listing.and_value("app = ?", app.as_ref().map(|app| V::text(app.as_str())));
    listing.and_value("reason = ?", reason.as_deref().map(V::text));
    listing.and_value("id < ?", before.map(V::number));
    listing.ordered("id DESC", *limit)
}
