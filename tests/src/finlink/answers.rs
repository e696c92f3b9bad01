//! Which question a request is, and its answer.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Endpoint, Fault, World};
use crate::http::Message;

const CONNECTIONS: &str = "/api/v1/queries/connections";
const KEYS: &str = "/api/v1/webhook_verification";

/// What is asked, and about what.
pub(super) struct Question {
    pub(super) endpoint: Endpoint,
    pub(super) subject: String,
}

/// What is answered, how and when.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) after: Duration,
    pub(super) cut: bool,
    /// It waits until answers were released more often than this.
    pub(super) held: Option<u64>,
    retry_after: Option<u32>,
}

impl Question {
    pub(super) fn of(request: &Message) -> Self {
        let mut parts = request.line.split(' ');
        let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        let below = |root: &str| path.strip_prefix(root)?.strip_prefix('/').filter(|rest| !rest.contains('/'));
        let (endpoint, subject) = match method {
            "POST" if path == "/api/v1/auth/login" => (Endpoint::Login, ""),
            "GET" if path == CONNECTIONS => (Endpoint::List, ""),
            "GET" => match (below(KEYS), below(CONNECTIONS)) {
                (Some(kid), _) => (Endpoint::Key, kid),
                (_, Some(token)) => (Endpoint::Single, token),
                _ => (Endpoint::Other, path),
            },
            _ => (Endpoint::Other, path),
        };
        Self { endpoint, subject: subject.to_owned() }
    }

    /// Who asked, where that is known, and the answer.
    pub(super) fn answer(&self, world: &mut World, request: &Message) -> (String, Answer) {
        let fault = world.fault(self.endpoint).cloned();
        let early = match fault {
            Some(Fault::Status(status)) => Some(Answer::plain(status)),
            Some(Fault::Text(text)) => Some(Answer { body: text.into(), ..Answer::plain(200) }),
            Some(Fault::Busy(seconds)) => Some(Answer { retry_after: Some(seconds), ..Answer::plain(429) }),
            _ => None,
        };
        if let Some(answer) = early {
            return (String::new(), answer);
        }
        let (client_id, mut answer) = self.right_answer(world, request);
        match fault {
            Some(Fault::Cut) => answer.cut = true,
            Some(Fault::Late(after)) => answer.after = after,
            Some(Fault::Held) => answer.held = Some(world.releases()),
            Some(Fault::Empty) if answer.status == 200 => answer.body = b"[]".to_vec(),
            _ => {}
        }
        (client_id, answer)
    }

    fn right_answer(&self, world: &mut World, request: &Message) -> (String, Answer) {
        if self.endpoint == Endpoint::Login {
            return login(world, request);
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let Some((client_id, reads)) = token.and_then(|token| world.session(token)) else {
            return (String::new(), Answer::json(401, &json!({"message": "invalid credentials"})));
        };
        let found = match self.endpoint {
            Endpoint::Key => self.subject.parse::<Uuid>().ok().and_then(|kid| world.key(kid)).cloned(),
            _ if !reads => return (client_id, Answer::json(403, &json!({"message": "scope read is missing"}))),
            Endpoint::List => Some(Value::Array(world.connections(&client_id))),
            Endpoint::Single => world.connection(&client_id, &self.subject).cloned(),
            _ => None,
        };
        let answer = match found {
            Some(found) => Answer::json(200, &found),
            None => Answer::json(404, &json!({"message": "not found"})),
        };
        (client_id, answer)
    }
}

fn login(world: &mut World, request: &Message) -> (String, Answer) {
    let Ok(asked) = request.json() else { return (String::new(), Answer::plain(400)) };
    let (Some(client_id), Some(client_secret)) = (asked["clientId"].as_str(), asked["clientSecret"].as_str()) else {
        return (String::new(), Answer::plain(400));
    };
    let answer = match world.log_in(client_id, client_secret, &asked["scopes"]) {
        Some(token) => Answer::json(200, &json!({ "token": token })),
        None => Answer::json(401, &json!({"message": "invalid credentials"})),
    };
    (client_id.to_owned(), answer)
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..Self::plain(status) }
    }

    fn plain(status: u16) -> Self {
        Self { status, body: b"sorry".to_vec(), after: Duration::ZERO, cut: false, held: None, retry_after: None }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let retry_after = self.retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {} -\r\ncontent-type: application/json\r\nx-request-id: {}\r\n{retry_after}content-length: {}\r\n\r\n",
            self.status,
            Uuid::new_v4(),
            self.body.len(),
        );
        [head.as_bytes(), &self.body].concat()
    }
}
