//! RabbitMQ and PostgreSQL, and a process for each role.
//!
//! An engine leaves when its server is killed, and returns when the server was started again on its data.

use tests::binary::Setup;
use tests::cluster::{Cluster, Queue};
use tests::customer::Customer;
use tests::looking::{drained, is_said_to_be};
use tests::person::Person;
use tests::processes::Processes;
use tests::roles::role_of;
use tests::servers::{Postgres, RabbitMq, RabbitMqOptions, VirtualHost, shared};
use tokio::task::block_in_place;

use crate::pair::{Pair, WithoutAQueue};

pub(crate) struct Clustered {
    cluster: Cluster,
    own: Option<Servers>,
    settings: Vec<(&'static str, &'static str)>,
}

/// Servers that nobody else uses.
struct Servers {
    broker: RabbitMq,
    database: Postgres,
}

impl Servers {
    fn launch() -> Self {
        std::thread::scope(|scope| {
            let database = scope.spawn(|| Postgres::launch().unwrap());
            let broker = RabbitMq::launch(&RabbitMqOptions::default()).unwrap();
            Self { broker, database: database.join().unwrap() }
        })
    }
}

impl Clustered {
    fn own(&mut self) -> &mut Servers {
        self.own.as_mut().unwrap()
    }

    fn query(&self, sql: &str) {
        let database = match &self.own {
            Some(own) => &own.database,
            None => shared::database(),
        };
        block_in_place(|| database.query(self.cluster.database(), sql).unwrap());
    }
}

impl Pair for Clustered {
    const PROCESSES: &'static [&'static str] = &["reconciler-1", "consumer-1", "ingress-1", "feed-1"];
    /// What the broker cannot have now is on the disk of the receiver.
    const WITHOUT_A_QUEUE: WithoutAQueue = WithoutAQueue { answer: 200, said_to_be: "degraded" };

    async fn sound() -> Self {
        Self { cluster: Cluster::shared().await, own: None, settings: Vec::new() }
    }

    async fn breakable() -> Self {
        let mut own = block_in_place(Servers::launch);
        let queue = block_in_place(|| Queue::Deployed(VirtualHost::committed(&own.broker).unwrap()));
        // A broker that is killed within a second of its queues' import may forget them (`deploy/rabbitmq/README.md`). One that
        // has been stopped in order has not.
        block_in_place(|| {
            own.broker.stop().unwrap();
            own.broker.start().unwrap();
        });
        let cluster = Cluster::on(queue, own.database.url("finlinkd")).await;
        Self { cluster, own: Some(own), settings: Vec::new() }
    }

    fn customer(&self) -> &Customer {
        &self.cluster
    }

    fn person(&self) -> Person {
        self.cluster.person()
    }

    fn set(&mut self, name: &'static str, value: &'static str) {
        self.settings.push((name, value));
    }

    fn setup(&self, process: &str) -> Setup {
        self.settings.iter().fold(self.cluster.setup(process), |setup, (name, value)| setup.with(name, value))
    }

    fn player(role: &str) -> &'static str {
        let first = Self::PROCESSES.iter().copied().find(|&process| role_of(process) == role);
        first.unwrap_or_else(|| panic!("nobody is a {role}"))
    }

    async fn queue_leaves(&mut self) {
        block_in_place(|| self.own().broker.kill().unwrap());
    }

    async fn queue_returns(&mut self) {
        block_in_place(|| self.own().broker.start().unwrap());
    }

    async fn store_leaves(&mut self) {
        block_in_place(|| self.own().database.kill().unwrap());
    }

    async fn store_returns(&mut self) {
        block_in_place(|| self.own().database.start().unwrap());
    }

    async fn store_refuses(&self, beginning: &str) {
        self.query(&format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN IF position(''{beginning}''::bytea IN NEW.bytes) = 1
              THEN RAISE ''no'' USING ERRCODE = ''23514''; END IF; RETURN NEW; END';
             CREATE TRIGGER refuse BEFORE INSERT ON bodies FOR EACH ROW EXECUTE FUNCTION refuse()"
        ));
    }

    async fn store_takes_all(&self) {
        self.query("DROP TRIGGER refuse ON bodies");
    }

    /// The command is one more client of the servers.
    async fn redrives(&self, letter: &str, _running: &mut Processes) -> usize {
        self.person().redrives(letter).await;
        0
    }

    /// The consumer goes on for as long as the ingress has anything to leave behind. An ingress that was stopped before
    /// it reached the broker would leave its last mark in its spool, and the books would wait for it.
    async fn closes_the_books(&self, running: &mut Processes) -> usize {
        let ingress = running.take(Self::player("ingress"));
        is_said_to_be(&ingress, Some("queue"), "ready").await;
        drained(&ingress).await;
        ingress.stop().await.unwrap();
        1
    }

    /// The process is frozen: it has not gone, and does not know what it misses. Another one stands by.
    async fn loses_its_voice(&self, running: &mut Processes) {
        running.get("reconciler-1").freeze().unwrap();
        running.put("reconciler-2", self.start("reconciler-2").await);
    }

    /// It goes on with the answer that came meanwhile.
    async fn hears_the_old_voice(&self, running: &mut Processes) {
        let frozen = running.get("reconciler-1");
        frozen.thaw().unwrap();
        frozen.said("standing by: another reconciler talks to Finlink now").await.unwrap();
    }

    /// The one that stood by is killed in its turn, and the first is there to take over.
    async fn loses_the_new_voice(&self, running: &mut Processes) {
        running.take("reconciler-2").kill().await.unwrap();
    }
}
