//! A read that was paid for is not thrown away because the store is busy for a moment: short repetitions, bounded.

use std::time::Duration;

use store::StoreError;

const TRIES_MAX: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Calls until the store is there, for about three seconds at most. Any other error is the caller's at once.
///
/// Not an `AsyncFnMut`: whether its futures are `Send` cannot be said yet, and then a reconciler could not be spawned.
pub(crate) async fn persist<T, F>(mut call: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES_MAX {
        match call().await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(wait).await,
            other => return other,
        }
        wait *= 2;
    }
    call().await
}
