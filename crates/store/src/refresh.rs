//! What the reconciler needs: the lease, what is due, what was read, keys, sessions and pending webhooks.
//!
//! Every method that takes a [`Lease`] checks its fence inside its transaction and answers [`StoreError::Fenced`] where
//! another process holds it (R5).

use std::collections::BTreeSet;

use async_trait::async_trait;
use connections::{Cause, Read, Transition};
use events::{AppName, ConnectionToken, Receipt, UtcMicros};
use uuid::Uuid;

use crate::{Cursor, PurgedDeliveries, PurgedEvents, StoreError, Target};

/// The right to talk to Finlink for one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The app.
    pub app: AppName,
    /// The process that holds it.
    pub holder: Uuid,
    /// Higher than that of every lease before.
    pub fence: u64,
    /// It may be taken over from then on.
    pub expires_at: UtcMicros,
}

/// To which client of Finlink an app is pinned (R3): data of one must never be judged by answers for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPin {
    /// The app.
    pub app: AppName,
    /// Its `client_id`.
    pub client_id: String,
}

/// What waits to be read for an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Connections that are due and may be claimed now because of a hint.
    pub hinted: u64,
    /// Connections that are due and may be claimed now by the schedule.
    pub scheduled: u64,
    /// Of both, those that a list cannot answer (R3: the second question of a deletion).
    pub single_only: u64,
    /// The app itself is due: a list is wanted.
    pub list: bool,
    /// When the next row becomes claimable, where none is now.
    pub next_at: Option<UtcMicros>,
}

/// A row that this process reads now; nobody else does until `claimed_until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The app.
    pub app: AppName,
    /// The connection; `None` is the app itself.
    pub token: Option<ConnectionToken>,
    /// The hints counted when it was claimed: its read answers these and no later ones (R1).
    pub hint_no: u64,
    /// Why it is read.
    pub cause: Cause,
    /// How often in a row reading it failed.
    pub failures: u32,
}

/// Claims for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The number of the read, drawn in the same transaction, before the request (R2).
    pub read_no: u64,
    /// What the request answers.
    pub claims: Vec<Claim>,
}

/// A read to be observed, with the claim that it answers where there is one (an element of a list often has none).
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The read.
    pub read: Read,
    /// The claim it answers.
    pub claim: Option<Claim>,
}

/// A claim that could not be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postponement {
    /// The claim.
    pub claim: Claim,
    /// Not before this time again.
    pub until: UtcMicros,
    /// Why, for a person.
    pub error: String,
    /// The `X-Request-ID` of the failed request.
    pub request_id: Option<String>,
    /// Whether it counts as a failure of this row (a closed circuit or a lost session does not).
    pub counts: bool,
}

/// A verification key as learned from Finlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub kid: Uuid,
    /// The JWK, as it came.
    pub jwk: serde_json::Value,
    /// When it was last read.
    pub read_at: UtcMicros,
}

/// Whether Finlink can be asked for keys of an app, as its answers tell (R10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeySource {
    /// When it last gave a definite answer, a key or a 404; `None` where it never did.
    pub answered_at: Option<UtcMicros>,
    /// A question for a key waits for its answer.
    pub open: bool,
}

/// A session with Finlink, sealed so that the store alone cannot use it (R5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSession {
    /// Of the secret that it was opened with.
    pub fingerprint: String,
    /// The sealed token; empty where the session is known to be dead.
    pub sealed: Vec<u8>,
    /// When its login was made: the next one is not closer than the minimum.
    pub login_at: UtcMicros,
    /// When it ends by itself.
    pub expires_at: UtcMicros,
}

/// A key that pending webhooks wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndecidedKid {
    /// The key.
    pub kid: Uuid,
    /// How many webhooks wait for it.
    pub waiting: u64,
    /// How often Finlink answered 404.
    pub not_found: u32,
    /// When it answered 404 for the first time.
    pub first_not_found_at: Option<UtcMicros>,
    /// When it was last asked for.
    pub asked_at: Option<UtcMicros>,
}

/// Which of the keys that pending webhooks wait for come first. Each order is fair to keys that the other is not fair to, so
/// whoever asks takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KidOrder {
    /// Those that most webhooks wait for, and of these the youngest.
    MostWaiting,
    /// Those that were waited for first.
    LongestWaiting,
}

/// A webhook that waits for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingWebhook {
    /// Its receipt.
    pub receipt: Receipt,
    /// The JWT.
    pub jwt: String,
    /// Its body's hash; the body itself is not needed to decide.
    pub body_sha256: events::BodyHash,
    /// When it was received: its age is judged at that time (R10).
    pub received_at: UtcMicros,
    /// When it was recorded, by the store's clock; `None` where a program of an older version recorded it.
    pub recorded_at: Option<UtcMicros>,
}

/// What is decided about a pending webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The webhook.
    pub receipt: Receipt,
    /// The decision.
    pub decision: Decision,
}

/// A decision about a pending webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is Finlink's: it hints now, as R1 and R11 say.
    Verified {
        /// Whether its signature covers its body.
        binds_body: bool,
    },
    /// It is not; says why. It never has an effect.
    Rejected(String),
}

impl Decision {
    /// What `deliveries` gets: the verification word, whether the signature covers the body, and why it was rejected.
    pub(crate) fn columns(&self) -> (&'static str, bool, Option<&str>) {
        match self {
            Self::Verified { binds_body } => ("verified", *binds_body, None),
            Self::Rejected(why) => ("rejected", false, Some(why)),
        }
    }
}

impl KeySource {
    /// The last time of which one may say, at `now`, that Finlink can be asked. It is `now` while no question is open: what
    /// answered last is taken to answer still. Without any answer so far it is never.
    pub fn answers_at(self, now: UtcMicros) -> Option<UtcMicros> {
        self.answered_at.map(|answered_at| if self.open { answered_at } else { now })
    }
}

impl UndecidedKid {
    /// A key that was answered with 404 once nobody waited for it any more: the answer has no consequence.
    pub(crate) fn unwaited(kid: Uuid, now: UtcMicros) -> Self {
        Self { kid, waiting: 0, not_found: 1, first_not_found_at: Some(now), asked_at: Some(now) }
    }
}

/// The error for an app that is pinned to another client (R3). A `client_id` is no secret.
pub(crate) fn pinned_elsewhere(pin: &AppPin, known: Option<&str>) -> StoreError {
    let AppPin { app, client_id } = pin;
    let known = known.unwrap_or("none");
    StoreError::Incompatible(format!(
        "the app {app} is pinned to another client_id: the store has {known}, the settings say {client_id}. What is known \
         of its connections must not be judged by another client's answers: put the old client_id back, or give the new \
         one an app name, or a store, of its own"
    ))
}

/// The error for an app that has no row to claim.
pub(crate) fn not_enrolled(app: &AppName) -> StoreError {
    StoreError::Incompatible(format!("the app {app} is not enrolled: enrol it before any claim"))
}

/// A lease is for one app: [`StoreError::Incompatible`] where a read is of another.
pub(crate) fn of_one_app(lease: &Lease, observations: &[Observation]) -> Result<(), StoreError> {
    match observations.iter().find(|observation| observation.read.app != lease.app) {
        None => Ok(()),
        Some(stray) => {
            let other = &stray.read.app;
            Err(StoreError::Incompatible(format!("a read of {other} under the lease of {}", lease.app)))
        }
    }
}

/// The reconciler's port.
#[async_trait]
pub trait Refresh: Send + Sync {
    /// The clock of the store, which those who share it go by. A store that nobody shares goes by this machine's.
    async fn time(&self) -> Result<UtcMicros, StoreError> {
        Ok(UtcMicros::now())
    }

    /// Makes the app known, its first sweep due at once, and pins it to its client; [`StoreError::Incompatible`] where it is
    /// pinned to another.
    async fn enrol(&self, pin: &AppPin, now: UtcMicros) -> Result<(), StoreError>;

    /// Takes the lease where it is free, expired or one's own; `None` where another holds it. Taking it anew raises the fence
    /// and gives back every claim made under the one before: nobody but the holder reads.
    async fn lease(
        &self,
        app: &AppName,
        holder: Uuid,
        now: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<Option<Lease>, StoreError>;

    /// Gives the lease back, so that another need not wait for its end.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// What waits to be read.
    async fn due(&self, app: &AppName, now: UtcMicros) -> Result<Due, StoreError>;

    /// Claims the next connection for a single read; hinted ones first. `None` where nothing is due.
    async fn claim_one(&self, lease: &Lease, now: UtcMicros, until: UtcMicros) -> Result<Option<Claimed>, StoreError>;

    /// Claims the app and every due connection that a list can answer, `limit` at most, for one list read.
    async fn claim_list(
        &self,
        lease: &Lease,
        now: UtcMicros,
        until: UtcMicros,
        limit: usize,
    ) -> Result<Claimed, StoreError>;

    /// The tokens of all connections of the app that are not deleted and of those that show signs of absence, in order.
    async fn live_tokens(&self, app: &AppName) -> Result<Vec<ConnectionToken>, StoreError>;

    /// Applies reads (R1 to R4, R6): state, observations, outbox, gaps and the next due time, in one transaction under the
    /// rows' locks. `request_id` is Finlink's `X-Request-ID`. Answers in the order asked.
    async fn observe(
        &self,
        lease: &Lease,
        observations: &[Observation],
        request_id: Option<&str>,
        now: UtcMicros,
    ) -> Result<Vec<Transition>, StoreError>;

    /// A list was read, parsed completely and observed: answers the app's claim, schedules the next sweep, and allows no list
    /// before `not_before`.
    async fn swept(
        &self,
        lease: &Lease,
        claim: &Claim,
        now: UtcMicros,
        not_before: UtcMicros,
    ) -> Result<(), StoreError>;

    /// Gives claims back unanswered.
    async fn postpone(&self, lease: &Lease, postponements: &[Postponement]) -> Result<(), StoreError>;

    /// Hints at a connection (or at the app, for `None`) on behalf of a person or of the user's application, with
    /// [`Cause::Request`]. False where the connection is not known.
    async fn request(&self, app: &AppName, token: Option<&ConnectionToken>, now: UtcMicros)
    -> Result<bool, StoreError>;

    /// Hints again at what recorded webhooks point at ([`Inspect::aims`](crate::Inspect::aims)), on behalf of a person, with
    /// [`Cause::Request`]: each of it once, and known from now on where it was not. Nothing else is changed: no webhook is
    /// recorded twice, nothing is read sooner than it may be.
    async fn replay(&self, targets: &BTreeSet<Target>, now: UtcMicros) -> Result<(), StoreError>;

    /// Lets the deletions of an app that wait for an operator (R3) proceed; answers how many connections they are about.
    async fn approve_deletions(&self, app: &AppName, now: UtcMicros) -> Result<u64, StoreError>;

    /// The keys known for an app.
    async fn keys(&self, app: &AppName) -> Result<Vec<StoredKey>, StoreError>;

    /// Whether Finlink answers questions for keys of an app. A key that was last asked for before `asked_before` counts as an
    /// open question, and so does one that was never answered.
    async fn key_source(&self, app: &AppName, asked_before: UtcMicros) -> Result<KeySource, StoreError>;

    /// Keeps a key, new or read again.
    async fn learn_key(&self, lease: &Lease, key: &StoredKey) -> Result<(), StoreError>;

    /// Drops a key that Finlink does not know any more.
    async fn forget_key(&self, lease: &Lease, kid: Uuid) -> Result<(), StoreError>;

    /// Unknown keys that pending webhooks wait for and that Finlink was not asked for since `asked_before`.
    async fn undecided(
        &self,
        app: &AppName,
        order: KidOrder,
        asked_before: UtcMicros,
        limit: usize,
    ) -> Result<Vec<UndecidedKid>, StoreError>;

    /// Known keys that webhooks still wait for: those were accepted as pending just before the key was learned.
    async fn learned_late(&self, app: &AppName) -> Result<Vec<Uuid>, StoreError>;

    /// Finlink said that it has no such key. Answers how often, and since when, it has said so.
    async fn key_not_found(&self, lease: &Lease, kid: Uuid, now: UtcMicros) -> Result<UndecidedKid, StoreError>;

    /// Pending webhooks of a key, oldest first.
    async fn pending(&self, app: &AppName, kid: Uuid, limit: usize) -> Result<Vec<PendingWebhook>, StoreError>;

    /// Pending webhooks of unknown keys that are older than `before` both by their receiver's clock and by when the store
    /// recorded them: a receiver's clock that is behind makes none old (R1).
    async fn pending_before(
        &self,
        app: &AppName,
        before: UtcMicros,
        limit: usize,
    ) -> Result<Vec<PendingWebhook>, StoreError>;

    /// Decides pending webhooks: verified ones hint now.
    async fn decide(&self, lease: &Lease, rulings: &[Ruling]) -> Result<(), StoreError>;

    /// The session kept for a secret.
    async fn session(&self, app: &AppName, fingerprint: &str) -> Result<Option<SealedSession>, StoreError>;

    /// Keeps a session in place of the one before with the same fingerprint.
    async fn keep_session(&self, lease: &Lease, session: &SealedSession) -> Result<(), StoreError>;

    /// Deletes deliveries of the app that were recorded before `before`, `limit` at most, and bodies that no other delivery
    /// refers to; never a pending one. The books account for them as before. Goes through them in the order of their receipts,
    /// from behind `from`: the answer of the call before, `None` for the first.
    async fn purge_deliveries(
        &self,
        lease: &Lease,
        before: UtcMicros,
        from: Option<Receipt>,
        limit: usize,
    ) -> Result<PurgedDeliveries, StoreError>;

    /// Deletes events of the app that were committed before `before`, `limit` at most: numbered ones only that have been relayed
    /// to every target that has a place in the feed. Goes through them in the order of their numbers, from behind `from`: the
    /// answer of the call before, 0 for the first. Pages say from then on that they are gone.
    async fn purge_events(
        &self,
        lease: &Lease,
        before: UtcMicros,
        from: Cursor,
        limit: usize,
    ) -> Result<PurgedEvents, StoreError>;

    /// Closes gaps that are open for longer than the rules say: their webhooks are lost. Answers how many.
    async fn close_gaps(&self, app: &AppName, now: UtcMicros) -> Result<u64, StoreError>;
}
