//! The split roles as processes of their own, on a real RabbitMQ and a real PostgreSQL: converging, and broken in every way.

mod broker_away;
mod clocks;
mod convergence;
mod database_late;
mod full_disk;
mod handover;
mod hung_up;
mod keys;
mod memory;
mod migrate;
mod mixed;
mod relay;
mod replay;
mod set_aside;
pub(crate) mod strangers;
mod wrong_starts;
