//! How often errors are sent: so many a second altogether, and so many a second to each sender (RFC 1812, section 4.3.2.8; RFC 4443,
//! section 2.4 (f)).
//!
//! Both are token buckets, of each thread: a forwarding thread shares nothing with another one. Senders are told apart by a hash of
//! their address into a table of fixed size, so that a flood from many costs no memory; those that share a place share its tokens.

use vnet::{
    plugin::Registrar,
    runtime::{BarrierHeld, Dispatching, EngineTime, Shared},
};

/// Places for senders.
const SENDERS: usize = 1024;
/// A token, in the unit in which they are counted: what a rate of one a second makes in a nanosecond.
const TOKEN: u64 = 1_000_000_000;

/// Limits of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Errors a second; 0 turns them off.
    pub(super) rate: u32,
    /// Errors at once, after a silence.
    pub(super) burst: u32,
    /// Errors a second to one sender.
    pub(super) sender_rate: u32,
    /// Errors at once to one sender.
    pub(super) sender_burst: u32,
}

impl Limit {
    pub(super) const DEFAULT: Self =
        Self { rate: 1000, burst: 100, sender_rate: 20, sender_burst: 20 };
}

/// The limits in force. Clones are the same.
#[derive(Clone)]
pub(crate) struct Limits(Shared<[Limit; 2]>);

impl Limits {
    pub(super) fn new(r: &Registrar) -> Self {
        Self(r.shared([Limit::DEFAULT; 2]))
    }

    pub(super) fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a [Limit; 2] {
        self.0.read(token)
    }

    pub(super) fn held<'a>(&'a self, held: &'a BarrierHeld) -> &'a [Limit; 2] {
        self.0.view(held)
    }

    pub(super) fn write<'a>(&'a self, held: &'a mut BarrierHeld) -> &'a mut [Limit; 2] {
        self.0.write(held)
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: u64,
    at: EngineTime,
}

impl Bucket {
    fn full(burst: u32, at: EngineTime) -> Self {
        Self { tokens: u64::from(burst) * TOKEN, at }
    }

    /// Adds what has come since it was last looked at; whether there is a token.
    fn fill(&mut self, now: EngineTime, rate: u32, burst: u32) -> bool {
        let passed = now.since(self.at).as_nanos().min(u128::from(u64::MAX)) as u64;
        let most = u64::from(burst) * TOKEN;
        self.tokens = self.tokens.saturating_add(passed.saturating_mul(rate.into())).min(most);
        self.at = now;
        self.tokens >= TOKEN
    }
}

/// What a thread has left.
pub(super) struct Tokens {
    of: Limit,
    all: Bucket,
    senders: Box<[Bucket]>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        let (of, start) = (Limit::DEFAULT, EngineTime(0));
        let senders = vec![Bucket::full(of.sender_burst, start); SENDERS].into_boxed_slice();
        Self { of, all: Bucket::full(of.burst, start), senders }
    }

    /// Takes what a message to the sender with `hash` costs; whether it may be sent.
    pub(super) fn take(&mut self, limit: Limit, now: EngineTime, hash: u32) -> bool {
        if self.of != limit {
            self.of = limit;
            self.all = Bucket::full(limit.burst, now);
            self.senders.fill(Bucket::full(limit.sender_burst, now));
        }
        let sender = &mut self.senders[hash as usize % SENDERS];
        let may = sender.fill(now, limit.sender_rate, limit.sender_burst)
            && self.all.fill(now, limit.rate, limit.burst);
        if may {
            sender.tokens -= TOKEN;
            self.all.tokens -= TOKEN;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { rate: 10, burst: 5, sender_rate: 2, sender_burst: 3 };

    fn sent(tokens: &mut Tokens, at_ms: u64, hash: u32, tries: usize) -> usize {
        let now = EngineTime(at_ms * 1_000_000);
        (0..tries).filter(|_| tokens.take(LIMIT, now, hash)).count()
    }

    #[test]
    fn a_sender_gets_its_burst_and_then_its_rate() {
        let mut tokens = Tokens::new();
        assert_eq!(sent(&mut tokens, 1000, 7, 100), 3);
        assert_eq!(sent(&mut tokens, 1499, 7, 100), 0);
        assert_eq!(sent(&mut tokens, 1500, 7, 100), 1);
        assert_eq!(sent(&mut tokens, 60_000, 7, 100), 3);
    }

    #[test]
    fn all_senders_together_get_no_more_than_the_whole() {
        let mut tokens = Tokens::new();
        let together: usize = (0..100).map(|hash| sent(&mut tokens, 1000, hash, 2)).sum();
        assert_eq!(together, 5);
        let a_second_later: usize = (0..100).map(|hash| sent(&mut tokens, 2000, hash, 2)).sum();
        assert_eq!(a_second_later, 5);
        assert_eq!(sent(&mut tokens, 2100, 50, 9), 1);
    }
}
