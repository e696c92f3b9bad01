//! Ports for servers that bind theirs long after it was chosen.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use uuid::Uuid;

/// Where the kernel says from which ports it draws those of outgoing connections.
const OUTGOING: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Below it are the ports of well-known servers.
const LOWEST: u16 = 20_000;
const TRIES_MAX: usize = 1000;

/// A port of the loopback address that nobody listens on, nor gets meanwhile: it is drawn from those that the kernel gives to
/// no outgoing connection. A server of Erlang takes seconds until it binds its port, and tests open many connections. Where
/// the kernel is told to give away every port, it is any that is free.
pub fn free_port() -> Result<u16> {
    let range = std::fs::read_to_string(OUTGOING)?;
    let end: u16 = range.split_whitespace().next().and_then(|first| first.parse().ok()).context("no range of ports")?;
    let Some(span) = end.checked_sub(LOWEST).filter(|span| *span > 0) else {
        return Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port());
    };
    let drawn = std::iter::repeat_with(|| {
        let random = Uuid::new_v4();
        LOWEST + u16::from_ne_bytes([random.as_bytes()[0], random.as_bytes()[1]]) % span
    });
    let free = drawn.take(TRIES_MAX).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.context("no free port")
}
