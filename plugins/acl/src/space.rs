//! Rules grouped by what they compare: a search that costs by the number of masks, not by that of rules.
//!
//! Rules that compare the same bits share a *mask*, and lie in one open-addressing table by their masked key. A packet is masked,
//! hashed and looked up once for each mask. Masks are in the order of their first rules, so that a packet leaves as soon as what it has
//! found comes before all that is left. Of several rules with the same key the first counts; where they differ in ranges of
//! ports, their key leads to a [`Chain`].
//!
//! A table is two arrays: *tags*, 32 bits of hash each, sixteen to a cache line, and *slots* with keys and rules. A packet that a mask has
//! no rule for, which is the usual case with many masks, mostly sees one tag and no slot.

use std::collections::HashMap;

use vnet::{
    flow::{crc32c, prefetch_in},
    huge_pages,
};

use crate::{
    chain::{Chain, Ranged},
    key::Layer4,
    rule::Ports,
};

/// No rule.
pub(crate) const NONE: u32 = u32::MAX;
/// Set in what a slot leads to when that is a chain.
const CHAIN: u32 = 1 << 31;
/// Set in every tag of a slot that is taken.
const TAKEN: u32 = 1 << 31;
/// Fewest tags of a mask.
const LEAST: usize = 8;
/// Tables up to this lie in the caches near the core, so that nothing is gained by asking for their slots.
const SMALL: u32 = 1 << 12;

/// A rule, as it is compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern<const N: usize> {
    pub(crate) mask: [u64; N],
    /// Without bits outside of the mask.
    pub(crate) value: [u64; N],
    /// What no mask can say; [`Ports::ANY`] otherwise.
    pub(crate) source: Ports,
    pub(crate) destination: Ports,
    pub(crate) position: u32,
}

impl<const N: usize> Pattern<N> {
    fn has_ranges(&self) -> bool {
        self.source != Ports::ANY || self.destination != Ports::ANY
    }
}

/// The rules of a list, compiled.
#[derive(Debug)]
pub(crate) struct Space<const N: usize> {
    masks: Box<[Mask<N>]>,
    tags: Box<[u32]>,
    slots: Box<[Slot<N>]>,
    chains: Box<[Chain]>,
}

#[derive(Clone, Copy, Debug)]
struct Mask<const N: usize> {
    words: [u64; N],
    /// The lowest position of its rules.
    first: u32,
    /// Where its table begins.
    offset: u32,
    /// Its places less one; their number is a power of two.
    wrap: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot<const N: usize> {
    key: [u64; N],
    /// The lowest position that it leads to.
    first: u32,
    /// A position, or a chain.
    to: u32,
}

/// What `show acl-plugin tables` tells of a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaskInfo {
    pub(crate) words: Vec<u64>,
    pub(crate) first: u32,
    pub(crate) keys: usize,
    pub(crate) places: usize,
}

/// Packets of a frame that are still to be looked up, by their positions.
pub(crate) struct Pending<const N: usize> {
    packets: [u16; FRAME],
    hashes: [u32; FRAME],
    masked: Box<[[u64; N]; FRAME]>,
    len: usize,
}

/// The most packets that are looked up together.
pub(crate) const FRAME: usize = vnet::frame::FRAME_SIZE;

impl<const N: usize> Pending<N> {
    pub(crate) fn new() -> Self {
        Self { packets: [0; FRAME], hashes: [0; FRAME], masked: Box::new([[0; N]; FRAME]), len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds the packet at `position` of the frame.
    #[inline(always)]
    pub(crate) fn push(&mut self, position: usize) {
        if let Some(place) = self.packets.get_mut(self.len) {
            *place = position as u16;
            self.len += 1;
        }
    }

    /// Their positions.
    #[inline(always)]
    pub(crate) fn packets(&self) -> &[u16] {
        &self.packets[..self.len.min(FRAME)]
    }

    /// Keeps those for which `stays`.
    #[inline(always)]
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(usize) -> bool) {
        let mut kept = 0;
        for at in 0..self.len.min(FRAME) {
            let packet = self.packets[at];
            self.packets[kept] = packet;
            kept += usize::from(stays(packet.into()));
        }
        self.len = kept;
    }
}

impl<const N: usize> Space<N> {
    /// Compiles rules that are in the order of their positions.
    pub(crate) fn new(patterns: impl Iterator<Item = Pattern<N>>) -> Self {
        let mut by_mask: HashMap<[u64; N], usize> = HashMap::new();
        let mut groups: Vec<(u32, Vec<Pattern<N>>)> = Vec::new();
        for pattern in patterns {
            let group = *by_mask.entry(pattern.mask).or_insert_with(|| {
                groups.push((pattern.position, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(pattern);
        }
        // In the order in which their first rules came.
        let mut builder = Builder { tags: Vec::new(), slots: Vec::new(), chains: Vec::new() };
        let masks = groups.iter().map(|(first, group)| builder.add(*first, group)).collect();
        let Builder { tags, slots, chains } = builder;
        let space = Self { masks, tags: tags.into(), slots: slots.into(), chains: chains.into() };
        huge_pages::collapse_table(&space.tags);
        huge_pages::collapse_table(&space.slots);
        space
    }

    /// Looks the pending packets of a frame up, and puts the position of the first rule of each to `found`, or [`NONE`].
    #[inline]
    pub(crate) fn look_up(
        &self,
        keys: &[[u64; N]; FRAME],
        pending: &mut Pending<N>,
        found: &mut [u32; FRAME],
    ) {
        for &packet in pending.packets() {
            found[usize::from(packet) % FRAME] = NONE;
        }
        for mask in &self.masks {
            let table = self.table(mask);
            // A packet with a rule before all of this mask is done.
            pending.retain(|packet| found[packet % FRAME] > mask.first);
            let Pending { packets, hashes, masked, len } = &mut *pending;
            let packets = &packets[..(*len).min(FRAME)];
            for ((packet, hash), masked) in packets.iter().zip(&mut *hashes).zip(&mut **masked) {
                *masked = and(&keys[usize::from(*packet) % FRAME], &mask.words);
                *hash = crc32c(masked);
                prefetch_in(table.tags, (*hash & mask.wrap) as usize);
            }
            let is_large = mask.wrap > SMALL;
            if is_large {
                for hash in &hashes[..packets.len()] {
                    prefetch_in(table.slots, table.first(*hash, mask.wrap) as usize);
                }
            }
            for ((packet, hash), masked) in packets.iter().zip(&*hashes).zip(&**masked) {
                let packet = usize::from(*packet) % FRAME;
                if let Some(slot) = table.find(*hash, masked, mask.wrap)
                    && slot.first < found[packet]
                {
                    found[packet] = found[packet].min(self.position(slot, &keys[packet]));
                }
            }
        }
    }

    /// As [`Self::look_up`], of one packet.
    pub(crate) fn look_up_one(&self, key: &[u64; N]) -> u32 {
        let mut found = NONE;
        for mask in self.masks.iter() {
            if mask.first > found {
                break;
            }
            let masked = and(key, &mask.words);
            if let Some(slot) = self.table(mask).find(crc32c(&masked), &masked, mask.wrap) {
                found = found.min(self.position(slot, key));
            }
        }
        found
    }

    /// All masks, in the order in which they are asked.
    pub(crate) fn infos(&self) -> impl Iterator<Item = MaskInfo> {
        self.masks.iter().map(|mask| MaskInfo {
            words: mask.words.to_vec(),
            first: mask.first,
            keys: self.table(mask).tags.iter().filter(|tag| **tag != 0).count(),
            places: mask.wrap as usize + 1,
        })
    }

    /// Rules in chains, which compare ranges of ports.
    pub(crate) fn chained(&self) -> usize {
        self.chains.iter().map(Chain::len).sum()
    }

    /// Octets of memory, without chains.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.tags) + size_of_val(&*self.slots) + size_of_val(&*self.masks)
    }

    #[inline(always)]
    fn table(&self, mask: &Mask<N>) -> Table<'_, N> {
        let range = mask.offset as usize..(mask.offset + mask.wrap) as usize + 1;
        Table {
            tags: self.tags.get(range.clone()).unwrap_or_default(),
            slots: self.slots.get(range).unwrap_or_default(),
        }
    }

    #[inline(always)]
    fn position(&self, slot: &Slot<N>, key: &[u64; N]) -> u32 {
        match slot.to & CHAIN {
            0 => slot.to,
            _ => self.chained_position(slot, key),
        }
    }

    #[inline(never)]
    fn chained_position(&self, slot: &Slot<N>, key: &[u64; N]) -> u32 {
        let layer4 = Layer4(key[N - 1]);
        let chain = self.chains.get((slot.to & !CHAIN) as usize);
        chain.and_then(|c| c.find(layer4.source(), layer4.destination())).unwrap_or(NONE)
    }
}

/// The table of a mask.
struct Table<'a, const N: usize> {
    tags: &'a [u32],
    slots: &'a [Slot<N>],
}

impl<'a, const N: usize> Table<'a, N> {
    /// The first place whose tag is that of a hash; [`NONE`] where there is no such.
    #[inline(always)]
    fn first(&self, hash: u32, wrap: u32) -> u32 {
        let mut at = hash & wrap;
        loop {
            match self.tags.get(at as usize) {
                Some(&tag) if tag == hash | TAKEN => return at,
                Some(&tag) if tag != 0 => at = (at + 1) & wrap,
                _ => return NONE,
            }
        }
    }

    #[inline(always)]
    fn find(&self, hash: u32, key: &[u64; N], wrap: u32) -> Option<&'a Slot<N>> {
        let mut at = hash & wrap;
        loop {
            let tag = *self.tags.get(at as usize)?;
            if tag == hash | TAKEN {
                let slot = self.slots.get(at as usize)?;
                if slot.key == *key {
                    return Some(slot);
                }
            }
            // At most half of the places are taken.
            if tag == 0 {
                return None;
            }
            at = (at + 1) & wrap;
        }
    }
}

#[inline(always)]
fn and<const N: usize>(key: &[u64; N], mask: &[u64; N]) -> [u64; N] {
    core::array::from_fn(|n| key[n] & mask[n])
}

struct Builder<const N: usize> {
    tags: Vec<u32>,
    slots: Vec<Slot<N>>,
    chains: Vec<Chain>,
}

impl<const N: usize> Builder<N> {
    /// Adds the table of a mask, whose rules are in the order of their positions.
    fn add(&mut self, first: u32, group: &[Pattern<N>]) -> Mask<N> {
        let mut by_key: HashMap<[u64; N], Vec<&Pattern<N>>> = HashMap::new();
        for pattern in group {
            let same = by_key.entry(pattern.value).or_default();
            // Whatever comes behind a rule for all ports is never reached.
            if same.last().is_none_or(|last| last.has_ranges()) {
                same.push(pattern);
            }
        }
        // Fewer in a small table, where a packet without a rule is to see an empty place at once; no more than half in any.
        let spread = match by_key.len() {
            0..512 => 8,
            512..4_096 => 4,
            _ => 2,
        };
        let places = (by_key.len() * spread).next_power_of_two().max(LEAST);
        let (offset, wrap) = (self.tags.len(), places - 1);
        self.tags.resize(offset + places, 0);
        self.slots.resize(offset + places, Slot { key: [0; N], first: NONE, to: NONE });
        for (key, same) in by_key {
            let hash = crc32c(&key);
            let mut at = hash as usize & wrap;
            while self.tags[offset + at] != 0 {
                at = (at + 1) & wrap;
            }
            self.tags[offset + at] = hash | TAKEN;
            self.slots[offset + at] = Slot { key, first: same[0].position, to: self.lead(&same) };
        }
        Mask { words: group[0].mask, first, offset: offset as u32, wrap: wrap as u32 }
    }

    /// What a slot with these rules leads to.
    fn lead(&mut self, same: &[&Pattern<N>]) -> u32 {
        if !same[0].has_ranges() {
            return same[0].position;
        }
        let ranged = same.iter().map(|pattern| Ranged {
            position: pattern.position,
            source: pattern.source,
            destination: pattern.destination,
        });
        self.chains.push(Chain::new(&ranged.collect::<Vec<_>>()));
        CHAIN | (self.chains.len() - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few bits, so that rules cover each other.
    fn pattern() -> impl Strategy<Value = Pattern<2>> {
        let masks = prop::sample::select(vec![0_u64, 0b11, 0b1100, 0b1111, u64::MAX]);
        let layer4 =
            prop::sample::select(vec![0_u64, 6 << 24, 0xff << 24, 0xffff << 32 | 0xff << 24]);
        let ports = prop_oneof![3 => Just(Ports::ANY), 1 => (0..4_u16).prop_map(|n| Ports { first: n, last: n + 2 })];
        (masks, layer4, 0..16_u64, 0..8_u64, 0..2_u64, ports).prop_map(
            |(a, b, address, port, protocol, ports)| {
                let value = [address & a, (port << 32 | (6 + protocol) << 24) & b];
                Pattern { mask: [a, b], value, source: Ports::ANY, destination: ports, position: 0 }
            },
        )
    }

    fn naive(patterns: &[Pattern<2>], key: &[u64; 2]) -> u32 {
        let port = Layer4(key[1]).destination();
        let takes = |p: &&Pattern<2>| and(key, &p.mask) == p.value && p.destination.contains(port);
        patterns.iter().find(takes).map_or(NONE, |pattern| pattern.position)
    }

    proptest! {
        #[test]
        fn what_is_found_is_the_first_rule_that_a_packet_fits(
            mut patterns in prop::collection::vec(pattern(), 0..80),
            packets in prop::collection::vec((0..16_u64, 0..8_u64, 0..2_u64), 1..64),
        ) {
            (0..).zip(&mut patterns).for_each(|(n, pattern)| pattern.position = n);
            let space = Space::new(patterns.iter().copied());
            let mut keys = [[0; 2]; FRAME];
            let mut pending = Pending::new();
            for (at, (address, port, protocol)) in packets.iter().enumerate() {
                keys[at] = [*address, port << 32 | (6 + protocol) << 24];
                pending.push(at);
            }
            let mut found = [7; FRAME];
            space.look_up(&keys, &mut pending, &mut found);
            for (key, found) in keys.iter().zip(found).take(packets.len()) {
                prop_assert_eq!(found, naive(&patterns, key));
                prop_assert_eq!(space.look_up_one(key), found);
            }
        }
    }
}
