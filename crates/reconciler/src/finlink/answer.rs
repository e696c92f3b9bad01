//! What Finlink's answers say, in our types. Field names of sessions, keys and lists are known here only.

use std::time::Duration;

use events::{ConnectionStatus, NotAStatus};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An answer, complete and parsed.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    pub(crate) value: T,
    /// Its `X-Request-ID`.
    pub(crate) request_id: Option<String>,
    /// From the first byte asked to the last one answered, repetitions not counted.
    pub(crate) took: Duration,
}

/// An element of a list, not yet read: a list can be long, and read elements take several times the room.
#[derive(Debug)]
pub(crate) struct ListElement(Box<RawValue>);

impl ListElement {
    /// Its status, read, and as it came.
    pub(crate) fn read(&self) -> Result<(ConnectionStatus, Value), NotAStatus> {
        status(self.0.get().as_bytes())
    }
}

#[derive(Deserialize)]
struct LoginAnswer {
    token: SecretString,
}

/// The session's token out of the answer to a login.
pub(crate) fn login(body: &[u8]) -> Result<SecretString, String> {
    // serde's message could repeat a part of the answer, and the answer is a secret.
    serde_json::from_slice::<LoginAnswer>(body)
        .map(|answer| answer.token)
        .map_err(|_| "expected an object with a string `token`".to_owned())
}

/// All elements of a list: the body is checked to its end before any of them is used.
pub(crate) fn list(body: &[u8]) -> Result<Vec<ListElement>, String> {
    serde_json::from_slice::<Vec<Box<RawValue>>>(body)
        .map(|elements| elements.into_iter().map(ListElement).collect())
        .map_err(|error| format!("expected an array: {error}"))
}

/// One connection's status.
pub(crate) fn status(body: &[u8]) -> Result<(ConnectionStatus, Value), NotAStatus> {
    let raw: Value = serde_json::from_slice(body).map_err(|error| NotAStatus(error.to_string()))?;
    Ok((ConnectionStatus::from_value(raw.clone())?, raw))
}

/// A JWK, not yet checked to be a key.
pub(crate) fn key(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("expected a JWK: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_cut_anywhere_is_no_list() {
        let whole =
            br#"[{"credentialsToken":"AAAAAAAAAA","status":"READY"},{"credentialsToken":"BBBBBBBBBB","status":"NEW"}]"#;
        assert_eq!(list(whole).unwrap().len(), 2);
        for end in 0..whole.len() {
            assert!(list(&whole[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(list(b"[]").unwrap().len(), 0);
        for other in ["", "null", "{}", "{\"connections\":[]}", "[] []"] {
            assert!(list(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn an_element_that_is_no_status_does_not_spoil_the_others() {
        let elements = list(br#"[1,{"status":"READY"},{"credentialsToken":"BBBBBBBBBB","status":"NEW"}]"#).unwrap();
        let read: Vec<bool> = elements.iter().map(|element| element.read().is_ok()).collect();
        assert_eq!(read, [false, false, true]);
    }

    #[test]
    fn a_login_without_a_token_is_refused_without_repeating_it() {
        let error = login(br#"{"token":{"secret":"abc"}}"#).unwrap_err();
        assert!(!error.contains("abc"));
    }
}
