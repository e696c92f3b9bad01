//! The order of stopping: sources first, each stage only when the one before it has ended.
//!
//! Promises: a part that ends by itself stops all others; the last stage is over before the deadline or the parts that are
//! not are named. Not here: what a part does when it is told to stop.

use std::time::Duration;

use futures_util::future::{join_all, select_all};
use tokio_util::sync::CancellationToken;

use super::part::Part;

/// Parts that stop together.
pub(crate) struct Stage {
    stop: CancellationToken,
    parts: Vec<Part>,
}

impl Stage {
    /// A stage whose parts listen to `stop`.
    pub(crate) fn new(stop: CancellationToken, parts: Vec<Part>) -> Self {
        Self { stop, parts }
    }
}

/// Why everything ended, where not everything went well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unclean {
    /// A part ended before it was told to.
    #[error("the {name} ended by itself: {reason}")]
    Part {
        /// The part.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// Parts were still at work when the deadline came.
    #[error("stopping took longer than {deadline:?}: {names} did not end")]
    Late {
        /// The deadline.
        deadline: Duration,
        /// The parts.
        names: String,
    },
}

/// Waits for `stop`, or for the first part that ends by itself; then stops stage after stage, all within `deadline`.
pub(crate) async fn run(stages: Vec<Stage>, stop: &CancellationToken, deadline: Duration) -> Result<(), Unclean> {
    let parts: Vec<Part> = stages.iter().flat_map(|stage| stage.parts.clone()).collect();
    let early = tokio::select! {
        () = stop.cancelled() => None,
        part = first_to_end(&parts) => Some(part),
    };
    // A part may have ended because of the stop; then it did as it was told.
    let outcome = match early {
        Some(part) if !stop.is_cancelled() => Err(by_itself(&part).await),
        _ => Ok(()),
    };
    stop.cancel();
    if tokio::time::timeout(deadline, stop_all(&stages)).await.is_err() {
        let names: Vec<&str> = parts.iter().filter(|part| !part.has_ended()).map(|part| part.name).collect();
        let late = Unclean::Late { deadline, names: names.join(", ") };
        tracing::warn!("{late}");
        // The later stages were not told yet: a lease is better given back than left to run out.
        for stage in &stages {
            stage.stop.cancel();
        }
        return outcome.and(Err(late));
    }
    outcome
}

async fn first_to_end(parts: &[Part]) -> Part {
    let (_, first, _) = select_all(parts.iter().map(|part| Box::pin(part.ended()))).await;
    parts[first].clone()
}

async fn by_itself(part: &Part) -> Unclean {
    let reason = match part.ended().await {
        Ok(()) => "it had nothing left to do".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let unclean = Unclean::Part { name: part.name, reason };
    tracing::error!("{unclean}; stopping the others");
    unclean
}

async fn stop_all(stages: &[Stage]) {
    for stage in stages {
        stage.stop.cancel();
        for (part, ended) in stage.parts.iter().zip(join_all(stage.parts.iter().map(Part::ended)).await) {
            match ended {
                Ok(()) => tracing::debug!(part = part.name, "ended"),
                Err(error) => tracing::warn!(part = part.name, error = format!("{error:#}"), "ended badly"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
