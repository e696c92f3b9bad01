//! Facts about writes: what is kept, what is undone, who is told.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod scene;

use std::path::Path;

use scene::{Scene, add, rows};
use sqlite::rusqlite::Connection;
use sqlite::{Committed, Database, Isolation, Job, Ran, Survives, WriteError};

#[tokio::test]
async fn a_write_is_visible_once_it_resolves() {
    let scene = Scene::new();
    let database = scene.open();
    assert_eq!(database.write(|c| add(c, 1)).await, Ok(1));
    assert_eq!(rows(&database).await, [1]);
}

#[tokio::test]
async fn concurrent_writes_are_all_kept() {
    let scene = Scene::new();
    let database = scene.open();
    let writes = (0..1000).map(|n| {
        let database = database.clone();
        tokio::spawn(async move { database.write(move |c| add(c, n)).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.expect("the task ends").expect("the write is kept");
    }
    assert_eq!(rows(&database).await, (0..1000).collect::<Vec<_>>());
}

/// A job that holds the writer up, so that those sent meanwhile make one group.
struct HeldUp {
    release: std::sync::mpsc::SyncSender<()>,
    job: tokio::task::JoinHandle<Result<(), WriteError<String>>>,
}

impl HeldUp {
    async fn new(database: &Database) -> Self {
        let (release, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let (running, started) = tokio::sync::oneshot::channel();
        let database = database.clone();
        let job = tokio::spawn(async move {
            let hold = move |_: &Connection| {
                running.send(()).ok();
                wait.recv().map_err(|_| "not released".to_owned())
            };
            database.write(hold).await
        });
        started.await.expect("the job runs");
        Self { release, job }
    }

    async fn release(self) {
        self.release.send(()).expect("the job waits");
        self.job.await.expect("the task ends").expect("the job was released");
    }
}

/// How SQLite was told to sync the transaction that this runs in.
fn synchronous(connection: &Connection) -> Result<i64, String> {
    connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_commit_is_synced_unless_no_write_in_it_asks_for_it() {
    const NORMAL: i64 = 1;
    const FULL: i64 = 2;
    let scene = Scene::new();
    let database = scene.open();
    assert_eq!(database.write(synchronous).await, Ok(FULL));
    assert_eq!(database.write_surviving(Survives::ProcessEnd, synchronous).await, Ok(NORMAL));
    assert_eq!(database.write(synchronous).await, Ok(FULL), "what is told to survive is synced again");

    let held_up = HeldUp::new(&database).await;
    let mut light = Box::pin(database.write_surviving(Survives::ProcessEnd, synchronous));
    let mut whole = Box::pin(database.write(synchronous));
    assert!(polled_once(light.as_mut()).await.is_none());
    assert!(polled_once(whole.as_mut()).await.is_none());
    held_up.release().await;
    assert_eq!((light.await, whole.await), (Ok(FULL), Ok(FULL)), "one group, one commit");
}

/// Sends the jobs in order while the writer is held up, and gives their outcomes.
async fn as_one_group(database: &Database, jobs: Vec<Work>) -> Vec<Result<i64, WriteError<String>>> {
    let held_up = HeldUp::new(database).await;
    let mut answers = Vec::new();
    for job in jobs {
        let mut answer = Box::pin(database.write(job));
        // One poll puts it into the channel.
        assert!(polled_once(answer.as_mut()).await.is_none());
        answers.push(answer);
    }
    held_up.release().await;
    let mut outcomes = Vec::new();
    for answer in answers {
        outcomes.push(answer.await);
    }
    outcomes
}

type Work = Box<dyn FnOnce(&Connection) -> Result<i64, String> + Send>;

async fn polled_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_failing_job_undoes_its_own_changes_and_nobody_elses() {
    let scene = Scene::new();
    let database = scene.open();
    let outcomes = as_one_group(
        &database,
        vec![
            Box::new(|c| add(c, 1)),
            Box::new(|c| {
                add(c, 2)?;
                add(c, 3)?;
                Err("changed my mind".to_owned())
            }),
            Box::new(|c| add(c, 4)),
        ],
    )
    .await;
    assert_eq!(outcomes, [Ok(1), Err(WriteError::Job("changed my mind".to_owned())), Ok(4)]);
    assert_eq!(rows(&database).await, [1, 4]);
}

#[tokio::test]
async fn a_panicking_job_undoes_its_own_changes_and_the_writer_lives_on() {
    let scene = Scene::new();
    let database = scene.open();
    let outcomes = as_one_group(
        &database,
        vec![
            Box::new(|c| add(c, 1)),
            Box::new(|c| {
                add(c, 2)?;
                panic!("on purpose")
            }),
            Box::new(|c| add(c, 3)),
        ],
    )
    .await;
    assert_eq!(outcomes[0], Ok(1));
    assert!(matches!(outcomes[1], Err(WriteError::Unavailable(_))));
    assert_eq!(outcomes[2], Ok(3));
    assert_eq!(rows(&database).await, [1, 3]);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_every_job_of_its_group_and_the_writer_lives_on() {
    let scene = Scene::new();
    let database = scene.open();
    let outcomes = as_one_group(
        &database,
        vec![
            Box::new(|c| add(c, 1)),
            // A deferred constraint is looked at by COMMIT only, so this stands for a disk that fails just then.
            Box::new(|c| {
                c.execute_batch("PRAGMA defer_foreign_keys = on; INSERT INTO child VALUES (99)")
                    .map(|()| 0)
                    .map_err(|error| error.to_string())
            }),
            Box::new(|c| add(c, 2)),
        ],
    )
    .await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(WriteError::Unavailable(_)))), "{outcomes:?}");
    assert_eq!(rows(&database).await, [0; 0]);
    assert_eq!(database.write(|c| add(c, 3)).await, Ok(3));
    assert_eq!(rows(&database).await, [3]);
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_a_smaller_one_still_fits() {
    let scene = Scene::new();
    let database = scene.open();
    // As if the disk ended eight pages from here.
    let limit = |c: &Connection| -> Result<i64, String> {
        let pages: i64 = c.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(|e| e.to_string())?;
        let limit = pages + 8;
        c.pragma_update_and_check(None, "max_page_count", limit, |_| Ok(())).map_err(|e| e.to_string())?;
        Ok(limit)
    };
    database.write(limit).await.expect("the limit is set");
    let fill = |c: &Connection| {
        c.execute("INSERT INTO blobs VALUES (zeroblob(1000000))", []).map_err(|error| error.to_string())
    };
    let refused = database.write(fill).await.expect_err("there is no room");
    assert!(refused.to_string().contains("full"), "{refused}");
    assert_eq!(database.write(|c| add(c, 1)).await, Ok(1));
    assert_eq!(rows(&database).await, [1]);
}

/// A job that does without a savepoint, as the queue's inserts do.
struct OneStatement {
    work: fn(&Connection) -> Result<i64, String>,
    told: tokio::sync::oneshot::Sender<Result<(), String>>,
}

impl Job for OneStatement {
    fn isolation(&self) -> Isolation {
        Isolation::SingleStatement
    }

    fn run(&mut self, connection: &Connection) -> Ran {
        if (self.work)(connection).is_ok() { Ran::Done } else { Ran::Failed }
    }

    fn settle(self: Box<Self>, committed: Committed<'_>) {
        self.told.send(committed.map_err(str::to_owned)).expect("awaited");
    }
}

async fn submit(database: &Database, work: fn(&Connection) -> Result<i64, String>) -> Result<(), String> {
    let (told, outcome) = tokio::sync::oneshot::channel();
    assert!(database.submit(Box::new(OneStatement { work, told })).await.is_ok(), "it is open");
    outcome.await.expect("told")
}

#[tokio::test]
async fn a_job_without_a_savepoint_that_fails_undoes_nobody_elses_changes() {
    let scene = Scene::new();
    let database = scene.open();
    let held_up = HeldUp::new(&database).await;
    let outcomes = async {
        tokio::join!(
            submit(&database, |c| add(c, 1)),
            submit(&database, |c| add(c, 1)),
            submit(&database, |c| add(c, 2)),
            held_up.release(),
        )
    };
    assert!(matches!(outcomes.await, (Ok(()), Ok(()), Ok(()), ())));
    assert_eq!(rows(&database).await, [1, 2]);
}

#[tokio::test]
async fn a_job_without_a_savepoint_that_panics_undoes_what_ran_before_it_and_not_what_runs_after() {
    let scene = Scene::new();
    let database = scene.open();
    let held_up = HeldUp::new(&database).await;
    let outcomes = async {
        tokio::join!(
            submit(&database, |c| add(c, 1)),
            submit(&database, |_| panic!("on purpose")),
            submit(&database, |c| add(c, 2)),
            held_up.release(),
        )
    };
    assert!(matches!(outcomes.await, (Err(_), Err(_), Ok(()), ())));
    assert_eq!(rows(&database).await, [2]);
}

#[tokio::test]
async fn reading_goes_on_while_a_write_is_open() {
    let scene = Scene::new();
    let database = scene.open();
    database.write(|c| add(c, 1)).await.expect("kept");
    let held_up = HeldUp::new(&database).await;
    assert_eq!(rows(&database).await, [1]);
    held_up.release().await;
}

#[tokio::test]
async fn readers_cannot_write() {
    let scene = Scene::new();
    let database = scene.open();
    let refused = database.read(|c| c.execute("INSERT INTO numbers VALUES (1)", [])).await;
    assert!(refused.expect_err("it is read only").to_string().contains("readonly"));
}

#[tokio::test]
async fn dropping_the_last_handle_carries_out_what_was_accepted() {
    let scene = Scene::new();
    let database = scene.open();
    let held_up = HeldUp::new(&database).await;
    let mut answers = (0..100).map(|n| Box::pin(database.write(move |c| add(c, n)))).collect::<Vec<_>>();
    for answer in &mut answers {
        assert!(polled_once(answer.as_mut()).await.is_none());
    }
    // The callers go away, the writes do not.
    drop(answers);
    held_up.release().await;
    drop(database);
    let database = scene.open();
    assert_eq!(rows(&database).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn closing_ends_every_clone_and_frees_the_file() {
    let scene = Scene::new();
    let database = scene.open();
    let clone = database.clone();
    database.write(|c| add(c, 1)).await.expect("kept");
    database.close().await;
    assert_eq!(clone.write(|c| add(c, 2)).await, Err(WriteError::Ended));
    assert!(clone.read(|_| Ok(())).await.is_err());
    assert!(!wal_of(scene.path()).exists(), "the last one out cleans up");
    assert_eq!(rows(&scene.open()).await, [1]);
}

#[tokio::test]
async fn compacting_gives_the_disk_back_what_is_not_used() {
    let scene = Scene::new();
    let database = scene.open();
    let fill = |c: &Connection| c.execute("INSERT INTO blobs VALUES (zeroblob(1000000))", []);
    database.write(fill).await.expect("kept");
    database.write(|c| c.execute("DELETE FROM blobs", [])).await.expect("removed");
    database.compact().await;
    database.write(|c| add(c, 1)).await.expect("kept");
    assert!(std::fs::metadata(scene.path()).expect("there").len() < 100_000);
    assert_eq!(rows(&database).await, [1]);
}

#[tokio::test]
async fn removing_leaves_the_lock_alone() {
    let scene = Scene::new();
    let database = scene.open();
    database.write(|c| add(c, 1)).await.expect("kept");
    database.close_and_remove().await;
    let left = std::fs::read_dir(scene.path().parent().expect("a folder")).expect("readable");
    let left: Vec<_> = left.map(|entry| entry.expect("readable").file_name()).collect();
    assert_eq!(left, ["test.db.lock"]);
    assert_eq!(rows(&scene.open()).await, [0; 0]);
}

fn wal_of(path: &Path) -> std::path::PathBuf {
    path.with_extension("db-wal")
}
