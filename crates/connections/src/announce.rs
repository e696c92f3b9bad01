//! Which events a transition makes (R6).
//!
//! Promises: all events of one transition carry the same version; something changed if and only if there is an event,
//! `changed` where no other says it; no two events of a connection share an id.

use events::{ConnectionEvent, ConnectionStatus, EventType, Status};

use crate::known::Known;

/// The name of our own field among the changed ones.
pub(crate) const DELETED_AT: &str = "deleted_at";

/// What tells a change from others of its kind.
enum Told {
    /// The value that came.
    ByValue(String),
    /// The version, and `updatedAt`, since a store that starts anew counts from 1 again.
    ByVersion,
}

/// The events of the first sight of a connection.
pub(crate) fn first_sight(known: &mut Known, changed: &[String]) -> Vec<ConnectionEvent> {
    let mut kinds = vec![(EventType::Discovered, Told::ByVersion)];
    if let Some(imported) = value_of_import(None, &known.status) {
        kinds.push((EventType::Imported, Told::ByValue(imported)));
    }
    make(known, kinds, changed)
}

/// The events of a change from `before` to `after`, whose version is raised already.
pub(crate) fn change(before: &Known, after: &mut Known, changed: &[String]) -> Vec<ConnectionEvent> {
    let (old, new) = (&before.status, &after.status);
    let mut kinds = Vec::new();
    if before.deleted_at.is_some() && after.deleted_at.is_none() {
        kinds.push((EventType::Revived, Told::ByVersion));
    }
    if let Some(imported) = value_of_import(Some(old), new) {
        kinds.push((EventType::Imported, Told::ByValue(imported)));
    } else if let (Some(earlier), Some(later)) = (old.last_sync, new.last_sync)
        && later > earlier
    {
        kinds.push((EventType::Synced, Told::ByValue(later.to_string())));
    }
    kinds.extend(failure(old, new));
    if old.status.is_error() && new.status == Status::Ready {
        kinds.push((EventType::Recovered, Told::ByVersion));
    }
    if let Some(token) = issued(old.update_token.as_ref(), new.update_token.as_ref()) {
        kinds.push((EventType::UpdateTokenIssued, Told::ByValue(token.to_owned())));
    }
    if let Some(token) = issued(old.restore_token.as_ref(), new.restore_token.as_ref()) {
        kinds.push((EventType::ActionRequired, Told::ByValue(token.to_owned())));
    }
    if kinds.is_empty() {
        kinds.push((EventType::Changed, Told::ByVersion));
    }
    make(after, kinds, changed)
}

/// The event of a deletion.
pub(crate) fn deletion(after: &mut Known) -> Vec<ConnectionEvent> {
    make(after, vec![(EventType::Deleted, Told::ByVersion)], &[DELETED_AT.to_owned()])
}

/// The `lastSync` with which the first import ended, where it did: of an import that failed or still runs there is no data.
pub(crate) fn value_of_import(before: Option<&ConnectionStatus>, after: &ConnectionStatus) -> Option<String> {
    let ran = before.is_none_or(|before| before.last_sync.is_none() || before.status == Status::Pending);
    let ended = !matches!(after.status, Status::Pending | Status::Errored);
    after.last_sync.filter(|_| ran && ended).map(|last_sync| last_sync.to_string())
}

/// The token that was issued, where one was.
pub(crate) fn issued<'a>(before: Option<&String>, after: Option<&'a String>) -> Option<&'a str> {
    after.filter(|token| !token.is_empty() && before != Some(token)).map(String::as_str)
}

/// Entering an error state, or failing again in it. Told by `updatedAt`, which moves with a failed update too.
fn failure(old: &ConnectionStatus, new: &ConnectionStatus) -> Option<(EventType, Told)> {
    let kind = match new.status {
        Status::UpdateError => EventType::UpdateFailed,
        Status::Errored => EventType::Failed,
        Status::Pending | Status::Ready | Status::Updating | Status::Other(_) => return None,
    };
    let entered = old.status != new.status;
    let again = new.updated_at > old.updated_at;
    let told = new.updated_at.map_or(Told::ByVersion, |updated_at| Told::ByValue(updated_at.to_string()));
    (entered || again).then_some((kind, told))
}

fn make(known: &mut Known, kinds: Vec<(EventType, Told)>, changed: &[String]) -> Vec<ConnectionEvent> {
    let view = known.view();
    let make_one = |(kind, told)| match told {
        Told::ByValue(value) => known.announced.event(kind, &value, changed.to_vec(), view.clone()),
        Told::ByVersion => {
            let updated_at = view.updated_at.map(|at| at.to_string()).unwrap_or_default();
            let value = format!("version {} {updated_at}", view.version);
            ConnectionEvent::new(kind, &value, changed.to_vec(), view.clone())
        }
    };
    kinds.into_iter().map(make_one).collect()
}
