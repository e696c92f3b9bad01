//! The sender: lets the world change at its pace and delivers what Finlink would send, with all the mishaps of the plan.
//!
//! Promises: every planned webhook is sent until it is acknowledged or given up; a forged one is sent once; the number of
//! waiting webhooks and of requests at once is bounded, the world waits when they are many; stopping keeps what waits, so that
//! a later run carries on. Not here: what is drawn from the seed (`plan`, `world::script`).

mod body;
pub(crate) mod forgery;
pub(crate) mod heard;
mod message;
pub(crate) mod plan;
pub(crate) mod post;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::keys::KeyRing;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::tally::{RECEIPTS_MAX, Receipt, Tally};
use crate::world::World;
use crate::world::script::Script;
use heard::Heard;
use plan::{Planned, Role};
use post::Answer;

/// After a stop, requests on the wire may still be answered for so long.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// So many changes happen before what became due is sent.
const STEPS_AT_ONCE_MAX: usize = 64;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The world is quiet, and every webhook was acknowledged or given up.
    Quiet,
    /// It was stopped; another run carries on.
    Stopped,
}

/// What the simulation shows of itself while the sender runs. A clone is the same.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) world: Shared<World>,
    pub(crate) keys: KeyRing,
    pub(crate) tally: Shared<Tally>,
    pub(crate) heard: Shared<Heard>,
    pub(crate) waiting: Shared<usize>,
}

/// The sender, between runs.
pub(crate) struct Sender {
    settings: Settings,
    script: Script,
    shown: Shown,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Numbers what waits, so that what is due at the same moment keeps its order.
    sequence: u64,
}

/// A webhook that waits to be sent.
#[derive(Debug)]
struct Waiting {
    due: Instant,
    sequence: u64,
    planned: Planned,
    retries: u32,
}

/// One run.
struct Run<'a> {
    sender: &'a mut Sender,
    client: Client,
    url: Url,
    /// The moment at which the run's time was 0.
    resumed: (Instant, Duration),
    on_the_wire: JoinSet<(Waiting, Answer)>,
    /// Requests on the wire are given up and count as unanswered.
    give_up: CancellationToken,
}

impl Sender {
    pub(crate) fn new(settings: Settings, script: Script, shown: Shown) -> Self {
        Self { settings, script, shown, waiting: BinaryHeap::new(), sequence: 0 }
    }

    /// The run's time so far.
    pub(crate) fn last_at(&self) -> Duration {
        self.script.last_at()
    }

    /// Lets one more change happen, whose webhook is lost; false once the world is quiet.
    pub(crate) fn step_untold(&mut self) -> bool {
        let Some(step) = self.script.step(&mut self.shown.world.lock()) else { return false };
        if let (Some(change), true) = (&step.change, step.lost || !step.webhooks.is_empty()) {
            self.shown.tally.lock().lost += 1;
            self.shown.heard.lock().lost(&change.token);
        }
        true
    }

    /// Runs until the world is quiet and all is sent, or until it is stopped.
    pub(crate) async fn run(&mut self, client: Client, url: Url, stop: &CancellationToken) -> Ended {
        let resumed = (Instant::now(), self.script.last_at());
        let mut run =
            Run { sender: self, client, url, resumed, on_the_wire: JoinSet::new(), give_up: CancellationToken::new() };
        let ended = run.go(stop).await;
        run.land().await;
        ended
    }

    fn wait(&mut self, planned: Planned, due: Instant, retries: u32) {
        self.sequence += 1;
        self.waiting.push(Reverse(Waiting { due, sequence: self.sequence, planned, retries }));
    }

    /// What one answer means for its webhook.
    fn answered(&mut self, waiting: Waiting, answer: Answer) {
        let Waiting { planned, retries, .. } = waiting;
        let forged = matches!(planned.role, Role::Forged(_));
        let acknowledged = matches!(answer, Answer::Acknowledged(_));
        let again = !acknowledged && !forged && retries < self.settings.retries_max;
        self.shown.tally.lock().answered(answer, forged, again);
        if again {
            self.wait(planned, Instant::now() + retry_delay(&self.settings, retries), retries + 1);
        } else {
            self.shown.heard.lock().ended(&planned, acknowledged);
        }
    }
}

impl Run<'_> {
    async fn go(&mut self, stop: &CancellationToken) -> Ended {
        loop {
            self.change();
            self.send();
            let next = self.next_due();
            *self.sender.shown.waiting.lock() = self.pending();
            if next.is_none() && self.on_the_wire.is_empty() {
                return Ended::Quiet;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Stopped,
                Some(ended) = self.on_the_wire.join_next(), if !self.on_the_wire.is_empty() => self.ended(ended),
                () = tokio::time::sleep_until(next.unwrap_or(self.resumed.0)), if next.is_some() => {}
            }
        }
    }

    /// Lets the changes happen that are due.
    fn change(&mut self) {
        for _ in 0..STEPS_AT_ONCE_MAX {
            let now = Instant::now();
            let Some(due) = self.next_change().filter(|due| *due <= now) else { return };
            let sender = &mut *self.sender;
            let Some(step) = sender.script.step(&mut sender.shown.world.lock()) else { return };
            if step.rotate
                && let Err(error) = sender.shown.keys.rotate()
            {
                warn!(%error, "the signing key stays as it is");
            }
            let Some(change) = step.change else { continue };
            let mut heard = sender.shown.heard.lock();
            heard.expect(&step.webhooks);
            if step.lost {
                sender.shown.tally.lock().lost += 1;
                heard.lost(&change.token);
            }
            drop(heard);
            for planned in step.webhooks {
                let due = due + planned.wait;
                sender.wait(planned, due, 0);
            }
        }
    }

    /// Puts on the wire what is due, as far as there is room.
    fn send(&mut self) {
        let now = Instant::now();
        while self.on_the_wire.len() < self.sender.settings.in_flight_max {
            let Some(Reverse(first)) = self.sender.waiting.peek() else { return };
            if first.due > now {
                return;
            }
            let Some(Reverse(waiting)) = self.sender.waiting.pop() else { return };
            self.sender.shown.tally.lock().sending(waiting.planned.role, waiting.retries == 0);
            let (client, url, keys) = (self.client.clone(), self.url.clone(), self.sender.shown.keys.clone());
            let give_up = self.give_up.clone();
            self.on_the_wire.spawn(async move {
                let message = &waiting.planned.message;
                let post = post::post(&client, url, message.header(&keys), message.body.clone());
                let answer = give_up.run_until_cancelled(post).await.unwrap_or(Answer::Unanswered);
                (waiting, answer)
            });
        }
    }

    /// When there is something to do besides waiting for answers; `None`: never.
    fn next_due(&self) -> Option<Instant> {
        let wire_has_room = self.on_the_wire.len() < self.sender.settings.in_flight_max;
        let webhook = self.sender.waiting.peek().filter(|_| wire_has_room).map(|Reverse(first)| first.due);
        [webhook, self.next_change()].into_iter().flatten().min()
    }

    /// When the next change is due; `None` while too many webhooks wait, and when the world is quiet.
    fn next_change(&self) -> Option<Instant> {
        if self.pending() >= self.sender.settings.waiting_max {
            return None;
        }
        let (started, from) = self.resumed;
        self.sender.script.next_at().map(|at| started + at.saturating_sub(from))
    }

    fn pending(&self) -> usize {
        self.sender.waiting.len() + self.on_the_wire.len()
    }

    fn ended(&mut self, ended: Result<(Waiting, Answer), tokio::task::JoinError>) {
        match ended {
            Ok((waiting, answer)) => self.sender.answered(waiting, answer),
            Err(error) => warn!(%error, "a webhook's request ended without a result"),
        }
    }

    /// After a stop: takes the answers of what is on the wire, for a moment; the rest is unanswered.
    async fn land(&mut self) {
        let deadline = tokio::time::sleep(STOP_GRACE);
        tokio::pin!(deadline);
        while !self.on_the_wire.is_empty() {
            tokio::select! {
                Some(ended) = self.on_the_wire.join_next() => self.ended(ended),
                () = &mut deadline, if !self.give_up.is_cancelled() => self.give_up.cancel(),
            }
        }
        *self.sender.shown.waiting.lock() = self.sender.waiting.len();
    }
}

impl Tally {
    fn sending(&mut self, role: Role, first_time: bool) {
        self.attempts += 1;
        if first_time {
            self.sent += 1;
            self.duplicates += u64::from(role == Role::Duplicate);
            self.forged_sent += u64::from(matches!(role, Role::Forged(_)));
        }
    }

    fn answered(&mut self, answer: Answer, forged: bool, again: bool) {
        match answer {
            Answer::Acknowledged(receipt) => {
                self.acknowledged += 1;
                self.forged_acknowledged += u64::from(forged);
                match receipt {
                    Some(id) if self.receipts.len() < RECEIPTS_MAX => self.receipts.push(Receipt { id, forged }),
                    Some(_) => {}
                    None => self.without_receipt += 1,
                }
            }
            Answer::Refused(status) => {
                *self.refused.entry(status).or_default() += 1;
                self.forged_refused += u64::from(forged && (400..500).contains(&status));
            }
            Answer::Unanswered => self.unanswered += 1,
        }
        let ended_badly = !matches!(answer, Answer::Acknowledged(_)) && !again && !forged;
        self.given_up += u64::from(ended_badly);
    }
}

/// How long after an attempt the next one is made.
fn retry_delay(settings: &Settings, retries: u32) -> Duration {
    let factor = settings.retry_factor.powi(i32::try_from(retries).unwrap_or(i32::MAX));
    let seconds = settings.retry_first.as_secs_f64() * factor;
    Duration::from_secs_f64(seconds.min(settings.retry_delay_max.as_secs_f64()))
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.sequence).cmp(&(other.due, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_retry_waits_longer_than_the_one_before_up_to_a_limit() {
        let settings = Settings {
            retry_first: Duration::from_secs(30),
            retry_delay_max: Duration::from_hours(1),
            ..Settings::default()
        };
        let delays: Vec<u64> = (0..6).map(|retries| retry_delay(&settings, retries).as_secs()).collect();
        assert_eq!(delays, [30, 120, 480, 1_920, 3_600, 3_600]);
    }
}
