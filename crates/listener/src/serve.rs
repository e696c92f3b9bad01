//! Runs the HTTP server over an open socket until it is told to stop.
//!
//! Must be started on the main runtime; each worker then has a thread and a runtime of its own, on which its handlers run.

use std::io;
use std::pin::pin;
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{App, HttpServer, web};
use socket2::SockRef;
use tokio_util::sync::CancellationToken;

use crate::closing::let_nobody_in;
use crate::{Bound, Limits, Problem, age};

/// At the stop, connections that wait to be accepted get this long to become requests in flight, since the server closes
/// those of which it has read nothing.
const SETTLING: Duration = Duration::from_millis(100);

/// Serves what `configure` sets up; it is called once per worker. A path that it does not know answers 404.
///
/// Returns when `stop` was cancelled and every request in flight has been answered, at the latest after
/// [`Limits::shutdown_timeout`]. Dropping the future cuts connections instead. Signals are none of its business.
pub async fn serve(
    bound: Bound,
    limits: &Limits,
    stop: CancellationToken,
    configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<()> {
    let (address, setting) = (bound.address(), bound.setting);
    // The standard library listens with a backlog of its own choice; listening again adjusts it.
    SockRef::from(&bound.listener).listen(i32::try_from(limits.backlog).unwrap_or(i32::MAX))?;
    let door = bound.listener.try_clone()?;
    let age_max = limits.connection_age_max;
    let app = move || {
        let app = App::new().wrap_fn(|request, service| {
            let last = age::is_over(&request);
            let answered = service.call(request);
            async move {
                let mut answer = answered.await?;
                if last {
                    answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                }
                Ok(answer)
            }
        });
        app.default_service(web::to(nothing_here)).configure(configure.clone())
    };
    let server = HttpServer::new(app)
        .workers(limits.workers())
        .max_connections(limits.connections_per_worker())
        .tcp_nodelay(true)
        .on_connect(move |stream, data| age::note(age_max, stream, data))
        .keep_alive(limits.keep_alive)
        .client_request_timeout(limits.head_timeout)
        .client_disconnect_timeout(limits.disconnect_timeout)
        .h1_allow_half_closed(!limits.drop_half_closed)
        .shutdown_timeout(limits.shutdown_timeout.as_millis().div_ceil(1000) as u64)
        .disable_signals()
        .listen(bound.listener)?
        .run();
    tracing::info!(%address, setting, "listening");
    let handle = server.handle();
    let mut server = pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = stop.cancelled() => {}
    }
    let stopping = async {
        match let_nobody_in(&door) {
            Ok(()) => tokio::time::sleep(SETTLING).await,
            Err(error) => tracing::debug!(%address, setting, %error, "who connects at this moment may be reset"),
        }
        drop(door);
        handle.stop(true).await;
    };
    // The server does the stopping, so it must be polled while the handle waits for it.
    let (ended, ()) = tokio::join!(server, stopping);
    tracing::info!(%address, setting, "stopped listening");
    ended
}

async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Not found", "there is nothing at this path")
}
