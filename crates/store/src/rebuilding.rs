//! Whether the table of connections is what the reads on record make of it: the same in every engine.
//!
//! The engine reads rows of `connections`, and the reads of `observations` in the order in which they were judged, both of one
//! app, by token and of one snapshot; [`Comparison`] goes along the two, derives each connection again ([`history`]) and compares
//! ([`differing`]). Promises: pure; what it holds is bounded by a page of connections and one of reads.

mod differing;
mod history;

use std::collections::VecDeque;

use connections::Recorded;
use events::{AppName, ConnectionToken};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use differing::{FLAGS, Standing, TEXTS, TIMES, flag, text, time};
use history::History;

/// Reads that are fetched at one time.
pub(crate) const RECORDS_AT_ONCE: usize = 1000;

/// After so many reads no other connection is begun within one snapshot: it must not be held for long.
const RECORDS_MAX: usize = 20_000;

/// Which connections of an app are compared with the reads on record; by token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildFilter {
    /// Of this app.
    pub app: AppName,
    /// With this token; `None`: any.
    pub token: Option<ConnectionToken>,
    /// About so many, one at least.
    pub limit: usize,
    /// Only those after this one: the next page.
    pub after: Option<ConnectionToken>,
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compared {
    /// Connections that are in the table, on record, or both.
    pub connections: u64,
    /// Those of them that differ.
    pub differing: u64,
    /// In what they differ.
    pub differences: Vec<Difference>,
    /// The connection after which the next page begins; `None`: there is none.
    pub next: Option<ConnectionToken>,
}

/// A field in which a connection is not what the reads on record make of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The connection's app.
    pub app: AppName,
    /// The connection.
    pub token: ConnectionToken,
    /// The column; `raw.` and a name for a field of Finlink's answer; `row` for all of it; `read` and a number for a read on
    /// record that does not fit to those before it.
    pub field: String,
    /// What the reads on record make of it; null: nothing.
    pub expected: Value,
    /// What is there; null: nothing.
    pub found: Value,
}

/// A row of `connections`, or why it cannot be read.
pub(crate) struct TableRow {
    pub(crate) token: ConnectionToken,
    pub(crate) standing: Result<Standing, String>,
}

/// Where in the order of judging a read on record stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) token: ConnectionToken,
    pub(crate) version: u64,
    pub(crate) goes_on: bool,
    /// 0 where it is not known.
    pub(crate) judged_no: u64,
    pub(crate) read_no: u64,
}

/// A row of `observations`; the read, or why it cannot be read.
pub(crate) struct Line {
    pub(crate) place: Place,
    pub(crate) recorded: Result<Recorded, String>,
}

/// A page of the table beside the reads on record.
pub(crate) struct Comparison {
    app: AppName,
    limit: usize,
    /// Rows of the table that are not compared yet.
    rows: VecDeque<TableRow>,
    /// The last of the rows, where there may be more of them.
    through: Option<ConnectionToken>,
    /// The connection whose reads are being taken.
    open: Option<(ConnectionToken, History)>,
    closed: Option<ConnectionToken>,
    records: usize,
    full: bool,
    out: Compared,
}

impl Comparison {
    /// Of these rows: the first that `filter` lets through, as many as its limit where there are so many.
    pub(crate) fn new(filter: &RebuildFilter, rows: Vec<TableRow>) -> Self {
        let RebuildFilter { app, limit, .. } = filter.clone();
        let through = rows.last().filter(|_| rows.len() >= limit).map(|row| row.token.clone());
        Self {
            app,
            limit,
            rows: rows.into(),
            through,
            open: None,
            closed: None,
            records: 0,
            full: false,
            out: Compared::default(),
        }
    }

    /// The last connection whose reads are wanted, where not all are.
    pub(crate) fn through(&self) -> Option<&ConnectionToken> {
        self.through.as_ref()
    }

    /// Takes the next read; false where no more are wanted.
    pub(crate) fn take(&mut self, line: Line) -> bool {
        if self.open.as_ref().is_none_or(|(token, _)| *token != line.place.token) {
            let is_with_row = self.close();
            let is_enough = self.out.connections >= self.limit as u64 || self.records >= RECORDS_MAX;
            // Only at a row: which rows come before a connection that has none is not known here.
            self.full = is_enough && is_with_row;
            if self.full {
                return false;
            }
            self.open = Some((line.place.token.clone(), History::default()));
        }
        self.records += 1;
        if let Some((_, history)) = &mut self.open {
            history.take(line);
        }
        true
    }

    /// What came of it, once no more reads are wanted, or there are none.
    pub(crate) fn end(mut self) -> Compared {
        if self.full {
            self.out.next = self.closed;
            return self.out;
        }
        self.close();
        while let Some(row) = self.rows.pop_front() {
            self.compare(&History::default(), &row.token.clone(), Some(row));
        }
        self.out.next = self.through;
        self.out
    }

    /// All reads of the open connection are taken: it is compared, after the rows before it, of which nothing is on record.
    /// Whether it has a row. The row is looked for, since which of two names comes first is the database's to say.
    fn close(&mut self) -> bool {
        let Some((token, history)) = self.open.take() else { return false };
        let Some(before) = self.rows.iter().position(|row| row.token == token) else {
            self.compare(&history, &token, None);
            return false;
        };
        for row in self.rows.drain(..before).collect::<Vec<_>>() {
            self.compare(&History::default(), &row.token.clone(), Some(row));
        }
        let row = self.rows.pop_front();
        self.compare(&history, &token, row);
        self.closed = Some(token);
        true
    }

    fn compare(&mut self, history: &History, token: &ConnectionToken, row: Option<TableRow>) {
        self.out.connections += 1;
        let fields = match (&history.known, row.map(|row| row.standing)) {
            (None, None) => Vec::new(),
            (Some(_), None) => vec![("row".to_owned(), json!("there"), Value::Null)],
            (_, Some(Err(why))) => vec![("row".to_owned(), json!("readable"), json!(why))],
            (None, Some(Ok(_))) => vec![("row".to_owned(), Value::Null, json!("there"))],
            (Some(known), Some(Ok(standing))) => differing::fields(known, history.held, &standing),
        };
        if fields.is_empty() {
            return;
        }
        self.out.differing += 1;
        let app = &self.app;
        self.out.differences.extend(fields.into_iter().chain(history.misfits.iter().cloned()).map(
            |(field, expected, found)| Difference { app: app.clone(), token: token.clone(), field, expected, found },
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(limit: usize) -> RebuildFilter {
        RebuildFilter { app: "main".parse().unwrap(), token: None, limit, after: None }
    }

    /// What is told of unreadable rows beside unreadable reads, one of each connection: of a connection with both two things.
    fn told(limit: usize, rows: &[&str], reads: &[&str]) -> (Vec<(String, usize)>, Option<String>) {
        let unreadable = || Err("spoilt".to_owned());
        let row = |token: &&str| TableRow { token: token.parse().unwrap(), standing: Err("spoilt".to_owned()) };
        let mut comparison = Comparison::new(&filter(limit), rows.iter().map(row).collect());
        let line = |token: &&str| {
            let place = Place { token: token.parse().unwrap(), version: 1, goes_on: false, judged_no: 0, read_no: 1 };
            Line { place, recorded: unreadable() }
        };
        let _ = reads.iter().map(line).all(|line| comparison.take(line));
        let compared = comparison.end();
        let mut told: Vec<(String, usize)> = Vec::new();
        for difference in &compared.differences {
            let token = difference.token.to_string();
            match told.iter_mut().find(|(of, _)| *of == token) {
                Some((_, count)) => *count += 1,
                None => told.push((token, 1)),
            }
        }
        (told, compared.next.map(|token| token.to_string()))
    }

    fn told_of(each: &[(&str, usize)]) -> Vec<(String, usize)> {
        each.iter().map(|(token, count)| ((*token).to_owned(), *count)).collect()
    }

    /// A database whose language sorts as a dictionary does has `b` before `C`.
    #[test]
    fn it_does_not_matter_how_the_database_sorts() {
        let (rows, reads) = (["AAAAAAAAAA", "CCCCCCCCCC"], ["AAAAAAAAAA", "bbbbbbbbbb", "CCCCCCCCCC"]);
        assert_eq!(told(9, &rows, &reads), (told_of(&[("AAAAAAAAAA", 2), ("CCCCCCCCCC", 2)]), None));
    }

    #[test]
    fn a_page_ends_at_a_row_so_that_none_is_left_out() {
        let (rows, reads) = (["AAAAAAAAAA", "cccccccccc"], ["AAAAAAAAAA", "DDDDDDDDDD", "EEEEEEEEEE", "ffffffffff"]);
        let all = told_of(&[("AAAAAAAAAA", 2), ("cccccccccc", 1)]);
        assert_eq!(told(1, &rows[..1], &reads[..1]), (told_of(&[("AAAAAAAAAA", 2)]), Some("AAAAAAAAAA".to_owned())));
        assert_eq!(told(1, &rows[..1], &reads), (told_of(&[("AAAAAAAAAA", 2)]), Some("AAAAAAAAAA".to_owned())));
        assert_eq!(told(3, &rows, &reads), (all, None));
    }
}
