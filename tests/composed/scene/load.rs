//! A load on every way in at once, and what became of it.

use std::collections::BTreeMap;

use tests::looking::eventually;
use tests::sender::{Flood, Sender};

/// Requests of a load at a time, on each way in.
pub(super) const CONNECTIONS: usize = 16;

pub(super) struct Load {
    floods: Vec<Flood>,
}

/// What became of a load.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) receipts: Vec<String>,
    /// Answers other than 200, by status.
    pub(super) refused: BTreeMap<u16, usize>,
    /// What was not answered, or not taken.
    pub(super) unanswered: usize,
}

impl Load {
    pub(super) fn start(senders: &[Sender], tokens: &[&str]) -> Self {
        Self { floods: senders.iter().map(|sender| sender.flood(tokens, CONNECTIONS).unwrap()).collect() }
    }

    /// Waits until so many more were accepted, wherever.
    pub(super) async fn accepts(&self, more: usize) {
        let wanted = self.accepted() + more;
        let accepts = eventually("webhooks are accepted", async || {
            let accepted = self.accepted();
            if accepted >= wanted { Ok(()) } else { Err(format!("{accepted} of {wanted}")) }
        });
        accepts.await;
    }

    fn accepted(&self) -> usize {
        self.floods.iter().map(Flood::accepted).sum()
    }

    pub(super) async fn stop(self) -> Heard {
        let mut heard = Heard { receipts: Vec::new(), refused: BTreeMap::new(), unanswered: 0 };
        for flood in self.floods {
            let part = flood.stop().await.unwrap();
            heard.receipts.extend(part.receipts);
            part.refused.into_iter().for_each(|(status, count)| *heard.refused.entry(status).or_default() += count);
            heard.unanswered += part.broken.len() + part.unreachable;
        }
        heard
    }
}
