//! Every query of the dashboard and of the rules, asked of a real Prometheus while all is well: each answers.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::deployment;
use tests::looking::eventually;
use tests::servers::Prometheus;

use super::promql::{alternatives, unfiltered};
use super::scene::Scene;

/// Waits until each of these queries has answered with a number at least once.
async fn each_answers(prometheus: &Prometheus, what: &str, queries: BTreeSet<String>) {
    let mut waiting = queries;
    let answered = eventually(what, async || {
        let mut silent = BTreeSet::new();
        for query in &waiting {
            let series = prometheus.query(query).await.map_err(|error| format!("{query}: {error:#}"))?;
            if !series.iter().any(is_a_number) {
                silent.insert(query.clone());
            }
        }
        waiting = silent;
        if waiting.is_empty() { Ok(()) } else { Err(format!("no series: {waiting:#?}")) }
    });
    answered.await;
}

/// A quotient of nothing by nothing is a series, and says nothing.
fn is_a_number(series: &Value) -> bool {
    series["value"][1].as_str().is_some_and(|value| value != "NaN")
}

/// The queries of the rules that Prometheus has read.
async fn of_rules(prometheus: &Prometheus) -> Vec<String> {
    let groups = prometheus.ask("rules").await.unwrap();
    let rules = groups["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["query"].as_str().unwrap().to_owned()).collect()
}

/// Waits until every query of dashboard and rules answers, part by part, and Prometheus has evaluated every rule.
pub(super) async fn every_query_answers(scene: &Scene) {
    let panels = deployment::dashboard_queries().unwrap();
    let panels: BTreeSet<String> = panels.iter().flat_map(|query| alternatives(query)).collect();
    assert!(panels.len() > 20, "the dashboard asks little: {panels:#?}");
    // What a default stands for is asked for; the default itself answers for ever.
    let panels = panels.into_iter().filter(|query| query != "vector(0)").collect();
    each_answers(&scene.prometheus, "every panel shows something", panels).await;

    let rules = of_rules(&scene.prometheus).await;
    assert!(rules.len() > 10, "there are few rules: {rules:#?}");
    let rules = rules.iter().flat_map(|query| alternatives(query)).map(|query| unfiltered(&query)).collect();
    each_answers(&scene.prometheus, "every rule has something to judge", rules).await;
}
