//! SIGKILL of every process in turn, under load, while connections change.

use tests::finlink::ConnectionStatus;

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

/// Processes that are killed in all.
const DEATHS: usize = 5;
/// So many more webhooks at most are accepted before a process is killed: another moment each time.
const MORE_MAX: usize = 60;

pub(crate) async fn what_was_acknowledged_survives_the_death_of_every_process_under_load<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    let mut connections = TOKENS.map(ConnectionStatus::pending);
    pipeline.put_all(&connections);
    for (round, process) in P::PROCESSES.iter().cycle().take(DEATHS.max(P::PROCESSES.len())).enumerate() {
        let flood = pipeline.flood().await;
        let changed = &mut connections[round % TOKENS.len()];
        *changed = changed.clone().synced();
        pipeline.put(changed);
        flood.accepts(flood.accepted() + fastrand::usize(1..MORE_MAX)).await.unwrap();
        pipeline.dies_under(flood, process).await;
    }
    pipeline.ends_well(&[]).await;
}
