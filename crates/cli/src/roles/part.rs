//! A part of the process that runs by itself, and how it ended.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// Why a part ended, shared by everyone who waits for it.
pub(crate) type Ended = Result<(), Arc<anyhow::Error>>;

/// A running part. Clones wait for the same end.
#[derive(Clone)]
pub(crate) struct Part {
    /// What it is called in logs.
    pub(crate) name: &'static str,
    end: Shared<BoxFuture<'static, Ended>>,
}

impl Part {
    /// Starts it on the runtime.
    pub(crate) fn spawn<F, E>(name: &'static str, work: F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error> + Send + 'static,
    {
        let task = tokio::spawn(async move { work.await.map_err(Into::into) });
        let end = async move {
            match task.await {
                Ok(ended) => ended.map_err(Arc::new),
                Err(gone) => Err(Arc::new(anyhow::anyhow!("ended in the middle of its work: {gone}"))),
            }
        };
        Self { name, end: end.boxed().shared() }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Ended {
        self.end.clone().await
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.peek().is_some()
    }
}
