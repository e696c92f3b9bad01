//! Connections read one by one: permit first, then claim, a few at one time.
//!
//! A read that takes long is not waited for: it goes on beside the turns that follow, so that lists, keys and other
//! connections have theirs. It ends with its deadline, and at once where the lease is lost.

use connections::{Answer, Read};
use events::{ConnectionStatus, UtcMicros};
use serde_json::Value;
use store::{Claim, Claimed, Observation, StoreError};
use tokio::task::{JoinError, JoinSet};

use crate::Reconciler;
use crate::finlink::{Answered, Endpoint, Failure, Kind, Session};
use crate::lease::Turn;
use crate::persist::persist;
use crate::reconciler::Shared;

/// So many times the reads at one time make a turn; then keys and lists get theirs.
const ROUNDS_PER_TURN: usize = 4;

/// A claim and what Finlink said to it.
pub(crate) struct Done {
    session: Session,
    read_no: u64,
    claim: Claim,
    as_of: UtcMicros,
    result: Result<Answered<(ConnectionStatus, Value)>, Failure>,
}

impl Reconciler {
    /// Reads what is due, one by one; answers how many claims it took.
    pub(crate) async fn read_singles(&mut self, turn: &Turn, session: &Session) -> Result<usize, StoreError> {
        let shared = self.shared.clone();
        let at_once = if self.circuit.probing() { 1 } else { shared.settings.singles_in_flight_max.max(1) };
        let in_all = if self.circuit.probing() { 1 } else { at_once * ROUNDS_PER_TURN };
        let mut claims = 0;
        let mut more = true;
        loop {
            while more && claims < in_all && self.reading.len() < at_once {
                more = self.may_go_on(turn, session) && start_one(&shared, turn, session, &mut self.reading).await?;
                claims += usize::from(more);
            }
            match tokio::time::timeout(shared.settings.turn_waits, self.reading.join_next()).await {
                Ok(Some(done)) => self.settle(turn, done).await?,
                Ok(None) | Err(_) => return Ok(claims),
            }
        }
    }

    /// Takes the answers to reads of earlier turns that have come meanwhile.
    pub(crate) async fn settle_late(&mut self, turn: &Turn) -> Result<(), StoreError> {
        while let Some(done) = self.reading.try_join_next() {
            self.settle(turn, done).await?;
        }
        Ok(())
    }

    fn may_go_on(&mut self, turn: &Turn, session: &Session) -> bool {
        let now = turn.clock.now();
        !turn.patience.stop.is_cancelled()
            && self.circuit.paused_until(now).is_none()
            && self.sessions.usable(now).is_some_and(|usable| usable.login_at == session.login_at)
    }

    async fn settle(&mut self, turn: &Turn, done: Result<Done, JoinError>) -> Result<(), StoreError> {
        let Done { session, read_no, claim, as_of, result } = match done {
            Ok(done) => done,
            Err(error) => {
                // Its claim ends by itself.
                tracing::error!(app = %self.shared.app.name, %error, "a read ended without a result");
                return Ok(());
            }
        };
        let (answer, request_id) = match result {
            Ok(Answered { value: (status, raw), request_id, .. }) => {
                (Answer::Found { status: Box::new(status), raw }, request_id)
            }
            Err(failure) if failure.kind == Kind::NotFound => (Answer::NotFound, failure.request_id),
            Err(failure) => {
                let setback = self.set_back(turn, &session, &failure).await?;
                let postponement = self.postponement(claim, &failure, setback, turn.clock.now());
                let postponements = std::slice::from_ref(&postponement);
                return persist(|| self.shared.refresh.postpone(&turn.lease, postponements)).await;
            }
        };
        self.circuit.succeeded();
        // A claim without a token is the app's, and `start_one` never reads one.
        let Some(token) = claim.token.clone() else { return Ok(()) };
        let read = Read { app: claim.app.clone(), token, read_no, as_of, answer };
        let observation = Observation { read, claim: Some(claim) };
        self.observe(turn, std::slice::from_ref(&observation), request_id.as_deref()).await
    }

    /// Has reads applied, and counts what they did.
    pub(crate) async fn observe(
        &self,
        turn: &Turn,
        observations: &[Observation],
        request_id: Option<&str>,
    ) -> Result<(), StoreError> {
        let Shared { app, refresh, metrics, .. } = &*self.shared;
        let transitions = persist(|| refresh.observe(&turn.lease, observations, request_id, turn.clock.now())).await?;
        for (observation, transition) in observations.iter().zip(&transitions) {
            let cause = observation.claim.as_ref().map_or(connections::Cause::Sweep, |claim| claim.cause);
            metrics.observed(cause, transition.verdict);
            tracing::debug!(
                app = %app.name,
                connection = %observation.read.token,
                cause = cause.word(),
                verdict = ?transition.verdict,
                upstream.request_id = request_id,
                "observed"
            );
        }
        Ok(())
    }
}

/// Takes a permit, then a claim, and starts its read. False where nothing is due or nothing may be asked any more.
async fn start_one(
    shared: &Shared,
    turn: &Turn,
    session: &Session,
    reading: &mut JoinSet<Done>,
) -> Result<bool, StoreError> {
    let Some(permit) = shared.client.permit(&turn.patience).await else { return Ok(false) };
    let now = turn.clock.now();
    let claimed = shared.refresh.claim_one(&turn.lease, now, now.plus(shared.settings.claim)).await?;
    let Some(Claimed { read_no, claims }) = claimed else { return Ok(false) };
    let Some(claim) = claims.into_iter().next() else { return Ok(false) };
    let (client, clock, session, patience) =
        (shared.client.clone(), turn.clock, session.clone(), turn.patience.clone());
    reading.spawn(async move {
        let result = match &claim.token {
            Some(token) => client.connection(permit, &patience, &session, token).await,
            None => Err(not_single()),
        };
        Done { session, read_no, claim, as_of: clock.now(), result }
    });
    Ok(true)
}

fn not_single() -> Failure {
    Failure::new(Endpoint::Connection, Kind::Unusable, "the store gave the app itself as a single claim")
}
