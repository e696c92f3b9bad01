//! What the engine says of one container.

use std::collections::BTreeSet;

use serde_json::Value;

/// One container, as `docker inspect` shows it.
#[derive(Debug, Clone)]
pub struct Container(Value);

impl Container {
    pub(super) fn new(inspected: Value) -> Self {
        Self(inspected)
    }

    /// What the engine knows it by.
    pub fn id(&self) -> &str {
        self.0["Id"].as_str().unwrap_or_default()
    }

    /// What a person knows it by.
    pub fn name(&self) -> &str {
        self.0["Name"].as_str().unwrap_or_default().trim_start_matches('/')
    }

    /// The service that it is one of.
    pub fn service(&self) -> &str {
        self.0["Config"]["Labels"]["com.docker.compose.service"].as_str().unwrap_or_default()
    }

    /// What is wrong with its state; `None` where it runs and is healthy, or has no health check.
    pub fn complaint(&self) -> Option<String> {
        let state = &self.0["State"];
        let health = state.get("Health").filter(|health| !health.is_null());
        let healthy = health.is_none_or(|health| health["Status"] == "healthy");
        if state["Running"] == true && healthy {
            return None;
        }
        let (status, code) = (&state["Status"], &state["ExitCode"]);
        let told = health.and_then(|health| health["Log"].as_array()?.last()).map(|last| last["Output"].to_string());
        let health = health.map(|health| health["Status"].to_string()).unwrap_or_default();
        Some(format!("{}: {status} {health} (exit code {code}) {}", self.service(), told.unwrap_or_default()))
    }

    /// How often the engine had to start it again.
    pub fn restarts(&self) -> u64 {
        self.0["RestartCount"].as_u64().unwrap_or(0)
    }

    /// The user that it runs as; empty: root.
    pub fn user(&self) -> &str {
        self.0["Config"]["User"].as_str().unwrap_or_default()
    }

    /// Ways in which it may do more than it must: no limits, a writable file system, capabilities that are left, a log that fills the disk.
    pub fn liberties(&self) -> Vec<String> {
        let host = &self.0["HostConfig"];
        let mut found = Vec::new();
        let mut unless = |right: bool, liberty: String| {
            if !right {
                found.push(liberty);
            }
        };
        unless(!matches!(self.user(), "" | "0" | "root"), format!("runs as {:?}", self.user()));
        unless(host["ReadonlyRootfs"] == true, "writes to its own file system".to_owned());
        unless(host["Privileged"] == false, "is privileged".to_owned());
        unless(host["CapDrop"].to_string().contains("ALL"), format!("drops {} only", host["CapDrop"]));
        unless(host["SecurityOpt"].to_string().contains("no-new-privileges"), "may gain privileges".to_owned());
        unless(host["Memory"].as_u64().is_some_and(|bytes| bytes > 0), "has no memory limit".to_owned());
        unless(host["PidsLimit"].as_i64().is_some_and(|limit| limit > 0), "has no limit of processes".to_owned());
        unless(host["LogConfig"]["Config"]["max-size"].is_string(), "logs without a limit".to_owned());
        found
    }

    /// The networks that it is in.
    pub fn networks(&self) -> BTreeSet<String> {
        let networks = self.0["NetworkSettings"]["Networks"].as_object();
        networks.map(|networks| networks.keys().cloned().collect()).unwrap_or_default()
    }
}
