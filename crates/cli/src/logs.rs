//! Logs: to standard error, as text for people or JSON for machines. Standard output belongs to what a command answers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::{Log, LogFormat};

/// The HTTP server tells of each of its threads; what matters of it `listener` says. The AMQP client writes out every message
/// that comes back, body and signature included, and every declaration that a user may not make; what matters `queue` says.
const QUIETER: &str = "actix_server=warn,lapin=off";

/// Reads a level or a list of levels per part. The error is a few words on what is wrong.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    let level = if level.trim().is_empty() { "info" } else { level };
    EnvFilter::builder().parse(format!("{QUIETER},{level}")).map_err(|error| error.to_string())
}

/// Starts logging for the whole process; a second call changes nothing (tests share a process).
pub(crate) fn start(log: &Log) {
    // Settings were validated before; a level that does not read falls back to the default.
    let filter = filter(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Somebody else's subscriber is in place already, which is as good.
    drop(started);
}

#[cfg(test)]
mod tests {
    //! What is quieter than the level that was asked for, and that one may still ask for it.

    use super::*;

    #[test]
    fn the_amqp_client_is_silent_unless_it_is_asked_for_by_name() {
        assert!(filter("debug").unwrap().to_string().contains("lapin=off"));
        assert!(!filter("debug,lapin=warn").unwrap().to_string().contains("lapin=off"));
    }
}
