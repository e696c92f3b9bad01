//! `GET /internal/keys` on the internal listener: the keys that the store knows, for an ingress in another process.
//!
//! It works on a standby too: what is served is what was posted on the board, and every reconciler posts. Not here: any
//! secret; yet the listener has a credential of its own, for whoever could answer in its place could make webhooks pass.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use listener::{BearerToken, Bound, Limits, Problem};
use tokio_util::sync::CancellationToken;

use crate::KeyBoard;
use crate::keys_document::KEYS_PATH;

struct Endpoint {
    board: KeyBoard,
    token: BearerToken,
}

/// Serves the keys of `board` until `stop`.
pub async fn serve(
    bound: Bound,
    board: KeyBoard,
    token: BearerToken,
    limits: &Limits,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let endpoint = web::Data::new(Endpoint { board, token });
    listener::serve(bound, limits, stop, move |app| {
        let keys = web::resource(KEYS_PATH).route(web::get().to(keys)).default_service(web::to(only_get));
        app.app_data(endpoint.clone()).service(keys);
    })
    .await
}

async fn keys(request: HttpRequest, endpoint: web::Data<Endpoint>) -> Result<HttpResponse, Problem> {
    endpoint.token.check(&request)?;
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(endpoint.board.document()))
}

async fn only_get() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "keys are read with GET").allow("GET")
}
