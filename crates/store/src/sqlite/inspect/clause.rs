//! A query that is put together from the restrictions asked for.

use sqlite::rusqlite::types::Value;
use sqlite::rusqlite::{Connection, Result, Row, params_from_iter};

/// A SELECT whose restrictions follow each other; every value is bound, never written into the text.
pub(super) struct Clause {
    sql: String,
    values: Vec<Value>,
}

impl Clause {
    /// `select` ends before the WHERE.
    pub(super) fn new(select: &str) -> Self {
        Self { sql: format!("{select} WHERE TRUE"), values: Vec::new() }
    }

    /// A restriction without a value.
    pub(super) fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// A restriction by a value, where there is one; `condition` has a `?` for it.
    pub(super) fn and_value(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and_values(condition, [value.into()]);
        }
    }

    /// A restriction by several values; `condition` has a `?` for each.
    pub(super) fn and_values(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.and(condition);
        self.values.extend(values);
    }

    /// All rows, or the first `limit`, in the order given.
    pub(super) fn rows<T>(
        mut self,
        connection: &Connection,
        order: &str,
        limit: Option<usize>,
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.sql.push_str(" ORDER BY ");
        self.sql.push_str(order);
        if let Some(limit) = limit {
            self.sql.push_str(" LIMIT ?");
            self.values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        }
        connection.prepare_cached(&self.sql)?.query_map(params_from_iter(self.values), read)?.collect()
    }
}
