//! What scenarios are made of: one enrolled app with a lease, webhooks, and answers of Finlink, at times counted in seconds.

use std::time::Duration;

use bytes::Bytes;
use connections::{Answer, Read, Transition};
use events::{
    AppName, BodyHash, BodyTells, Connection, ConnectionStatus, ConnectionToken, RawWebhook, Receipt, Status,
    UtcMicros, Verification,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Engine, Stores};
use crate::{AppPin, Books, Claimed, Due, FeedFilter, Lease, Observation, Reading, Recorded, RefreshRow, Rules};

/// The second 0 of every scenario.
pub const START: UtcMicros = UtcMicros(1_800_000_000_000_000);

/// The time `seconds` into the scenario.
pub fn at(seconds: u64) -> UtcMicros {
    START.plus(Duration::from_secs(seconds))
}

/// The app of every scenario.
pub fn app() -> AppName {
    "shop".parse().unwrap()
}

/// The `n`th connection.
pub fn token(n: u32) -> ConnectionToken {
    format!("TOKEN{n:05}").parse().unwrap()
}

/// One webhook after the other, each with a receipt, a sequence number and a body of its own.
pub fn webhook(tells: BodyTells, verification: Verification, at: UtcMicros) -> Reading {
    let receipt = Receipt::draw();
    let body = Bytes::from(format!("{{\"receipt\":\"{receipt}\"}}"));
    let webhook = RawWebhook {
        receipt,
        app: app(),
        instance: Uuid::from_u128(1),
        sequence: 1,
        decided_through: 0,
        received_at: at,
        verification,
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    };
    Reading { webhook, tells }
}

/// When whoever left these books has been silent for long.
pub(super) fn long_after(books: &Books) -> UtcMicros {
    books.recorded_at.unwrap().plus(Duration::from_hours(1))
}

/// The same body under another receipt.
pub fn again(reading: &Reading) -> Reading {
    let mut reading = reading.clone();
    reading.webhook.receipt = Receipt::draw();
    reading
}

/// A body that names connections.
pub fn names(tokens: &[u32]) -> BodyTells {
    BodyTells::Tokens { tokens: tokens.iter().copied().map(token).collect(), more: false }
}

/// A signature that covers the body.
pub fn bound() -> Verification {
    Verification::Verified { kid: Uuid::from_u128(7), binds_body: true }
}

pub(super) fn unbound() -> Verification {
    Verification::Verified { kid: Uuid::from_u128(7), binds_body: false }
}

/// A signature by a key that is not known yet.
pub fn pending(kid: u128) -> Verification {
    Verification::Pending { kid: Uuid::from_u128(kid), jwt: format!("jwt-of-{kid}") }
}

/// Finlink's answer about the `n`th connection: READY, last updated at `updated` seconds.
pub fn ready(n: u32, updated: u64) -> Value {
    let status = ConnectionStatus {
        credentials_token: token(n),
        status: Status::Ready,
        error_details: None,
        entity: Some("santander".to_owned()),
        created_at: Some(START),
        updated_at: Some(at(updated)),
        last_sync: Some(at(updated)),
        update_token: None,
        restore_token: None,
        two_factor_enabled: None,
        has_credentials: Some(true),
        external_id: Some(format!("customer-{n}")),
        other: serde_json::Map::from_iter([("somethingNew".to_owned(), json!({"kept": true}))]),
    };
    serde_json::to_value(status).unwrap()
}

/// An answer with this status.
pub fn found(raw: Value) -> Answer {
    let status = ConnectionStatus::from_value(raw.clone()).unwrap();
    Answer::Found { status: Box::new(status), raw }
}

/// A store with one app, enrolled and leased at second 0.
pub(super) struct World {
    pub(super) stores: Stores,
    pub(super) lease: Lease,
}

impl World {
    /// The store's time: what is recorded so far is older, and what will be is not.
    pub(super) async fn store_time(&self) -> UtcMicros {
        self.stores.refresh.time().await.unwrap()
    }

    pub(super) async fn open(engine: &dyn Engine) -> Self {
        Self::open_with(engine, Rules::default()).await
    }

    pub(super) async fn open_with(engine: &dyn Engine, rules: Rules) -> Self {
        Self::of(engine.open(rules).await).await
    }

    /// One in an empty store.
    pub(super) async fn of(stores: Stores) -> Self {
        let pin = AppPin { app: app(), client_id: "client".to_owned() };
        stores.refresh.enrol(&pin, START).await.unwrap();
        let lease = stores.refresh.lease(&app(), Uuid::from_u128(2), START, at(3600)).await.unwrap().unwrap();
        Self { stores, lease }
    }

    /// The same with the first sweep done, at second 0: what is found from now on is announced.
    pub(super) async fn swept(engine: &dyn Engine) -> Self {
        let world = Self::open(engine).await;
        world.sweep(0).await;
        world
    }

    /// Answers the app's claim, whatever it is.
    pub(super) async fn sweep(&self, second: u64) {
        let claimed = self.claim_list(second, 0).await;
        self.stores.refresh.swept(&self.lease, &claimed.claims[0], at(second), at(second)).await.unwrap();
    }

    pub(super) async fn record(&self, readings: &[Reading]) -> Vec<Recorded> {
        self.stores.intake.record(readings).await.unwrap()
    }

    /// A webhook, signed with its body, that names the `n`th connection.
    pub(super) async fn hint(&self, n: u32, second: u64) {
        self.record(&[webhook(names(&[n]), bound(), at(second))]).await;
    }

    /// Claims a single read for 60 seconds.
    pub(super) async fn claim_one(&self, second: u64) -> Option<Claimed> {
        self.stores.refresh.claim_one(&self.lease, at(second), at(second + 60)).await.unwrap()
    }

    /// Claims a list for 60 seconds.
    pub(super) async fn claim_list(&self, second: u64, limit: usize) -> Claimed {
        self.stores.refresh.claim_list(&self.lease, at(second), at(second + 60), limit).await.unwrap()
    }

    /// Answers a claim of a single read.
    pub(super) async fn answer(&self, claimed: &Claimed, answer: Answer, second: u64) -> Transition {
        let claim = claimed.claims[0].clone();
        let read = read(claim.token.clone().unwrap(), claimed.read_no, answer, second);
        self.observe(&[Observation { read, claim: Some(claim) }], second).await.remove(0)
    }

    /// A read of the `n`th connection that no claim was made for, like an element of a list, under a number drawn now.
    pub(super) async fn see(&self, n: u32, answer: Answer, second: u64) -> Transition {
        let until = at(second);
        let claimed = self.stores.refresh.claim_list(&self.lease, at(second), until, 0).await.unwrap();
        let read = read(token(n), claimed.read_no, answer, second);
        self.observe(&[Observation { read, claim: None }], second).await.remove(0)
    }

    pub(super) async fn observe(&self, observations: &[Observation], second: u64) -> Vec<Transition> {
        self.stores.refresh.observe(&self.lease, observations, Some("request-1"), at(second)).await.unwrap()
    }

    pub(super) async fn due(&self, second: u64) -> Due {
        self.stores.refresh.due(&app(), at(second)).await.unwrap()
    }

    /// What is scheduled for the `n`th connection.
    pub(super) async fn look(&self, n: u32) -> Option<RefreshRow> {
        self.stores.inspect.explain(&app(), &token(n)).await.unwrap().refresh
    }

    /// The `n`th connection as the user sees it.
    pub(super) async fn connection(&self, n: u32) -> Option<Connection> {
        self.stores.inspect.connection(&token(n)).await.unwrap().pop()
    }

    /// The types of all events, numbered now, without what is common to them.
    pub(super) async fn event_types(&self) -> Vec<String> {
        self.stores.feed.number(10_000).await.unwrap();
        let page = self.stores.feed.after(crate::Cursor(0), &FeedFilter::default(), 10_000).await.unwrap();
        let word = |kind: &str| kind.trim_start_matches("finlinkd.connection.").trim_end_matches(".v1").to_owned();
        page.entries.iter().map(|entry| word(&entry.kind)).collect()
    }
}

/// A read of a connection of the app.
pub fn read(token: ConnectionToken, read_no: u64, answer: Answer, second: u64) -> Read {
    Read { app: app(), token, read_no, as_of: at(second), answer }
}
