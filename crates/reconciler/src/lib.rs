//! The reconciler: the only one that talks to Finlink. It reads what was hinted at and what should have been heard of by
//! now, decides pending webhooks, and serves the keys that it learned.
//!
//! Start at [`Reconciler::step`]: one unit of due work for one app. Promises: at most one process talks to Finlink per app
//! (R5); requests, logins and lists keep their distances through outages, restarts and floods (R11); no answer is used
//! that was not received whole; a claim that could not be answered is given back, or ends by itself.
//! Not here: what a read means (`connections`), how it is kept (`store`), and whether a signature holds (`verification`).

mod app;
mod board;
mod clock;
mod finlink;
pub mod keys_client;
mod keys_document;
pub mod keys_endpoint;
mod lease;
mod metrics;
mod pending;
mod persist;
mod purging;
mod questions;
mod reconciler;
mod retention;
mod sessions;
mod setback;
mod settings;
mod singles;
mod step;
mod sweep;

pub use app::{App, SecretError, SecretSource};
pub use board::KeyBoard;
pub use finlink::ClientError;
pub use metrics::Metrics;
pub use reconciler::{Reconciler, Wiring};
pub use retention::Retention;
pub use settings::Settings;
pub use step::{Did, Step};
