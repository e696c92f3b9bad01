//! The receiver: `POST /webhooks/{app}` in, one message in the queue out, and only then a 200.
//!
//! Promises: a 2xx means durable; a 4xx is never for a fault of ours; the body is the bytes off the wire; every wait and
//! every size is bounded; a stop cuts no request; every attempt to publish is in the books. [`Outcome`] is the whole table
//! of answers.
//!
//! Not here: what a body says (it is never parsed), any Finlink credential, any key fetched, any wait for anyone but the
//! queue.

mod admission;
mod answer;
mod apps;
mod attempt;
mod body;
mod books;
mod checkpoints;
mod clocks;
mod metrics;
mod outcome;
mod pending;
mod readiness;
mod receive;
mod receiver;
mod settings;
mod start;
mod throttle;
mod unread;

pub use metrics::Metrics;
pub use outcome::Outcome;
pub use readiness::{Readiness, readiness};
pub use settings::Settings;
pub use start::{Error, Wiring, start};
