//! Waiting for statements that are sent together, until all are answered or one failed.
//!
//! Promises: they are polled, and so sent, in the order given. A fault is told at once, so that what could not be sent is known
//! before anything is sent behind it. Only [`Fault::Aftermath`] is not: the answers to statements that were sent earlier are
//! awaited, and a fault among them is told in its place, whichever was heard of first.

use futures_util::future::{Either, select};

use super::fault::Fault;

/// Two of them. Each is on the heap: held by value their sizes would double with each of these around them.
pub(super) fn both<A, B>(
    a: impl Future<Output = Result<A, Fault>>,
    b: impl Future<Output = Result<B, Fault>>,
) -> impl Future<Output = Result<(A, B), Fault>> {
    let (a, b) = (Box::pin(a), Box::pin(b));
    async move {
        match select(a, b).await {
            Either::Left((Ok(a), b)) => Ok((a, b.await?)),
            Either::Right((Ok(b), a)) => Ok((a.await?, b)),
            Either::Left((Err(fault), b)) => Err(cause(fault, b).await),
            Either::Right((Err(fault), a)) => Err(cause(fault, a).await),
        }
    }
}

/// Three of them.
pub(super) fn three<A, B, C>(
    a: impl Future<Output = Result<A, Fault>>,
    b: impl Future<Output = Result<B, Fault>>,
    c: impl Future<Output = Result<C, Fault>>,
) -> impl Future<Output = Result<(A, B, C), Fault>> {
    let all = both(a, both(b, c));
    async move {
        let (a, (b, c)) = all.await?;
        Ok((a, b, c))
    }
}

async fn cause<T>(fault: Fault, other: impl Future<Output = Result<T, Fault>>) -> Fault {
    if !matches!(fault, Fault::Aftermath) {
        return fault;
    }
    other.await.err().unwrap_or(fault)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::pin::pin;
    use std::task::Poll;

    use tokio::task::yield_now;

    use super::*;
    use crate::StoreError;

    type Ended = Result<(), Fault>;

    fn cause_of_it() -> Ended {
        Err(StoreError::Unavailable("the cause".to_owned()).into())
    }

    fn aftermath() -> Ended {
        Err(Fault::Aftermath)
    }

    /// An answer that is there at a later poll than what others say.
    async fn late(ended: Ended) -> Ended {
        yield_now().await;
        ended
    }

    fn is_the_cause<T>(ended: &Result<T, Fault>) -> bool {
        matches!(ended, Err(Fault::Decided(StoreError::Unavailable(why))) if why == "the cause")
    }

    /// What it has come to after one poll.
    async fn polled_once<T>(together: impl Future<Output = Result<T, Fault>>) -> Poll<Result<T, Fault>> {
        let mut together = pin!(together);
        poll_fn(|context| Poll::Ready(together.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn the_fault_behind_an_aftermath_is_told_though_it_is_heard_of_later() {
        assert!(is_the_cause(&both(late(cause_of_it()), ready(aftermath())).await));
        assert!(is_the_cause(&both(ready(aftermath()), late(cause_of_it())).await));
        let inner = both(ready(aftermath()), ready(aftermath()));
        assert!(is_the_cause(&three(late(Ok(())), late(cause_of_it()), inner).await));
        let inner = both(late(Ok(())), late(cause_of_it()));
        assert!(is_the_cause(&three(inner, ready(aftermath()), ready(Ok(()))).await));
    }

    #[tokio::test]
    async fn an_aftermath_without_a_fault_before_it_is_told_itself() {
        assert!(matches!(both(late(Ok(())), ready(aftermath())).await, Err(Fault::Aftermath)));
        assert!(matches!(both(late(aftermath()), ready(aftermath())).await, Err(Fault::Aftermath)));
    }

    #[tokio::test]
    async fn what_could_not_be_sent_is_told_at_once_whatever_else_is_under_way() {
        for ended in [
            polled_once(both(pending::<Ended>(), ready(cause_of_it()))).await,
            polled_once(both(ready(cause_of_it()), pending::<Ended>())).await,
            polled_once(both(ready(aftermath()), ready(cause_of_it()))).await,
        ] {
            assert!(matches!(&ended, Poll::Ready(ended) if is_the_cause(ended)));
        }
        let under_way = both(ready(aftermath()), pending::<Ended>());
        assert!(polled_once(three(pending::<Ended>(), under_way, ready(cause_of_it()))).await.is_ready());
        assert!(polled_once(both(ready(aftermath()), pending::<Ended>())).await.is_pending());
    }

    #[tokio::test]
    async fn all_are_sent_in_the_order_given_at_the_first_poll() {
        let order = std::cell::RefCell::new(Vec::new());
        let sent = async |name: &str, at_once: bool| {
            order.borrow_mut().push(name.to_owned());
            if at_once { Ok(()) } else { pending::<Ended>().await }
        };
        let waiting = polled_once(three(sent("a", false), sent("b", true), both(sent("c", false), sent("d", false))));
        assert!(waiting.await.is_pending());
        assert_eq!(order.take(), ["a", "b", "c", "d"]);
    }
}
