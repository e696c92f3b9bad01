//! Sessions: one for each secret, a new login revokes the one before, and none can be prolonged.

use std::time::{Duration, Instant};

use fastrand::Rng;
use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::draw;
use crate::keys::now_unix_seconds;

/// An app has so many secrets here; Finlink allows 5.
const SECRETS: usize = 2;

/// What a session may do beyond what needs a valid session only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    Read,
    Write,
    Delete,
}

/// The sessions of an app.
pub(crate) struct Sessions {
    client_id: Uuid,
    secrets: [String; SECRETS],
    active: [Option<Session>; SECRETS],
    lifetime: Duration,
    key: EncodingKey,
    issued: u64,
}

struct Session {
    token: String,
    scopes: Vec<Scope>,
    expires_at: Instant,
}

#[derive(Serialize)]
struct Claims {
    sub: Uuid,
    jti: u64,
    iat: u64,
    exp: u64,
}

impl Sessions {
    /// The credentials come from the seed, so that another program can be told of them.
    pub(crate) fn new(seed: u64, app: &str, lifetime: Duration) -> Self {
        let mut rng: Rng = draw::generator(seed, app, "credentials");
        Self {
            client_id: draw::uuid(&mut rng),
            secrets: std::array::from_fn(|_| draw::hex(&mut rng, 40)),
            active: [const { None }; SECRETS],
            lifetime,
            key: EncodingKey::from_secret(draw::hex(&mut rng, 64).as_bytes()),
            issued: 0,
        }
    }

    /// Client id and secret number 0 or 1.
    pub(crate) fn credentials(&self, number: usize) -> (String, String) {
        (self.client_id.to_string(), self.secrets[number].clone())
    }

    /// Logs in; `None`: the credentials are wrong. Without scopes the session has them all.
    pub(crate) fn login(&mut self, client_id: &str, secret: &str, scopes: Option<Vec<Scope>>) -> Option<String> {
        let number = self.secrets.iter().position(|known| known == secret)?;
        if Uuid::try_parse(client_id).ok()? != self.client_id {
            return None;
        }
        let token = self.issue();
        self.active[number] = Some(Session {
            token: token.clone(),
            scopes: scopes.unwrap_or_else(|| vec![Scope::Read, Scope::Write, Scope::Delete]),
            expires_at: Instant::now() + self.lifetime,
        });
        Some(token)
    }

    /// Whether a token is a session's: `None` if not, else whether it has the scope.
    pub(crate) fn allows(&self, token: &str, scope: Option<Scope>) -> Option<bool> {
        let now = Instant::now();
        let session =
            self.active.iter().flatten().find(|session| session.token == token && now < session.expires_at)?;
        Some(scope.is_none_or(|scope| session.scopes.contains(&scope)))
    }

    fn issue(&mut self) -> String {
        self.issued += 1;
        let iat = now_unix_seconds();
        let claims = Claims { sub: self.client_id, jti: self.issued, iat, exp: iat + self.lifetime.as_secs() };
        // Only a claim that is no JSON fails, and these are.
        jsonwebtoken::encode(&Header::default(), &claims, &self.key).unwrap_or_default()
    }
}
