//! One app's reconciler: what is due next, in which order, and when to come back.

use std::sync::Arc;
use std::time::Duration;

use events::UtcMicros;
use store::{AppPin, Due, Lease, Refresh, SharedClock, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::board::KeyBoard;
use crate::clock::Clock;
use crate::finlink::{Circuit, Client, ClientError, Failure, Session, doubled};
use crate::lease::{Turn, holding};
use crate::metrics::{AppMetrics, Metrics};
use crate::purging::Purging;
use crate::questions::{self, Questions};
use crate::sessions::{NoSession, Sessions};
use crate::singles::Done;
use crate::step::{Did, Step};
use crate::{App, Retention, Settings};

/// Gaps and overdue webhooks are looked after this often.
const HOUSEKEEPING_EVERY: Duration = Duration::from_mins(1);
/// A pause because of the session or the store ends early after this long, to see whether a person has changed something.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(5);
/// The first pause while the store is away, doubling up to [`LOOK_AGAIN_EVERY`].
const STORE_PAUSE: Duration = Duration::from_millis(200);
/// A store that does not fit, or a pin that differs, needs a person: it is looked at again after this long.
const MISFIT_PAUSE: Duration = Duration::from_mins(1);

/// What a reconciler works with, besides its app.
#[derive(Clone)]
pub struct Wiring {
    /// The store.
    pub refresh: Arc<dyn Refresh>,
    /// Section `upstream`.
    pub settings: Settings,
    /// Section `retention`.
    pub retention: Retention,
    /// The store's rules, for when a pending webhook is decided (R10).
    pub rules: store::Rules,
    /// How a pending webhook's JWT is verified.
    pub verification: verification::Rules,
    /// What is counted.
    pub metrics: Metrics,
    /// Where the keys of all apps are posted.
    pub keys: KeyBoard,
}

/// What does not change from step to step.
pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) client: Client,
    pub(crate) refresh: Arc<dyn Refresh>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) rules: store::Rules,
    pub(crate) verification: verification::Rules,
    pub(crate) metrics: AppMetrics,
    pub(crate) keys: KeyBoard,
}

/// The reconciler of one app.
pub struct Reconciler {
    pub(crate) shared: Arc<Shared>,
    /// Names this process among those that want the lease.
    pub(crate) holder: Uuid,
    pub(crate) lease: Option<Lease>,
    pub(crate) sessions: Sessions,
    pub(crate) circuit: Circuit,
    pub(crate) questions: Questions,
    /// Single reads under way, some of them since an earlier turn. They are of the lease that is held.
    pub(crate) reading: JoinSet<Done>,
    /// No list before then (R11).
    pub(crate) lists_not_before: Option<UtcMicros>,
    stop: CancellationToken,
    enrolled: bool,
    keys_posted_at: Option<UtcMicros>,
    kept_house_at: Option<UtcMicros>,
    pub(crate) purging: Purging,
    store_failures: u32,
    misfit: Option<String>,
}

impl Shared {
    /// Posts the keys that the store knows, and whether Finlink can be asked for others. That is read first: an answer that
    /// comes in between must not be posted without the key that it brought.
    pub(crate) async fn post_keys(&self, now: UtcMicros) -> Result<(), StoreError> {
        // A store that hangs makes neither the keys newer nor its time older.
        let asked = Clock::starting(now);
        let asked_before = now.minus(questions::apart(&self.rules) * 2);
        let source = self.refresh.key_source(&self.app.name, asked_before).await?;
        let keys = self.refresh.keys(&self.app.name).await?;
        self.keys.post(&self.app.name, keys, source.answers_at(now), asked);
        Ok(())
    }
}

impl Reconciler {
    /// A reconciler that has done nothing yet.
    pub fn new(app: App, wiring: Wiring) -> Result<Self, ClientError> {
        let Wiring { refresh, settings, retention, rules, verification, metrics, keys } = wiring;
        let metrics = metrics.of(&app.name);
        let settings = Arc::new(settings);
        let client = Client::new(settings.clone(), metrics.clone())?;
        Ok(Self {
            circuit: Circuit::new(settings.outage_from, settings.outage_pause, settings.outage_pause_max),
            questions: Questions::new(&settings),
            shared: Arc::new(Shared { app, client, refresh, settings, rules, verification, metrics, keys }),
            reading: JoinSet::new(),
            holder: Uuid::new_v4(),
            lease: None,
            sessions: Sessions::default(),
            lists_not_before: None,
            stop: CancellationToken::new(),
            enrolled: false,
            keys_posted_at: None,
            kept_house_at: None,
            purging: Purging::new(retention),
            store_failures: 0,
            misfit: None,
        })
    }

    /// Works until `stop`, then gives the lease back. A read under way is given up, its claim given back.
    pub async fn run(mut self, stop: CancellationToken) {
        self.stop = stop.clone();
        let mut time = SharedClock::default();
        while !stop.is_cancelled() {
            let clock = Clock::starting(time.now(self.shared.refresh.time()).await);
            let step = self.step(clock.now()).await;
            let pause = step.next_at.since(clock.now());
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.leave().await;
    }

    /// Does one unit of due work, at most: a list, a few single reads, or a question for a key. Never fails: what went wrong
    /// is logged, and says when to come back.
    pub async fn step(&mut self, now: UtcMicros) -> Step {
        match self.advance(now).await {
            Ok(step) => {
                self.store_failures = 0;
                self.misfit = None;
                step
            }
            Err(StoreError::Fenced(_)) => {
                self.fenced();
                Step::new(Did::Standby, now.plus(self.shared.settings.lease / 3))
            }
            Err(StoreError::Incompatible(why)) => self.misfits(why, now),
            Err(error) => {
                let pause = doubled(STORE_PAUSE, LOOK_AGAIN_EVERY, self.store_failures);
                self.store_failures = self.store_failures.saturating_add(1);
                tracing::warn!(app = %self.shared.app.name, %error, "waiting for the store");
                Step::new(Did::Paused(error.to_string()), now.plus(pause))
            }
        }
    }

    fn misfits(&mut self, why: String, now: UtcMicros) -> Step {
        if self.misfit.as_ref() != Some(&why) {
            tracing::error!(app = %self.shared.app.name, "nothing is read for this app until a person has acted: {why}");
        }
        self.misfit = Some(why.clone());
        Step::new(Did::Paused(why), now.plus(MISFIT_PAUSE))
    }

    async fn advance(&mut self, now: UtcMicros) -> Result<Step, StoreError> {
        let shared = self.shared.clone();
        if !self.enrolled {
            let pin = AppPin { app: shared.app.name.clone(), client_id: shared.app.client_id.clone() };
            shared.refresh.enrol(&pin, now).await?;
            self.enrolled = true;
        }
        if is_due(self.keys_posted_at, shared.settings.keys_poll_every, now) {
            shared.post_keys(now).await?;
            self.keys_posted_at = Some(now);
        }
        let clock = Clock::starting(now);
        let Some(lease) = self.hold(now).await? else {
            return Ok(Step::new(
                Did::Standby,
                now.plus(shared.settings.keys_poll_every.min(shared.settings.lease / 3)),
            ));
        };
        let retries = if self.circuit.probing() { 0 } else { shared.settings.retries };
        let turn = Turn::new(lease, clock, &self.stop, retries);
        holding(&shared, &turn, self.work(&turn)).await
    }

    /// A turn: house-keeping, at most one question for a key, reads, then at most one transaction that purges.
    async fn work(&mut self, turn: &Turn) -> Result<Step, StoreError> {
        let now = turn.clock.now();
        if is_due(self.kept_house_at, HOUSEKEEPING_EVERY, now) {
            self.keep_house(turn).await?;
            self.kept_house_at = Some(now);
        }
        self.settle_late(turn).await?;
        let asked = self.ask_for_key(turn).await?;
        let read = self.read(turn).await?;
        self.purge(turn).await?;
        match read.did {
            Did::Nothing if asked => Ok(Step::new(Did::AskedKey, now)),
            _ => Ok(read),
        }
    }

    /// Closes gaps and rejects what waited too long.
    async fn keep_house(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let Shared { app, refresh, .. } = &*self.shared;
        let closed = refresh.close_gaps(&app.name, turn.clock.now()).await?;
        if closed > 0 {
            tracing::warn!(app = %app.name, closed, "webhooks are lost: the sender's time to repeat them has passed");
        }
        self.reject_overdue(turn).await
    }

    async fn read(&mut self, turn: &Turn) -> Result<Step, StoreError> {
        let now = turn.clock.now();
        let idle = now.plus(self.shared.settings.poll_every);
        if let Some(until) = self.circuit.paused_until(now) {
            let why = "Finlink is away, or asked for a pause".to_owned();
            return Ok(Step::new(Did::Paused(why), until.min(now.plus(LOOK_AGAIN_EVERY))));
        }
        let due = self.shared.refresh.due(&self.shared.app.name, now).await?;
        let Some(plan) = self.plan(&due, now) else { return Ok(Step::new(Did::Nothing, idle)) };
        let session = match self.session(turn).await? {
            Ok(session) => session,
            Err(pause) => return Ok(pause),
        };
        match plan {
            Plan::List => match self.sweep(turn, &session).await? {
                Some(found) => Ok(Step::new(Did::Listed { found }, now)),
                None => Ok(Step::new(Did::Paused("the list could not be read".to_owned()), now)),
            },
            Plan::Singles => match self.read_singles(turn, &session).await? {
                0 => Ok(Step::new(Did::Nothing, idle)),
                claims => Ok(Step::new(Did::Read { claims }, now)),
            },
        }
    }

    /// One list or single reads: many due rows are cheaper as a list, where one is allowed already (R4, R11).
    fn plan(&self, due: &Due, now: UtcMicros) -> Option<Plan> {
        let singles = due.hinted + due.scheduled;
        let listable = singles.saturating_sub(due.single_only);
        let allowed = self.lists_not_before.is_none_or(|not_before| not_before <= now);
        if allowed && (due.list || listable >= self.shared.settings.list_from.max(1)) {
            Some(Plan::List)
        } else if singles > 0 {
            Some(Plan::Singles)
        } else {
            None
        }
    }

    /// The session, or the step that waits for one.
    pub(crate) async fn session(&mut self, turn: &Turn) -> Result<Result<Session, Step>, StoreError> {
        match self.sessions.get(&self.shared, turn).await {
            Ok(session) => Ok(Ok(session)),
            Err(NoSession::Store(error)) => Err(error),
            Err(NoSession::Wait { until, why }) => {
                let until = until.min(turn.clock.now().plus(LOOK_AGAIN_EVERY));
                Ok(Err(Step::new(Did::Paused(why), until)))
            }
            Err(NoSession::Failed(failure)) => Ok(Err(self.login_unanswered(turn, &failure))),
        }
    }

    fn login_unanswered(&mut self, turn: &Turn, failure: &Failure) -> Step {
        let now = turn.clock.now();
        self.circuit.unanswered(failure, now);
        tracing::warn!(
            app = %self.shared.app.name,
            upstream.request_id = failure.request_id,
            error = %failure,
            "the login was not answered"
        );
        let until = self.circuit.paused_until(now).unwrap_or(now.plus(self.shared.settings.outage_pause));
        Step::new(Did::Paused(failure.to_string()), until.min(now.plus(LOOK_AGAIN_EVERY)))
    }
}

/// How what is due is read.
enum Plan {
    List,
    Singles,
}

/// Whether something that was last done at `last` is due again.
pub(crate) fn is_due(last: Option<UtcMicros>, every: Duration, now: UtcMicros) -> bool {
    // A time in the future is a clock that was set.
    last.is_none_or(|last| now >= last.plus(every) || now < last)
}
