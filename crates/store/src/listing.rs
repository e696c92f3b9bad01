//! Listings: a query put together from the restrictions asked for. The text is the same in every engine (`$1` names the first
//! value in each of them); what stands before the WHERE, and how a value is bound, is the engine's.

use connections::Verdict;
use events::ConnectionToken;
use uuid::Uuid;

use crate::rebuilding::{FLAGS, Place, TEXTS, TIMES};
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
    if let Some((app, token)) = after {
        let (app, token) = (listing.place(V::text(app.as_str())), listing.place(V::text(token.as_str())));
        listing.and(&format!("(app, token) > ({app}, {token})"));
    }
    listing.ordered("app, token", *limit)
}

/// Connections that are compared with the reads on record, by token: `known`, the columns that the rules know of, the token,
/// whether it is missing, then [`TEXTS`], [`FLAGS`] and [`TIMES`].
pub(crate) fn compared<V: Bound>(known: &str, filter: &RebuildFilter) -> (String, Vec<V>) {
    let answer = TEXTS.into_iter().chain(FLAGS).chain(TIMES).collect::<Vec<_>>().join(", ");
    let mut listing = rebuilt(&format!("SELECT {known}, token, missing, {answer} FROM connections"), filter);
    listing.and_value("token > ?", filter.after.as_ref().map(token_value));
    listing.ordered("token", Some(filter.limit))
}

/// Rows of the connections that are compared: of one app, so that every restriction by token is one of the primary key.
fn rebuilt<V: Bound>(select: &str, filter: &RebuildFilter) -> Listing<V> {
    let mut listing = Listing::new(select);
    listing.and_value("app = ?", Some(V::text(filter.app.as_str())));
    listing.and_value("token = ?", filter.token.as_ref().map(token_value));
    listing
}

fn token_value<V: Bound>(token: &ConnectionToken) -> V {
    V::text(token.as_str())
}

/// Reads on record, connection by connection, in the order in which they were judged: versions only rise. Those that an older
/// program recorded while a version lasted come first and in the order of their numbers. `through`: of connections up to this one.
/// `from`: the last read that was fetched before.
pub(crate) fn records<V: Bound>(
    filter: &RebuildFilter,
    through: Option<&ConnectionToken>,
    from: Option<&Place>,
    limit: usize,
) -> (String, Vec<V>) {
    // True of a read that did not begin a version of its connection.
    let raising = Verdict::ALL.into_iter().filter(|verdict| verdict.raises_version());
    let raising = raising.map(|verdict| format!("'{}'", verdict.word())).collect::<Vec<_>>().join(", ");
    let goes_on = format!("verdict NOT IN ({raising})");
    let judged_no = "coalesce(judged_no, 0)";
    let select = format!(
        "SELECT token, version, {goes_on}, {judged_no}, read_no, as_of, cause, hinted, deletions_allowed, announce, answer, raw, verdict
         FROM observations"
    );
    let order = format!("token, version, {goes_on}, {judged_no}, read_no");
    let mut listing = rebuilt(&select, filter);
    match from {
        None => listing.and_value("token > ?", filter.after.as_ref().map(token_value)),
        Some(Place { token, version, goes_on, judged_no, read_no }) => {
            // By the token alone as well, which the primary key has.
            listing.and_value("token >= ?", Some(token_value(token)));
            let [version, judged_no, read_no] = [version, judged_no, read_no].map(|number| V::number(*number as i64));
            let place = [token_value(token), version, V::flag(*goes_on), judged_no, read_no];
            let place = place.map(|value| listing.place(value)).join(", ");
            listing.and(&format!("({order}) > ({place})"));
        }
    }
    listing.and_value("token <= ?", through.map(token_value));
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
