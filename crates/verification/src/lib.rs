//! Whether a webhook's JWT was made by Finlink, and whether it vouches for this very body.
//!
//! [`verify`] is pure and synchronous: no clock, no input or output, no key fetched. A key that is not in the [`KeySet`] is
//! not an error but an [`Outcome::UnknownKey`]; whoever can ask Finlink decides it later, by the same function.
//!
//! Promises: nothing in a JWT is used before its header passed, no claim is read before its signature passed, and ES256 is
//! the only algorithm there is. Not here: which answer a sender gets (`ingress`), and where keys come from (`reconciler`).

mod claims;
mod keys;
mod outcome;
mod rules;
mod token;
mod verify;

pub use keys::{HeardTime, KeySet, KeySnapshot, NotAKey};
pub use outcome::{Outcome, Refusal, Verified};
pub use rules::{Mode, Rules};
pub use token::{HEADER, JWT_BYTES_MAX};
pub use verify::verify;
