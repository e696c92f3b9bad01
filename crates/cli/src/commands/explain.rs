//! `finlinkd connections explain TOKEN`: why it is as it is, and when it will be looked at again, in a sentence; the facts
//! below. The words are in `sentence`.

mod sentence;

use std::io::Write;

use events::{AppName, ConnectionToken, UtcMicros};
use serde_json::{Value, json};
use store::{Explanation, RefreshRow};

use self::sentence::{next_look_at, sentence};
use super::connections::{One, facts};
use super::{finish, only_app, stdout};
use crate::exit::Failure;
use crate::output::{self, or_dash};
use crate::settings::Settings;
use crate::wiring;

/// Explains one connection.
pub(super) async fn run(settings: &Settings, one: &One) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let mut apps: Vec<AppName> = store.connection(&one.token).await?.into_iter().map(|found| found.app).collect();
    if apps.is_empty() {
        apps = store.apps().await?;
    }
    let app = only_app(one.app.as_ref(), &apps, &one.token)?;
    let explanation = store.explain(&app, &one.token).await?;
    let now = store.time().await?;
    let mut out = stdout();
    if one.form.json {
        output::json(&mut out, &as_json(&app, &one.token, &explanation, now))?;
    } else {
        writeln!(out, "{}", output::clean(&sentence(&one.token, &explanation, now)))?;
        write_facts(&mut out, &explanation)?;
    }
    finish(out)?;
    if explanation.known.is_none() && explanation.refresh.is_none() { Err(Failure::Negative) } else { Ok(()) }
}

fn write_facts(out: &mut impl Write, explanation: &Explanation) -> Result<(), Failure> {
    if let Some(known) = &explanation.known {
        writeln!(out, "\nConnection")?;
        output::facts(out, &facts(&known.view()))?;
    }
    if let Some(refresh) = &explanation.refresh {
        writeln!(out, "\nSchedule")?;
        output::facts(out, &schedule_facts(refresh))?;
    }
    writeln!(out, "\nNewest webhooks that name it first: {}", explanation.deliveries.len())?;
    for row in &explanation.deliveries {
        let duplicate = if row.duplicate { ", duplicate" } else { "" };
        writeln!(out, "  {}  {}  {}{duplicate}", row.received_at, row.receipt, row.verification)?;
    }
    writeln!(out, "\nNewest events: {}", explanation.events.len())?;
    for (number, kind, time) in &explanation.events {
        writeln!(out, "  {time}  {}  {kind}", or_dash(number.as_ref()))?;
    }
    writeln!(out, "\nOpen gaps (changes that no webhook told of): {}", explanation.gaps.len())?;
    for gap in &explanation.gaps {
        writeln!(out, "  {}  {}", gap.found_at, gap.kind)?;
    }
    Ok(())
}

fn schedule_facts(refresh: &RefreshRow) -> Vec<(&'static str, String)> {
    vec![
        ("hints", format!("{} so far, {} answered", refresh.hint_no, refresh.answered_no)),
        ("scheduled at", or_dash(refresh.scheduled_at.as_ref())),
        ("not before", refresh.not_before.to_string()),
        ("reason", refresh.reason.clone()),
        ("failures in a row", refresh.failures.to_string()),
        ("last error", or_dash(refresh.last_error.as_ref())),
        ("last X-Request-ID", or_dash(refresh.last_request_id.as_ref())),
    ]
}

fn as_json(app: &AppName, token: &ConnectionToken, explanation: &Explanation, now: UtcMicros) -> Value {
    let events: Vec<Value> = explanation
        .events
        .iter()
        .map(|(number, kind, time)| json!({ "number": number, "type": kind, "time": time }))
        .collect();
    json!({
        "app": app,
        "token": token,
        "sentence": sentence(token, explanation, now),
        "next_look_at": explanation.refresh.as_ref().and_then(next_look_at),
        "connection": explanation.known.as_ref().map(connections::Known::view),
        "refresh": explanation.refresh,
        "deliveries": explanation.deliveries,
        "events": events,
        "gaps": explanation.gaps,
        "deletions_held": explanation.deletions_held,
    })
}
