//! Running processes by name, and the order in which they are stopped.
//!
//! Where a test fails, what each of them logged last is shown with it.
#![allow(clippy::panic, clippy::missing_panics_doc, clippy::print_stderr, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use crate::binary::Finlinkd;
use crate::roles::{SOURCES_FIRST, role_of};

/// Processes, each under the name that its role and number make.
#[derive(Debug, Default)]
pub struct Processes(BTreeMap<String, Finlinkd>);

impl Processes {
    /// One of them.
    pub fn get(&self, name: &str) -> &Finlinkd {
        self.0.get(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Takes one out, to be killed or stopped.
    pub fn take(&mut self, name: &str) -> Finlinkd {
        self.0.remove(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Puts one in.
    pub fn put(&mut self, name: &str, process: Finlinkd) {
        self.0.insert(name.to_owned(), process);
    }

    /// Asks all to stop, the sources of messages first; each must end well.
    pub async fn stop(mut self) {
        let mut names: Vec<String> = self.0.keys().cloned().collect();
        names.sort_by_key(|name| SOURCES_FIRST.iter().position(|role| *role == role_of(name)));
        for name in names {
            self.take(&name).stop().await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (name, process) in &self.0 {
                eprintln!("{name} logged last:\n{}", process.last_lines());
            }
        }
    }
}
