//! Whether webhooks should be sent here: what each part says of itself, put together at each question.
//!
//! Degraded is ready: as long as a webhook can be kept somewhere, taking it is right.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "snake_case")]
pub(crate) enum Health {
    /// Everything works.
    Ready,
    /// It does its main work; says what is wrong.
    Degraded(String),
    /// It cannot work; says why.
    Unready(String),
}

type Probe = Box<dyn Fn() -> Health + Send + Sync>;

/// The parts and how to ask them. Asking is cheap and never waits.
#[derive(Default)]
pub(crate) struct Readiness {
    parts: Vec<(&'static str, Probe)>,
}

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    status: &'static str,
    parts: BTreeMap<&'static str, Health>,
}

impl Readiness {
    /// Adds a part.
    pub(crate) fn part(&mut self, name: &'static str, probe: impl Fn() -> Health + Send + Sync + 'static) {
        self.parts.push((name, Box::new(probe)));
    }

    /// Asks every part.
    pub(crate) fn report(&self) -> Report {
        let parts: BTreeMap<_, _> = self.parts.iter().map(|(name, probe)| (*name, probe())).collect();
        let status = match parts.values().max() {
            None | Some(Health::Ready) => "ready",
            Some(Health::Degraded(_)) => "degraded",
            Some(Health::Unready(_)) => "unready",
        };
        Report { status, parts }
    }
}

impl Report {
    /// Whether to answer 200.
    pub(crate) fn is_ready(&self) -> bool {
        self.status != "unready"
    }
}

#[cfg(test)]
mod tests {
    //! The worst part decides, and every part says why.

    use super::*;

    fn report(health: &[Health]) -> serde_json::Value {
        let mut readiness = Readiness::default();
        for (name, health) in ["queue", "store"].into_iter().zip(health.to_vec()) {
            readiness.part(name, move || health.clone());
        }
        serde_json::to_value(readiness.report()).unwrap()
    }

    #[test]
    fn degraded_is_ready_and_says_why() {
        let report = report(&[Health::Degraded("spooling".to_owned()), Health::Ready]);
        assert_eq!(report["status"], "degraded");
        assert_eq!(report["parts"]["queue"], serde_json::json!({ "status": "degraded", "reason": "spooling" }));
        assert_eq!(report["parts"]["store"], serde_json::json!({ "status": "ready" }));
    }

    #[test]
    fn one_part_that_cannot_work_makes_all_unready() {
        let report = report(&[Health::Degraded("spooling".to_owned()), Health::Unready("stopping".to_owned())]);
        assert_eq!(report["status"], "unready");
    }
}
