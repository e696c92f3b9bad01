//! Which engines stand behind the ports: the only place that names concrete ones.

mod queue;
mod store;

pub(crate) use queue::{Ends, Queue};
pub(crate) use store::{
    Look, Store, look_at_schema, look_into_feed, look_into_store, migrate_store, open_store, store_shown,
};
