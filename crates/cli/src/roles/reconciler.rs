//! The reconciler: one for each app, and the endpoint that gives the keys they learned to ingress processes elsewhere.

use events::AppName;
use listener::{BearerToken, Bound};
use reconciler::{KeyBoard, Metrics, Reconciler, SecretSource, Wiring, keys_endpoint};
use tokio_util::sync::CancellationToken;

use super::part::Part;
use super::process::Base;
use crate::settings::App;
use crate::wiring::Store;

/// Starts all of them.
pub(super) fn start(
    base: &Base,
    bound: Bound,
    store: &Store,
    keys: &KeyBoard,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Part>> {
    let settings = &base.settings;
    let wiring = Wiring {
        refresh: store.refresh(),
        settings: settings.upstream.clone(),
        retention: settings.retention.clone(),
        rules: store::Rules { schedule: settings.schedule.clone(), ..settings.rules.clone() },
        verification: settings.verification.rules.clone(),
        metrics: Metrics::register(&base.registry)?,
        keys: keys.clone(),
    };
    let mut parts = Vec::new();
    for (name, app) in &settings.apps {
        let reconciler = Reconciler::new(credentials(name, app)?, wiring.clone())?;
        let stop = stop.clone();
        parts.push(Part::spawn("reconciler", async move {
            reconciler.run(stop).await;
            anyhow::Ok(())
        }));
    }
    let token = BearerToken::new(settings.internal.access.resolve().map_err(anyhow::Error::msg)?);
    let (keys, limits, stop) = (keys.clone(), settings.http.clone(), stop.clone());
    parts.push(Part::spawn(
        "key endpoint",
        async move { keys_endpoint::serve(bound, keys, token, &limits, stop).await },
    ));
    Ok(parts)
}

/// The settings were checked before: both are there.
fn credentials(name: &AppName, app: &App) -> anyhow::Result<reconciler::App> {
    let missing = |field: &str| anyhow::anyhow!("apps.{name}.{field} is missing");
    let client_id = app.client_id.clone().ok_or_else(|| missing("client_id"))?;
    let client_secret = match (&app.client_secret, &app.client_secret_file) {
        (Some(secret), _) => SecretSource::Value(secret.to_secret_string()),
        (None, Some(path)) => SecretSource::File(path.clone()),
        (None, None) => return Err(missing("client_secret")),
    };
    Ok(reconciler::App { name: name.clone(), client_id, client_secret })
}
