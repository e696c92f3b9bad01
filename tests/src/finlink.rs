//! A stand-in for Finlink's API that knows nothing of the simulator: written from the facts about Finlink alone, to find what
//! two programs by the same hand would agree about in error.
//!
//! Promises: one session per secret, sessions that end, connections of the session's own app only, `X-Request-ID` on every
//! answer; it keeps what it was asked and when; what it does wrong is switched on and off while it runs. It sends nothing:
//! webhooks are the test's.

mod answers;
mod connection;
mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use connection::{ConnectionStatus, as_listed, now_text};
pub use world::{Credentials, Fault, World};

use crate::http::{PATIENCE, Wire};

/// Between two looks whether a held answer may go.
const HELD_LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A session.
    Login,
    /// The public half of a key.
    Key,
    /// All connections of an app.
    List,
    /// One connection.
    Single,
    /// Something else, which is answered with 404.
    Other,
    /// Nobody knows: the connection was reset before anything was read.
    Unread,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When it was read.
    pub at: Instant,
    /// What was asked.
    pub endpoint: Endpoint,
    /// The app that asked: its client id, where the session tells.
    pub client_id: String,
    /// Which connection or key; the path where it is neither.
    pub subject: String,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
}

/// A running stand-in; ends when dropped.
#[derive(Debug)]
pub struct FakeFinlink {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    asked: watch::Sender<Vec<Asked>>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeFinlink {
    /// Listens on a free port of the loopback address.
    pub async fn start() -> Result<Self> {
        Self::start_on(Ipv4Addr::LOCALHOST.into()).await
    }

    /// Listens on a free port of one of this machine's addresses.
    pub async fn start_on(address: IpAddr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).await;
        let listener = listener.with_context(|| format!("Finlink cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { world: Mutex::new(World::new()?), asked: watch::Sender::new(Vec::new()) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What `upstream.base_url` has to be, on this machine.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at the world, or changes it.
    pub fn world<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.shared.world())
    }

    /// Everything that was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.borrow().clone()
    }

    /// So often this endpoint was asked.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.shared.asked.borrow().iter().filter(|asked| asked.endpoint == endpoint).count()
    }

    /// Waits until what was asked satisfies `enough`.
    pub async fn wait_until_asked(&self, what: &str, enough: impl FnMut(&Vec<Asked>) -> bool) -> Result<()> {
        let mut asked = self.shared.asked.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, asked.wait_for(enough)).await;
        let told = || {
            let asked = self.asked();
            let last = &asked[asked.len().saturating_sub(20)..];
            format!("{what}: not within {PATIENCE:?}; {} questions, the last: {last:#?}", asked.len())
        };
        waiting.with_context(told)??;
        Ok(())
    }

    /// Waits for so many more questions at this endpoint than there are now.
    pub async fn wait_for_more(&self, endpoint: Endpoint, more: usize) -> Result<()> {
        let wanted = self.count(endpoint) + more;
        let enough = |asked: &Vec<Asked>| asked.iter().filter(|asked| asked.endpoint == endpoint).count() >= wanted;
        self.wait_until_asked(&format!("{more} more questions at {endpoint:?}"), enough).await
    }
}

impl Drop for FakeFinlink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

/// Answers one connection's questions until either end has enough.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    drop(stream.set_nodelay(true));
    let mut wire = Wire::over(stream);
    loop {
        if shared.world().is_down() {
            note(&shared, Endpoint::Unread, String::new(), String::new(), 0);
            return wire.reset();
        }
        let Ok(Some(request)) = wire.receive().await else { return };
        let at = Instant::now();
        let question = answers::Question::of(&request);
        let (client_id, answer) = question.answer(&mut shared.world(), &request);
        let down = shared.world().is_down();
        let status = if down { 0 } else { answer.status };
        shared.asked.send_modify(|asked| {
            let subject = question.subject.clone();
            asked.push(Asked { at, endpoint: question.endpoint, client_id, subject, status });
        });
        if down {
            return wire.reset();
        }
        tokio::time::sleep(answer.after).await;
        while answer.held.is_some_and(|releases| shared.world().releases() <= releases) {
            tokio::time::sleep(HELD_LOOK_AGAIN).await;
        }
        let bytes = answer.bytes();
        if answer.cut {
            drop(wire.send(&bytes[..bytes.len().saturating_sub(answer.body.len() / 2 + 1)]).await);
            return wire.reset();
        }
        if wire.send(&bytes).await.is_err() {
            return;
        }
    }
}

fn note(shared: &Shared, endpoint: Endpoint, client_id: String, subject: String, status: u16) {
    shared.asked.send_modify(|asked| asked.push(Asked { at: Instant::now(), endpoint, client_id, subject, status }));
}
