//! State that the API's threads and the sender share: a mutex that a panicking holder does not spoil.
//!
//! Every holder leaves the state whole before anything that could panic, and no holder waits while holding it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared state.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
