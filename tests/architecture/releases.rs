//! The releases of RabbitMQ and PostgreSQL: what the tests run on beside this machine's is what is deployed, and the command
//! that makes it and the harness that starts it mean the same variable.

use tests::workspace;

fn text(path: &str) -> String {
    std::fs::read_to_string(workspace::root().join(path)).unwrap()
}

/// The strings in a file of Rust that begin like this.
fn strings(path: &str, beginning: &str) -> Vec<String> {
    let text = text(path);
    text.split('"').filter(|string| string.starts_with(beginning)).map(str::to_owned).collect()
}

#[test]
fn the_release_is_asked_for_by_the_variable_that_the_harness_reads() {
    let asked = strings("xtask/src/newest.rs", "FINLINKD_TEST_");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked, strings("tests/src/servers/release.rs", "FINLINKD_TEST_"));
}

#[test]
fn the_newest_release_is_the_one_of_which_the_composed_images_are() {
    let images = text("deploy/images/from-debian/build");
    let suite = images.lines().find_map(|line| line.strip_prefix("readonly SUITE=")).unwrap();
    assert!(strings("xtask/src/newest.rs", suite).contains(&suite.to_owned()), "xtask makes another one than {suite}");
    let postgres = strings("xtask/src/newest.rs", "postgresql-").pop().unwrap();
    let image = postgres.replace("postgresql-", "postgres:");
    assert!(text("docker-compose.yml").contains(&format!("image: {image}")), "docker-compose.yml runs no {image}");
}

#[test]
fn what_runs_on_the_newest_release_is_there() {
    let chosen = strings("xtask/src/test.rs", "pipeline::");
    assert!(!chosen.is_empty(), "nothing of the pipeline runs on the newest release");
    for module in chosen {
        let file = format!("tests/clustered/{}.rs", module.trim_end_matches("::").replace("::", "/"));
        assert!(workspace::root().join(&file).exists(), "{module} chooses no test: there is no {file}");
    }
}
