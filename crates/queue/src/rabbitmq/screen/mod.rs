//! Connections of lapin on which nothing arrives that it could not bear.
//!
//! lapin reads the properties of each message before it hands it on. Where a text in them is not UTF-8 it gives up the whole
//! connection, and tables within tables it follows on the stack, until the process ends. Such a message would come again and
//! again, together with all that the broker sends ahead, and nobody could set it aside. So lapin holds one end of a pair of
//! sockets, and a task passes on what goes between the other end and the broker: everything as it is, but for properties
//! that cannot be read (`frames`). Not here: what becomes of such a message; it is foreign (`envelope`).

mod frames;
mod properties;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;

use amq_protocol::uri::AMQPUri;
use async_compat::Compat;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::wire::{self, Broken};
use frames::Frames;

/// Read from the broker at once.
const READ_BYTES: usize = 64 * 1024;

/// Connects on the runtime of the caller, who bounds the time.
pub(super) async fn connect(uri: &AMQPUri, properties: ConnectionProperties) -> lapin::Result<Connection> {
    let runtime = lapin::runtime::default_runtime()?;
    let dial = async |uri: AMQPUri, _| {
        let stream = dial(&uri).await.map_err(|broken| io::Error::other(broken.to_string()))?;
        Ok(AsyncTcpStream::Plain(stream))
    };
    Connection::connector(uri.clone(), runtime, dial, properties).await
}

async fn dial(uri: &AMQPUri) -> Result<Compat<TcpStream>, Broken> {
    let broker = wire::connect(uri).await?;
    let (ours, lapins) = Pair::pair()?;
    ours.set_nonblocking(true)?;
    lapins.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    // By its type lapin's end is a TCP stream; it only reads and writes, which every socket does.
    let lapins = TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(lapins)))?;
    tokio::spawn(relay(broker, ours));
    Ok(Compat::new(lapins))
}

/// Passes on until either side ends; then the other side sees the end, too.
async fn relay(broker: impl AsyncRead + AsyncWrite + Send, lapin: UnixStream) {
    let (mut from_broker, mut to_broker) = tokio::io::split(broker);
    let (mut from_lapin, mut to_lapin) = lapin.into_split();
    let ended = tokio::select! {
        ended = tokio::io::copy(&mut from_lapin, &mut to_broker) => ended.map(drop),
        ended = screened(&mut from_broker, &mut to_lapin) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection to the broker is lost");
    }
    // The goodbye of encryption, where the broker still listens.
    drop(to_broker.shutdown().await);
}

async fn screened(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut read = vec![0; READ_BYTES];
    let mut passed = Vec::with_capacity(READ_BYTES);
    loop {
        let count = from.read(&mut read).await?;
        if count == 0 {
            return Ok(());
        }
        frames.pass(&read[..count], &mut passed);
        to.write_all(&passed).await?;
        passed.clear();
    }
}
