//! A data folder that a test fills through the store, without a pipeline, and looks into through the binary.

use std::path::Path;
use std::process::Output;

use events::{BodyHash, BodyTells, Checkpoint, RawWebhook, Receipt, UtcMicros, Verification};
use sqlite::rusqlite::Connection;
use store::sqlite::SqliteStore;
use store::{Intake, MigrateMode, Reading, Rules};
use uuid::Uuid;

use super::process::run;

/// A run of an ingress.
pub(crate) const INSTANCE: Uuid = Uuid::from_u128(7);

/// One of its webhooks; the third is of another app.
pub(crate) fn webhook(sequence: u64) -> RawWebhook {
    let body = format!(r#"{{"connectionToken":"TOKEN{sequence:05}"}}"#).into_bytes();
    RawWebhook {
        receipt: Receipt::draw(),
        app: if sequence == 3 { "bank" } else { "shop" }.parse().unwrap(),
        instance: INSTANCE,
        sequence,
        decided_through: 0,
        received_at: UtcMicros(1_800_000_000_000_000),
        verification: Verification::Pending { kid: Uuid::from_u128(1), jwt: "a.secret.jwt".to_owned() },
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body: body.into(),
    }
}

/// Its mark, by which three are decided.
pub(crate) fn mark(last: bool) -> Checkpoint {
    let (started_at, at) = (UtcMicros(0), UtcMicros(1));
    Checkpoint { instance: INSTANCE, started_at, at, decided_through: 3, refused: Vec::new(), last }
}

pub(crate) fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&store::Settings {
        folder: folder.to_owned(),
        migrate: MigrateMode::Auto,
        rules: Rules::default(),
    })
    .unwrap()
}

/// Records webhooks, as a consumer does.
pub(crate) async fn record(store: &SqliteStore, webhooks: &[RawWebhook]) {
    let reading = |webhook: &RawWebhook| Reading { webhook: webhook.clone(), tells: BodyTells::Unreadable };
    store.record(&webhooks.iter().map(reading).collect::<Vec<_>>()).await.unwrap();
}

/// An hour ago now every mark was recorded that was recorded just now.
pub(crate) fn an_hour_passes(folder: &Path) {
    let store = Connection::open(folder.join("store.sqlite")).unwrap();
    let aged = store.execute("UPDATE checkpoints SET recorded_at = recorded_at - 3600000000", []).unwrap();
    assert_eq!(aged, 1);
}

/// Runs a command to its end.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Output {
    run(arguments, &[("FINLINKD__DATA_DIR", folder.to_str().unwrap())])
}
