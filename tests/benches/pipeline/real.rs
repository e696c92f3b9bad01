//! The receiver that is compared with others before a broker: the real binary in its role, with all that it has in earnest, such
//! as its logs, its listeners and its spool.

use std::path::Path;

use anyhow::{Result, ensure};
use events::UtcMicros;
use serde_json::{Value, json};
use tests::binary::Setup;
use uuid::Uuid;

use crate::child::Server;
use crate::serve::APP;

/// Without signatures.
pub(crate) const UNSIGNED: &str = "finlinkd-unsigned";
/// With them.
pub(crate) const SIGNED: &str = "finlinkd-signed";

/// An ingress before the broker at `url`, which knows `key` by itself: a kid and a JWK.
pub(crate) async fn ingress(what: &str, folder: &Path, url: &str, key: &str) -> Result<Server> {
    let (kid, jwk): (Uuid, Value) = serde_json::from_str(key)?;
    let keys = json!({"read_at": UtcMicros::now(), "keys": [{"app": APP, "kid": kid, "jwk": jwk}]});
    std::fs::write(folder.join("keys.json"), keys.to_string())?;
    let mut setup = Setup::in_folder(folder).with("QUEUE__URL", url).with("APPS__BENCH__CLIENT_ID", "bench");
    // Where nobody listens: the keys in the folder are all that it gets.
    setup.set("INTERNAL__URL", "http://127.0.0.1:1");
    if what == UNSIGNED {
        setup.set("VERIFICATION__MODE", "off");
    }
    let process = setup.run_role("ingress").await?;
    process.said("messages go to the broker").await?;
    let health = process.admin("/readyz").await?.json()?;
    ensure!(health["parts"]["queue"]["status"] == "ready", "{health:#}");
    let address = process.address("listen").await?;
    Ok(Server::real(process, address))
}
