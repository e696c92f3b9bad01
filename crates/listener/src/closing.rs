//! Stops a socket from taking new connections without losing those that it has.
//!
//! A socket that is closed resets every connection that waits in its queue, and a sender cannot tell that from a webhook
//! that was taken and whose answer was lost. So no new connection is let in for a moment, while the server takes what waits;
//! who knocks meanwhile knocks again a second later and finds the door closed. It needs Linux; elsewhere nothing is done.

use std::net::TcpListener;

/// Lets no new connection into the queue of `listener`, whoever shares the socket. Connections that are open are not touched.
#[cfg(target_os = "linux")]
pub(crate) fn let_nobody_in(listener: &TcpListener) -> std::io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // A classic BPF program over the TCP header: a segment with SYN set is dropped, everything else passes.
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

/// Nothing: see the module.
#[cfg(not(target_os = "linux"))]
pub(crate) fn let_nobody_in(_: &TcpListener) -> std::io::Result<()> {
    Ok(())
}
