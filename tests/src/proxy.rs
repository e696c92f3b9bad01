//! A TCP proxy that breaks on demand, between a part of finlinkd and its server.
//!
//! Start it with [`FaultProxy::start`], point the part at [`FaultProxy::address`], and [`FaultProxy::set`] a fault at any
//! time: it holds for connections that are open and for new ones. [`FaultProxy::passes`] tells when something is on its way, so
//! that a fault can be set right then.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Bytes forwarded at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// What is wrong with the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Open connections are reset, new ones are reset at once.
    Refuse,
    /// Open connections are reset; new ones work.
    Reset,
    /// Connections stay open and nothing passes, in either direction.
    BlackHole,
    /// What the client sends passes; what the server answers does not.
    DeafClient,
    /// Every chunk is late by this much.
    Delay(Duration),
    /// So many bytes a second pass, each way.
    Throttle(u32),
    /// The client's side of open connections is closed towards the server; the server's side stays open.
    HalfClose,
}

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    expected: Arc<Expected>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free port of the loopback address and forwards to `server`.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the proxy found no free port")?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::None);
        let expected = Arc::new(Expected::default());
        let expecting = Arc::clone(&expected);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *faults.borrow() == Fault::Refuse {
                    reset(client);
                } else {
                    tokio::spawn(forward(client, server, faults.clone(), Arc::clone(&expecting)));
                }
            }
        });
        Ok(Self { address, fault, expected, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what is wrong.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Waits until these bytes, sent by a client from now on, were passed on to the server. They are looked out for from the
    /// call, not from when it is waited for.
    pub fn passes(&self, bytes: &[u8]) -> impl Future<Output = ()> + Send + use<> {
        let passed = self.expected.expect(bytes);
        async move {
            // The proxy never ends before the test that waits for it.
            passed.await.ok();
        }
    }
}

/// What tests wait for.
#[derive(Debug, Default)]
struct Expected(Mutex<Vec<(Vec<u8>, oneshot::Sender<()>)>>);

impl Expected {
    fn expect(&self, bytes: &[u8]) -> oneshot::Receiver<()> {
        let (tell, passed) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((bytes.to_vec(), tell));
        passed
    }

    /// Looks for it in `stream`, the newest that a client sent. Answers how much of its end may be the beginning of something.
    fn look(&self, stream: &[u8]) -> usize {
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, tell) in expected.extract_if(.., |(bytes, _)| stream.windows(bytes.len()).any(|part| part == bytes)) {
            // Whoever waited may have given up.
            tell.send(()).ok();
        }
        expected.iter().map(|(bytes, _)| bytes.len().saturating_sub(1)).max().unwrap_or(0).min(stream.len())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.fault.send_replace(Fault::Refuse);
    }
}

/// Closes with a RST instead of a FIN.
fn reset(stream: TcpStream) {
    // Where it fails, the stream is closed in order, which a client must survive too.
    drop(stream.set_zero_linger());
    drop(stream);
}

async fn forward(client: TcpStream, server: SocketAddr, faults: watch::Receiver<Fault>, expected: Arc<Expected>) {
    let Ok(server) = TcpStream::connect(server).await else { return reset(client) };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = tokio::spawn(pump(from_client, to_server, faults.clone(), Way::Up(expected)));
    let down = tokio::spawn(pump(from_server, to_client, faults, Way::Down));
    let (Ok((client_read, server_write)), Ok((server_read, client_write))) = tokio::join!(up, down) else { return };
    for stream in [client_read.reunite(client_write).ok(), server_read.reunite(server_write).ok()].into_iter().flatten()
    {
        reset(stream);
    }
}

enum Way {
    /// From the client, who is expected to send something.
    Up(Arc<Expected>),
    Down,
}

/// Forwards one way until an end or a fault that ends it; gives the halves back so that both ways are closed together.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Fault>,
    way: Way,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    faults.mark_unchanged();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut newest = Vec::new();
    loop {
        let fault = *faults.borrow();
        match fault {
            Fault::Refuse => break,
            Fault::HalfClose if matches!(way, Way::Up(_)) => {
                drop(to.shutdown().await);
                break;
            }
            Fault::BlackHole => {
                if cut(&mut faults).await {
                    break;
                }
                continue;
            }
            Fault::DeafClient if matches!(way, Way::Down) => {
                if cut(&mut faults).await {
                    break;
                }
                continue;
            }
            _ => {}
        }
        tokio::select! {
            // Nothing passes that comes after a fault was set.
            biased;
            ends = cut(&mut faults) => {
                if ends {
                    break;
                }
            }
            read = from.read(&mut chunk) => {
                let Ok(length @ 1..) = read else {
                    drop(to.shutdown().await);
                    break;
                };
                pace(fault, length).await;
                if to.write_all(&chunk[..length]).await.is_err() {
                    break;
                }
                if let Way::Up(expected) = &way {
                    newest.extend_from_slice(&chunk[..length]);
                    let kept = expected.look(&newest);
                    newest.drain(..newest.len() - kept);
                }
            }
        }
    }
    (from, to)
}

/// Waits for another fault; whether it ends a connection that is open.
async fn cut(faults: &mut watch::Receiver<Fault>) -> bool {
    faults.changed().await.is_err() || matches!(*faults.borrow(), Fault::Reset | Fault::Refuse)
}

async fn pace(fault: Fault, length: usize) {
    match fault {
        Fault::Delay(by) => tokio::time::sleep(by).await,
        Fault::Throttle(bytes_per_second) => {
            tokio::time::sleep(Duration::from_secs_f64(length as f64 / f64::from(bytes_per_second.max(1)))).await;
        }
        _ => {}
    }
}
