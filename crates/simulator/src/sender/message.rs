//! What goes over the wire for one webhook: bytes and a signature, made when it is first sent and kept for retries.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::keys::KeyRing;
use crate::sender::forgery::{self, Forgery};

/// The bytes of a webhook and how they are signed.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) body: Bytes,
    origin: Origin,
    header: OnceLock<Option<String>>,
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    Finlink { bind: bool },
    Forger(Forgery),
}

impl Message {
    pub(crate) fn genuine(body: Bytes, bind: bool) -> Self {
        Self { body, origin: Origin::Finlink { bind }, header: OnceLock::new() }
    }

    pub(crate) fn forged(body: Bytes, forgery: Forgery) -> Self {
        Self { body, origin: Origin::Forger(forgery), header: OnceLock::new() }
    }

    /// The `vumi-verification` header; `None`: sent without one. A retry and an identical duplicate get the first again.
    pub(crate) fn header(&self, keys: &KeyRing) -> Option<&str> {
        let make = || match self.origin {
            Origin::Finlink { bind } => Some(keys.sign(&self.body, bind)),
            Origin::Forger(forgery) => forgery::header(forgery, keys, &self.body),
        };
        self.header.get_or_init(make).as_deref()
    }
}
