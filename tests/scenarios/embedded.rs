//! The embedded engines: two SQLite files in one data folder, and one process that is every role.
//!
//! An engine leaves when another connection locks its file for writing: whatever the process then writes waits, and fails.

use std::path::Path;
use std::time::Duration;

use sqlite::rusqlite::Connection;
use tests::binary::Setup;
use tests::customer::Customer;
use tests::person::Person;
use tests::processes::Processes;
use tests::scene::Scene;
use tokio::task::block_in_place;

use crate::pair::{Pair, WithoutAQueue};

const PROCESS: &str = "run";
const QUEUE: &str = "queue.db";
const STORE: &str = "store.sqlite";
const SETTINGS: [(&str, &str); 3] = [
    // Whoever waited for the end of a lease would wait for longer than any test does.
    ("UPSTREAM__LEASE", "1h"),
    ("INGRESS__CHECKPOINT_EVERY", "500ms"),
    ("CONSUMER__RETRY_MAX", "500ms"),
];
/// A lock is waited for, as the process is that has it now and then.
const LOCK_PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Embedded {
    scene: Scene,
    queue_lock: Option<Connection>,
    store_lock: Option<Connection>,
}

impl Embedded {
    fn open(&self, file: &str) -> Connection {
        open(self.scene.folder(), file)
    }
}

fn open(folder: &Path, file: &str) -> Connection {
    let connection = Connection::open(folder.join(file)).unwrap();
    connection.busy_timeout(LOCK_PATIENCE).unwrap();
    connection
}

/// Nobody else writes until it is dropped.
fn locked(connection: Connection) -> Connection {
    block_in_place(|| connection.execute_batch("BEGIN EXCLUSIVE").unwrap());
    connection
}

impl Pair for Embedded {
    const PROCESSES: &'static [&'static str] = &[PROCESS];
    /// There is no other place: it says so, and the sender comes again.
    const WITHOUT_A_QUEUE: WithoutAQueue = WithoutAQueue { answer: 503, said_to_be: "unready" };

    async fn sound() -> Self {
        let mut scene = Scene::brisk().await;
        for (name, value) in SETTINGS {
            scene.setup.set(name, value);
        }
        Self { scene, queue_lock: None, store_lock: None }
    }

    async fn breakable() -> Self {
        // They are nobody else's anyway.
        Self::sound().await
    }

    fn customer(&self) -> &Customer {
        &self.scene
    }

    fn person(&self) -> Person {
        self.scene.person()
    }

    fn set(&mut self, name: &'static str, value: &'static str) {
        self.scene.setup.set(name, value);
    }

    fn setup(&self, _process: &str) -> Setup {
        self.scene.setup.clone()
    }

    fn player(_role: &str) -> &'static str {
        PROCESS
    }

    async fn queue_leaves(&mut self) {
        self.queue_lock = Some(locked(self.open(QUEUE)));
    }

    async fn queue_returns(&mut self) {
        self.queue_lock = None;
    }

    async fn store_leaves(&mut self) {
        self.store_lock = Some(locked(self.open(STORE)));
    }

    async fn store_returns(&mut self) {
        self.store_lock = None;
    }

    async fn store_refuses(&self, beginning: &str) {
        let trigger = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON bodies
             WHEN substr(NEW.bytes, 1, {}) = CAST('{beginning}' AS BLOB)
             BEGIN SELECT RAISE(ABORT, 'no'); END",
            beginning.len()
        );
        block_in_place(|| self.open(STORE).execute_batch(&trigger).unwrap());
    }

    async fn store_takes_all(&self) {
        block_in_place(|| self.open(STORE).execute_batch("DROP TRIGGER refuse").unwrap());
    }

    /// The command needs the folder for itself.
    async fn redrives(&self, letter: &str, running: &mut Processes) -> usize {
        running.take(PROCESS).stop().await.unwrap();
        self.person().redrives(letter).await;
        running.put(PROCESS, self.start(PROCESS).await);
        1
    }

    /// The last mark may still be in the queue when the process ends: the next one takes it in.
    async fn closes_the_books(&self, running: &mut Processes) -> usize {
        running.take(PROCESS).stop().await.unwrap();
        running.put(PROCESS, self.start(PROCESS).await);
        1
    }

    /// The process dies. The next one is there at once.
    async fn loses_its_voice(&self, running: &mut Processes) {
        running.take(PROCESS).kill().await.unwrap();
        running.put(PROCESS, self.start(PROCESS).await);
    }

    /// The dead do not come back.
    async fn hears_the_old_voice(&self, _running: &mut Processes) {}

    /// There is no old one to take over from it.
    async fn loses_the_new_voice(&self, _running: &mut Processes) {}
}
