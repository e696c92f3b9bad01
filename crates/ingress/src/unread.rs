//! An answer to a request whose body was not read to its end.
//!
//! The server closes such a connection soon after the answer, except where the body is chunked and nobody holds it any
//! more: then it reads on, without any deadline, for as long as the client cares to send. So the answer holds the body.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, Payload};

struct Holding {
    answer: BoxBody,
    _unread: Payload,
}

/// Keeps `payload` until `response` has been written.
pub(crate) fn hold(payload: Payload, response: HttpResponse) -> HttpResponse {
    response.map_body(|_, answer| BoxBody::new(Holding { answer, _unread: payload }))
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(cx)
    }
}
