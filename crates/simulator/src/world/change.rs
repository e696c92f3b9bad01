//! What can happen to a connection, and which of it Finlink sends a webhook for.

use std::time::Duration;

/// Something that happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Counts up from 1 in the order in which things happened.
    pub number: u64,
    /// When, counted from the start of the run.
    pub at: Duration,
    /// To whom: its `connectionToken`.
    pub token: String,
    /// What.
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person linked an account: the first import runs, and the connection waits to be exchanged.
    Created,
    /// Its public token was exchanged; from now on queries show it.
    Exchanged,
    /// The first import ended well.
    Imported,
    /// The first import failed.
    ImportFailed,
    /// An update runs. A manual one consumed the update token, a restored one the restore token.
    UpdateStarted,
    /// An update was made and ended well.
    Updated,
    /// An update was made and failed.
    UpdateFailed,
    /// An update was made and ended in a status that no page describes.
    UpdatedOddly,
    /// An update token was generated.
    UpdateTokenIssued,
    /// The connection is blocked: a restore token was generated.
    Blocked,
    /// The credentials changed and a second factor came or went: a restore token was generated.
    CredentialsChanged,
    /// It was deleted.
    Deleted,
}

impl Kind {
    /// The webhook that Finlink sends for it, where it sends one.
    #[must_use]
    pub fn told(self) -> Option<Told> {
        match self {
            Self::Created | Self::Exchanged | Self::UpdateStarted | Self::Deleted => None,
            Self::Imported | Self::ImportFailed => Some(Told::FirstImport),
            Self::Updated | Self::UpdateFailed | Self::UpdatedOddly => Some(Told::Update),
            Self::UpdateTokenIssued => Some(Told::UpdateToken),
            Self::Blocked | Self::CredentialsChanged => Some(Told::RestoreToken),
        }
    }
}

/// Why Finlink sends a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// The first full import of a connection ended.
    FirstImport,
    /// A manual or a daily update was made.
    Update,
    /// An update token was generated.
    UpdateToken,
    /// A restore token was generated.
    RestoreToken,
}

impl Told {
    /// A word for the body. Finlink's own words are not documented.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::FirstImport => "CONNECTION_IMPORTED",
            Self::Update => "CONNECTION_UPDATED",
            Self::UpdateToken => "UPDATE_TOKEN_GENERATED",
            Self::RestoreToken => "RESTORE_TOKEN_GENERATED",
        }
    }
}
