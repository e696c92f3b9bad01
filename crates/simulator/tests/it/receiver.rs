//! A receiver of webhooks, as small as can be: it keeps what it gets and answers as it is told.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

/// What came, in the order in which it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) jwt: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) answered: u16,
    pub(crate) receipt: Option<Uuid>,
}

/// The status of the answer to the n-th delivery (from 0), by its header and what came before.
pub(crate) type Answer = dyn Fn(usize, Option<&str>, &[Delivery]) -> u16 + Send + Sync;

#[derive(Clone)]
struct State {
    answer: Arc<Answer>,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    at_once: Arc<AtomicUsize>,
    at_once_max: Arc<AtomicUsize>,
    count: watch::Sender<usize>,
}

pub(crate) struct Receiver {
    url: String,
    state: State,
    server: ServerHandle,
}

impl Receiver {
    pub(crate) fn start(answer: impl Fn(usize, Option<&str>, &[Delivery]) -> u16 + Send + Sync + 'static) -> Self {
        let state = State {
            answer: Arc::new(answer),
            deliveries: Arc::default(),
            at_once: Arc::default(),
            at_once_max: Arc::default(),
            count: watch::Sender::new(0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/webhooks/demo", listener.local_addr().unwrap());
        let shared = state.clone();
        let app = move || {
            App::new().app_data(web::Data::new(shared.clone())).route("/webhooks/demo", web::post().to(receive))
        };
        let server = HttpServer::new(app).workers(2).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, state, server: handle }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.state.deliveries.lock().unwrap().clone()
    }

    /// Waits until so many have come.
    pub(crate) async fn until(&self, deliveries: usize) {
        self.state.count.subscribe().wait_for(|count| *count >= deliveries).await.unwrap();
    }

    /// The most requests that were being answered at the same time.
    pub(crate) fn at_once_max(&self) -> usize {
        self.state.at_once_max.load(Ordering::SeqCst)
    }

    pub(crate) async fn stop(self) {
        self.server.stop(true).await;
    }
}

async fn receive(state: web::Data<State>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let at_once = state.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    state.at_once_max.fetch_max(at_once, Ordering::SeqCst);
    // Gives others the chance to arrive meanwhile.
    tokio::task::yield_now().await;
    let jwt = request.headers().get("vumi-verification").map(|value| value.to_str().unwrap().to_owned());
    let (answered, receipt) = {
        let mut deliveries = state.deliveries.lock().unwrap();
        let answered = (state.answer)(deliveries.len(), jwt.as_deref(), &deliveries);
        let receipt = (answered == 200).then(Uuid::now_v7);
        deliveries.push(Delivery { jwt, body, answered, receipt });
        state.count.send_replace(deliveries.len());
        (answered, receipt)
    };
    state.at_once.fetch_sub(1, Ordering::SeqCst);
    let mut response = HttpResponse::build(StatusCode::from_u16(answered).unwrap());
    match receipt {
        Some(receipt) => response.json(serde_json::json!({ "status": "accepted", "receipt": receipt })),
        None => response.finish(),
    }
}
