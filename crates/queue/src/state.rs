//! Whether the queue can take a message just now, for readiness and for people.

/// What an engine says of itself, in a `watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueState {
    /// Not yet known to work.
    Starting,
    /// Messages go where they belong.
    Ready,
    /// Messages are kept safe, but elsewhere; says why.
    Degraded(String),
    /// Nothing can be kept; says why.
    Down(String),
}

impl QueueState {
    /// Whether a message published now would be kept.
    pub fn can_persist(&self) -> bool {
        matches!(self, Self::Ready | Self::Degraded(_))
    }
}
