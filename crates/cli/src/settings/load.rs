//! The layers: built-in defaults, a TOML file, the environment. Each later one wins key by key.
//!
//! Promises: a pure function of its arguments (the environment is handed in); all problems are found at once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat};

use super::{Problem, Problems, Settings, fit};

/// What the names of our environment variables start with; two underscores follow.
pub const PREFIX: &str = "FINLINKD";

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file given by `--config`.
    pub file: Option<PathBuf>,
    /// The environment; only what starts with [`PREFIX`] is looked at.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// `file`, and the environment of this process. A value that is not UTF-8 is kept with the bad bytes replaced, so that it
    /// is reported as wrong and not silently missed.
    pub fn of_this_process(file: Option<PathBuf>) -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os()
            .map(|(name, value)| (lossy(name), lossy(value)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        Self { file, environment }
    }
}

/// Reads and merges the layers and fits them to the types. What a role needs beyond that is `Settings::problems_for`.
pub fn load(sources: &Sources) -> Result<Settings, Problems> {
    let mut builder = Config::builder();
    if let Some(path) = &sources.file {
        builder = builder.add_source(File::from_str(&read(path)?, FileFormat::Toml));
    }
    // No `try_parsing`: it would turn the password 007 into 7. `fit` reads text by the type that its key has.
    let environment = Environment::with_prefix(PREFIX)
        .separator("__")
        .ignore_empty(true)
        .source(Some(sources.environment.iter().cloned().collect()));
    let merged =
        builder.add_source(environment).build().map_err(|error| unreadable(&error, sources.file.as_deref()))?;
    fit::fit(merged.cache)
}

fn read(path: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(path)
        .map_err(|error| one(format!("cannot read {}: {error}; --config names a readable TOML file", path.display())))
}

fn unreadable(error: &ConfigError, file: Option<&Path>) -> Problems {
    match (error, file) {
        (ConfigError::FileParse { cause, .. }, Some(path)) => {
            one(format!("{} is not TOML: {}", path.display(), cause.to_string().trim_end()))
        }
        _ => one(error.to_string()),
    }
}

fn one(what: String) -> Problems {
    Problems(vec![Problem::general(what)])
}
