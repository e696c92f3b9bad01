//! An attempt to publish, which is finished whether or not anyone waits for it.
//!
//! The server drops a request's handler when its client goes away. An attempt that is dropped half-way moves to the main
//! runtime and ends there, so that its number in the books is decided. It is polled in the context of the main runtime from
//! the start, because timers belong to the runtime they were made on, and a worker's ends before the last attempt does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use queue::PublishError;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Where attempts go whose request has gone.
#[derive(Clone)]
pub(crate) struct Refuge {
    runtime: Handle,
    tasks: TaskTracker,
}

/// One attempt; resolves to what became of it.
pub(crate) struct Attempt {
    work: Option<BoxFuture<'static, Result<(), PublishError>>>,
    refuge: Refuge,
}

impl Refuge {
    /// Must be called on the main runtime.
    pub(crate) fn here() -> Self {
        Self { runtime: Handle::current(), tasks: TaskTracker::new() }
    }

    pub(crate) fn attempt(&self, work: impl Future<Output = Result<(), PublishError>> + Send + 'static) -> Attempt {
        Attempt { work: Some(Box::pin(work)), refuge: self.clone() }
    }

    /// Waits for all that are left. None may be started after.
    pub(crate) async fn empty(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Future for Attempt {
    type Output = Result<(), PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let _context = this.refuge.runtime.enter();
        let Some(work) = &mut this.work else { return Poll::Pending };
        let outcome = std::task::ready!(work.as_mut().poll(cx));
        this.work = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.refuge.tasks.spawn_on(work, &self.refuge.runtime);
        }
    }
}
