//! How old a connection becomes. Whoever keeps connections open for ever, as a proxy does, would never find a process that was
//! started since: names are asked for new connections only.
//!
//! The last answer on a connection says `connection: close`, so that no request runs into its end. Not here: connections that
//! nobody uses, which end by themselves.

use std::any::Any;
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt::net::TcpStream;

/// Connections that were opened together end in so many steps.
const STEPS: u16 = 64;

/// When a connection is to end.
struct Ends(Instant);

/// Notes when a new connection is to end: between half of `age_max` and all of it, by the client's port, so that those of one
/// moment do not end in one moment.
pub(crate) fn note(age_max: Duration, stream: &dyn Any, data: &mut Extensions) {
    let peer = stream.downcast_ref::<TcpStream>().and_then(|stream| stream.peer_addr().ok());
    let step = peer.map_or(STEPS, |peer| peer.port() % STEPS);
    let age = age_max / 2 + age_max / 2 / u32::from(STEPS) * u32::from(step);
    // A time that no clock reaches is no end.
    if let Some(end) = Instant::now().checked_add(age) {
        data.insert(Ends(end));
    }
}

/// Whether the answer to this is to be the last one on its connection.
pub(crate) fn is_over(request: &ServiceRequest) -> bool {
    request.conn_data::<Ends>().is_some_and(|ends| Instant::now() >= ends.0)
}
