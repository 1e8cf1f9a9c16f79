//! The word of every route, and the buckets of those with several paths.

use core::sync::atomic::{AtomicU32, Ordering};
use std::io;

use super::map::{Zeroed, prefetch};
use super::slots::Slots;
use super::{Dpo, LoadBalanceIndex};

/// How many routes all tables of both families hold together, less one.
pub const MAX_ROUTES: usize = 1 << 23;
/// Most buckets of one route.
pub const MAX_BUCKETS: usize = 1024;

const POOL: usize = 1 << 20;
const LOG2_SIZES: usize = MAX_BUCKETS.ilog2() as usize + 1;

/// What readers see: one word a route, and the buckets that words of kind multi refer to.
pub struct LoadBalances {
    words: Zeroed<AtomicU32, MAX_ROUTES>,
    buckets: Zeroed<AtomicU32, POOL>,
}

impl LoadBalances {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { words: Zeroed::new_dense()?, buckets: Zeroed::new()? })
    }

    /// The forwarding of a route; drop for one that never was.
    #[must_use]
    #[inline]
    pub fn load(&self, index: LoadBalanceIndex) -> Dpo {
        Dpo::from_word(self.words[index.position() & (MAX_ROUTES - 1)].load(Ordering::Acquire))
    }

    /// Brings a route's word nearer, for a [`LoadBalances::load`] some packets later.
    #[inline]
    pub fn prefetch(&self, index: LoadBalanceIndex) {
        prefetch(&self.words[index.position() & (MAX_ROUTES - 1)]);
    }

    /// The bucket of `multi` that a flow belongs to. Call it only when `multi` is of kind
    /// [`Multi`](super::DpoKind::Multi); another word yields a bucket that means nothing.
    #[must_use]
    #[inline]
    pub fn bucket(&self, multi: Dpo, flow_hash: u32) -> Dpo {
        let offset = flow_hash & (multi.buckets() - 1);
        let position = multi.index().wrapping_add(offset) as usize & (POOL - 1);
        Dpo::from_word(self.buckets[position].load(Ordering::Acquire))
    }

    /// Publishes a route's forwarding.
    pub(super) fn store(&self, index: LoadBalanceIndex, dpo: Dpo) {
        self.words[index.position() & (MAX_ROUTES - 1)].store(dpo.to_word(), Ordering::Release);
    }
}

/// The writer's side of the bucket pool: blocks of 2, 4, ... [`MAX_BUCKETS`] buckets.
#[derive(Debug)]
pub(super) struct BucketPool {
    next: u32,
    blocks: [Slots; LOG2_SIZES],
}

impl BucketPool {
    pub(super) fn new() -> Self {
        // A size without fresh blocks of its own (limit 0) recycles only; fresh ones come from the pool's end.
        Self { next: 0, blocks: core::array::from_fn(|_| Slots::new(0, 0)) }
    }

    /// Stores `buckets` (a power of two of them, 2 to [`MAX_BUCKETS`]) where no reader looks and gives the word that
    /// refers to them; `None` when the pool has no room.
    pub(super) fn publish(&mut self, table: &LoadBalances, buckets: &[Dpo]) -> Option<Dpo> {
        debug_assert!(buckets.len().is_power_of_two() && buckets.len() <= MAX_BUCKETS);
        let log2 = buckets.len().ilog2();
        let first = self.blocks.get_mut(log2 as usize)?.alloc().or_else(|| {
            let first = self.next;
            let end = first as usize + buckets.len();
            (end <= POOL).then(|| {
                self.next = end as u32;
                first
            })
        })?;
        for (place, bucket) in table.buckets[first as usize..].iter().zip(buckets) {
            place.store(bucket.to_word(), Ordering::Release);
        }
        Some(Dpo::multi(first, log2 as u8))
    }

    /// Takes back the buckets of a word that routes no longer have.
    pub(super) fn retire(&mut self, multi: Dpo) {
        self.blocks[multi.buckets().ilog2() as usize % LOG2_SIZES].retire(multi.index());
    }

    pub(super) fn seal(&mut self) {
        self.blocks.iter_mut().for_each(Slots::seal);
    }

    pub(super) fn reclaim(&mut self) {
        self.blocks.iter_mut().for_each(Slots::reclaim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::SwIfIndex;

    #[test]
    fn an_untouched_route_drops() {
        let table = LoadBalances::new().unwrap();
        assert_eq!(table.load(LoadBalanceIndex::NONE), Dpo::DROP);
        assert_eq!(table.load(LoadBalanceIndex(u32::MAX)), Dpo::DROP);
    }

    #[test]
    fn every_flow_hash_finds_a_bucket_of_its_route() {
        let table = LoadBalances::new().unwrap();
        let mut pool = BucketPool::new();
        for log2 in 1..=10 {
            let buckets: Vec<_> =
                (0..1 << log2).map(|i| Dpo::local(SwIfIndex(log2 << 12 | i))).collect();
            let multi = pool.publish(&table, &buckets).unwrap();
            for hash in (0..5000).chain([u32::MAX, 1 << 31]) {
                assert_eq!(table.bucket(multi, hash), buckets[hash as usize % buckets.len()]);
            }
        }
    }

    #[test]
    fn buckets_are_reused_only_after_a_quiescent_period() {
        let table = LoadBalances::new().unwrap();
        let mut pool = BucketPool::new();
        let full = vec![Dpo::PUNT; MAX_BUCKETS];
        let all: Vec<_> =
            (0..POOL / MAX_BUCKETS).map(|_| pool.publish(&table, &full).unwrap()).collect();
        assert_eq!(pool.publish(&table, &full), None);
        pool.retire(all[3]);
        assert_eq!(pool.publish(&table, &full), None);
        pool.seal();
        pool.retire(all[4]);
        pool.reclaim();
        assert_eq!(pool.publish(&table, &full), Some(all[3]));
        assert_eq!(pool.publish(&table, &full), None);
    }
}
