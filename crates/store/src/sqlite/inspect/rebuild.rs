//! The table of connections beside the reads on record.

use connections::{Circumstances, Read, Recorded, Verdict};
use events::{AppName, UtcMicros};
use sqlite::rusqlite::types::Type;
use sqlite::rusqlite::{Connection, Error, Result, Row};

use super::clause;
use crate::judging::answer;
use crate::rebuilding::{
    Comparison, FLAGS, Line, Place, RECORDS_AT_ONCE, Standing, TEXTS, TIMES, TableRow, flag, text, time,
};
use crate::sqlite::{columns, known};
use crate::{Compared, RebuildFilter, listing};

/// One page.
pub(super) fn compare(connection: &Connection, filter: &RebuildFilter) -> Result<Compared> {
    let rows = clause::rows(connection, listing::compared(known::COLUMNS, filter), table_row)?;
    let mut comparison = Comparison::new(filter, rows);
    let mut from: Option<Place> = None;
    loop {
        let wanted = listing::records(filter, comparison.through(), from.as_ref(), RECORDS_AT_ONCE);
        let lines = clause::rows(connection, wanted, |row| line(row, &filter.app))?;
        let last = lines.len() < RECORDS_AT_ONCE;
        from = lines.last().map(|line| line.place.clone());
        if !lines.into_iter().all(|line| comparison.take(line)) || last {
            return Ok(comparison.end());
        }
    }
}

fn table_row(row: &Row<'_>) -> Result<TableRow> {
    Ok(TableRow { token: columns::parsed(row, 12)?, standing: legible(standing(row))? })
}

/// The columns follow those of a row as the rules know it.
fn standing(row: &Row<'_>) -> Result<Standing> {
    const FIRST: usize = 14;
    let mut values = Vec::with_capacity(TEXTS.len() + FLAGS.len() + TIMES.len());
    let flags = FIRST + TEXTS.len();
    let times = flags + FLAGS.len();
    for column in FIRST..flags {
        values.push(text(row.get::<_, Option<String>>(column)?.as_deref()));
    }
    for column in flags..times {
        values.push(flag(row.get(column)?));
    }
    for column in times..times + TIMES.len() {
        values.push(time(row.get::<_, Option<i64>>(column)?.map(UtcMicros)));
    }
    Ok(Standing { kept: known::kept(row)?, missing: row.get(13)?, columns: values })
}

fn line(row: &Row<'_>, app: &AppName) -> Result<Line> {
    let place = Place {
        token: columns::parsed(row, 0)?,
        version: columns::count(row, 1)?,
        goes_on: row.get(2)?,
        judged_no: columns::count(row, 3)?,
        read_no: columns::count(row, 4)?,
    };
    let recorded = legible(recorded(row, app, &place))?;
    Ok(Line { place, recorded })
}

fn recorded(row: &Row<'_>, app: &AppName, place: &Place) -> Result<Recorded> {
    let (app, token) = (app.clone(), place.token.clone());
    let (word, verdict): (String, String) = (row.get(10)?, row.get(12)?);
    let unreadable = |what: &str| columns::unreadable(Type::Text, &what);
    let answer = answer(&word, columns::json_option(row, 11)?).ok_or_else(|| unreadable("not an answer"))?;
    Ok(Recorded {
        read: Read { app, token, read_no: place.read_no, as_of: columns::time(row, 5)?, answer },
        circumstances: Circumstances {
            cause: columns::cause(row, 6)?,
            hinted: row.get(7)?,
            deletions_allowed: row.get(8)?,
            announce: row.get(9)?,
        },
        verdict: Verdict::from_word(&verdict).ok_or_else(|| unreadable("not a verdict"))?,
    })
}

/// A value that cannot be read is an answer here, not the end.
fn legible<T>(read: Result<T>) -> Result<Result<T, String>> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(Error::FromSqlConversionFailure(_, _, why)) => Ok(Err(why.to_string())),
        Err(error) => Err(error),
    }
}
