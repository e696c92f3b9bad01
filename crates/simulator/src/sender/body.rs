//! Bodies of webhooks. Finlink's are not documented, so they come in all assumed shapes: the connection's id under one of
//! three names, at the top level or one object deep.

use bytes::Bytes;
use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::draw;
use crate::settings::Settings;
use crate::world::change::{Change, Told};

const FIELDS: [&str; 3] = ["connectionToken", "credentialsToken", "token"];

/// The body of a genuine webhook, filled up to the set size.
pub(crate) fn draw(rng: &mut Rng, settings: &Settings, change: &Change, told: Told) -> Bytes {
    let field = FIELDS[rng.usize(..FIELDS.len())];
    let deep = rng.bool();
    if draw::happens(rng, settings.bare_body_rate) {
        return bytes(&json!({ field: change.token }));
    }
    let mut subject = Map::new();
    subject.insert(field.to_owned(), json!(change.token));
    subject.insert("sequence".to_owned(), json!(change.number));
    if rng.u8(..4) == 0 {
        // A body may be outdated, and may not even be the signature's: what it says of the state is never to be believed.
        subject.insert("status".to_owned(), json!("ERRORED"));
        subject.insert("lastSync".to_owned(), json!("2001-01-01T00:00:00.000Z"));
    }
    let mut body = if deep { Map::from_iter([("data".to_owned(), Value::Object(subject))]) } else { subject };
    body.insert("type".to_owned(), json!(told.word()));
    body.insert("trace".to_owned(), json!(""));
    let missing = settings.body_bytes.saturating_sub(bytes(&Value::Object(body.clone())).len());
    body.insert("trace".to_owned(), json!(draw::hex(rng, missing)));
    bytes(&Value::Object(body))
}

/// The body of a forged webhook: a whole status that is not true. A receiver that believes a body is found out by it.
pub(crate) fn lie(rng: &mut Rng, change: &Change) -> Bytes {
    bytes(&json!({
        "credentialsToken": change.token,
        "status": "ERRORED",
        "errorDetails": { "reason": "forged", "type": "FORGED", "retryable": false },
        "entity": "forged",
        "lastSync": "2001-01-01T00:00:00.000Z",
        "updatedAt": "2099-01-01T00:00:00.000Z",
        "restoreToken": draw::uuid(rng),
        "externalId": "forged",
    }))
}

fn bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}
