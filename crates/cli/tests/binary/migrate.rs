//! `finlinkd migrate` on a data folder; on a database: `tests/clustered/pipeline/migrate.rs`.

use super::process::{Pipeline, code, run, stderr, stdout};

#[test]
fn migrate_makes_the_store_that_a_run_which_only_checks_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let output = run(&["migrate"], &[("FINLINKD__DATA_DIR", place), ("FINLINKD__STORE__MIGRATE", "check")]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("Up to date: the store in {place}.\n"));
    let checked = run(&["connections"], &[("FINLINKD__DATA_DIR", place)]);
    assert_eq!(code(&checked), 0, "it is there to be listed: {}", stderr(&checked));

    let pipeline = Pipeline::start_with(folder.path(), &[("FINLINKD__STORE__MIGRATE", "check")]);
    let in_use = run(&["migrate"], &[("FINLINKD__DATA_DIR", place)]);
    assert_eq!((code(&in_use), stdout(&in_use).as_str()), (1, ""));
    assert!(stderr(&in_use).contains("in use") && stderr(&in_use).contains(place), "{}", stderr(&in_use));
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
}
