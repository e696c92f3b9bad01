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

/// What stands between a name and the path of another build, as in `finlinkd-signed:/path/to/finlinkd`: so a change is
/// compared with what was before, by turns.
const OF_BUILD: char = ':';

/// Whether a server of this name is the real binary.
pub(crate) fn is_one(what: &str) -> bool {
    [UNSIGNED, SIGNED].contains(&taken_apart(what).0)
}

/// The name, and the path of another build where one follows.
fn taken_apart(what: &str) -> (&str, Option<&str>) {
    what.split_once(OF_BUILD).map_or((what, None), |(mode, build)| (mode, Some(build)))
}

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
    let (mode, build) = taken_apart(what);
    if mode == UNSIGNED {
        setup.set("VERIFICATION__MODE", "off");
    }
    if let Some(build) = build {
        setup = setup.launched_by(&["sh", "-c", "shift; exec \"$0\" \"$@\"", build]);
    }
    let process = setup.run_role("ingress").await?;
    process.said("messages go to the broker").await?;
    let health = process.admin("/readyz").await?.json()?;
    ensure!(health["parts"]["queue"]["status"] == "ready", "{health:#}");
    let address = process.address("listen").await?;
    Ok(Server::real(process, address))
}
