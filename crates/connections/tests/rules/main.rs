//! The rules of a connection's life (R2, R3, R4, R6), each as an example, and what must hold of every history.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod any_order;
mod any_schedule;
mod deletion;
mod event_ids;
mod events_of_changes;
mod gaps;
mod life;
mod next_look;
mod reads;
mod rebuilding;
