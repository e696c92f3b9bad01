//! The sentence of `connections explain`: a pure function of what the store knows and of the time.

use connections::Cause;
use events::{ConnectionToken, UtcMicros};
use store::{Explanation, RefreshRow};

use crate::commands::{moment, words};
use crate::output::or_dash;

/// Why the connection is as it is, and when it will be looked at again.
pub(super) fn sentence(token: &ConnectionToken, explanation: &Explanation, now: UtcMicros) -> String {
    if explanation.known.is_none() && explanation.refresh.is_none() {
        return format!("Nothing is known of {token}: no read found it and no verified webhook named it.");
    }
    let failing = explanation.refresh.as_ref().and_then(failing).unwrap_or_default();
    format!("{}; {}.{failing}", why(token, explanation, now), when(explanation.refresh.as_ref(), now))
}

/// When the row may be claimed next (R1); `None`: not before a webhook names it.
pub(super) fn next_look_at(refresh: &RefreshRow) -> Option<UtcMicros> {
    if refresh.hint_no > refresh.answered_no {
        return Some(refresh.not_before);
    }
    refresh.scheduled_at.map(|at| at.max(refresh.not_before))
}

fn why(token: &ConnectionToken, explanation: &Explanation, now: UtcMicros) -> String {
    let Some(known) = &explanation.known else {
        return format!("{token} was named by a webhook but no read has found it yet");
    };
    if let Some(at) = known.deleted_at {
        return format!(
            "{token} counts as deleted since {}: twice, Finlink did not know it and left it out of its complete list",
            moment(at, now)
        );
    }
    let mut parts = vec![format!(
        "{token} is {} because Finlink said so {} ago (version {})",
        known.status.status.as_str(),
        words(now.since(known.as_of)),
        known.version
    )];
    if let Some(error) = &known.status.error_details {
        let reason = error.reason.as_deref().unwrap_or("no reason");
        parts.push(format!(", giving {} \"{reason}\" as the reason", or_dash(error.kind.as_ref())));
    }
    let circumstances = [
        (known.status.restore_token.is_some(), ", and it waits for a person: a restore token was issued"),
        (known.regression.is_some(), "; the latest read went back in time and does not count until it is repeated"),
        (known.absence.suspected(), "; it may have been deleted, which the next reads decide"),
        (
            explanation.deletions_held,
            "; so many connections are missing at once that an operator has to approve their deletion",
        ),
    ];
    parts.extend(circumstances.iter().filter(|(holds, _)| *holds).map(|(_, text)| (*text).to_owned()));
    parts.concat()
}

fn when(refresh: Option<&RefreshRow>, now: UtcMicros) -> String {
    let only_when_named = || "it will be looked at again when a webhook names it".to_owned();
    let Some(refresh) = refresh else { return only_when_named() };
    if refresh.claimed_until.is_some_and(|until| until > now) {
        return "it is being read right now".to_owned();
    }
    let Some(at) = next_look_at(refresh) else { return only_when_named() };
    let cause = match refresh.hint_no.saturating_sub(refresh.answered_no) {
        0 => reason(&refresh.reason).to_owned(),
        1 => "a hint waits for an answer".to_owned(),
        several => format!("{several} hints wait for an answer"),
    };
    if at <= now {
        format!("it is due to be looked at now: {cause}")
    } else {
        format!("it will be looked at again in {}, at {at}: {cause}", words(at.since(now)))
    }
}

fn reason(word: &str) -> &'static str {
    match Cause::from_word(word) {
        Some(Cause::Hint) => "a webhook named it",
        Some(Cause::Lag) => "a hinted read found nothing new, or an update still running: the API may lag",
        Some(Cause::Regression) => "the latest read went back in time and is repeated",
        Some(Cause::Schedule) => "without a webhook until then, something should have been heard of it",
        Some(Cause::Sweep) => "the whole list is read",
        Some(Cause::Missing) => "it may have been deleted, and more evidence is due",
        Some(Cause::Request) => "a person or an application asked",
        None => "it is scheduled",
    }
}

fn failing(refresh: &RefreshRow) -> Option<String> {
    (refresh.failures > 0).then(|| {
        let request = refresh.last_request_id.as_ref().map(|id| format!(", X-Request-ID {id}")).unwrap_or_default();
        let error = refresh.last_error.as_deref().unwrap_or("no reason was recorded");
        match refresh.failures {
            1 => format!(" The last attempt to read it failed: {error}{request}."),
            several => format!(" The last {several} attempts to read it failed: {error}{request}."),
        }
    })
}

#[cfg(test)]
mod tests;
