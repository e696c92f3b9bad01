//! Private servers set up as `deploy/` sets up its own: the committed users with what each may do, and their demo passwords.
//!
//! So every test of the roles also shows that the committed rights are enough.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::RabbitMq;
use crate::deployment;

/// The virtual host that the committed definitions are for.
const COMMITTED_HOST: &str = "/";

/// A virtual host with the committed exchanges, queues and users.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    name: String,
    port: u16,
}

impl VirtualHost {
    /// The committed one, as it is. For a broker of one's own.
    pub fn committed(broker: &RabbitMq) -> Result<Self> {
        Self::import(broker, COMMITTED_HOST, &deployment::text("rabbitmq/definitions.json")?)
    }

    /// One beside others. Its users' names end in its own, so that virtual hosts of one broker have nothing in common.
    pub fn another(broker: &RabbitMq, name: &str) -> Result<Self> {
        Self::import(broker, name, &definitions_for(name)?)
    }

    fn import(broker: &RabbitMq, name: &str, definitions: &str) -> Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), definitions)?;
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644))?;
        broker.control(&["import_definitions", file.path().to_str().context("no path")?])?;
        Ok(Self { name: name.to_owned(), port: broker.port() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of a committed user.
    pub fn address_of(&self, user: &str) -> Result<String> {
        let committed = deployment::text(&format!("secrets/demo/queue_url_{user}"))?;
        let here = committed.trim().replace("@rabbitmq:5672/", &format!("@127.0.0.1:{}/", self.port));
        if self.name == COMMITTED_HOST {
            return Ok(here);
        }
        let own = here.replacen(&format!("//{user}:"), &format!("//{user}-{}:", self.name), 1);
        Ok(own.replace("/%2f", &format!("/{}", self.name)))
    }
}

/// The committed definitions, for another virtual host and users of its own.
fn definitions_for(host: &str) -> Result<String> {
    let mut definitions: Value = serde_json::from_str(&deployment::text("rabbitmq/definitions.json")?)?;
    for (kind, items) in definitions.as_object_mut().context("the definitions are no object")? {
        for item in items.as_array_mut().into_iter().flatten() {
            let named_by: &[&str] = match kind.as_str() {
                "vhosts" | "users" => &["name"],
                _ => &["vhost", "user"],
            };
            for field in named_by {
                let Some(name) = item.get(field).and_then(Value::as_str) else { continue };
                item[field] = if name == COMMITTED_HOST { host.to_owned() } else { format!("{name}-{host}") }.into();
            }
        }
    }
    Ok(definitions.to_string())
}

/// `deploy/postgres/init.sh`, and the secrets that it reads, put into `folder`.
pub(super) fn initialisation(folder: &Path) -> Result<String> {
    for secret in ["store_url", "postgres_monitoring_password"] {
        std::fs::copy(deployment::path("secrets/demo").join(secret), folder.join(secret))?;
    }
    Ok(deployment::text("postgres/init.sh")?.replace("/run/secrets", &folder.to_string_lossy()))
}

/// User and password of the database's owner, as in an address.
pub(super) fn owner_of_database() -> Result<String> {
    let committed = deployment::text("secrets/demo/store_url")?;
    let owner = committed.trim().strip_prefix("postgres://").and_then(|rest| rest.split_once('@'));
    owner.map(|(owner, _)| owner.to_owned()).context("store_url names no owner")
}
