//! Secrets as settings hold them: readable by the code that needs them, masked everywhere else.
//!
//! Promises: neither `Debug` nor `Serialize` shows more than whether a secret is set. Not here: a secret kept in a file
//! that is read anew at each login (`reconciler::SecretSource`).

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands in place of a secret wherever it is shown.
pub const MASK: &str = "********";

/// A secret.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself, for the one who needs it.
    pub fn to_secret_string(&self) -> SecretString {
        self.0.clone()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Reads a secret from a file, without the line break that editors put at its end.
///
/// Errors are a sentence that names the file and never its content.
pub(super) fn read_file(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the secret file {}: {error}", path.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("the secret file {} is empty", path.display())),
        secret => Ok(secret.to_owned().into()),
    }
}

/// Hides the password inside a URL such as `amqp://user:password@host`; where it is not clear what the password is, all of it.
pub(super) fn mask_url(url: &str) -> String {
    let unclear = || if url.contains('@') { MASK.to_owned() } else { url.to_owned() };
    let Some((scheme, rest)) = url.split_once("://") else { return unclear() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if path.contains('@') {
        return unclear();
    }
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:{MASK}@{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_however_malformed_its_url_is() {
        assert_eq!(mask_url("amqp://user:Sesame@host/place"), "amqp://user:********@host/place");
        assert_eq!(mask_url("embedded:"), "embedded:");
        for url in [
            "user:Sesame@host",
            "amqps:user:Sesame@host",
            "amqp:/user:Sesame@host",
            "amqp://user:12/Sesame@host",
            "amqp://user:Ses@me/Sesame@host",
        ] {
            let shown = mask_url(url);
            assert!(!shown.contains("Ses"), "{url}: {shown}");
        }
    }
}
