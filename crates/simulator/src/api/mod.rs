//! Finlink's API over HTTP, as far as its public documentation goes: login, keys, connections.
//!
//! Not here: data of connections (accounts, portfolios) and the dashboard. The paths stand in [`answers`], what happens
//! around every request in [`guard`].

pub(crate) mod answers;
pub(crate) mod faults;
mod guard;
pub(crate) mod session;

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use crate::keys::KeyRing;
use crate::shared::Shared;
use crate::tally::Asked;
use crate::world::World;
use faults::FaultState;
use session::Sessions;

const WORKERS: usize = 2;
const CONNECTIONS_PER_WORKER_MAX: usize = 1_024;
const BODY_BYTES_MAX: usize = 16 * 1_024;
const SHUTDOWN_TIMEOUT_S: u64 = 1;

/// What the handlers see. A clone is the same.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) world: Shared<World>,
    pub(crate) sessions: Shared<Sessions>,
    pub(crate) keys: KeyRing,
    pub(crate) faults: FaultState,
    pub(crate) asked: Shared<Asked>,
}

/// Serves the API on a listener until the server is stopped.
pub(crate) fn serve(api: &Api, listener: TcpListener) -> std::io::Result<Server> {
    let api = web::Data::new(api.clone());
    let app = move || {
        App::new()
            .app_data(api.clone())
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .wrap(from_fn(guard::guard))
            .configure(answers::paths)
    };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .max_connections(CONNECTIONS_PER_WORKER_MAX)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
