//! What a deployment shows of itself: Prometheus' targets, what each ingress has taken and spooled, the memory of its processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tests::deployment;
use tests::http;
use tests::looking::{array, eventually, eventually_within};

use super::Scene;
use crate::deployment::Deployment;
use crate::progress::say;

const MIB: u64 = 1024 * 1024;
/// No process of ours is to use more, whatever its container allows.
const PEAK_BYTES_MAX: u64 = 128 * MIB;
/// Until a front door has found each ingress, and Prometheus has scraped what that counts.
const SEEN_WITHIN: Duration = Duration::from_mins(2);

impl<D: Deployment> Scene<D> {
    /// Every job of `prometheus.yml` has targets, those of the scaled roles are as many as there are to be, and each was
    /// scraped.
    pub(crate) async fn every_target_is_up(&self) {
        let scaled = [("ingress", self.counts.ingress), ("consumer", self.counts.consumer)];
        let up = eventually("every target is up", async || {
            let answer = self.ask_prometheus("targets?state=active").await?;
            let targets = array(answer["activeTargets"].clone());
            let mut found: BTreeMap<String, usize> = BTreeMap::new();
            for target in &targets {
                *found.entry(target["labels"]["job"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            let all_up = targets.iter().all(|target| target["health"] == "up");
            let jobs: BTreeSet<String> = found.keys().cloned().collect();
            let complete = jobs == deployment::scrape_jobs().unwrap()
                && scaled.iter().all(|(job, count)| found.get(*job) == Some(count));
            if all_up && complete { Ok(()) } else { Err(format!("{found:?}, expected {scaled:?}: {targets:#?}")) }
        });
        up.await;
    }

    /// Each ingress has accepted webhooks.
    pub(super) async fn every_ingress_has_accepted(&self) {
        self.every_ingress_counts("finlinkd_ingress_requests_total", |labels| labels["outcome"] == "accepted").await;
    }

    /// Each ingress has webhooks in its spool.
    pub(super) async fn every_ingress_has_spooled(&self) {
        self.every_ingress_counts("finlinkd_spool_messages", |_| true).await;
    }

    /// Prometheus has seen more than 0 of each ingress, in the series with the wanted labels.
    async fn every_ingress_counts(&self, metric: &str, wanted: impl Fn(&Value) -> bool) {
        let what = format!("{metric} of every ingress");
        let counts = eventually_within(SEEN_WITHIN, &what, async || {
            let answer = self.ask_prometheus(&format!("query?query={metric}")).await?;
            let series = array(answer["result"].clone());
            let counting = series.iter().filter(|one| {
                let value = one["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
                wanted(&one["metric"]) && value.is_some_and(|value| value > 0.0)
            });
            let instances: BTreeSet<&str> = counting.filter_map(|one| one["metric"]["instance"].as_str()).collect();
            if instances.len() == self.counts.ingress { Ok(()) } else { Err(format!("{series:#?}")) }
        });
        counts.await;
    }

    /// The `data` of an answer of Prometheus.
    async fn ask_prometheus(&self, target: &str) -> Result<Value, String> {
        let answer = http::get(self.deployment.prometheus(), &format!("/api/v1/{target}")).await;
        let mut answer = answer.and_then(|answer| answer.json()).map_err(|error| format!("{error:#}"))?;
        Ok(answer["data"].take())
    }

    /// No process of ours has ever used much memory, even with what the kernel keeps of its files.
    pub(crate) async fn little_memory_was_used(&self) {
        for peak in self.deployment.peaks().await {
            let charged = peak.charged.map(|bytes| format!(", its container {}", bytes / MIB)).unwrap_or_default();
            let told = format!("{} has used {} MiB at most{charged}", peak.name, peak.resident / MIB);
            say(&told);
            assert!(peak.charged.unwrap_or_default().max(peak.resident) < PEAK_BYTES_MAX, "{told}");
        }
    }
}
