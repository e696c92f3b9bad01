//! Settings of retention (section `retention`): for how long what is on record is kept. Unless something is set, for ever.

use std::time::Duration;

use humantime_serde::re::humantime::format_duration;
use serde::{Deserialize, Serialize};

/// Nothing younger is purged: a queue or a spool that was away for days delivers again, and a reader of the feed that was away
/// over a weekend goes on where it was.
const KEPT_MIN: Duration = Duration::from_hours(7 * 24);
/// Longer is for ever.
const KEPT_MAX: Duration = Duration::from_hours(10 * 365 * 24);
/// More often there is nothing to do.
const PURGE_EVERY_MIN: Duration = Duration::from_mins(1);

/// For how long what is on record is kept, by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Webhooks and their bodies, since they were recorded; not set: for ever.
    #[serde(with = "humantime_serde")]
    pub deliveries: Option<Duration>,
    /// Events of the feed, since they were committed; not set: for ever.
    #[serde(with = "humantime_serde")]
    pub events: Option<Duration>,
    /// What is older is looked for this often.
    #[serde(with = "humantime_serde")]
    pub purge_every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { deliveries: None, events: None, purge_every: Duration::from_hours(1) }
    }
}

impl Retention {
    /// What does not make sense: the key, and a sentence about it.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let kept = |key, kept: Option<Duration>| {
            let kept = kept.filter(|kept| !(KEPT_MIN..=KEPT_MAX).contains(kept))?;
            let what = "from 7 days to 10 years were expected, such as \"90days\"; to keep them for ever, leave it out";
            Some((key, format!("{} does not fit: {what}", format_duration(kept))))
        };
        let every = self.purge_every;
        let too_often = (every < PURGE_EVERY_MIN).then(|| {
            (
                "purge_every",
                format!("{} is too often: at least 1m was expected, such as \"1h\"", format_duration(every)),
            )
        });
        [kept("deliveries", self.deliveries), kept("events", self.events), too_often].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_kept_for_a_week_at_least() {
        assert_eq!(Retention::default().problems(), []);
        let short = Duration::from_secs(7 * 24 * 3600 - 1);
        let of = |deliveries, events, purge_every| Retention { deliveries, events, purge_every }.problems();
        let hour = Duration::from_hours(1);
        assert_eq!(of(Some(KEPT_MIN), Some(KEPT_MAX), PURGE_EVERY_MIN), []);
        let wrong = of(Some(short), Some(KEPT_MAX * 2), Duration::ZERO);
        assert_eq!(wrong.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["deliveries", "events", "purge_every"]);
        let told = &of(Some(short), None, hour)[0].1;
        assert!(told.contains("6days 23h 59m 59s") && told.contains("from 7 days"), "{told}");
    }
}
