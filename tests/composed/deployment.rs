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

/// How many processes of the roles that are scaled there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ingress: usize,
    pub(crate) consumer: usize,
}

/// The most memory that a process of ours has used since it started.
#[derive(Debug)]
pub(crate) struct Peak {
    /// Which one.
    pub(crate) name: String,
    /// Resident memory of the process, in bytes.
    pub(crate) resident: u64,
    /// What its container was charged for, with the files that the kernel keeps in memory for it, in bytes.
    pub(crate) charged: Option<u64>,
}

/// Every role and both servers, running.
pub(crate) trait Deployment {
    /// Where webhooks are taken: the way in to all ingress processes, or where none stands in front the address of each.
    fn webhooks(&self) -> Vec<SocketAddr>;
    /// Where the user's API is.
    fn api(&self) -> SocketAddr;
    /// Where Prometheus is.
    fn prometheus(&self) -> SocketAddr;
    /// Starts and stops processes until there are so many.
    async fn scale(&mut self, counts: Counts);
    /// Stops a server in order.
    async fn stop(&mut self, server: Server);
    /// Starts it again and waits until it serves.
    async fn start(&mut self, server: Server);
    /// Ends one ingress at once, which nobody starts again.
    async fn kill_ingress(&mut self);
    /// Stops every ingress in order.
    async fn stop_ingress(&mut self);
    /// Stops everything in order.
    async fn stop_all(&mut self);
    /// Starts what does not run, and waits until all serves.
    async fn start_all(&mut self);
    /// What each running process of ours has used at most.
    async fn peaks(&self) -> Vec<Peak>;
    /// Runs one of finlinkd's commands for people.
    async fn person(&self, arguments: &[&str]) -> Told;
    /// Ends it and deletes what it kept.
    async fn end(self);
}
