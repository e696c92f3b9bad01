//! A folder for each instance, and what becomes of those left behind.

use std::time::Duration;

use super::broker::Manner;
use super::{Scene, emptied, eventually, publish};
use crate::spooled::Spooled;
use crate::testing::webhook;
use crate::{PublishError, QueueState, SpoolSettings};

#[tokio::test]
async fn instances_have_a_folder_each_and_a_free_one_is_taken_again() {
    let scene = Scene::new(QueueState::Starting);
    let (first, second) = (scene.open(), scene.open());
    publish(&first, [1]).await;
    publish(&second, [2]).await;
    assert!(scene.settings().folder.join("0/queue.db").exists());
    assert!(scene.settings().folder.join("1/queue.db").exists());
    first.close().await;
    let third = scene.open();
    assert_eq!(third.depth().messages, 1, "it took over the first one's folder");
    assert!(!scene.settings().folder.join("2").exists());
}

#[tokio::test]
async fn the_spool_of_an_instance_that_ended_is_drained_by_another_and_removed() {
    let scene = Scene::new(QueueState::Starting);
    let settings = SpoolSettings { adopt_every: Duration::from_millis(5), ..scene.settings() };
    let (survivor, ended) = (scene.open_with(&settings), scene.open_with(&settings));
    publish(&ended, 1..=3).await;
    ended.close().await;
    eventually("the messages are counted as the survivor's", || survivor.depth().messages == 3).await;
    scene.broker.becomes(QueueState::Ready);
    emptied(&survivor).await;
    assert_eq!(scene.broker.taken(), [1, 2, 3]);
    eventually("its file is removed", || !settings.folder.join("1/queue.db").exists()).await;
    survivor.close().await;
}

#[tokio::test]
async fn a_spool_left_with_a_message_that_the_broker_refuses_is_kept_and_holds_up_no_other() {
    let scene = Scene::new(QueueState::Starting);
    let settings = SpoolSettings { adopt_every: Duration::from_millis(5), ..scene.settings() };
    let (survivor, first, second) =
        (scene.open_with(&settings), scene.open_with(&settings), scene.open_with(&settings));
    publish(&first, 1..=3).await;
    publish(&second, 4..=5).await;
    scene.broker.behaves(Manner::RefuseOne(2));
    first.close().await;
    second.close().await;
    scene.broker.becomes(QueueState::Ready);
    eventually("the second one's file is removed", || !settings.folder.join("2/queue.db").exists()).await;
    let mut taken = scene.broker.taken();
    taken.sort_unstable();
    assert_eq!(taken, [1, 3, 4, 5]);
    assert!(settings.folder.join("1/queue.db").exists());
    scene.broker.behaves(Manner::Accept);
    eventually("it is removed once all of it is taken", || !settings.folder.join("1/queue.db").exists()).await;
    assert_eq!(scene.broker.taken().last(), Some(&2));
    survivor.close().await;
}

#[tokio::test]
async fn a_damaged_spool_is_passed_over_and_left_as_it_is() {
    let scene = Scene::new(QueueState::Starting);
    let folder = scene.settings().folder.join("0");
    let damaged = b"no database ".repeat(100);
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("queue.db"), &damaged).expect("written");
    let spooled = scene.open();
    publish(&spooled, [1]).await;
    assert!(scene.settings().folder.join("1/queue.db").exists());
    assert_eq!(std::fs::read(folder.join("queue.db")).expect("there"), damaged);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_at_once() {
    let scene = Scene::new(QueueState::Starting);
    let file = scene.folder.path().join("a file");
    std::fs::write(&file, "").expect("written");
    let settings = SpoolSettings { folder: file.join("spool"), ..scene.settings() };
    let refused = Spooled::open(scene.broker.publisher(), &settings, &scene.metrics).err().expect("refused");
    assert!(refused.to_string().contains("a file/spool/0"), "{refused}");
}

#[tokio::test]
async fn a_spool_that_outlives_its_folder_is_honest_about_it() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open();
    std::fs::remove_dir_all(scene.settings().folder).expect("removed");
    let refused = spooled.publisher().publish(webhook(1)).await;
    assert!(matches!(refused, Err(PublishError::Unavailable(_))), "{refused:?}");
}
