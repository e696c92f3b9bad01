//! How much may be in flight at one time: requests, and bytes of their bodies.
//!
//! Bytes count as they are read, not as they are declared: a sender that announces much and sends nothing takes no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;

/// The door.
pub(crate) struct Admission {
    requests: AtomicUsize,
    bytes: AtomicUsize,
    requests_max: usize,
    bytes_max: usize,
    in_flight: IntGauge,
}

/// A request that was let in, until it is dropped.
pub(crate) struct Permit {
    door: Arc<Admission>,
    bytes: usize,
}

impl Admission {
    pub(crate) fn new(requests_max: usize, bytes_max: usize, in_flight: IntGauge) -> Arc<Self> {
        Arc::new(Self { requests: AtomicUsize::new(0), bytes: AtomicUsize::new(0), requests_max, bytes_max, in_flight })
    }

    /// Lets one in, unless there are too many.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Permit> {
        // The permit exists before it is known to be good, so that its drop takes back what it counted.
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.inc();
        let permit = Permit { door: Arc::clone(self), bytes: 0 };
        (before < self.requests_max).then_some(permit)
    }
}

impl Permit {
    /// Makes room for `bytes` more of the body; false where there is none.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.door.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before.saturating_add(bytes) <= self.door.bytes_max
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.door.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.door.requests.fetch_sub(1, Ordering::Relaxed);
        self.door.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_is_bounded_and_given_back() {
        let gauge = IntGauge::new("in_flight", "test").unwrap();
        let door = Admission::new(2, 10, gauge.clone());
        let mut first = door.admit().unwrap();
        let second = door.admit().unwrap();
        assert!(door.admit().is_none());
        assert_eq!(gauge.get(), 2, "the one that was not let in is not in flight");
        assert!(first.grow(4) && first.grow(6));
        assert!(!first.grow(1));
        drop(first);
        assert!(door.admit().unwrap().grow(10), "bytes came back");
        drop(second);
        assert_eq!(gauge.get(), 0);
    }
}
