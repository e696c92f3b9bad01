//! The apps that webhooks may be sent to, each with its series resolved and its bounds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use events::{AppName, UtcMicros};
use prometheus::IntCounter;
use queue::PublishError;

use crate::metrics::{Metrics, NO_APP};
use crate::pending::PendingBounds;
use crate::throttle::Throttle;
use crate::{Outcome, Settings};

/// Everything by which a request is told to belong somewhere.
pub(crate) struct Apps {
    named: HashMap<String, App>,
    /// The series of whatever is sent elsewhere.
    pub(crate) nobody: Arc<Series>,
}

/// One app.
pub(crate) struct App {
    pub(crate) name: AppName,
    pub(crate) series: Arc<Series>,
    pub(crate) pending: PendingBounds,
}

/// How requests to one app ended.
pub(crate) struct Series {
    label: String,
    rows: Vec<(Outcome, IntCounter, Throttle)>,
}

impl Apps {
    pub(crate) fn new(names: Vec<AppName>, settings: &Settings, metrics: &Metrics) -> Self {
        let app = |name: AppName| App {
            series: Series::new(name.as_str(), metrics),
            pending: PendingBounds::new(settings),
            name,
        };
        let named = names.into_iter().map(|name| (name.as_str().to_owned(), app(name))).collect();
        Self { named, nobody: Series::new(NO_APP, metrics) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&App> {
        self.named.get(name)
    }
}

impl Series {
    fn new(label: &str, metrics: &Metrics) -> Arc<Self> {
        let row = |outcome| (outcome, metrics.requests(label, outcome), Throttle::default());
        Arc::new(Self { label: label.to_owned(), rows: Outcome::all().map(row).collect() })
    }

    /// Counts a request that ended so.
    pub(crate) fn count(&self, outcome: Outcome) {
        if let Some((_, counter, _)) = self.row(outcome) {
            counter.inc();
        }
    }

    /// Tells of a request that was refused, unless it was told of a moment ago. Neither body nor signature is shown.
    pub(crate) fn tell(&self, outcome: Outcome, why: Option<&PublishError>, peer: Option<SocketAddr>, now: UtcMicros) {
        let Some(left_out) = self.row(outcome).and_then(|(_, _, throttle)| throttle.due(now)) else { return };
        let (app, outcome) = (&self.label, outcome.word());
        let peer = peer.map(tracing::field::display);
        if let Some(error) = why {
            tracing::warn!(app, outcome, peer, %error, left_out, "webhook not kept");
        } else {
            tracing::info!(app, outcome, peer, left_out, "webhook refused");
        }
    }

    /// A few comparisons; the first row is the common one.
    fn row(&self, outcome: Outcome) -> Option<&(Outcome, IntCounter, Throttle)> {
        self.rows.iter().find(|(each, _, _)| *each == outcome)
    }
}
