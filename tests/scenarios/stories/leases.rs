//! Whoever talks to Finlink is gone in the middle of a read, and another takes over.

use tests::finlink::{Asked, ConnectionStatus, Endpoint, Fault, World};

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

/// What is wrong with Finlink's answers from now on.
fn answer<P: Pair>(pipeline: &Pipeline<P>, fault: Option<&Fault>) {
    for endpoint in [Endpoint::Single, Endpoint::List] {
        pipeline.finlink.world(|world| world.set_fault(endpoint, fault.cloned()));
    }
}

pub(crate) async fn whoever_takes_the_lease_over_in_the_middle_of_a_read_has_the_last_word<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));
    pipeline.converges().await;

    // Whoever asks now is told of connections that are blocked, but not yet.
    answer(&pipeline, Some(&Fault::Held));
    pipeline.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).blocked()));
    let before = pipeline.finlink.asked().len();
    pipeline.send(TOKENS[0]).await;
    let in_the_middle = |asked: &Vec<Asked>| asked.iter().skip(before).any(|asked| asked.endpoint == Endpoint::Single);
    pipeline.finlink.wait_until_asked("a connection", in_the_middle).await.unwrap();
    // They are not any more, and nobody else ever hears that they were.
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));
    answer(&pipeline, None);
    pipeline.pair.loses_its_voice(&mut pipeline.running).await;
    pipeline.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).with_update_token()));
    pipeline.converges().await;

    // The answers arrive where they were asked for.
    pipeline.finlink.world(World::release);
    pipeline.pair.hears_the_old_voice(&mut pipeline.running).await;
    pipeline.put(&ConnectionStatus::ready(TOKENS[0]).failed(true));
    pipeline.converges().await;

    // Who lost the lease once can have it again.
    pipeline.pair.loses_the_new_voice(&mut pipeline.running).await;
    pipeline.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).failed(false)));
    for token in TOKENS {
        pipeline.send(token).await;
    }
    pipeline.converges().await;
    let events = pipeline.tells_all().await;
    let heard = events.iter().find(|event| !event["data"]["connection"]["restore_token"].is_null());
    assert_eq!(heard, None, "an answer to one who had lost the lease counts");
    let logins = pipeline.finlink.count(Endpoint::Login);
    assert_eq!(logins, 1, "whoever takes over goes on with the session that it finds");
    pipeline.ends_well(&[]).await;
}
