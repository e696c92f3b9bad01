//! The private servers themselves: they are what was asked for; they start, die and come back with their data.

use tests::servers::{Postgres, RabbitMq, RabbitMqOptions, Release};

use crate::{broker, database};

#[test]
fn a_killed_rabbitmq_comes_back_with_its_queues() {
    let mut broker = RabbitMq::launch(&RabbitMqOptions::default()).unwrap();
    broker.control(&["add_vhost", "kept"]).unwrap();
    broker.kill().unwrap();
    broker.start().unwrap();
    assert!(broker.control(&["list_vhosts", "--silent"]).unwrap().contains("kept"));
    broker.memory_alarm(true).unwrap();
    broker.memory_alarm(false).unwrap();
    broker.stop().unwrap();
}

#[test]
fn a_killed_postgres_comes_back_with_its_rows() {
    let mut database = Postgres::launch().unwrap();
    database.create_database("kept").unwrap();
    database.query("kept", "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    database.kill().unwrap();
    database.start().unwrap();
    assert_eq!(database.query("kept", "SELECT n FROM t").unwrap(), "7");
    database.stop().unwrap();
}

#[test]
fn the_servers_that_run_are_of_the_release_that_was_asked_for() {
    let release = Release::asked_for().unwrap();
    let (broker, database) = (broker::shared(), database::shared());
    assert_eq!(broker.version().unwrap(), release.version_of("rabbitmq-server").unwrap());
    assert_eq!(database.version().unwrap(), release.version_of(database.package()).unwrap());
}
