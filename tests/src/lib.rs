//! The harness: what tests that cross crates need to start, break and ask.
//!
//! Not here: any assertion about finlinkd. The test targets beside this folder hold those.

pub mod binary;
pub mod brisk;
pub mod circumstances;
#[cfg(feature = "servers")]
pub mod cluster;
#[cfg(feature = "servers")]
pub mod compose;
pub mod customer;
pub mod deployment;
pub mod feed;
pub mod finlink;
pub mod http;
pub mod load;
pub mod looking;
pub mod person;
pub mod processes;
pub mod proxy;
pub mod roles;
pub mod scene;
pub mod scraping;
pub mod sender;
#[cfg(feature = "servers")]
pub mod servers;
pub mod signing;
pub mod usage;
pub mod workspace;
