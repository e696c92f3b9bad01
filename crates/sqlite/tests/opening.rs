//! Facts about opening: schema versions, the lock, and each way for it to go wrong.

mod scene;

use scene::{MIGRATIONS, Scene, add, rows};
use sqlite::{Database, Migrate, Migration, OpenError, Options, WriteError};

#[tokio::test]
async fn migrations_are_applied_once_and_in_order() {
    let scene = Scene::new();
    scene.try_open(&MIGRATIONS[..1], Migrate::Auto).expect("version 1").write(|c| add(c, 1)).await.expect("kept");
    let database = scene.open();
    database.write(|c| c.execute("INSERT INTO child VALUES (1)", [])).await.expect("version 2 is there");
    drop(database);
    assert_eq!(rows(&scene.open()).await, [1]);
}

#[test]
fn an_older_schema_is_refused_where_it_may_only_be_checked() {
    let scene = Scene::new();
    drop(scene.try_open(&MIGRATIONS[..1], Migrate::Auto).expect("version 1"));
    let refused = scene.try_open(MIGRATIONS, Migrate::Check).err().expect("refused");
    assert_eq!(refused, OpenError::NeedsMigration { path: scene.path().to_owned(), found: 1, known: 2 });
}

#[test]
fn a_newer_schema_is_refused_and_named() {
    let scene = Scene::new();
    drop(scene.open());
    let refused = scene.try_open(&MIGRATIONS[..1], Migrate::Auto).err().expect("refused");
    assert_eq!(refused, OpenError::Newer { path: scene.path().to_owned(), found: 2, known: 1 });
    let refused = Database::open_read_only(scene.path(), &MIGRATIONS[..1]).err().expect("refused");
    assert!(refused.to_string().contains("run the newer program"), "{refused}");
}

#[test]
fn a_migration_that_fails_is_undone_whole() {
    let scene = Scene::new();
    let broken = Migration { version: 2, name: "broken", sql: "CREATE TABLE blobs (bytes BLOB); SELECT nonsense;" };
    let refused = scene.try_open(&[MIGRATIONS[0], broken], Migrate::Auto).err().expect("refused");
    assert!(matches!(refused, OpenError::Migration { version: 2, name: "broken", .. }), "{refused}");
    drop(scene.try_open(MIGRATIONS, Migrate::Auto).expect("the right migration finds nothing in its way"));
}

#[test]
fn a_second_writer_is_turned_away_and_the_lock_is_named() {
    let scene = Scene::new();
    let first = scene.open();
    let refused = scene.try_open(MIGRATIONS, Migrate::Auto).err().expect("refused");
    assert!(matches!(&refused, OpenError::Locked(lock) if lock.ends_with("data/test.db.lock")), "{refused}");
    assert!(refused.to_string().starts_with("data folder in use by another process"), "{refused}");
    drop(first);
    drop(scene.open());
}

#[tokio::test]
async fn reading_only_works_beside_a_writer_and_after_it() {
    let scene = Scene::new();
    let writer = scene.open();
    writer.write(|c| add(c, 1)).await.expect("kept");
    let reader = Database::open_read_only(scene.path(), MIGRATIONS).expect("it opens");
    assert_eq!(rows(&reader).await, [1]);
    writer.write(|c| add(c, 2)).await.expect("kept");
    assert_eq!(rows(&reader).await, [1, 2]);
    assert_eq!(reader.write(|c| add(c, 3)).await, Err(WriteError::Ended));
    drop(reader);
    writer.close().await;
    let reader = Database::open_read_only(scene.path(), MIGRATIONS).expect("it opens");
    assert_eq!(rows(&reader).await, [1, 2]);
    reader.close().await;
}

#[test]
fn reading_only_creates_nothing() {
    let scene = Scene::new();
    let refused = Database::open_read_only(scene.path(), MIGRATIONS).err().expect("refused");
    assert_eq!(refused, OpenError::Missing(scene.path().to_owned()));
    assert!(!scene.path().exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let scene = Scene::new();
    drop(scene.open());
    // Under a file there is no folder, whoever asks; permissions would not stop root.
    let path = scene.path().join("deeper/test.db");
    let options = Options { path: path.clone(), ..scene.options() };
    let refused = Database::open(options, MIGRATIONS, Migrate::Auto).err().expect("refused");
    assert!(matches!(&refused, OpenError::Unwritable { folder, .. } if *folder == scene.path().join("deeper")));
    assert!(refused.to_string().contains("make it writable"), "{refused}");
}

#[test]
fn a_file_that_is_no_database_is_left_alone_and_named() {
    let scene = Scene::new();
    let text = b"this is not a database. ".repeat(100);
    std::fs::create_dir_all(scene.path().parent().expect("a folder")).expect("made");
    std::fs::write(scene.path(), &text).expect("written");
    for refused in [
        scene.try_open(MIGRATIONS, Migrate::Auto).err().expect("refused"),
        Database::open_read_only(scene.path(), MIGRATIONS).err().expect("refused"),
    ] {
        assert!(matches!(&refused, OpenError::Corrupt { path, .. } if path == scene.path()), "{refused}");
    }
    assert_eq!(std::fs::read(scene.path()).expect("still there"), text);
}
