//! Keys for an ingress without a reconciler in its process: asked for at the internal listener, kept in the data folder.

use reconciler::keys_client::{KeysClient, Settings};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verification::KeySnapshot;

use super::part::Part;
use super::process::Base;

/// The file in the data folder. Ingress processes that share the folder write the same into it.
const FILE: &str = "keys.json";

/// Starts asking.
pub(super) async fn start(
    base: &Base,
    stop: CancellationToken,
) -> anyhow::Result<(Part, watch::Receiver<KeySnapshot>)> {
    let settings = &base.settings;
    let file = Some(settings.data_dir.join(FILE));
    let client = Settings { file, ..settings.internal.client.clone() };
    let token = settings.internal.access.resolve().map_err(anyhow::Error::msg)?;
    let (client, snapshot) = KeysClient::start(client, token).await?;
    let run = async move {
        client.run(stop).await;
        anyhow::Ok(())
    };
    Ok((Part::spawn("key client", run), snapshot))
}
