//! Private servers: real ones, on free ports, with their own data folders, ended by process id.
//!
//! Each may be stopped, killed, frozen and started again by the test that owns it, on the same port and the same data. Which
//! release of RabbitMQ and PostgreSQL that is, `FINLINKD_TEST_SERVERS` says (`release`).

mod deployed;
mod ports;
mod postgres;
mod process;
mod prometheus;
mod rabbitmq;
mod release;
pub mod shared;

pub use deployed::VirtualHost;
pub use ports::free_port;
pub use postgres::Postgres;
pub use process::ServerProcess;
pub use prometheus::{PostgresExporter, Prometheus};
pub use rabbitmq::{RabbitMq, RabbitMqOptions};
pub use release::Release;
