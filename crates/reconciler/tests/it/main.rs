//! The reconciler against a real store and a Finlink over real HTTP, driven step by step in made-up time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(clippy::float_cmp, reason = "counters count in whole numbers")]

mod finlink;
mod keys_listener;
mod leases;
mod lists;
mod outages;
mod pending;
mod reads;
mod retention;
mod rig;
mod sessions;
mod signing;
mod simulated;
