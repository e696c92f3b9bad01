//! Reading rows in the order of their ids.

use bytes::Bytes;
use sqlite::rusqlite::{self, Connection, Row, params};

use super::books::Range;
use super::codec::{self, Undecodable};
use crate::{Content, Message};

/// How much to read at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadLimits {
    pub(crate) count_max: usize,
    /// One row larger than this is still read, alone.
    pub(crate) bytes_max: usize,
}

/// A row as it lies in the file.
#[derive(Debug, Clone)]
pub(crate) struct StoredMessage {
    pub(crate) id: i64,
    pub(crate) size: u64,
    /// Handed out so often before the file was opened.
    pub(crate) attempts: u32,
    content: Bytes,
}

impl StoredMessage {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            size: row.get::<_, i64>(1)? as u64,
            attempts: row.get(2)?,
            content: row.get::<_, Vec<u8>>(3)?.into(),
        })
    }

    pub(crate) fn message(&self) -> Result<Message, Undecodable> {
        codec::decode(self.content.clone())
    }

    pub(crate) fn content(&self) -> Content {
        match self.message() {
            Ok(message) => Content::Message(message),
            Err(why) => Content::Foreign { bytes: self.content.clone(), reason: format!("a row {why}") },
        }
    }
}

/// The first rows of the range, as many as the limits allow.
pub(super) fn rows(connection: &Connection, range: Range, limits: ReadLimits) -> rusqlite::Result<Vec<StoredMessage>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, size, attempts, content FROM messages WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut found = statement.query(params![range.first, range.last, limits.count_max.max(1) as i64])?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        bytes += row.get::<_, i64>(1)? as usize;
        if bytes > limits.bytes_max && !rows.is_empty() {
            break;
        }
        rows.push(StoredMessage::from_row(row)?);
    }
    Ok(rows)
}
