//! What crosses a boundary of finlinkd, and nothing else.
//!
//! [`RawWebhook`] and [`Checkpoint`] go from ingress to the queue, [`BodyTells`] is all that is ever read out of a body,
//! [`ConnectionStatus`] is Finlink's answer, [`Connection`] and [`ConnectionEvent`] are what a user of finlinkd gets.
//!
//! Promises: these shapes are frozen by a snapshot (`schemas/`); a change of one shows in review.
//! Not here: any rule about what a read means (`connections`), any input or output.

mod app;
mod body;
mod checkpoint;
mod connection;
mod event;
mod hash;
mod lenient;
mod receipt;
mod schema;
mod status;
mod time;
mod token;
mod webhook;

pub use app::{AppName, NotAnAppName};
pub use body::{BodyTells, TOKENS_PER_BODY_MAX, TokenFields};
pub use checkpoint::{Checkpoint, SequenceRange};
pub use connection::Connection;
pub use event::{ConnectionEvent, EventData, EventType};
pub use hash::{BodyHash, NotAHash};
pub use receipt::Receipt;
pub use schema::{Schema, schemas};
pub use status::{ConnectionStatus, ErrorDetails, NotAStatus, Status};
pub use time::{NotATime, UtcMicros};
pub use token::{ConnectionToken, NotAToken};
pub use webhook::{RawWebhook, Verification};
