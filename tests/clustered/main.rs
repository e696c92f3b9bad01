//! What holds on real servers: a private RabbitMQ and a private PostgreSQL, killed, frozen and cut off as needed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod broker;
mod database;
mod monitoring;
mod pipeline;
mod servers;
