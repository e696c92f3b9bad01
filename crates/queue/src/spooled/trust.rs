//! Whether the broker, although it says that it is ready, is worth waiting for.
//!
//! One message that it did not confirm is enough to send the others straight to the spool. The drain goes on trying, and
//! its first confirmation restores the trust; so does a new connection.

use tokio::sync::watch;

pub(super) struct Trust {
    /// Why there is none.
    doubt: watch::Sender<Option<String>>,
}

impl Trust {
    pub(super) fn new() -> Self {
        Self { doubt: watch::Sender::new(None) }
    }

    pub(super) fn is_given(&self) -> bool {
        self.doubt.borrow().is_none()
    }

    /// Why there is none.
    pub(super) fn doubt(&self) -> Option<String> {
        self.doubt.borrow().clone()
    }

    /// The first reason stays.
    pub(super) fn lose(&self, reason: &str) {
        self.doubt.send_if_modified(|doubt| {
            let news = doubt.is_none();
            if news {
                *doubt = Some(reason.to_owned());
            }
            news
        });
    }

    pub(super) fn restore(&self) {
        if !self.is_given() {
            self.doubt.send_replace(None);
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<Option<String>> {
        self.doubt.subscribe()
    }
}
