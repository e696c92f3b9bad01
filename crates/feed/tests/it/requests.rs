//! What every request has in common: the credential, the methods, the parameters.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::scene::Scene;
use crate::served::{Served, TOKEN, quick};

#[tokio::test]
async fn no_request_passes_without_the_token() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, quick());
    for path in ["/v1/connections", "/v1/connections/CONN000001", "/v1/events", "/v1/events?wait=nonsense"] {
        for request in [api.anonymous(path), api.anonymous(path).bearer_auth(format!("{TOKEN}x"))] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(answer.headers().contains_key("www-authenticate"));
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
    api.stopped().await;
}

#[tokio::test]
async fn only_get_is_possible() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, quick());
    for path in ["/v1/connections", "/v1/connections/CONN000001", "/v1/events"] {
        let url = format!("http://{}{path}", api.address);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.request(Method::POST, url).bearer_auth(TOKEN).body("{}").send().await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["allow"].to_str().unwrap()),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET")
        );
    }
    assert_eq!(api.get("/v2").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    api.stopped().await;
}

#[tokio::test]
async fn a_bad_parameter_is_named_with_what_was_expected() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, quick());
    let bad = [
        ("/v1/connections?limit=0", "`limit`", "1 to 1000"),
        ("/v1/connections?limit=1001", "`limit`", "1 to 1000"),
        ("/v1/connections?limit=many", "`limit`", "1 to 1000"),
        ("/v1/connections?app=Not%20One", "`app`", "a-z, 0-9 and _"),
        ("/v1/connections?status=", "`status`", "1 to 256 bytes"),
        ("/v1/connections?deleted=perhaps", "`deleted`", "true, false or any"),
        ("/v1/connections?after=CONN000001", "`after`", "`next`"),
        ("/v1/connections?stauts=READY", "`stauts`", "status"),
        ("/v1/connections?limit=1&limit=2", "`limit`", "once"),
        ("/v1/connections/CONN000001?fresh_within=soon", "`fresh_within`", "such as 30s"),
        ("/v1/connections/CONN000001?limit=1", "`limit`", "fresh_within"),
        ("/v1/events?after=-1", "`after`", "number"),
        ("/v1/events?after=18446744073709551615", "`after`", "number"),
        ("/v1/events?after=abc", "`after`", "number"),
        ("/v1/events?wait=2h", "`wait`", "up to 1m"),
        ("/v1/events?wait=30", "`wait`", "such as 30s"),
        ("/v1/events?token=a%2Fb", "`token`", "token"),
        ("/v1/events?from=0", "`from`", "after"),
    ];
    for (path, named, expected) in bad {
        let answer = api.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(named) && detail.contains(expected), "{path}: {detail}");
    }
    let stream = api.get("/v1/events").header("accept", "text/event-stream");
    let answer = stream.header("last-event-id", "x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().await.unwrap().contains("`Last-Event-ID`"));
    api.stopped().await;
}
