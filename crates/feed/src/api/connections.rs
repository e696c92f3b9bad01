//! `GET /v1/connections` and `GET /v1/connections/{token}`.

use ::events::{AppName, Connection, ConnectionToken};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use listener::Problem;
use serde::Serialize;
use std::time::Duration;
use store::ConnectionFilter;

use super::query::{Query, bad};
use super::{Api, freshness, store_problem};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// `fresh_within` beyond this makes no sense: every connection is read more often.
const FRESH_WITHIN_MAX: Duration = Duration::from_hours(30 * 24);

const APP_EXPECTED: &str = "the name of an app: 1 to 64 of the characters a-z, 0-9 and _";

#[derive(Serialize)]
struct Listing {
    connections: Vec<Connection>,
    /// The value of `after` for the next page; null on the last one.
    next: Option<String>,
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    connection: Connection,
    /// Only where `fresh_within` was asked for: whether `as_of` is that new.
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh: Option<bool>,
}

/// Lists connections by app and token, in pages.
pub(super) async fn list(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    api.token.check(&request)?;
    let query = Query::read(&request, &["app", "status", "external_id", "deleted", "limit", "after"])?;
    let limit = query.limit(LIMIT_DEFAULT, LIMIT_MAX)?;
    let filter = ConnectionFilter {
        app: query.get("app", APP_EXPECTED)?,
        status: query.text("status")?,
        external_id: query.text("external_id")?,
        deleted: match query.raw("deleted") {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some("any") => None,
            Some(_) => return Err(bad("`deleted`", "true, false or any")),
        },
        limit: Some(limit + 1),
        after: query.raw("after").map(place).transpose()?,
    };
    let mut connections = api.inspect.connections(&filter).await.map_err(|error| store_problem(&error))?;
    let more = connections.len() > limit;
    connections.truncate(limit);
    let next = connections.last().filter(|_| more).map(|last| format!("{}:{}", last.app, last.token));
    Ok(answer(&Listing { connections, next }))
}

/// One connection; with `fresh_within`, as new as that where a read can be had in time.
pub(super) async fn one(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    api.token.check(&request)?;
    let query = Query::read(&request, &["app", "fresh_within"])?;
    let app = query.get::<AppName>("app", APP_EXPECTED)?;
    let within = query.duration("fresh_within", FRESH_WITHIN_MAX)?;
    let token = path.parse::<ConnectionToken>().map_err(|_| not_found())?;
    let connection = find(&api, app.as_ref(), &token).await?;
    let Some(within) = within else { return Ok(answer(&One { connection, fresh: None })) };
    let now = api.inspect.time().await.map_err(|error| store_problem(&error))?;
    let (connection, fresh) = freshness::wait(&api, connection, within, now).await?;
    Ok(answer(&One { connection, fresh: Some(fresh) }))
}

/// The connection with this token, where exactly one fits.
pub(super) async fn find(api: &Api, app: Option<&AppName>, token: &ConnectionToken) -> Result<Connection, Problem> {
    let mut found = api.inspect.connection(token).await.map_err(|error| store_problem(&error))?;
    found.retain(|connection| app.is_none_or(|app| connection.app == *app));
    if found.len() > 1 {
        let apps: Vec<&str> = found.iter().map(|connection| connection.app.as_str()).collect();
        let detail = format!("several apps have this connection: add `app=` with one of {}", apps.join(", "));
        return Err(Problem::new(StatusCode::CONFLICT, "Ambiguous connection", detail));
    }
    found.pop().ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "No such connection", "no app has a connection with this token")
}

/// The place behind a connection, as `next` names it.
fn place(text: &str) -> Result<(AppName, ConnectionToken), Problem> {
    let place = text.split_once(':').and_then(|(app, token)| Some((app.parse().ok()?, token.parse().ok()?)));
    place.ok_or_else(|| bad("`after`", "the value of `next` of the page before"))
}

/// Connections carry tokens: no cache may keep them.
pub(super) fn answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}
