//! What is wrong with the settings, one line a problem, each naming its key the way it can be changed.

use std::fmt;

/// A key of the settings, such as `upstream.base_url`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key at `path`, dots between its parts.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The key as it stands in a TOML file.
    pub fn toml(&self) -> &str {
        &self.0
    }

    /// The key as an environment variable.
    pub fn variable(&self) -> String {
        format!("{}__{}", super::load::PREFIX, self.0.replace('.', "__").to_uppercase())
    }

    /// A key inside this one; inside the root for an empty one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}.{name}", self.0)) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.variable())
    }
}

/// One thing that is wrong: the key, what was found, what was expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key; `None` where it is about the file as a whole.
    pub key: Option<Key>,
    /// A sentence without the key.
    pub what: String,
}

impl Problem {
    /// A problem with one key.
    pub fn with(key: impl Into<Key>, what: impl Into<String>) -> Self {
        Self { key: Some(key.into()), what: what.into() }
    }

    /// A problem with all of it.
    pub fn general(what: impl Into<String>) -> Self {
        Self { key: None, what: what.into() }
    }
}

impl From<&str> for Key {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for Key {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// All that is wrong, at once: nobody should have to start five times to find five mistakes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
