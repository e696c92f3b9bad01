//! One request to the receiver of webhooks, and what its answer means.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, Url};
use serde::Deserialize;
use uuid::Uuid;

use crate::settings::Settings;

/// The header with the JWT.
pub(crate) const VERIFICATION_HEADER: &str = "vumi-verification";

/// More of an answer's body is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With 200, and this receipt.
    Acknowledged(Option<Uuid>),
    /// With another status.
    Refused(u16),
    /// Not at all, or too late.
    Unanswered,
}

/// A client that goes straight to the receiver and follows no redirect.
pub(crate) fn client(settings: &Settings, url: &Url) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(settings.answer_timeout)
        .pool_max_idle_per_host(settings.in_flight_max)
        .tcp_nodelay(true);
    // Without https the machine's certificates are not needed; a small container has none, and the client would not start.
    let builder = if url.scheme() == "https" { builder } else { builder.tls_certs_only(None::<Certificate>) };
    builder.build()
}

/// Sends one webhook.
pub(crate) async fn post(client: &Client, url: Url, header: Option<&str>, body: Bytes) -> Answer {
    let mut request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
    if let Some(header) = header {
        request = request.header(VERIFICATION_HEADER, header);
    }
    match request.send().await {
        Err(_) => Answer::Unanswered,
        Ok(response) if response.status().as_u16() == 200 => match read(response).await {
            Some(body) => Answer::Acknowledged(receipt(&body)),
            None => Answer::Unanswered,
        },
        Ok(response) => {
            let status = response.status().as_u16();
            // Read to its end, the connection can be used again.
            read(response).await;
            Answer::Refused(status)
        }
    }
}

async fn read(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Some(body);
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

fn receipt(body: &[u8]) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Body {
        receipt: Uuid,
    }
    serde_json::from_slice::<Body>(body).ok().map(|body| body.receipt)
}
