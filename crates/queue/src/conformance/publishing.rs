//! The way in: what was published is there, once and in order.

use super::{Engine, next, publish, take_all, whole};
use crate::Content;
use crate::testing::{checkpoint, webhook};

/// Field by field, bytes by bytes; at once, and where everyone was cut off before anybody took them. (What had been taken
/// comes back in any order.)
pub async fn messages_come_out_as_they_went_in_and_in_order(engine: &dyn Engine) {
    for cut_off in [false, true] {
        let mut queue = engine.open().await;
        let sent = [webhook(1), checkpoint(), webhook(2)];
        for message in &sent {
            queue.publisher().publish(message.clone()).await.unwrap();
        }
        if cut_off {
            queue = queue.cut_off().await;
        }
        let batch = next(&mut queue.subscribe(), &whole(3)).await;
        let contents: Vec<_> = batch.deliveries().iter().map(|delivery| delivery.content.clone()).collect();
        assert_eq!(contents, sent.map(Content::Message), "cut off: {cut_off}");
    }
}

/// Whoever was told that it is durable may rely on it.
pub async fn what_was_published_is_there_after_everyone_was_cut_off(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=10).await;
    let queue = queue.cut_off().await;
    publish(&*queue, 11..=12).await;
    let taken = take_all(&mut queue.subscribe(), 12).await;
    assert_eq!(taken, (1..=12).map(|number| (number, 0)).collect::<Vec<_>>());
}

/// Publishers share the way in.
pub async fn what_many_publish_at_once_comes_out_once(engine: &dyn Engine) {
    let queue = engine.open().await;
    let publishes = (0..200).map(|number| {
        let publisher = queue.publisher();
        tokio::spawn(async move { publisher.publish(webhook(number)).await })
    });
    for publish in publishes.collect::<Vec<_>>() {
        publish.await.unwrap().unwrap();
    }
    publish(&*queue, [200]).await;
    let mut taken = take_all(&mut queue.subscribe(), 201).await;
    assert_eq!(taken.last(), Some(&(200, 0)), "what was published after the others comes after them");
    taken.sort_unstable();
    assert_eq!(taken, (0..=200).map(|number| (number, 0)).collect::<Vec<_>>());
}
