//! `GET /v1/events`: a page of events, a long poll, or a stream.
//!
//! `after` is a number of an event, or `latest`; without it the feed is read from its beginning. A number that was not given
//! yet waits for its events. Each event is its `CloudEvent` with the extension `sequence`, its number as a string.
//!
//! Nobody skips an event unawares: a reader whose place lies before the oldest event that is kept is answered 410, and told how
//! to go on. That holds for the beginning too, once anything was purged.

use ::events::{AppName, ConnectionToken};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use listener::Problem;
use store::{Cursor, FeedEntry, FeedFilter, Page, StoreError};
use tokio::time::{Instant, sleep_until};

use super::query::{Query, bad};
use super::{Api, Counted, store_problem, stream, too_many};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

const AFTER_EXPECTED: &str = "the number of an event (0 is the beginning), or `latest`";
const STREAM: &str = "text/event-stream";

/// Where a reader is, and what it wants.
pub(super) struct Reader {
    pub(super) cursor: Cursor,
    pub(super) filter: FeedFilter,
}

/// Why there is no page.
pub(super) enum NoPage {
    Store(StoreError),
    /// Events that are wanted may be among those up to this number, which are purged.
    Gone(Cursor),
}

impl From<StoreError> for NoPage {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NoPage> for Problem {
    fn from(none: NoPage) -> Self {
        match none {
            NoPage::Store(error) => store_problem(&error),
            NoPage::Gone(Cursor(through)) => {
                let detail = format!(
                    "events up to number {through} are purged, behind that none is: read \
                     /v1/connections for what became of them, then go on with `after={through}`; of each connection the \
                     highest version counts"
                );
                Problem::new(StatusCode::GONE, "Events gone", detail)
            }
        }
    }
}

/// Events after a number; a stream where the client accepts one.
pub(super) async fn after(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    api.token.check(&request)?;
    if wants_stream(&request) {
        let query = Query::read(&request, &["after", "app", "token"])?;
        let last_event_id = request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or_default());
        let reader = match last_event_id {
            // A browser that reconnects repeats its first URL: the header is newer than the parameter.
            Some(id) => reader(&api, &query, Some(id), "the header `Last-Event-ID`").await?,
            None => reader(&api, &query, query.raw("after"), "`after`").await?,
        };
        return stream::open(api.into_inner(), reader).await;
    }
    let query = Query::read(&request, &["after", "limit", "wait", "app", "token"])?;
    let limit = query.limit(LIMIT_DEFAULT, LIMIT_MAX)?;
    let wait = query.duration("wait", api.settings.wait_max)?.unwrap_or_default();
    let reader = reader(&api, &query, query.raw("after"), "`after`").await?;
    let page = if wait.is_zero() {
        next_page(&api, &reader, limit).await?
    } else {
        let Ok(_permit) = api.waiting.clone().try_acquire_owned() else {
            return Err(too_many("too many requests wait for events; read without `wait`, or try again"));
        };
        let _counted = Counted::one(&api.metrics.waiting);
        wait_for_page(&api, reader, limit, Instant::now() + wait).await?
    };
    Ok(answer(&page))
}

fn wants_stream(request: &HttpRequest) -> bool {
    let accepts = |value: &header::HeaderValue| value.to_str().is_ok_and(|text| text.contains(STREAM));
    request.headers().get_all(header::ACCEPT).any(accepts)
}

async fn reader(api: &Api, query: &Query, after: Option<&str>, named: &str) -> Result<Reader, Problem> {
    let filter = FeedFilter {
        app: query.get::<AppName>("app", "the name of an app")?,
        token: query.get::<ConnectionToken>("token", "the token of a connection")?,
    };
    let cursor = match after {
        None => Cursor::default(),
        Some("latest") => {
            let page = api.feed.after(Cursor::default(), &filter, 1).await.map_err(|error| store_problem(&error))?;
            page.last
        }
        // The store's numbers are signed.
        Some(text) => match text.parse::<u64>() {
            Ok(number) if i64::try_from(number).is_ok() => Cursor(number),
            _ => return Err(bad(named, AFTER_EXPECTED)),
        },
    };
    Ok(Reader { cursor, filter })
}

/// The next events of a reader; its place never goes back, even from a number that was not given yet.
pub(super) async fn next_page(api: &Api, reader: &Reader, limit: usize) -> Result<Page, NoPage> {
    let page = api.feed.after(reader.cursor, &reader.filter, limit).await?;
    if reader.cursor < page.gone {
        return Err(NoPage::Gone(page.gone));
    }
    Ok(Page { next: page.next.max(reader.cursor), ..page })
}

/// Waits until there is an event, the time is up or the listener stops.
async fn wait_for_page(api: &Api, mut reader: Reader, limit: usize, deadline: Instant) -> Result<Page, NoPage> {
    let mut latest = api.latest.clone();
    loop {
        latest.borrow_and_update();
        let page = next_page(api, &reader, limit).await?;
        if !page.entries.is_empty() || Instant::now() >= deadline || api.stop.is_cancelled() {
            return Ok(page);
        }
        reader.cursor = page.next;
        tokio::select! {
            () = api.stop.cancelled() => {}
            () = sleep_until(deadline) => {}
            Ok(()) = latest.changed() => {}
        }
    }
}

fn answer(page: &Page) -> HttpResponse {
    let events: Vec<String> = page.entries.iter().map(with_sequence).collect();
    let body = format!(r#"{{"events":[{}],"next":{}}}"#, events.join(","), page.next.0);
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(body)
}

/// The committed event with its number in it. It is a JSON object with members, so its number goes first.
pub(super) fn with_sequence(entry: &FeedEntry) -> String {
    let members = entry.event.trim_start().strip_prefix('{').unwrap_or(&entry.event);
    format!(r#"{{"sequence":"{}",{members}"#, entry.number)
}
