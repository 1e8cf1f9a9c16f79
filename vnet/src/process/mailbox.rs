//! A mailbox: what nodes on any thread have to say to a process.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use super::Bell;

/// A bounded queue from nodes to a process, which a letter wakes. Clones are the same mailbox.
pub struct Mailbox<T> {
    letters: Arc<ArrayQueue<T>>,
    bell: Bell,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self { letters: self.letters.clone(), bell: self.bell.clone() }
    }
}

impl<T> Mailbox<T> {
    /// An empty mailbox with room for so many letters.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { letters: Arc::new(ArrayQueue::new(room.max(1))), bell: Bell::new() }
    }

    /// Puts a letter in, without a lock; `false` when there was no room, which is the caller's to count.
    pub fn put(&self, letter: T) -> bool {
        let fits = self.letters.push(letter).is_ok();
        self.bell.ring();
        fits
    }

    /// Wakes the process without a letter.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// The oldest letter.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.letters.pop()
    }

    /// Waits until somebody puts a letter in or rings, or has done so since the last wait.
    pub async fn wait(&self) {
        self.bell.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Engine;

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_comes_in_order() {
        let engine = Engine::builder().build().unwrap();
        let mailbox = Mailbox::new(2);
        let reader = mailbox.clone();
        assert_eq!([1, 2, 3].map(|n| mailbox.put(n)), [true, true, false]);
        let read = engine.run_until(async move {
            reader.wait().await;
            core::iter::from_fn(|| reader.take()).collect::<Vec<_>>()
        });
        assert_eq!(read, Some(vec![1, 2]));
    }
}
