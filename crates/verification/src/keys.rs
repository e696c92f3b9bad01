//! The public keys by which tokens are verified, each within its app.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::{AppName, UtcMicros};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// A P-256 coordinate.
const COORDINATE_BYTES: usize = 32;
/// Begins a point that is given by both coordinates (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The keys known. A key counts for the app that it was read for and for no other.
#[derive(Clone, Default)]
pub struct KeySet {
    apps: HashMap<AppName, HashMap<Uuid, ParsedPublicKey>>,
}

/// What the ingress sees of the keys, in a `watch`.
#[derive(Debug, Clone, Default)]
pub struct KeySnapshot {
    /// The keys known.
    pub keys: Arc<KeySet>,
    /// When the source of keys was last read; `None` where it never was.
    pub read_at: Option<UtcMicros>,
    /// For each app, the last time of which it is known that Finlink could be asked for its keys. An app that is left out is
    /// one for which Finlink has answered no such question yet.
    pub answered: Arc<BTreeMap<AppName, UtcMicros>>,
    /// The store's time; `None` until it is heard of.
    pub time: Option<HeardTime>,
}

/// The store's time when it was heard of, and when that was by this machine's monotonic clock, which goes on from there.
#[derive(Debug, Clone, Copy)]
pub struct HeardTime {
    /// The store's time.
    pub at: UtcMicros,
    /// When it was that time, or a little later.
    pub heard: Instant,
}

/// A JWK that is no P-256 public key; says what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a P-256 public key: expected {0}")]
pub struct NotAKey(&'static str);

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    #[serde(default)]
    alg: Option<String>,
}

impl KeySet {
    /// Adds the key `kid` of `app`, or replaces it. Whatever is not a P-256 key leaves the set as it was.
    pub fn insert(&mut self, app: &AppName, kid: Uuid, jwk: &Value) -> Result<(), NotAKey> {
        let key = public_key(jwk)?;
        self.apps.entry(app.clone()).or_default().insert(kid, key);
        Ok(())
    }

    /// Forgets a key; says whether it was there.
    pub fn remove(&mut self, app: &AppName, kid: Uuid) -> bool {
        self.apps.get_mut(app).is_some_and(|keys| keys.remove(&kid).is_some())
    }

    /// Whether the key is known.
    pub fn contains(&self, app: &AppName, kid: Uuid) -> bool {
        self.get(app, kid).is_some()
    }

    /// The number of keys, over all apps.
    pub fn len(&self) -> usize {
        self.apps.values().map(HashMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, app: &AppName, kid: Uuid) -> Option<&ParsedPublicKey> {
        self.apps.get(app)?.get(&kid)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.apps.iter().map(|(app, keys)| (app, keys.keys()))).finish()
    }
}

/// Parsed here and not at each verification: so a point that does not lie on the curve is found out before anybody is judged by
/// it.
fn public_key(jwk: &Value) -> Result<ParsedPublicKey, NotAKey> {
    let jwk = Jwk::deserialize(jwk).map_err(|_| NotAKey("an object with the strings kty, crv, x and y"))?;
    if jwk.kty != "EC" {
        return Err(NotAKey("kty EC"));
    }
    if jwk.crv != "P-256" {
        return Err(NotAKey("crv P-256"));
    }
    if jwk.alg.is_some_and(|alg| alg != "ES256") {
        return Err(NotAKey("alg ES256"));
    }
    let mut point = vec![UNCOMPRESSED];
    for coordinate in [&jwk.x, &jwk.y] {
        let bytes = URL_SAFE_NO_PAD.decode(coordinate).ok().filter(|bytes| bytes.len() == COORDINATE_BYTES);
        point.extend(bytes.ok_or(NotAKey("x and y of 32 bytes each in base64url"))?);
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| NotAKey("x and y of a point on the curve"))
}
