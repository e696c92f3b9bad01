//! The split roles as processes of their own, on a real RabbitMQ and a real PostgreSQL: converging, and broken in every way.

mod broker_away;
mod clocks;
pub(crate) mod cluster;
mod convergence;
mod database_away;
mod full_disk;
mod hung_up;
mod keys;
mod kills;
mod memory;
mod migrate;
mod mixed;
mod relay;
mod set_aside;
mod stolen;
pub(crate) mod strangers;
mod takeover;
mod wrong_starts;
