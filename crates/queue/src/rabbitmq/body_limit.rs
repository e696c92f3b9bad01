//! The largest body that is published.
//!
//! A broker ends the channel of who sends it more than its `max_message_size`, with everything on it. It cannot be asked for
//! that size, but it names it as it does so. So it is the setting at first, and less once a broker has said so: one
//! connection is lost to it, and from then on such a message fails by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::PublishError;

/// What the broker's sentence says before the size; it ends in a number.
const BEFORE_SIZE: &str = "max size ";

/// Shared by who publishes and who hears of lost connections.
#[derive(Debug, Clone)]
pub(super) struct BodyLimit(Arc<AtomicUsize>);

impl BodyLimit {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes_max)))
    }

    /// Refuses a body that the broker would not take.
    pub(super) fn check(&self, bytes: usize) -> Result<(), PublishError> {
        let bytes_max = self.0.load(Ordering::Relaxed);
        if bytes <= bytes_max {
            return Ok(());
        }
        Err(PublishError::Refused(format!("its body has {bytes} bytes, the broker takes {bytes_max}")))
    }

    /// A connection was lost, and this is `why`. What is learned holds until this process ends: a broker's limit seldom changes,
    /// and finding out anew would cost a connection each time.
    pub(super) fn learn(&self, why: &str) {
        let Some(bytes_max) = named(why) else { return };
        if self.0.fetch_min(bytes_max, Ordering::Relaxed) > bytes_max {
            tracing::error!(
                bytes_max,
                "the broker takes no body larger than its max_message_size: such messages are refused from now on; set both \
                 to the same, its max_message_size and rabbitmq.message_bytes_max, and start finlinkd again"
            );
        }
    }
}

/// The size in "message size 7 is larger than configured max size 5", or without "configured" where it is the highest possible.
fn named(why: &str) -> Option<usize> {
    let (_, rest) = why.split_once("message size ")?;
    let (_, size) = rest.split_once(BEFORE_SIZE)?;
    let end = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    size[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_the_broker_names_is_kept_and_no_other_sentence_is_taken_for_one() {
        let limit = BodyLimit::new(1000);
        limit.check(1000).unwrap();
        for why in [
            "the broker closed the channel: 406 PRECONDITION_FAILED - fast reply consumer does not exist",
            "PRECONDITION_FAILED - message size 7 is larger than configured max size",
            "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1500",
        ] {
            limit.learn(why);
            limit.check(1000).unwrap();
        }
        assert!(matches!(limit.check(1001), Err(PublishError::Refused(_))));
        limit.learn("PRECONDITION_FAILED - message size 700 is larger than max size 600 (method basic.publish)");
        limit.check(600).unwrap();
        limit.learn("PRECONDITION_FAILED - message size 1000 is larger than configured max size 500");
        assert!(matches!(limit.check(501), Err(PublishError::Refused(_))));
        limit.check(500).unwrap();
    }
}
