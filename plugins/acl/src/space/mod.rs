//! Rules grouped by what they compare: a search that costs by the masks that can have a rule for a packet, not by that of rules.
//!
//! Rules that compare the same bits share a *mask*, and lie in one table by their masked key ([`table`]). A packet is masked,
//! hashed and looked up for each mask that can have a rule for it. Masks are in the order of their first rules, so that a packet
//! leaves as soon as what it has found comes before all that is left. Of several rules with the same key the first counts; where they
//! differ in ports, their key leads to a [`Chain`].
//!
//! Masks that differ in single ports alone are one where that pays ([`merge`]). Few masks are asked one after the other about all packets of a frame. Where there are more of them, parts of a packet's key say
//! first which ones it has to ask ([`prune`]); which parts are worth that is found by trial when rules are compiled ([`choose`]).

mod choose;
mod levels;
mod merge;
mod pending;
mod prune;
mod set;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;

use vnet::flow::crc32c;

use crate::{
    chain::{Chain, Ranged},
    key::Layer4,
    rule::Ports,
};
use prune::Pruning;
use set::{Grouping, Set};
use table::{Builder, Table, Tables, and};
use values::First;

pub(crate) use pending::{FRAME, Pending};

/// No rule.
pub(crate) const NONE: u32 = u32::MAX;
/// Set in what a slot leads to when that is a chain.
const CHAIN: u32 = 1 << 31;

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
    tables: Tables<N, Lead>,
    chains: Box<[Chain]>,
    grouping: Grouping,
    /// Where there are so many masks that it is worth that.
    pruning: Option<Pruning<N>>,
}

#[derive(Clone, Copy, Debug)]
struct Mask<const N: usize> {
    words: [u64; N],
    /// The lowest position of its rules.
    first: u32,
    table: Table,
}

/// What a key leads to: a rule, or several.
#[derive(Clone, Copy, Debug)]
struct Lead {
    /// The lowest position.
    first: u32,
    /// A position, or a chain.
    to: u32,
    /// The ports of a rule.
    source: Ports,
    destination: Ports,
}

/// A rule, by the mask in whose table it is.
#[derive(Clone, Copy, Debug)]
struct Placed<const N: usize> {
    mask: usize,
    value: [u64; N],
    position: u32,
}

/// What `show acl-plugin tables` tells of a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaskInfo {
    pub(crate) words: Vec<u64>,
    pub(crate) first: u32,
    pub(crate) keys: usize,
    pub(crate) places: usize,
}

impl<const N: usize> Space<N> {
    /// Compiles rules that are in the order of their positions. `fields` are parts of a key by which masks may be left out.
    pub(crate) fn new(patterns: impl Iterator<Item = Pattern<N>>, fields: &[[u64; N]]) -> Self {
        let (mut space, rules) = Self::without_pruning(patterns);
        space.pruning = space.choose(&rules, fields);
        space
    }

    /// And where each rule is.
    fn without_pruning(patterns: impl Iterator<Item = Pattern<N>>) -> (Self, Vec<Placed<N>>) {
        let mut by_mask: HashMap<[u64; N], usize> = HashMap::new();
        // In the order in which their first rules come.
        let mut groups: Vec<Vec<Pattern<N>>> = Vec::new();
        let mut rules = Vec::new();
        for pattern in merge::merge(patterns.collect()) {
            let group = *by_mask.entry(pattern.mask).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            let Pattern { value, position, .. } = pattern;
            rules.push(Placed { mask: group, value, position });
            groups[group].push(pattern);
        }
        let (mut tables, mut chains) = (Builder::new(), Vec::new());
        let masks: Box<_> = groups.iter().map(|g| Mask::new(g, &mut tables, &mut chains)).collect();
        let space = Self {
            grouping: Grouping::of(masks.len()),
            masks,
            tables: tables.finish(),
            chains: chains.into(),
            pruning: None,
        };
        (space, rules)
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
        match &self.pruning {
            None => self.ask_each(keys, pending, found),
            Some(pruning) => self.ask_pruned(pruning, keys, pending, found),
        }
    }

    /// Asks one mask after the other about all packets.
    #[inline(always)]
    fn ask_each(
        &self,
        keys: &[[u64; N]; FRAME],
        pending: &mut Pending<N>,
        found: &mut [u32; FRAME],
    ) {
        for mask in &self.masks {
            // A packet with a rule before all of this mask is done.
            pending.retain(|packet| found[packet % FRAME] > mask.first);
            let (packets, probes) = pending.probes();
            for (packet, probe) in packets.iter().zip(&mut *probes) {
                probe.masked = and(&keys[usize::from(*packet) % FRAME], &mask.words);
                probe.hash = crc32c(&probe.masked);
                self.tables.prefetch_tag(mask.table, probe.hash);
            }
            if mask.table.is_large() {
                for probe in &*probes {
                    self.tables.prefetch_slot(mask.table, probe.hash);
                }
            }
            for (packet, probe) in packets.iter().zip(&*probes) {
                let packet = usize::from(*packet) % FRAME;
                if let Some(lead) = self.tables.find(mask.table, probe.hash, &probe.masked)
                    && lead.first < found[packet]
                {
                    found[packet] = found[packet].min(self.position(lead, &keys[packet]));
                }
            }
        }
    }

    /// Asks about each packet the masks that can have a rule for it: all packets their first one, then their second one, and so on.
    #[inline(always)]
    fn ask_pruned(
        &self,
        pruning: &Pruning<N>,
        keys: &[[u64; N]; FRAME],
        pending: &mut Pending<N>,
        found: &mut [u32; FRAME],
    ) {
        let at = |packet: u16| usize::from(packet) % FRAME;
        pruning.begin_all(keys, pending);
        loop {
            let mut is_large = false;
            pending.advance(|packet, walk, probe| {
                let next = pruning.next(walk, found[packet], self.grouping);
                let Some(mask) = next.and_then(|n| self.masks.get(n)) else { return false };
                probe.masked = and(&keys[packet], &mask.words);
                probe.hash = crc32c(&probe.masked);
                probe.table = mask.table;
                self.tables.prefetch_tag(mask.table, probe.hash);
                is_large |= mask.table.is_large();
                true
            });
            let (packets, probes) = pending.probes();
            if packets.is_empty() {
                break;
            }
            if is_large {
                for probe in &*probes {
                    self.tables.prefetch_slot(probe.table, probe.hash);
                }
            }
            for (packet, probe) in packets.iter().zip(&*probes) {
                let packet = at(*packet);
                if let Some(lead) = self.tables.find(probe.table, probe.hash, &probe.masked)
                    && lead.first < found[packet]
                {
                    found[packet] = found[packet].min(self.position(lead, &keys[packet]));
                }
            }
        }
    }

    /// As [`Self::look_up`], of one packet.
    pub(crate) fn look_up_one(&self, key: &[u64; N]) -> u32 {
        let Some(pruning) = &self.pruning else { return self.ask_in_turn(key).0 };
        let mut walk = pruning.begin(key);
        self.ask(key, |found| pruning.next(&mut walk, found, self.grouping)).0
    }

    /// The first rule for a key, and how many masks were asked in their own order.
    fn ask_in_turn(&self, key: &[u64; N]) -> (u32, usize) {
        let mut masks = (0..).zip(&self.masks);
        self.ask(key, |found| {
            let (n, _) = masks.next().filter(|(_, mask)| mask.first < found)?;
            Some(n)
        })
    }

    /// The same of masks on a list that are among some.
    fn ask_listed(&self, key: &[u64; N], list: &[First], among: &Set) -> (u32, usize) {
        let mut left = list.iter().filter(|first| among.has(self.grouping, first.mask));
        self.ask(key, |found| {
            let first = left.next().filter(|first| first.position < found)?;
            Some(first.mask as usize)
        })
    }

    /// Asks masks, of which `next` says the next one that may have a rule before what was found; what is found, and how many were asked.
    fn ask(&self, key: &[u64; N], mut next: impl FnMut(u32) -> Option<usize>) -> (u32, usize) {
        let (mut found, mut asked) = (NONE, 0);
        while let Some(mask) = next(found).and_then(|n| self.masks.get(n)) {
            asked += 1;
            let masked = and(key, &mask.words);
            if let Some(lead) = self.tables.find(mask.table, crc32c(&masked), &masked) {
                found = found.min(self.position(lead, key));
            }
        }
        (found, asked)
    }

    /// All masks, in the order in which they are asked.
    pub(crate) fn infos(&self) -> impl Iterator<Item = MaskInfo> {
        self.masks.iter().map(|mask| MaskInfo {
            words: mask.words.to_vec(),
            first: mask.first,
            keys: self.tables.keys(mask.table),
            places: mask.table.places(),
        })
    }

    /// Rules in chains, which compare ranges of ports.
    pub(crate) fn chained(&self) -> usize {
        self.chains.iter().map(Chain::len).sum()
    }

    /// How many fields masks are left out by.
    pub(crate) fn fields(&self) -> usize {
        self.pruning.as_ref().map_or(0, Pruning::fields)
    }

    /// Octets of memory, without chains.
    pub(crate) fn bytes(&self) -> usize {
        let pruning = self.pruning.as_ref().map_or(0, Pruning::bytes);
        self.tables.bytes() + size_of_val(&*self.masks) + pruning
    }

    #[inline(always)]
    fn position(&self, lead: Lead, key: &[u64; N]) -> u32 {
        let ports = Layer4(key[N - 1]);
        let (source, destination) = (ports.source(), ports.destination());
        match lead.to & CHAIN {
            0 if lead.source.contains(source) && lead.destination.contains(destination) => lead.to,
            0 => NONE,
            _ => self.chained_position(lead, source, destination),
        }
    }

    #[inline(never)]
    fn chained_position(&self, lead: Lead, source: u16, destination: u16) -> u32 {
        let chain = self.chains.get((lead.to & !CHAIN) as usize);
        chain.and_then(|chain| chain.find(source, destination)).unwrap_or(NONE)
    }
}

impl<const N: usize> Mask<N> {
    /// Of rules that share it, in the order of their positions.
    fn new(group: &[Pattern<N>], tables: &mut Builder<N, Lead>, chains: &mut Vec<Chain>) -> Self {
        let mut by_key: HashMap<[u64; N], Vec<&Pattern<N>>> = HashMap::new();
        for pattern in group {
            let same = by_key.entry(pattern.value).or_default();
            // Whatever comes behind a rule for all ports is never reached.
            if same.last().is_none_or(|last| last.has_ranges()) {
                same.push(pattern);
            }
        }
        let leads = by_key.into_iter().map(|(key, same)| (key, Lead::new(&same, chains)));
        let table = tables.add(leads);
        Self { words: group[0].mask, first: group[0].position, table }
    }
}

impl Lead {
    /// To rules with the same key.
    fn new<const N: usize>(same: &[&Pattern<N>], chains: &mut Vec<Chain>) -> Self {
        let Pattern { position, source, destination, .. } = *same[0];
        if same.len() == 1 {
            return Self { first: position, to: position, source, destination };
        }
        let ranged = same.iter().map(|pattern| Ranged {
            position: pattern.position,
            source: pattern.source,
            destination: pattern.destination,
        });
        chains.push(Chain::new(&ranged.collect::<Vec<_>>()));
        let to = CHAIN | (chains.len() - 1) as u32;
        Self { first: position, to, source: Ports::ANY, destination: Ports::ANY }
    }
}
