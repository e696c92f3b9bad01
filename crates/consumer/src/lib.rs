//! The consumer: takes batches out of the queue, records them in the store, acknowledges them.
//!
//! Start at [`Consumer`]. Promises: a message is acknowledged only when the store has committed it, as a delivery or as a dead
//! letter (R9); one bad message stops nothing and takes no other down with it; a store that is away costs a wait, never a
//! message; a stop loses nothing. Not here: any HTTP, SQL or broker client, and any rule about what a hint means (R1 and R11
//! are applied by the store, under the row's lock).

mod consumer;
mod dead_letters;
pub mod envelope;
mod isolation;
mod metrics;
mod part;
mod patience;
mod settings;
mod sorting;
mod taking;

pub use consumer::{Consumer, Error, Step};
pub use dead_letters::DeadLetters;
pub use isolation::Tally;
pub use metrics::Metrics;
pub use settings::Settings;
