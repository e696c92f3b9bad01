//! A client of the API, as thin as can be.

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::Simulator;

pub(crate) struct Caller {
    client: Client,
    base: String,
    pub(crate) token: String,
}

impl Caller {
    /// Not logged in.
    pub(crate) fn stranger(simulator: &Simulator) -> Self {
        let client = Client::builder().no_proxy().tls_certs_only(None::<reqwest::Certificate>).build().unwrap();
        Self { client, base: format!("{}/api/v1", simulator.base_url()), token: String::new() }
    }

    /// Logged in with these scopes.
    pub(crate) async fn with_scopes(simulator: &Simulator, scopes: Value) -> Self {
        Self::with(simulator, simulator.credentials(), scopes).await
    }

    pub(crate) async fn with(simulator: &Simulator, (id, secret): (String, String), scopes: Value) -> Self {
        let caller = Self::stranger(simulator);
        let response = caller.login(&id, &secret, scopes).await;
        assert_eq!(response.status(), 200);
        let answer: Value = response.json().await.unwrap();
        Self { token: answer["token"].as_str().unwrap().to_owned(), ..caller }
    }

    pub(crate) async fn reader(simulator: &Simulator) -> Self {
        Self::with_scopes(simulator, json!(["read"])).await
    }

    pub(crate) async fn login(&self, id: &str, secret: &str, scopes: Value) -> Response {
        let body = json!({ "clientId": id, "clientSecret": secret, "scopes": scopes });
        self.client.post(format!("{}/auth/login", self.base)).json(&body).send().await.unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn status(&self, method: Method, path: &str) -> u16 {
        self.request(method, path).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn list(&self) -> Vec<Value> {
        self.json("/queries/connections").await.as_array().unwrap().clone()
    }
}
