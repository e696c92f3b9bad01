//! A stand-in for Vumi Finlink: a world of connections, the API that shows it, and the sender of webhooks, all from one seed.
//!
//! It is built from what is known of Finlink alone and depends on none of our crates: an independent witness. Start at
//! [`Simulator`]; what can be set stands in [`Settings`].
//! Promises: the same settings give the same changes, the same mishaps and the same truth, up to the clock; after a run that
//! ended [`Ended::Quiet`] the truth stands still; it counts whatever it sent and was asked. It deliberately has no data of
//! connections (accounts, portfolios), no second app, and no dashboard.

mod api;
mod draw;
mod keys;
mod sender;
mod settings;
mod shared;
mod simulator;
mod tally;
mod world;

pub use keys::{Jwk, NoKey};
pub use sender::Ended;
pub use sender::forgery::Forgery;
pub use settings::{CONNECTIONS_MAX, Faults, InvalidSetting, LOSS_RATE_MAX, Settings, WEBHOOKS_PER_CONNECTION};
pub use simulator::{Progress, RunError, Simulator, StartError, Truth};
pub use tally::{Asked, RECEIPTS_MAX, Receipt, Tally};
pub use world::change::{Change, Kind, Told};
