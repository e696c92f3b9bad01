//! All connections of an app read as one list: what it has is observed, what it lacks is evidence for a deletion (R3).
//!
//! Absence is concluded only from a list of which every element could be read. A claimed token that was never seen and that
//! a complete list lacks is answered by that list, as a 404 would answer it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use connections::{Answer, Read};
use events::{AppName, ConnectionToken, UtcMicros};
use store::{Claim, Claimed, Observation, Postponement, StoreError};

use crate::Reconciler;
use crate::finlink::{Answered, Endpoint, Failure, Kind, ListElement, Session, backoff};
use crate::lease::Turn;
use crate::persist::persist;
use crate::setback::Setback;

/// Reads applied in one transaction.
const OBSERVATIONS_PER_TRANSACTION_MAX: usize = 500;

/// The claims that a list answers, and the number of its read.
struct Sweep {
    read_no: u64,
    as_of: UtcMicros,
    request_id: Option<String>,
    /// The app's own claim.
    app: Option<Claim>,
    /// Claimed connections that the list has not answered yet.
    open: HashMap<ConnectionToken, Claim>,
    /// Connections that the list has.
    listed: HashSet<ConnectionToken>,
    /// What is wrong with the first element that cannot be read.
    unreadable: Option<String>,
}

impl Reconciler {
    /// Reads the list; answers how many elements it has, `None` where it could not be read.
    pub(crate) async fn sweep(&mut self, turn: &Turn, session: &Session) -> Result<Option<usize>, StoreError> {
        let shared = self.shared.clone();
        let Some(permit) = shared.client.permit(&turn.patience).await else { return Ok(None) };
        let now = turn.clock.now();
        let until = now.plus(shared.settings.list_claim);
        let claimed = shared.refresh.claim_list(&turn.lease, now, until, shared.settings.list_claims_max).await?;
        match shared.client.list(permit, &turn.patience, session).await {
            Ok(answered) => {
                self.circuit.succeeded();
                let found = answered.value.len();
                self.apply(turn, claimed, answered).await?;
                Ok(Some(found))
            }
            Err(failure) => {
                self.list_failed(turn, session, claimed.claims, failure, now).await?;
                Ok(None)
            }
        }
    }

    async fn apply(
        &mut self,
        turn: &Turn,
        claimed: Claimed,
        answered: Answered<Vec<ListElement>>,
    ) -> Result<(), StoreError> {
        let Answered { value: elements, request_id, took } = answered;
        let settings = &self.shared.settings;
        let as_of = turn.clock.now();
        let not_before = as_of.plus(settings.list_apart.max(took.saturating_mul(settings.list_duration_factor)));
        self.lists_not_before = Some(not_before);
        let mut sweep = Sweep::of(claimed, as_of, request_id);
        for part in elements.chunks(OBSERVATIONS_PER_TRANSACTION_MAX) {
            let observations = sweep.found(&self.shared.app.name, part);
            self.observe(turn, &observations, sweep.request_id.as_deref()).await?;
        }
        match sweep.unreadable.take() {
            None => self.conclude(turn, sweep, not_before).await,
            Some(why) => self.leave_open(turn, sweep, &why).await,
        }
    }

    /// The list is complete: what it lacks is not there, and the app's claim is answered.
    async fn conclude(&self, turn: &Turn, mut sweep: Sweep, not_before: UtcMicros) -> Result<(), StoreError> {
        let refresh = &self.shared.refresh;
        let live = persist(|| refresh.live_tokens(&self.shared.app.name)).await?;
        let missing = sweep.missing(live);
        for part in missing.chunks(OBSERVATIONS_PER_TRANSACTION_MAX) {
            let observations: Vec<Observation> = part
                .iter()
                .map(|token| sweep.observation(&self.shared.app.name, token.clone(), Answer::NotListed))
                .collect();
            self.observe(turn, &observations, sweep.request_id.as_deref()).await?;
        }
        let now = turn.clock.now();
        if let Some(claim) = &sweep.app {
            persist(|| refresh.swept(&turn.lease, claim, now, not_before)).await?;
        }
        self.shared.metrics.swept(now);
        tracing::debug!(
            app = %self.shared.app.name,
            listed = sweep.listed.len(),
            missing = missing.len(),
            upstream.request_id = sweep.request_id,
            "the list was applied"
        );
        Ok(())
    }

    /// The list has an element that is no connection status: nothing is concluded from what it lacks. Its open claims are
    /// left to single reads, and the next list waits longer each time.
    async fn leave_open(&self, turn: &Turn, sweep: Sweep, why: &str) -> Result<(), StoreError> {
        let failure = Failure::new(Endpoint::List, Kind::Unusable, format!("an element cannot be read: {why}"))
            .of_request(sweep.request_id);
        tracing::warn!(
            app = %self.shared.app.name,
            upstream.request_id = failure.request_id,
            error = %failure,
            "the list counts for the connections that it has, and for no absence"
        );
        let claims = sweep.app.into_iter().chain(sweep.open.into_values()).collect();
        self.give_back(turn, claims, &failure, Setback::Own).await
    }

    async fn list_failed(
        &mut self,
        turn: &Turn,
        session: &Session,
        claims: Vec<Claim>,
        failure: Failure,
        started: UtcMicros,
    ) -> Result<(), StoreError> {
        let setback = self.set_back(turn, session, &failure).await?;
        let now = turn.clock.now();
        let settings = &self.shared.settings;
        let by_duration = now.since(started).saturating_mul(settings.list_duration_factor);
        let by_failures = match setback {
            Setback::Own => {
                let failures = claims.iter().find(|claim| claim.token.is_none()).map_or(0, |claim| claim.failures);
                backoff(settings.failure_pause, settings.failure_pause_max, failures)
            }
            Setback::Common { .. } => Duration::ZERO,
        };
        self.lists_not_before = Some(now.plus(settings.list_apart.max(by_duration).max(by_failures)));
        self.give_back(turn, claims, &failure, setback).await
    }

    /// Gives the claims of a list back: a failure is the app's own, its connections may be read one by one at once.
    async fn give_back(
        &self,
        turn: &Turn,
        claims: Vec<Claim>,
        failure: &Failure,
        setback: Setback,
    ) -> Result<(), StoreError> {
        let now = turn.clock.now();
        let postponements: Vec<Postponement> = claims
            .into_iter()
            .map(|claim| {
                let setback = match setback {
                    Setback::Own if claim.token.is_some() => Setback::Common { until: now },
                    other => other,
                };
                self.postponement(claim, failure, setback, now)
            })
            .collect();
        for part in postponements.chunks(OBSERVATIONS_PER_TRANSACTION_MAX) {
            persist(|| self.shared.refresh.postpone(&turn.lease, part)).await?;
        }
        Ok(())
    }
}

impl Sweep {
    fn of(claimed: Claimed, as_of: UtcMicros, request_id: Option<String>) -> Self {
        let mut sweep = Self {
            read_no: claimed.read_no,
            as_of,
            request_id,
            app: None,
            open: HashMap::new(),
            listed: HashSet::new(),
            unreadable: None,
        };
        for claim in claimed.claims {
            match claim.token.clone() {
                Some(token) => drop(sweep.open.insert(token, claim)),
                None => sweep.app = Some(claim),
            }
        }
        sweep
    }

    /// What these elements tell. A connection that the list has twice counts once.
    fn found(&mut self, app: &AppName, elements: &[ListElement]) -> Vec<Observation> {
        let mut observations = Vec::with_capacity(elements.len());
        for element in elements {
            match element.read() {
                Ok((status, raw)) => {
                    let token = status.credentials_token.clone();
                    if self.listed.insert(token.clone()) {
                        let answer = Answer::Found { status: Box::new(status), raw };
                        observations.push(self.observation(app, token, answer));
                    }
                }
                Err(error) => drop(self.unreadable.get_or_insert(error.0)),
            }
        }
        observations
    }

    /// Live connections, and claimed ones, that the list lacks; in order.
    fn missing(&self, live: Vec<ConnectionToken>) -> Vec<ConnectionToken> {
        let mut missing: Vec<ConnectionToken> =
            live.into_iter().chain(self.open.keys().cloned()).filter(|token| !self.listed.contains(token)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn observation(&mut self, app: &AppName, token: ConnectionToken, answer: Answer) -> Observation {
        let claim = self.open.remove(&token);
        Observation { read: Read { app: app.clone(), token, read_no: self.read_no, as_of: self.as_of, answer }, claim }
    }
}
