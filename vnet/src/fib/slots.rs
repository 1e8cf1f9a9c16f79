//! Which elements of a shared table are in use, and when a freed one may be used again.

/// Hands out the elements `first..limit` of a table and takes them back in two steps: a *retired* element may still
/// be seen by a reader, and becomes free only at the end of a quiescent period that began after its retirement.
#[derive(Debug)]
pub(crate) struct Slots {
    next: u32,
    limit: u32,
    free: Vec<u32>,
    retired: Vec<u32>,
    sealed: Vec<u32>,
}

impl Slots {
    /// All of `first..limit`, none in use.
    pub(crate) const fn new(first: u32, limit: u32) -> Self {
        Self { next: first, limit, free: Vec::new(), retired: Vec::new(), sealed: Vec::new() }
    }

    /// An element that no reader can see, or `None` when all are in use or retired.
    pub(crate) fn alloc(&mut self) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let slot = self.next;
        (slot < self.limit).then(|| {
            self.next += 1;
            slot
        })
    }

    /// All elements that were ever handed out are before this one.
    pub(crate) const fn end(&self) -> u32 {
        self.next
    }

    /// How many `alloc` calls would succeed now.
    pub(crate) fn available(&self) -> usize {
        self.free.len() + (self.limit - self.next) as usize
    }

    /// Takes back an element that was reachable by readers.
    pub(crate) fn retire(&mut self, slot: u32) {
        self.retired.push(slot);
    }

    /// Begins a quiescent period for what is retired by now.
    pub(crate) fn seal(&mut self) {
        self.sealed.append(&mut self.retired);
    }

    /// Ends the quiescent period: what was sealed is free.
    pub(crate) fn reclaim(&mut self) {
        self.free.append(&mut self.sealed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_handed_out_again_before_its_quiescent_period_ends(
            steps in prop::collection::vec(0..4_u8, 1..300),
        ) {
            let mut slots = Slots::new(1, 20);
            let mut used = Vec::new();
            let (mut retired, mut sealed) = (BTreeSet::new(), BTreeSet::new());
            for step in steps {
                match step {
                    0 => match slots.alloc() {
                        Some(slot) => {
                            prop_assert!((1..20).contains(&slot) && !used.contains(&slot));
                            prop_assert!(!retired.contains(&slot) && !sealed.contains(&slot));
                            used.push(slot);
                        }
                        None => prop_assert_eq!(used.len() + retired.len() + sealed.len(), 19),
                    },
                    1 => if !used.is_empty() {
                        let slot = used.swap_remove(0);
                        slots.retire(slot);
                        retired.insert(slot);
                    },
                    2 => {
                        slots.seal();
                        sealed.append(&mut retired);
                    }
                    _ => {
                        slots.reclaim();
                        sealed.clear();
                    }
                }
                prop_assert_eq!(
                    slots.available(), 19 - used.len() - retired.len() - sealed.len());
            }
        }
    }
}
