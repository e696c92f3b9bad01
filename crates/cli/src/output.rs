//! Answers of commands on standard output: tables for people, JSON for programs.
//!
//! Promises: a closed pipe is an error to return, never a panic; what came from outside cannot steer the terminal; an
//! empty listing says so. Rows are written page by page, so a million of them need no memory.

use std::io::{self, Write};

use serde::Serialize;

/// One row of a listing.
pub(crate) trait Row: Serialize {
    /// The headings of [`Row::cells`].
    const HEADINGS: &'static [&'static str];

    /// The cells for people.
    fn cells(&self) -> Vec<String>;
}

/// A listing that is being written: an array of objects, or a table.
pub(crate) struct Listing<W: Write> {
    out: W,
    json: bool,
    rows: usize,
}

impl<W: Write> Listing<W> {
    /// Starts a listing.
    pub(crate) fn start(out: W, json: bool) -> Self {
        Self { out, json, rows: 0 }
    }

    /// So many rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Writes the next rows.
    pub(crate) fn page<T: Row>(&mut self, rows: &[T]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.json {
            for row in rows {
                self.out.write_all(if self.rows == 0 { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.out, row)?;
                self.rows += 1;
            }
            return Ok(());
        }
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.cells().into_iter().map(|c| clean(&c)).collect()).collect();
        write_table(&mut self.out, T::HEADINGS, self.rows == 0, &cells)?;
        self.rows += rows.len();
        Ok(())
    }

    /// Ends the listing; `empty` is what a person reads where there was no row.
    pub(crate) fn end(mut self, empty: &str) -> io::Result<()> {
        match (self.json, self.rows) {
            (true, 0) => writeln!(self.out, "[]")?,
            (true, _) => writeln!(self.out, "\n]")?,
            (false, 0) => writeln!(self.out, "{empty}")?,
            (false, _) => {}
        }
        self.out.flush()
    }
}

/// Writes a short table for people; nothing where there is no row.
pub(crate) fn table<T: Row>(out: &mut impl Write, rows: &[T]) -> io::Result<()> {
    let mut listing = Listing::start(out, false);
    listing.page(rows)?;
    Ok(())
}

fn write_table(out: &mut impl Write, headings: &[&str], with_headings: bool, rows: &[Vec<String>]) -> io::Result<()> {
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .fold(heading.len(), usize::max)
        })
        .collect();
    if with_headings {
        write_line(out, headings.iter().copied(), &widths)?;
    }
    rows.iter().try_for_each(|row| write_line(out, row.iter().map(String::as_str), &widths))
}

fn write_line<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> io::Result<()> {
    let padded: Vec<String> = cells.zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    writeln!(out, "{}", padded.join("  ").trim_end())
}

/// Writes one value as indented JSON.
pub(crate) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Writes facts, one a line, their names aligned.
pub(crate) fn facts(out: &mut impl Write, facts: &[(&str, String)]) -> io::Result<()> {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().try_for_each(|(name, value)| writeln!(out, "  {name:<width$}  {}", clean(value)))
}

/// A text from outside with its control characters made visible.
pub(crate) fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// A value, or a dash.
pub(crate) fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests;
