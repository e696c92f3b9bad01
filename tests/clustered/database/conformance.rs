//! The scenarios that every engine of the store must pass.

use async_trait::async_trait;
use store::Rules;
use store::conformance::{Engine, Stores};

use super::{new_database, shared, store_with};

/// A database of its own for each store.
struct PostgreSql;

#[async_trait]
impl Engine for PostgreSql {
    async fn open(&self, rules: Rules) -> Stores {
        Stores::new(store_with(&shared().url(&new_database()), rules), ())
    }
}

store::conformance_tests!(PostgreSql);
