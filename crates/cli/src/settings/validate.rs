//! What a role needs, beyond every key fitting its type: what is missing, and what contradicts itself.

use std::net::SocketAddr;
use std::path::Path;

use events::AppName;
use humantime_serde::re::humantime::format_duration;

use super::{Access, App, Problem, QueueEngine, Settings, StoreEngine, secret};

/// What a process is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything in one process, with any mix of engines.
    Run,
    /// The receiver alone: no Finlink credential, no database.
    Ingress,
    /// From the queue to the store.
    Consumer,
    /// The one that talks to Finlink.
    Reconciler,
    /// Events and the user's API.
    Feed,
    /// A command that only looks into the data folder or asks a running process.
    Command,
}

impl Role {
    /// Whether it talks to Finlink.
    fn asks_finlink(self) -> bool {
        matches!(self, Self::Run | Self::Reconciler)
    }

    /// Whether it opens the listener of that setting.
    pub(crate) fn opens(self, listener: &str) -> bool {
        match listener {
            "listen" => matches!(self, Self::Run | Self::Ingress),
            "api_listen" => matches!(self, Self::Run | Self::Feed),
            "internal_listen" => matches!(self, Self::Run | Self::Reconciler),
            _ => self != Self::Command,
        }
    }

    /// Whether it is a receiver.
    fn takes_webhooks(self) -> bool {
        self.opens("listen")
    }

    /// Whether its queue must be one that several processes share.
    fn shares_queue(self) -> bool {
        matches!(self, Self::Ingress | Self::Consumer)
    }

    /// Whether its store must be one that several processes share.
    fn shares_store(self) -> bool {
        matches!(self, Self::Consumer | Self::Reconciler | Self::Feed)
    }
}

impl Settings {
    /// Everything that keeps `role` from working. Reads the secret files that are named, to see that they can be read.
    pub fn problems_for(&self, role: Role) -> Vec<Problem> {
        let mut problems = self.engines(role);
        if self.data_dir.as_os_str().is_empty() {
            problems.push(Problem::with("data_dir", "a folder was expected, such as \"./data\""));
        }
        if let Err(why) = crate::logs::filter(&self.log.level) {
            problems.push(Problem::with(
                "log.level",
                format!("{:?} does not fit: {why}; an example is \"info\"", self.log.level),
            ));
        }
        if role != Role::Command {
            problems.extend(self.listeners(role));
        }
        if role.asks_finlink() {
            problems.extend(self.finlink());
        }
        if role == Role::Ingress && self.apps.is_empty() {
            let what =
                "no app is configured; an ingress needs the name of each, and its client_id is enough to name it";
            problems.push(Problem::with("apps.<name>.client_id", what));
        }
        problems
    }

    fn engines(&self, role: Role) -> Vec<Problem> {
        let mut problems = Vec::new();
        match self.queue.engine() {
            Ok(QueueEngine::RabbitMq(_)) if role.takes_webhooks() && self.ingress.body_bytes_max > self.rabbitmq.message_bytes_max => {
                let (body, message) = (self.ingress.body_bytes_max, self.rabbitmq.message_bytes_max);
                let what = format!(
                    "{body} is more than goes through the queue: rabbitmq.message_bytes_max is {message}; lower the one, or \
                     raise the broker's max_message_size, then the other on every role, consumers before ingress"
                );
                problems.push(Problem::with("ingress.body_bytes_max", what));
            }
            Ok(QueueEngine::Embedded) if role.shares_queue() => problems.push(Problem::with(
                "queue.url",
                "missing: processes apart share a RabbitMQ, amqp://user:password@host; in one process `finlinkd run` needs none",
            )),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
        match self.store.engine() {
            Ok(StoreEngine::Sqlite) if role.shares_store() => problems.push(Problem::with(
                "store.url",
                "missing: processes apart share a PostgreSQL, postgres://user:password@host/database; in one process \
                 `finlinkd run` needs none",
            )),
            Ok(_) => {}
            // An ingress has no business with the store, whatever the settings say of it.
            Err(_) if role == Role::Ingress => {}
            Err(problem) => problems.push(problem),
        }
        problems
    }

    fn addresses(&self) -> [(&'static str, SocketAddr); 4] {
        [
            ("listen", self.listen),
            ("api_listen", self.api_listen),
            ("admin_listen", self.admin_listen),
            ("internal_listen", self.internal_listen),
        ]
    }

    fn listeners(&self, role: Role) -> Vec<Problem> {
        let mut problems = Vec::new();
        let addresses: Vec<_> = self.addresses().into_iter().filter(|(name, _)| role.opens(name)).collect();
        for (index, (name, address)) in addresses.iter().enumerate() {
            if let Some((earlier, _)) = addresses[..index].iter().find(|(_, other)| collide(*other, *address)) {
                let what =
                    format!("{address} is the address of {earlier} already; give each listener a port of its own");
                problems.push(Problem::with(*name, what));
            }
        }
        if self.shutdown_deadline <= self.ingress.grace {
            let (deadline, grace) = (format_duration(self.shutdown_deadline), format_duration(self.ingress.grace));
            let what = format!(
                "{deadline} is over before anything stops: ingress.grace is {grace} and part of it; set a longer deadline or a \
                 shorter grace"
            );
            problems.push(Problem::with("shutdown_deadline", what));
        }
        if role.opens("api_listen") {
            problems.extend(access("api", &self.api, "api_listen", self.api_listen));
        }
        if role.opens("internal_listen") {
            problems.extend(access("internal", &self.internal.access, "internal_listen", self.internal_listen));
        }
        problems
    }

    fn finlink(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let base = self.upstream.base_url.as_str();
        if !base.starts_with("https://") && !base.starts_with("http://") {
            let what = format!("{base:?} is not an address; expected one like \"https://api.finlink.vumi.io\"");
            problems.push(Problem::with("upstream.base_url", what));
        }
        if self.apps.is_empty() {
            problems.push(Problem::with(
                "apps.<name>.client_id",
                "no app is configured; choose a name for your Finlink app and set its client_id and client_secret",
            ));
        }
        self.apps.iter().for_each(|(name, app)| problems.extend(credentials(name, app)));
        if self.feed.relay_lease < feed::RELAY_LEASE_MIN {
            let (lease, least) = (format_duration(self.feed.relay_lease), format_duration(feed::RELAY_LEASE_MIN));
            let what = format!("{lease} is too short: at least {least} was expected, such as \"10s\"");
            problems.push(Problem::with("feed.relay_lease", what));
        }
        let kept = self.retention.problems().into_iter();
        problems.extend(kept.map(|(key, what)| Problem::with(format!("retention.{key}"), what)));
        problems
    }
}

/// Port 0 is a different port each time it is asked for.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_host
}

fn access(section: &str, access: &Access, listener: &str, address: SocketAddr) -> Vec<Problem> {
    let key = format!("{section}.token");
    if access.token.is_some() && access.token_file.is_some() {
        return vec![Problem::with(key, format!("{section}.token_file is set too; keep one of the two"))];
    }
    if access.token.is_none() && access.token_file.is_none() && !address.ip().is_loopback() {
        let what =
            format!("missing: {listener} is {address}, which others can reach; set a token, or a loopback address");
        return vec![Problem::with(key, what)];
    }
    access
        .token_file
        .as_deref()
        .and_then(|path| unreadable(format!("{section}.token_file"), path))
        .into_iter()
        .collect()
}

fn credentials(name: &AppName, app: &App) -> Vec<Problem> {
    let key = |field: &str| format!("apps.{name}.{field}");
    let mut problems = Vec::new();
    if app.client_id.as_deref().is_none_or(|id| id.trim().is_empty()) {
        problems
            .push(Problem::with(key("client_id"), "missing: the client id of the app, a UUID in Finlink's dashboard"));
    }
    match (&app.client_secret, &app.client_secret_file) {
        (None, None) => problems.push(Problem::with(
            key("client_secret"),
            "missing: a secret made for finlinkd alone, or client_secret_file with the file that holds it",
        )),
        (Some(_), Some(_)) => {
            problems.push(Problem::with(key("client_secret"), "client_secret_file is set too; keep one of the two"));
        }
        (None, Some(path)) => problems.extend(unreadable(key("client_secret_file"), path)),
        (Some(_), None) => {}
    }
    problems
}

fn unreadable(key: String, path: &Path) -> Option<Problem> {
    secret::read_file(path).err().map(|why| Problem::with(key, why))
}
