//! Private servers: real ones, on free ports, with their own data folders, ended by process id.
//!
//! Each may be stopped, killed, frozen and started again by the test that owns it, on the same port and the same data.

mod postgres;
mod process;
mod rabbitmq;
mod user;

pub use postgres::Postgres;
pub use process::{ServerProcess, free_port};
pub use rabbitmq::{RabbitMq, RabbitMqOptions};
