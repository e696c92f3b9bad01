//! What the API showed of one connection, now and a moment ago, so that a read can be answered from the past.

use std::collections::VecDeque;
use std::time::Instant;

/// So many views are remembered. A look further back gets the oldest of them.
const VIEWS_MAX: usize = 6;

/// The last views of one connection, oldest first; never empty.
#[derive(Debug)]
pub(crate) struct Views(VecDeque<View>);

#[derive(Debug)]
struct View {
    since: Instant,
    /// Its JSON; `None` while it is not shown.
    shown: Option<String>,
}

impl Views {
    pub(crate) fn new(since: Instant, shown: Option<String>) -> Self {
        Self(VecDeque::from([View { since, shown }]))
    }

    /// From `since` on, this is shown.
    pub(crate) fn show(&mut self, since: Instant, shown: Option<String>) {
        if self.0.len() == VIEWS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(View { since, shown });
    }

    /// What is shown now, or was shown `then`.
    pub(crate) fn at(&self, then: Option<Instant>) -> Option<&str> {
        let view = match then {
            None => self.0.back(),
            Some(then) => self.0.iter().rev().find(|view| view.since <= then).or(self.0.front()),
        };
        view?.shown.as_deref()
    }
}
