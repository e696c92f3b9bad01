//! What a body tells: which connections to look at. Nothing else is ever read out of a webhook.
//!
//! The fields are not documented, so their names are a setting. A body that cannot be read, or that names nobody, is still a
//! hint: something happened in this app.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::ConnectionToken;

/// So many tokens of one body count (R11); a body that names more is also a hint on its app.
pub const TOKENS_PER_BODY_MAX: usize = 20;

/// What a body tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyTells {
    /// The connections that it names.
    Tokens {
        /// 1 to 20 ([`TOKENS_PER_BODY_MAX`]), each once; those of an array in its order.
        tokens: Vec<ConnectionToken>,
        /// It named more than count.
        more: bool,
    },
    /// JSON that names no connection.
    Nothing,
    /// Not JSON, or nested deeper than the parser goes.
    Unreadable,
}

/// The names under which a connection's id may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFields(pub Vec<String>);

impl Default for TokenFields {
    fn default() -> Self {
        Self(["connectionToken", "credentialsToken", "token"].map(str::to_owned).to_vec())
    }
}

impl BodyTells {
    /// Reads `body`: the fields at the top level (of the object, or of each object of an array) and one object deep.
    pub fn read(body: &[u8], fields: &TokenFields) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Self::Unreadable };
        let mut found = Found::default();
        match &value {
            Value::Array(items) => items.iter().for_each(|item| found.object(item, fields, true)),
            other => found.object(other, fields, true),
        }
        if found.tokens.is_empty() { Self::Nothing } else { Self::Tokens { tokens: found.tokens, more: found.more } }
    }

    /// The word for it in listings.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tokens { .. } => "tokens",
            Self::Nothing => "nothing",
            Self::Unreadable => "unreadable",
        }
    }
}

#[derive(Default)]
struct Found {
    tokens: Vec<ConnectionToken>,
    more: bool,
}

impl Found {
    fn object(&mut self, value: &Value, fields: &TokenFields, descend: bool) {
        let Value::Object(members) = value else { return };
        for (name, member) in members {
            if fields.0.contains(name) {
                match member {
                    Value::Array(items) => items.iter().for_each(|item| self.token(item)),
                    other => self.token(other),
                }
            }
            if descend {
                match member {
                    Value::Array(items) => items.iter().for_each(|item| self.object(item, fields, false)),
                    other => self.object(other, fields, false),
                }
            }
        }
    }

    fn token(&mut self, value: &Value) {
        let Value::String(text) = value else { return };
        // An update token, restore token or public token is a UUID; a connection's id never is.
        if Uuid::try_parse(text).is_ok() {
            return;
        }
        let Ok(token) = text.parse::<ConnectionToken>() else { return };
        if self.tokens.contains(&token) {
            return;
        }
        if self.tokens.len() == TOKENS_PER_BODY_MAX {
            self.more = true;
        } else {
            self.tokens.push(token);
        }
    }
}
