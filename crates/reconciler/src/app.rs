//! An app at Finlink and its credentials, read again at each login so that a rotated secret needs no restart.
//!
//! Secrets are kept in `secrecy` types, never shown and never logged.

use std::path::PathBuf;

use events::AppName;
use secrecy::{ExposeSecret, SecretString};

/// An app that is looked after.
#[derive(Debug, Clone)]
pub struct App {
    /// What this installation calls it.
    pub name: AppName,
    /// Its id at Finlink; the app's data is pinned to it (R3).
    pub client_id: String,
    /// Its secret at Finlink.
    pub client_secret: SecretSource,
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// It stands in the settings.
    Value(SecretString),
    /// It stands in a file, surrounding white space not counted.
    File(PathBuf),
}

/// Why an app's secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the file of apps.{app}.client_secret, {path}, cannot be read: {why}")]
    Unreadable {
        /// The app.
        app: AppName,
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// There is nothing in it.
    #[error("apps.{0}.client_secret is empty: put the secret from Finlink's dashboard there")]
    Empty(AppName),
}

impl App {
    /// The secret as it is now.
    pub(crate) async fn secret(&self) -> Result<SecretString, SecretError> {
        let secret = match &self.client_secret {
            SecretSource::Value(value) => value.clone(),
            SecretSource::File(path) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| SecretError::Unreadable {
                    app: self.name.clone(),
                    path: path.clone(),
                    why: error.to_string(),
                })?;
                SecretString::from(text.trim())
            }
        };
        if secret.expose_secret().is_empty() { Err(SecretError::Empty(self.name.clone())) } else { Ok(secret) }
    }
}
