//! The settings of each role as a process of its own: every role is told what it needs and nothing else.

use std::path::Path;

use crate::binary::Setup;
use crate::brisk;
use crate::finlink::Credentials;

/// The roles in the order in which they are stopped: the sources of messages first.
pub const SOURCES_FIRST: [&str; 4] = ["ingress", "consumer", "reconciler", "feed"];

/// What is around the roles of one cluster on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// What the app is called.
    pub app_name: &'a str,
    /// What it logs in with.
    pub app: &'a Credentials,
    /// The database's address.
    pub store: &'a str,
    /// Where Finlink is.
    pub upstream: &'a str,
    /// Where the first reconciler gives the keys, so that an ingress finds it again.
    pub keys_port: u16,
    /// In it each process has a folder of its own.
    pub folder: &'a Path,
}

impl Surroundings<'_> {
    /// How `name` starts; its role stands before the dash. `queue` knows the broker's address for each of its users.
    pub fn setup(&self, name: &str, queue: impl Fn(&str) -> String) -> Setup {
        let role = role_of(name);
        let mut setup = Setup::in_folder(&self.folder.join(name)).brisk();
        for (setting, value) in brisk::BETWEEN_ROLES {
            setup.set(setting, value);
        }
        if role != "reconciler" {
            setup.set("QUEUE__URL", &queue(user_of(role)));
        }
        if role != "ingress" {
            setup.set("STORE__URL", self.store);
        }
        if role == "reconciler" {
            setup.set("UPSTREAM__BASE_URL", self.upstream);
            if name == "reconciler-1" {
                setup.set("INTERNAL_LISTEN", &format!("127.0.0.1:{}", self.keys_port));
            }
            return setup.with_app(self.app_name, self.app);
        }
        setup
            .with(&format!("APPS__{}__CLIENT_ID", self.app_name.to_uppercase()), &self.app.client_id)
            .with("INTERNAL__URL", &format!("http://127.0.0.1:{}", self.keys_port))
    }
}

/// The role that a process of this name has.
pub fn role_of(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

/// The broker's user of a role; a person's commands are the operator's.
fn user_of(role: &str) -> &str {
    if role == "person" { "operator" } else { role }
}
