//! A TCP proxy that breaks on demand, between a part of finlinkd and its server.
//!
//! Start it with [`FaultProxy::start`], point the part at [`FaultProxy::address`], and [`FaultProxy::set`] a fault at any
//! time: it holds for connections that are open and for new ones.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free port of the loopback address and forwards to `server`.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the proxy found no free port")?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::None);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *faults.borrow() == Fault::Refuse {
                    reset(client);
                } else {
                    tokio::spawn(forward(client, server, faults.clone()));
                }
            }
        });
        Ok(Self { address, fault, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what is wrong.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
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

async fn forward(client: TcpStream, server: SocketAddr, faults: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(server).await else { return reset(client) };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = tokio::spawn(pump(from_client, to_server, faults.clone(), Way::Up));
    let down = tokio::spawn(pump(from_server, to_client, faults, Way::Down));
    let (Ok((client_read, server_write)), Ok((server_read, client_write))) = tokio::join!(up, down) else { return };
    for stream in [client_read.reunite(client_write).ok(), server_read.reunite(server_write).ok()].into_iter().flatten()
    {
        reset(stream);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
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
    loop {
        let fault = *faults.borrow();
        match fault {
            Fault::Refuse => break,
            Fault::HalfClose if way == Way::Up => {
                drop(to.shutdown().await);
                break;
            }
            Fault::BlackHole => {
                if cut(&mut faults).await {
                    break;
                }
                continue;
            }
            Fault::DeafClient if way == Way::Down => {
                if cut(&mut faults).await {
                    break;
                }
                continue;
            }
            _ => {}
        }
        tokio::select! {
            read = from.read(&mut chunk) => {
                let Ok(length @ 1..) = read else {
                    drop(to.shutdown().await);
                    break;
                };
                pace(fault, length).await;
                if to.write_all(&chunk[..length]).await.is_err() {
                    break;
                }
            }
            ends = cut(&mut faults) => {
                if ends {
                    break;
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
