//! One GET to our own process, for `healthcheck`, `status` and `connections refresh`.
//!
//! HTTP/1.0 by hand: the answer ends where the connection does, and the binary needs no client for it. Not for Finlink.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its status code.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody listens there.
    #[error("nobody listens on {0}")]
    Nobody(SocketAddr),
    /// It took too long.
    #[error("{0} gave no answer within {1:?}")]
    Late(SocketAddr, Duration),
    /// The connection broke, or what came is not HTTP.
    #[error("{0} gave no usable answer: {1}")]
    Broken(SocketAddr, io::Error),
}

/// Asks the listener at `address` for `path`. An unspecified address (0.0.0.0) is asked at loopback.
pub(crate) async fn get(
    address: SocketAddr,
    path: &str,
    token: Option<&SecretString>,
    timeout: Duration,
) -> Result<Answer, AskError> {
    let address = reachable(address);
    let authorization =
        token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose_secret())).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n{authorization}\r\n");
    match tokio::time::timeout(timeout, exchange(address, &request)).await {
        Err(_) => Err(AskError::Late(address, timeout)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(AskError::Nobody(address)),
        Ok(Err(error)) => Err(AskError::Broken(address, error)),
        Ok(Ok(bytes)) => parse(&bytes).ok_or_else(|| AskError::Broken(address, io::ErrorKind::InvalidData.into())),
    }
}

async fn exchange(address: SocketAddr, request: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END)?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: bytes[end + HEAD_END.len()..].to_vec() })
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    //! The parts that need no socket; the rest is tested against the real listeners.

    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let answer = parse(b"HTTP/1.0 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!(answer, Answer { status: 503, body: b"{}".to_vec() });
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n\r\n"), None);
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n"), None);
    }

    #[test]
    fn every_interface_is_asked_at_loopback() {
        let asked = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(asked("[::]:9464"), "[::1]:9464");
        assert_eq!(asked("10.0.0.1:1"), "10.0.0.1:1");
    }
}
