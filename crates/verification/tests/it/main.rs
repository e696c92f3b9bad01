//! Verification from the outside: keys and tokens, good and bad.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod keys;
mod signer;
mod tokens;
