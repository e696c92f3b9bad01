//! Questions for verification keys (R10): unknown ones that pending webhooks name, and known ones once a day.
//!
//! They have a pace and an outage of their own, so that neither a flood of invented keys nor a key endpoint that is away
//! keeps connections from being read.
//!
//! Anyone can invent keys, far faster than they may be asked for, and yet a key that Finlink has changed to must not wait for
//! them. So every other question is for the key that most webhooks wait for, and the one in between for the one that was
//! waited for first. With `a` invented webhooks a second, and `q` questions, a key with more than `6a / q` webhooks is the
//! next, whatever stands in line: for each invented key as busy as that takes `6a / q` webhooks and brings three questions at
//! most. A key with fewer webhooks has its turn when those that came before it have had theirs, three times each.

use std::collections::HashMap;
use std::time::Duration;

use events::UtcMicros;
use serde_json::Value;
use store::{KidOrder, StoreError, StoredKey, UndecidedKid};
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;
use verification::KeySet;

use crate::finlink::{Answered, Circuit, Failure, Kind, Session, backoff};
use crate::lease::Turn;
use crate::persist::persist;
use crate::reconciler::Shared;
use crate::{Reconciler, Settings};

/// What is remembered between questions. Bounded by their pace, since it is forgotten after a while.
pub(crate) struct Questions {
    not_before: Option<UtcMicros>,
    outage: Circuit,
    /// Keys whose answer could not be used, or known ones that were not found.
    put_off: HashMap<Uuid, PutOff>,
    /// Whose turn it is among the unknown ones.
    turn: KidOrder,
    /// The one under way, where there is one, maybe since an earlier turn.
    asking: JoinSet<Asked>,
}

/// A question and its answer.
struct Asked {
    session: Session,
    question: Question,
    answer: Result<Answered<Value>, Failure>,
}

#[derive(Debug, Clone, Copy)]
struct PutOff {
    /// Not to be asked for again before.
    until: UtcMicros,
    /// How often in a row the answer could not be used.
    unusable: u32,
    /// How often in a row a known key was not found.
    not_found: u32,
}

/// What is asked next.
enum Question {
    Unknown(UndecidedKid),
    Known(StoredKey),
}

impl Question {
    fn kid(&self) -> Uuid {
        match self {
            Self::Unknown(undecided) => undecided.kid,
            Self::Known(key) => key.kid,
        }
    }
}

impl Questions {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            not_before: None,
            outage: Circuit::new(1, settings.key_questions_apart, settings.outage_pause_max),
            put_off: HashMap::new(),
            turn: KidOrder::MostWaiting,
            asking: JoinSet::new(),
        }
    }

    /// Ends what is under way.
    pub(crate) fn give_up(&mut self) {
        self.asking = JoinSet::new();
    }

    fn may_ask(&self, now: UtcMicros) -> bool {
        self.asking.is_empty()
            && self.not_before.is_none_or(|not_before| not_before <= now)
            && self.outage.paused_until(now).is_none()
    }

    fn is_put_off(&self, kid: Uuid, now: UtcMicros) -> bool {
        self.put_off.get(&kid).is_some_and(|put_off| now < put_off.until)
    }

    /// The answer could not be used: `kid` is asked for later, and later each time.
    fn unusable(&mut self, kid: Uuid, settings: &Settings, now: UtcMicros) {
        let put_off = self.put_off.entry(kid).or_insert(PutOff { until: now, unusable: 0, not_found: 0 });
        put_off.until = now.plus(backoff(settings.failure_pause, settings.failure_pause_max, put_off.unusable));
        put_off.unusable += 1;
    }

    /// A known key was not found: it is asked for again after `apart`. Answers how often in a row that was so.
    fn not_found(&mut self, kid: Uuid, apart: Duration, now: UtcMicros) -> u32 {
        let put_off = self.put_off.entry(kid).or_insert(PutOff { until: now, unusable: 0, not_found: 0 });
        put_off.until = now.plus(apart);
        put_off.not_found += 1;
        put_off.not_found
    }

    /// The next question: unknown keys first.
    async fn next(
        &mut self,
        shared: &Shared,
        known: Vec<StoredKey>,
        now: UtcMicros,
    ) -> Result<Option<Question>, StoreError> {
        let remembered_for = shared.settings.failure_pause_max.max(apart(&shared.rules));
        self.put_off.retain(|_, put_off| now < put_off.until.plus(remembered_for));
        for order in [self.turn, other(self.turn)] {
            if let Some(unknown) = self.next_unknown(shared, order, now).await? {
                self.turn = other(order);
                return Ok(Some(Question::Unknown(unknown)));
            }
        }
        let every = shared.settings.key_reread_every;
        let stale = known.into_iter().find(|key| now >= key.read_at.plus(every) && !self.is_put_off(key.kid, now));
        Ok(stale.map(Question::Known))
    }

    async fn next_unknown(
        &self,
        shared: &Shared,
        order: KidOrder,
        now: UtcMicros,
    ) -> Result<Option<UndecidedKid>, StoreError> {
        let asked_before = now.minus(apart(&shared.rules)).plus(Duration::from_micros(1));
        // With one more than are put off, there is one among them that is not.
        let limit = self.put_off.len() + 1;
        let undecided = shared.refresh.undecided(&shared.app.name, order, asked_before, limit).await?;
        Ok(undecided.into_iter().find(|unknown| !self.is_put_off(unknown.kid, now)))
    }
}

fn other(order: KidOrder) -> KidOrder {
    match order {
        KidOrder::MostWaiting => KidOrder::LongestWaiting,
        KidOrder::LongestWaiting => KidOrder::MostWaiting,
    }
}

/// Between two questions for the same unknown key: so that the last "not found" that is needed comes when it counts.
pub(crate) fn apart(rules: &store::Rules) -> Duration {
    rules.unknown_key_within / rules.unknown_key_answers.saturating_sub(1).max(1)
}

impl Reconciler {
    /// Decides what waits for known keys, and asks for one key where that is due. True where a question was answered.
    pub(crate) async fn ask_for_key(&mut self, turn: &Turn) -> Result<bool, StoreError> {
        let shared = self.shared.clone();
        let app = &shared.app.name;
        let now = turn.clock.now();
        let known = shared.keys.known(app);
        let late = shared.refresh.learned_late(app).await?;
        for key in known.iter().filter(|key| late.contains(&key.kid)) {
            self.verify_pending(turn, key.kid, &key.jwk).await?;
        }
        if let Some(asked) = self.questions.asking.try_join_next() {
            return self.take_answer(turn, asked).await;
        }
        if !self.questions.may_ask(now) || !self.start_question(turn, known).await? {
            return Ok(false);
        }
        match tokio::time::timeout(shared.settings.turn_waits, self.questions.asking.join_next()).await {
            Ok(Some(asked)) => self.take_answer(turn, asked).await,
            Ok(None) | Err(_) => Ok(false),
        }
    }

    /// False where there is none, or none may be asked just now.
    async fn start_question(&mut self, turn: &Turn, known: Vec<StoredKey>) -> Result<bool, StoreError> {
        let shared = self.shared.clone();
        let Some(question) = self.questions.next(&shared, known, turn.clock.now()).await? else { return Ok(false) };
        let Some(session) = self.session_for_key(turn).await? else { return Ok(false) };
        let Some(permit) = shared.client.permit(&turn.patience).await else { return Ok(false) };
        self.questions.not_before = Some(turn.clock.now().plus(shared.settings.key_questions_apart));
        let (client, patience) = (shared.client.clone(), turn.patience.clone());
        self.questions.asking.spawn(async move {
            let answer = client.key(permit, &patience, &session, question.kid()).await;
            Asked { session, question, answer }
        });
        Ok(true)
    }

    /// A session that is there, or that may be opened: an outage of the rest is not probed by logins for a key.
    async fn session_for_key(&mut self, turn: &Turn) -> Result<Option<Session>, StoreError> {
        let now = turn.clock.now();
        if self.sessions.usable(now).is_none() && self.circuit.paused_until(now).is_some() {
            return Ok(None);
        }
        Ok(self.session(turn).await?.ok())
    }

    async fn take_answer(&mut self, turn: &Turn, asked: Result<Asked, JoinError>) -> Result<bool, StoreError> {
        let shared = self.shared.clone();
        let app = &shared.app.name;
        let now = turn.clock.now();
        let Asked { session, question, answer } = match asked {
            Ok(asked) => asked,
            Err(error) => {
                tracing::error!(%app, %error, "a question for a key ended without an answer");
                return Ok(false);
            }
        };
        let kid = question.kid();
        let failure = match answer {
            Ok(answered) => {
                self.questions.outage.succeeded();
                self.learn(turn, kid, answered).await?;
                return Ok(true);
            }
            Err(failure) => failure,
        };
        match failure.kind {
            Kind::NotFound => {
                self.questions.outage.succeeded();
                self.not_found(turn, question).await?;
                shared.post_keys(now).await?;
                return Ok(true);
            }
            Kind::Unauthorized => {
                self.sessions.died(&shared, turn, &session).await?;
            }
            Kind::Busy(_) | Kind::Away { .. } => {
                self.questions.outage.unanswered(&failure, now);
                if matches!(failure.kind, Kind::Busy(_)) {
                    self.circuit.unanswered(&failure, now);
                }
            }
            Kind::Unusable => self.questions.unusable(kid, &shared.settings, now),
            Kind::Stopped => return Ok(false),
        }
        tracing::warn!(%app, %kid, upstream.request_id = failure.request_id, error = %failure, "a key could not be asked for");
        Ok(false)
    }

    async fn learn(&mut self, turn: &Turn, kid: Uuid, answered: Answered<Value>) -> Result<(), StoreError> {
        let Shared { app, refresh, settings, .. } = &*self.shared;
        let now = turn.clock.now();
        if let Err(error) = KeySet::default().insert(&app.name, kid, &answered.value) {
            self.questions.unusable(kid, settings, now);
            tracing::error!(app = %app.name, %kid, upstream.request_id = answered.request_id, %error, "Finlink's key is none");
            return Ok(());
        }
        let key = StoredKey { kid, jwk: answered.value, read_at: now };
        persist(|| refresh.learn_key(&turn.lease, &key)).await?;
        self.questions.put_off.remove(&kid);
        tracing::info!(app = %app.name, %kid, upstream.request_id = answered.request_id, "verification key read");
        self.shared.post_keys(now).await?;
        self.verify_pending(turn, kid, &key.jwk).await
    }

    async fn not_found(&mut self, turn: &Turn, question: Question) -> Result<(), StoreError> {
        let Shared { app, refresh, settings, rules, .. } = &*self.shared;
        let now = turn.clock.now();
        match question {
            Question::Unknown(UndecidedKid { kid, .. }) => {
                let so_far = persist(|| refresh.key_not_found(&turn.lease, kid, now)).await?;
                let since = so_far.first_not_found_at.unwrap_or(now);
                if so_far.not_found >= rules.unknown_key_answers && now >= since.plus(rules.unknown_key_within) {
                    tracing::info!(app = %app.name, %kid, waiting = so_far.waiting, "Finlink has no such key");
                    self.reject_pending(turn, kid).await?;
                }
            }
            Question::Known(key) => {
                let times = self.questions.not_found(key.kid, apart(rules), now);
                tracing::warn!(app = %app.name, kid = %key.kid, times, "Finlink does not know a key any more that it had");
                if times >= settings.key_forgotten_after {
                    persist(|| refresh.forget_key(&turn.lease, key.kid)).await?;
                    self.questions.put_off.remove(&key.kid);
                }
            }
        }
        Ok(())
    }
}
