//! HTTP/1.1 by hand, for both ends of a test: messages over one connection, lengths and chunks, nothing else.
//!
//! It shares no code with the servers and clients that it talks to, so that a test sees the bytes and not a library's idea
//! of them. Every message and every wait is bounded.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest message that is read, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// No answer takes longer, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A request or an answer, whole.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its first line.
    pub line: String,
    /// Names as they came, and values.
    pub headers: Vec<(String, String)>,
    /// The body, with chunks put together.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The status of an answer; 0 where it is none.
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} is followed by no JSON", self.line))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the other end wants the connection closed after it.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// One connection, read message by message.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Over a connection that is open.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await.context("sending takes too long")??;
        Ok(())
    }

    /// The next message; `None` where the other end closed the connection before its first byte.
    pub async fn receive(&mut self) -> Result<Option<Message>> {
        tokio::time::timeout(PATIENCE, self.message()).await.context("no message within a minute")?
    }

    /// The next message within a time of one's own; an error is that it did not come or broke.
    pub async fn receive_within(&mut self, patience: Duration) -> Result<Option<Message>> {
        tokio::time::timeout(patience, self.message()).await.context("no message in time")?
    }

    /// A request and its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Message> {
        self.send(request).await?;
        self.receive().await?.context("the connection was closed instead of an answer")
    }

    /// Closes with a reset instead of an end.
    pub fn reset(self) {
        // Where it fails the stream is closed in order, which the other end must survive too.
        drop(self.stream.set_zero_linger());
    }

    /// The stream itself, for what is no message.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    async fn message(&mut self) -> Result<Option<Message>> {
        let Some(end) = self.find(b"\r\n\r\n").await? else { return Ok(None) };
        let head = String::from_utf8(self.take(end + 4))?;
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
            .collect::<Option<_>>()
            .with_context(|| format!("a header without a colon in {head:?}"))?;
        let mut message = Message { line, headers, body: Vec::new() };
        let chunked = message.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        message.body = if chunked {
            self.chunks().await?
        } else {
            let length = message.header("content-length").map_or(Ok(0), str::parse)?;
            self.exactly(length).await?
        };
        Ok(Some(message))
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.find(b"\r\n").await?.context("the connection was closed between chunks")?;
            let line = String::from_utf8(self.take(end + 2))?;
            let size = usize::from_str_radix(line.trim(), 16).with_context(|| format!("no chunk size: {line:?}"))?;
            body.extend(self.exactly(size).await?);
            ensure!(self.exactly(2).await? == b"\r\n", "a chunk is longer than it says");
            ensure!(body.len() <= MESSAGE_BYTES_MAX, "the body is longer than {MESSAGE_BYTES_MAX} bytes");
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Where `mark` is, reading until it came; `None` at an end with nothing unread.
    async fn find(&mut self, mark: &[u8]) -> Result<Option<usize>> {
        let mut searched = 0;
        loop {
            let from = searched.min(self.unread.len());
            if let Some(at) = self.unread[from..].windows(mark.len()).position(|window| window == mark) {
                return Ok(Some(from + at));
            }
            searched = self.unread.len().saturating_sub(mark.len());
            if !self.more().await? {
                ensure!(self.unread.is_empty(), "the connection was closed in the middle of a message");
                return Ok(None);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        ensure!(length <= MESSAGE_BYTES_MAX, "the body is longer than {MESSAGE_BYTES_MAX} bytes");
        while self.unread.len() < length {
            if !self.more().await? {
                bail!("the connection was closed in the middle of a body");
            }
        }
        Ok(self.take(length))
    }

    async fn more(&mut self) -> Result<bool> {
        ensure!(self.unread.len() <= MESSAGE_BYTES_MAX, "a message is longer than {MESSAGE_BYTES_MAX} bytes");
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.unread.split_off(length);
        std::mem::replace(&mut self.unread, rest)
    }
}

/// A request over a connection of its own, and its answer.
pub async fn once(address: SocketAddr, request: &[u8]) -> Result<Message> {
    Wire::open(address).await?.exchange(request).await
}

/// A GET over a connection of its own.
pub async fn get(address: SocketAddr, target: &str) -> Result<Message> {
    once(address, format!("GET {target} HTTP/1.1\r\nhost: finlinkd.test\r\n\r\n").as_bytes()).await
}
