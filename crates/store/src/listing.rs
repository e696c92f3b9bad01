//! Listings: a query put together from the restrictions asked for. The text is the same in every engine (`$1` names the first
//! value in each of them); what stands before the WHERE, and how a value is bound, is the engine's.

use events::ConnectionToken;
use uuid::Uuid;

use crate::{ConnectionFilter, Cursor, DeadLetterFilter, DeliveryFilter, FeedFilter, GapFilter};

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
