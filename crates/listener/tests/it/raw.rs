//! A client that sends exactly the bytes it is told to, and a server to send them to.

use std::net::SocketAddr;

use actix_web::web::ServiceConfig;
use listener::{Limits, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    ended: JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub(crate) fn start(limits: Limits, configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Self {
        let bound = bind("listen", "127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, stop) = (bound.address(), CancellationToken::new());
        let ended = tokio::spawn({
            let stop = stop.clone();
            async move { serve(bound, &limits, stop, configure).await }
        });
        Self { address, stop, ended }
    }

    pub(crate) async fn ended(self) {
        self.ended.await.unwrap().unwrap();
    }

    pub(crate) async fn client(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut client = self.client().await;
        client.send(request).await;
        client.rest().await
    }
}

pub(crate) fn few_workers() -> Limits {
    Limits { workers: 2, ..Limits::default() }
}

pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Everything until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            answer.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }
}
