//! The API on a real socket, with a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use feed::api::{self, ApiWiring};
use feed::{Metrics, Numberer, Settings};
use listener::{BearerToken, Limits};
use prometheus::Registry;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use store::{Feed, Inspect};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::scene::Scene;

pub(crate) const TOKEN: &str = "the token of the API";

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) stop: CancellationToken,
    client: Client,
    serving: JoinHandle<std::io::Result<()>>,
    numbering: JoinHandle<Result<(), feed::Error>>,
}

/// Settings under which no test has to wait.
pub(crate) fn quick() -> Settings {
    Settings { poll_min: Duration::from_millis(5), poll_max: Duration::from_millis(20), ..Settings::default() }
}

impl Served {
    pub(crate) fn new(scene: &Scene, settings: Settings) -> Self {
        Self::over(scene, scene.arc(), scene.arc(), settings)
    }

    /// With other ports than the scene's store in the two places that are asked most.
    pub(crate) fn over(scene: &Scene, feed: Arc<dyn Feed>, inspect: Arc<dyn Inspect>, settings: Settings) -> Self {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let numberer = Numberer::new(scene.arc(), settings.clone(), metrics.clone());
        let wiring = ApiWiring {
            feed,
            inspect,
            refresh: scene.arc(),
            latest: numberer.latest(),
            token: BearerToken::new(Some(TOKEN.into())),
            settings,
            metrics,
            limits: Limits { workers: 1, ..Limits::default() },
        };
        let bound = listener::bind("api_listen", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = bound.address();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(api::serve(bound, wiring, stop.clone()));
        let numbering = tokio::spawn(numberer.run(stop.clone()));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { address, registry, stop, client, serving, numbering }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.anonymous(path).bearer_auth(TOKEN)
    }

    pub(crate) fn anonymous(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    /// The JSON of a 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    /// Stops everything and returns when it has ended well.
    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        self.numbering.await.unwrap().unwrap();
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        (metric.get_counter().get_value() + metric.get_gauge().get_value()) as u64
    }

    /// Returns once a metric has a value; a test that waits in vain is stopped from outside.
    pub(crate) async fn until(&self, name: &str, value: u64) {
        while self.metric(name) != value {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
