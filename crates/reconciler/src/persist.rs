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
            Err(StoreError::Unavailable(_) | StoreError::Obstructed(_)) => tokio::time::sleep(wait).await,
            other => return other,
        }
        wait *= 2;
    }
    call().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Calls that fail with `error` until the last of `failures`; answers the outcome and the number of calls.
    async fn calls(failures: u32, error: StoreError) -> (Result<(), StoreError>, u32) {
        let count = AtomicU32::new(0);
        let outcome = persist(|| async {
            let failed = count.fetch_add(1, Ordering::Relaxed) < failures;
            if failed { Err(error.clone()) } else { Ok(()) }
        })
        .await;
        (outcome, count.into_inner())
    }

    #[tokio::test]
    async fn a_busy_store_is_called_again_and_a_lost_lease_is_not() {
        let away = StoreError::Unavailable("busy".to_owned());
        assert_eq!(calls(2, away.clone()).await, (Ok(()), 3));
        assert_eq!(calls(u32::MAX, away.clone()).await, (Err(away), TRIES_MAX));
        let fenced = StoreError::Fenced("main".parse().unwrap());
        assert_eq!(calls(u32::MAX, fenced.clone()).await, (Err(fenced), 1));
    }
}
