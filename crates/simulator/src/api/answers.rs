//! What each path answers when nothing goes wrong.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::api::Api;
use crate::api::session::Scope;
use crate::world::change::Kind;

/// The paths.
pub(crate) fn paths(service: &mut web::ServiceConfig) {
    service.service(
        web::scope("/api/v1")
            .route("/auth/login", web::post().to(login))
            .route("/webhook_verification/{kid}", web::get().to(key))
            .route("/queries/connections", web::get().to(list))
            .route("/queries/connections/pending", web::get().to(pending))
            .route("/queries/connections/{token}", web::get().to(single))
            .route("/commands/connections/exchange/{public_token}", web::post().to(exchange))
            .route("/commands/connections/{token}", web::delete().to(delete)),
    );
    service.default_service(web::to(|| async { not_found() }));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    client_id: String,
    client_secret: String,
    scopes: Option<Vec<Scope>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    external_id: Option<String>,
}

async fn login(api: web::Data<Api>, body: web::Bytes) -> HttpResponse {
    let Ok(login) = serde_json::from_slice::<Login>(&body) else {
        return HttpResponse::BadRequest().json(json!({ "message": "expected clientId, clientSecret and scopes" }));
    };
    let token = api.sessions.lock().login(&login.client_id, &login.client_secret, login.scopes);
    if let Some(token) = token {
        HttpResponse::Ok().json(json!({ "token": token }))
    } else {
        api.asked.lock().logins_denied += 1;
        HttpResponse::Unauthorized().json(json!({ "message": "invalid credentials" }))
    }
}

async fn key(api: web::Data<Api>, request: HttpRequest, kid: web::Path<String>) -> Result<HttpResponse, Denied> {
    api.admit(&request, None)?;
    let key = Uuid::try_parse(&kid).ok().and_then(|kid| api.keys.serve(kid));
    Ok(key.map_or_else(not_found, |key| HttpResponse::Ok().json(key)))
}

async fn list(api: web::Data<Api>, request: HttpRequest, filter: web::Query<Filter>) -> Result<HttpResponse, Denied> {
    api.admit(&request, Some(Scope::Read))?;
    let then = api.faults.answers_as_of(Instant::now());
    let empty = api.faults.empties_list();
    let list = if empty { "[]".to_owned() } else { api.world.lock().list(filter.external_id.as_deref(), then) };
    Ok(HttpResponse::Ok().content_type("application/json").body(list))
}

async fn single(api: web::Data<Api>, request: HttpRequest, token: web::Path<String>) -> Result<HttpResponse, Denied> {
    api.admit(&request, Some(Scope::Read))?;
    let then = api.faults.answers_as_of(Instant::now());
    let hidden = api.faults.hides_single();
    let shown = if hidden { None } else { api.world.lock().single(&token, then) };
    Ok(shown.map_or_else(not_found, |shown| HttpResponse::Ok().content_type("application/json").body(shown)))
}

async fn pending(
    api: web::Data<Api>,
    request: HttpRequest,
    filter: web::Query<Filter>,
) -> Result<HttpResponse, Denied> {
    api.admit(&request, Some(Scope::Read))?;
    Ok(HttpResponse::Ok().json(api.world.lock().pending(filter.external_id.as_deref())))
}

async fn exchange(
    api: web::Data<Api>,
    request: HttpRequest,
    public_token: web::Path<String>,
) -> Result<HttpResponse, Denied> {
    api.admit(&request, Some(Scope::Write))?;
    let token = Uuid::try_parse(&public_token).ok().and_then(|public_token| api.world.lock().exchange(public_token));
    Ok(token.map_or_else(not_found, |token| HttpResponse::Ok().json(json!({ "connectionToken": token }))))
}

async fn delete(api: web::Data<Api>, request: HttpRequest, token: web::Path<String>) -> Result<HttpResponse, Denied> {
    api.admit(&request, Some(Scope::Delete))?;
    let mut world = api.world.lock();
    let now = world.now();
    let shown = world.single(&token, None).and_then(|_| world.find(&token));
    let change = shown.and_then(|index| world.apply(index, now, Kind::Deleted));
    Ok(change.map_or_else(not_found, |_| HttpResponse::Ok().json(json!({ "message": "success" }))))
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(json!({ "message": "not found" }))
}

/// Why a request is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Denied {
    #[error("log in again")]
    Session,
    #[error("the session lacks the scope")]
    Scope,
}

impl ResponseError for Denied {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Session => StatusCode::UNAUTHORIZED,
            Self::Scope => StatusCode::FORBIDDEN,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "message": self.to_string() }))
    }
}

impl Api {
    /// Checks the session and its scope.
    fn admit(&self, request: &HttpRequest, scope: Option<Scope>) -> Result<(), Denied> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        match token.and_then(|token| self.sessions.lock().allows(token, scope)) {
            None => Err(Denied::Session),
            Some(false) => Err(Denied::Scope),
            Some(true) => Ok(()),
        }
    }
}
