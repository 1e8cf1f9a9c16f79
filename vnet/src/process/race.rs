//! Two futures, of which the first to end counts.

use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// What [`race`] gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Winner<A, B> {
    /// The first future ended.
    First(A),
    /// The second one did.
    Second(B),
}

/// Waits for whichever ends first, the first where both are ready, and drops the other.
pub async fn race<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Winner<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(value) = first.as_mut().poll(cx) {
            return Poll::Ready(Winner::First(value));
        }
        second.as_mut().poll(cx).map(Winner::Second)
    })
    .await
}
