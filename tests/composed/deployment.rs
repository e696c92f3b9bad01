//! What the scenes ask of a deployment, whoever runs its processes.

use std::net::SocketAddr;
use std::process::Output;

/// A server that is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// RabbitMQ.
    Broker,
    /// PostgreSQL.
    Database,
}

/// Both, in the order in which they are restarted.
pub(crate) const SERVERS: [Server; 2] = [Server::Broker, Server::Database];

/// What a command of a person's came to.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) exit_code: Option<i32>,
    pub(crate) output: String,
    pub(crate) complaint: String,
}

impl Told {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { exit_code: output.status.code(), output: text(&output.stdout), complaint: text(&output.stderr) }
    }
}

/// Every role and both servers, running.
pub(crate) trait Deployment {
    /// Where webhooks are taken.
    fn webhooks(&self) -> SocketAddr;
    /// Where the user's API is.
    fn api(&self) -> SocketAddr;
    /// Where Prometheus is.
    fn prometheus(&self) -> SocketAddr;
    /// Runs so many consumers.
    async fn scale_consumers(&mut self, count: usize);
    /// Stops a server in order.
    async fn stop(&mut self, server: Server);
    /// Starts it again and waits until it serves.
    async fn start(&mut self, server: Server);
    /// Stops everything in order.
    async fn stop_all(&mut self);
    /// Starts everything again, and waits until it serves.
    async fn start_all(&mut self);
    /// Runs one of finlinkd's commands for people.
    async fn person(&self, arguments: &[&str]) -> Told;
    /// Ends it and deletes what it kept.
    async fn end(self);
}
