//! How requests are served, refused and, at the stop, finished.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use listener::{Limits, Problem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::raw::{Served, few_workers};

/// Two semaphores: a request says that it has come, and goes on when it is let.
#[derive(Clone)]
struct Gate {
    entered: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        Self { entered: Arc::new(Semaphore::new(0)), released: Arc::new(Semaphore::new(0)) }
    }

    async fn pass(self) -> &'static str {
        self.entered.add_permits(1);
        self.released.acquire().await.unwrap().forget();
        "done"
    }

    async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_problem() {
    let served = Served::start(few_workers(), |_| {});
    let answer = served.ask("GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    assert!(
        answer.ends_with(r#"{"title":"Not found","status":404,"detail":"there is nothing at this path"}"#),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_carries_the_headers_that_its_status_demands() {
    let served = Served::start(few_workers(), |routes| {
        routes.route(
            "/",
            web::get().to(|| async {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", "come again")
                    .retry_after(Duration::from_millis(1500))
                    .allow("POST")
                    .close()
            }),
        );
    });
    let answer = served.ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    for line in ["retry-after: 2", "allow: POST", "connection: close"] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_old_ends_with_an_answer() {
    let hello = |routes: &mut web::ServiceConfig| {
        routes.route("/", web::get().to(|| async { "hello" }));
    };
    let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let served = Served::start(Limits { connection_age_max: Duration::ZERO, ..few_workers() }, hello);
    let answer = served.ask(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");

    let served = Served::start(few_workers(), hello);
    let mut client = served.client().await;
    for _ in 0..3 {
        client.send(request).await;
        let answer = client.until("hello").await;
        assert!(!answer.contains("connection: close"), "a young one goes on: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stop_cuts_no_request_and_closes_idle_connections() {
    let gate = Gate::new();
    let served = Served::start(few_workers(), {
        let gate = gate.clone();
        move |routes| {
            let gate = gate.clone();
            routes.route("/slow", web::get().to(move || gate.clone().pass()));
            routes.route("/fast", web::get().to(|| async { "here" }));
        }
    });
    let (mut idle, mut busy) = (served.client().await, served.client().await);
    idle.send("GET /fast HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.until("here").await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    gate.entered().await;

    served.stop.cancel();
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    gate.released.add_permits(1);
    let answer = busy.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");

    let address = served.address;
    served.ended().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_let_in_before_the_stop_is_answered() {
    let arrived = Arc::new(Semaphore::new(0));
    let served = Served::start(few_workers(), {
        let arrived = Arc::clone(&arrived);
        move |routes| {
            let arrived = Arc::clone(&arrived);
            let answer = move || {
                arrived.add_permits(1);
                std::future::ready("here")
            };
            routes.route("/", web::get().to(answer));
        }
    });
    // A connection for each request, so that at any moment some wait to be accepted.
    let address = served.address;
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(ask_until_refused(address))).collect();
    arrived.acquire_many(100).await.unwrap().forget();
    served.stop.cancel();
    served.ended().await;
    for client in clients {
        assert_eq!(client.await.unwrap(), None, "a request without an answer");
    }
}

/// Asks over a new connection each time until there is none to be had; what came instead of an answer.
async fn ask_until_refused(address: SocketAddr) -> Option<String> {
    while let Ok(mut client) = TcpStream::connect(address).await {
        let mut answer = String::new();
        let sent = client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let heard = client.read_to_string(&mut answer).await;
        if sent.is_err() || heard.is_err() || !answer.ends_with("here") {
            return Some(format!("{sent:?} {heard:?} {answer:?}"));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_outlasts_the_shutdown_timeout_does_not_hold_the_stop_up() {
    let gate = Gate::new();
    let limits = Limits { shutdown_timeout: Duration::ZERO, ..few_workers() };
    let served = Served::start(limits, {
        let gate = gate.clone();
        move |routes| {
            let gate = gate.clone();
            routes.route("/slow", web::get().to(move || gate.clone().pass()));
        }
    });
    let mut busy = served.client().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    gate.entered().await;
    served.stop.cancel();
    served.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let limits = Limits { head_timeout: Duration::from_millis(50), ..few_workers() };
    let served = Served::start(limits, |_| {});
    let answer = served.ask("GET / HTTP/1.1\r\nhost:").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_limit_of_connections_one_waits_and_is_served_when_another_closes() {
    let limits = Limits { workers: 1, connections_max: 1, ..Limits::default() };
    let served = Served::start(limits, |routes| {
        routes.route("/", web::get().to(|| async { "here" }));
    });
    let mut first = served.client().await;
    first.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.until("here").await;
    let mut second = served.client().await;
    second.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    drop(first);
    second.until("here").await;
}
