//! The table of connections beside the reads on record.

use connections::{Circumstances, Read, Recorded, Verdict};
use events::AppName;
use tokio_postgres::Row;

use crate::judging::answer;
use crate::postgres::fault::{Fault, unreadable};
use crate::postgres::session::Session;
use crate::postgres::{columns, known};
use crate::rebuilding::{
    Comparison, FLAGS, Line, Place, RECORDS_AT_ONCE, Standing, TEXTS, TIMES, TableRow, flag, text, time,
};
use crate::{Compared, RebuildFilter, StoreError, listing};

/// One page.
pub(super) async fn compare(session: &Session, filter: &RebuildFilter) -> Result<Compared, Fault> {
    let rows = super::rows(session, listing::compared(known::COLUMNS, filter), table_row).await?;
    let mut comparison = Comparison::new(filter, rows);
    let mut from: Option<Place> = None;
    loop {
        let wanted = listing::records(filter, comparison.through(), from.as_ref(), RECORDS_AT_ONCE);
        let lines = super::rows(session, wanted, |row| line(row, &filter.app)).await?;
        let last = lines.len() < RECORDS_AT_ONCE;
        from = lines.last().map(|line| line.place.clone());
        if !lines.into_iter().all(|line| comparison.take(line)) || last {
            return Ok(comparison.end());
        }
    }
}

fn table_row(row: &Row) -> Result<TableRow, Fault> {
    Ok(TableRow { token: columns::parsed(row, 12)?, standing: legible(standing(row))? })
}

/// The columns follow those of a row as the rules know it.
fn standing(row: &Row) -> Result<Standing, Fault> {
    const FIRST: usize = 14;
    let mut values = Vec::with_capacity(TEXTS.len() + FLAGS.len() + TIMES.len());
    let flags = FIRST + TEXTS.len();
    let times = flags + FLAGS.len();
    for column in FIRST..flags {
        values.push(text(columns::get(row, column)?));
    }
    for column in flags..times {
        values.push(flag(columns::get(row, column)?));
    }
    for column in times..times + TIMES.len() {
        values.push(time(columns::time_option(row, column)?));
    }
    Ok(Standing { kept: known::kept(row)?, missing: columns::get(row, 13)?, columns: values })
}

fn line(row: &Row, app: &AppName) -> Result<Line, Fault> {
    let place = Place {
        token: columns::parsed(row, 0)?,
        version: columns::count(row, 1)?,
        goes_on: columns::get(row, 2)?,
        judged_no: columns::count(row, 3)?,
        read_no: columns::count(row, 4)?,
    };
    let recorded = legible(recorded(row, app, &place))?;
    Ok(Line { place, recorded })
}

fn recorded(row: &Row, app: &AppName, place: &Place) -> Result<Recorded, Fault> {
    let (app, token) = (app.clone(), place.token.clone());
    let answer = answer(columns::get(row, 10)?, columns::json_option(row, 11)?);
    let verdict = Verdict::from_word(columns::get(row, 12)?);
    Ok(Recorded {
        read: Read {
            app,
            token,
            read_no: place.read_no,
            as_of: columns::time(row, 5)?,
            answer: answer.ok_or_else(|| unreadable(&"not an answer"))?,
        },
        circumstances: Circumstances {
            cause: columns::cause(row, 6)?,
            hinted: columns::get(row, 7)?,
            deletions_allowed: columns::get(row, 8)?,
            announce: columns::get(row, 9)?,
        },
        verdict: verdict.ok_or_else(|| unreadable(&"not a verdict"))?,
    })
}

/// A value that cannot be read is an answer here, not the end.
fn legible<T>(read: Result<T, Fault>) -> Result<Result<T, String>, Fault> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Decided(StoreError::Incompatible(why))) => Ok(Err(why)),
        Err(fault) => Err(fault),
    }
}
