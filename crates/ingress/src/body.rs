//! The body off the wire: counted as it comes, under a deadline, not touched.

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;

use crate::admission::Permit;
use crate::{Outcome, Settings};

/// Reads the whole body.
pub(crate) async fn read(
    headers: &HeaderMap,
    payload: &mut Payload,
    permit: &mut Permit,
    settings: &Settings,
) -> Result<Bytes, Outcome> {
    if declared(headers).is_some_and(|length| length > settings.body_bytes_max as u64) {
        return Err(Outcome::BodyTooLarge);
    }
    // Polls the body first: a body that is here already costs no timer.
    tokio::time::timeout(settings.body_timeout, collect(payload, permit, settings.body_bytes_max))
        .await
        .unwrap_or(Err(Outcome::BodySlow))
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

async fn collect(payload: &mut Payload, permit: &mut Permit, bytes_max: usize) -> Result<Bytes, Outcome> {
    let mut counted = 0;
    let mut next = async || -> Result<Option<Bytes>, Outcome> {
        let Some(chunk) = payload.next().await else { return Ok(None) };
        let chunk = chunk.map_err(|_| Outcome::BodyBroken)?;
        counted += chunk.len();
        if counted > bytes_max {
            return Err(Outcome::BodyTooLarge);
        }
        if permit.grow(chunk.len()) { Ok(Some(chunk)) } else { Err(Outcome::Overloaded) }
    };
    let Some(first) = next().await? else { return Ok(Bytes::new()) };
    // Most bodies come whole: they are not copied.
    let Some(second) = next().await? else { return Ok(first) };
    let mut body = BytesMut::with_capacity(first.len() + second.len());
    body.extend_from_slice(&first);
    body.extend_from_slice(&second);
    while let Some(chunk) = next().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
