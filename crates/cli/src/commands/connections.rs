//! `finlinkd connections`: the table of connections, one of them in full, and the way to `explain` and `refresh`.

use clap::{Args, Subcommand};
use events::{AppName, Connection, ConnectionToken};
use store::{ConnectionFilter, Inspect};

use super::{ListArgs, ShowArgs, approve, explain, finish, refresh, several_apps, stdout};
use crate::exit::Failure;
use crate::output::{self, Row, or_dash};
use crate::settings::Settings;
use crate::wiring;

/// Options of `connections`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Lists connections by app and token.
    List(List),
    /// Shows one connection.
    Show(One),
    /// Tells why a connection is as it is, and when it will be looked at again.
    Explain(One),
    /// Has a connection read from Finlink: by the running process now, or by the next one first of all.
    Refresh(One),
    /// Lets deletions proceed that wait for a person because too many came at once.
    ApproveDeletions(approve::Options),
}

#[derive(Debug, Clone, Args)]
struct List {
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    /// With this status only, such as READY.
    #[arg(long)]
    status: Option<String>,
    /// With this external id only.
    #[arg(long)]
    external_id: Option<String>,
    /// Deleted ones only.
    #[arg(long, conflicts_with = "live")]
    deleted: bool,
    /// Without deleted ones.
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    form: ListArgs,
}

/// A connection, and how to show it.
#[derive(Debug, Clone, Args)]
pub(super) struct One {
    /// The connection's token.
    pub(super) token: ConnectionToken,
    /// The app it belongs to, where several have it.
    #[arg(long)]
    pub(super) app: Option<AppName>,
    #[command(flatten)]
    pub(super) form: ShowArgs,
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    match &options.action {
        None => list(settings, &options.list).await,
        Some(Action::List(wanted)) => list(settings, wanted).await,
        Some(Action::Show(one)) => show(settings, one).await,
        Some(Action::Explain(one)) => explain::run(settings, one).await,
        Some(Action::Refresh(one)) => refresh::run(settings, one).await,
        Some(Action::ApproveDeletions(options)) => approve::run(settings, options).await,
    }
}

async fn list(settings: &Settings, wanted: &List) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let filter = ConnectionFilter {
        app: wanted.app.clone(),
        status: wanted.status.as_ref().map(|status| status.to_uppercase()),
        external_id: wanted.external_id.clone(),
        deleted: match (wanted.deleted, wanted.live) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        ..ConnectionFilter::default()
    };
    let page = async |rows, last: Option<&Connection>| {
        let after = last.map(|last| (last.app.clone(), last.token.clone()));
        store.connections(&ConnectionFilter { after, limit: Some(rows), ..filter.clone() }).await
    };
    wanted.form.list(&format!("No connection in {} fits.", wiring::store_shown(settings)?), page).await
}

async fn show(settings: &Settings, one: &One) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let connection = find(store.as_ref(), one).await?;
    let mut out = stdout();
    if one.form.json {
        output::json(&mut out, &connection)?;
    } else {
        output::facts(&mut out, &facts(&connection))?;
    }
    finish(out)
}

async fn find(store: &dyn Inspect, one: &One) -> Result<Connection, Failure> {
    let mut found = store.connection(&one.token).await?;
    found.retain(|connection| one.app.as_ref().is_none_or(|app| connection.app == *app));
    let apps: Vec<AppName> = found.iter().map(|connection| connection.app.clone()).collect();
    if let (Some(connection), true) = (found.pop(), found.is_empty()) {
        return Ok(connection);
    }
    if apps.is_empty() {
        return Err(anyhow::anyhow!("no connection {} is known; `connections list` lists them", one.token).into());
    }
    Err(several_apps(&apps, &one.token))
}

/// Every field of a connection for people.
pub(super) fn facts(connection: &Connection) -> Vec<(&'static str, String)> {
    let error = connection.error_details.as_ref().map(|error| {
        let retryable = or_dash(error.retryable.as_ref());
        format!("{} {} (retryable: {retryable})", or_dash(error.kind.as_ref()), or_dash(error.reason.as_ref()))
    });
    vec![
        ("app", connection.app.to_string()),
        ("token", connection.token.to_string()),
        ("status", connection.status.as_str().to_owned()),
        ("entity", or_dash(connection.entity.as_ref())),
        ("error", or_dash(error.as_ref())),
        ("update token", or_dash(connection.update_token.as_ref())),
        ("restore token", or_dash(connection.restore_token.as_ref())),
        ("second factor", or_dash(connection.two_factor_enabled.as_ref())),
        ("has credentials", or_dash(connection.has_credentials.as_ref())),
        ("external id", or_dash(connection.external_id.as_ref())),
        ("created at", or_dash(connection.created_at.as_ref())),
        ("updated at", or_dash(connection.updated_at.as_ref())),
        ("last sync", or_dash(connection.last_sync.as_ref())),
        ("version", connection.version.to_string()),
        ("as of", connection.as_of.to_string()),
        ("deleted at", or_dash(connection.deleted_at.as_ref())),
    ]
}

impl Row for Connection {
    const HEADINGS: &'static [&'static str] = &["APP", "TOKEN", "STATUS", "ENTITY", "LAST SYNC", "VERSION", "AS OF"];

    fn cells(&self) -> Vec<String> {
        let status = if self.deleted_at.is_some() { "DELETED" } else { self.status.as_str() };
        vec![
            self.app.to_string(),
            self.token.to_string(),
            status.to_owned(),
            or_dash(self.entity.as_ref()),
            or_dash(self.last_sync.as_ref()),
            self.version.to_string(),
            self.as_of.to_string(),
        ]
    }
}
