//! Filters: which packets captures and traces take, by chains of tables. A packet is taken that belongs to a session of any of
//! them; sessions count those packets.
//!
//! Masks are laid on frames as they are, with their VLAN tags; a packet that has no Ethernet header is shown with one that says
//! nothing but its type, as in a capture's file.

mod commands;

use std::collections::BTreeMap;

use super::{
    Action, Classifier, ClassifyError, Mask, Pattern, TableIndex, TableSpec, lookup, mask::Key,
};
use crate::{
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    runtime::{Dispatching, EngineTime, Locals, Main},
    wire::ethernet::{self, EtherType},
};

pub(crate) use commands::commands;

/// Octets of a packet without Ethernet header that filters look at.
const SHOWN: usize = 256;

/// Who asks a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilterUse {
    /// `trace add ... filter`.
    Trace,
    /// `pcap trace ... filter`.
    Pcap,
    /// `pcap trace`, of packets of this interface.
    Interface(SwIfIndex),
}

/// The first table of each filter, written under the barrier.
#[derive(Default)]
pub(super) struct Filters(BTreeMap<FilterUse, TableIndex>);

/// What a thread needs to ask.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) token: Dispatching<'a>,
    pub(crate) locals: &'a Locals,
    pub(crate) now: EngineTime,
}

/// Has the filter of an interface go with it.
pub(super) fn register(r: &mut Registrar) {
    let classifier = r.classifier();
    r.on_interface_event(move |main: &mut Main, event: &Event| {
        let Event::Deleted { sw_if_index, .. } = event else { return };
        // A table that something else leads to stays, and is a filter of nothing.
        let _: Result<(), ClassifyError> =
            classifier.delete_filter(main, FilterUse::Interface(*sw_if_index));
    });
}

impl Classifier {
    /// Has a filter take packets that match `pattern`. The rule comes into the table of its mask, which is made unless it is
    /// there; tables that compare more bits come first.
    ///
    /// # Errors
    /// When the pattern has bits that the mask does not compare, or there is no room.
    pub fn add_filter_rule(
        &self,
        main: &mut Main,
        of: FilterUse,
        spec: TableSpec,
        pattern: &Pattern,
    ) -> Result<(), ClassifyError> {
        if pattern.is_words {
            spec.mask.exact_key_of(&pattern.bytes)?;
        }
        let chain = self.filter_tables(main, of);
        let known = chain.iter().find(|(_, mask)| *mask == spec.mask);
        let table = match known {
            Some((table, _)) => *table,
            None => self.add_filter_table(main, of, spec, &chain)?,
        };
        self.add_session(main, table, pattern, Action::NONE)
    }

    fn add_filter_table(
        &self,
        main: &mut Main,
        of: FilterUse,
        spec: TableSpec,
        chain: &[(TableIndex, Mask)],
    ) -> Result<TableIndex, ClassifyError> {
        let at = chain.iter().take_while(|(_, mask)| bits(mask) >= bits(&spec.mask)).count();
        let next_table = chain.get(at).map(|(next, _)| *next);
        let table = self.add_table(main, TableSpec { next_table, ..spec })?;
        self.hold(main, table, user(of))?;
        match at.checked_sub(1).and_then(|before| chain.get(before)) {
            Some((before, _)) => self.change_table(main, *before, Some(Some(table)), None)?,
            None => {
                self.filters.write(main.held_mut()).0.insert(of, table);
            }
        }
        Ok(table)
    }

    /// Has a filter consist of `first` and the tables behind it, which stay when it is changed again; of nothing without one. With
    /// `sort` tables that compare more bits come first. The first table then.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn set_filter(
        &self,
        main: &mut Main,
        of: FilterUse,
        first: Option<TableIndex>,
        sort: bool,
    ) -> Result<Option<TableIndex>, ClassifyError> {
        let mut chain: Vec<_> = first
            .into_iter()
            .flat_map(|first| self.tables(main).chain(first))
            .map(|(index, table)| (index, table.spec.mask))
            .collect();
        if let Some(TableIndex(first)) = first.filter(|_| chain.is_empty()) {
            return Err(ClassifyError::NoSuchTable(first));
        }
        for (table, _) in self.filter_tables(main, of) {
            self.release(main, table, &user(of));
        }
        if sort {
            chain.sort_by_key(|(_, mask)| core::cmp::Reverse(bits(mask)));
            self.link(main, &chain)?;
        }
        for (table, _) in &chain {
            self.hold(main, *table, user(of))?;
        }
        let first = chain.first().map(|(first, _)| *first);
        let filters = &mut self.filters.write(main.held_mut()).0;
        match first {
            Some(first) => filters.insert(of, first),
            None => filters.remove(&of),
        };
        Ok(first)
    }

    /// Has tables follow each other in this order.
    fn link(&self, main: &mut Main, chain: &[(TableIndex, Mask)]) -> Result<(), ClassifyError> {
        // The old order goes first: nothing leads in a circle on the way to the new one.
        for (table, _) in chain {
            self.change_table(main, *table, Some(None), None)?;
        }
        for pair in chain.windows(2) {
            let [(before, _), (next, _)] = pair else { continue };
            self.change_table(main, *before, Some(Some(*next)), None)?;
        }
        Ok(())
    }

    /// Deletes a filter with all of its tables; nothing, where there is none.
    ///
    /// # Errors
    /// When something else leads to one of them.
    pub fn delete_filter(&self, main: &mut Main, of: FilterUse) -> Result<(), ClassifyError> {
        let chain = self.filter_tables(main, of);
        let Some((first, _)) = chain.first() else { return Ok(()) };
        for (table, _) in &chain {
            self.release(main, *table, &user(of));
        }
        self.filters.write(main.held_mut()).0.remove(&of);
        self.delete_table(main, *first, true)
    }

    /// The tables of a filter with their masks, in the order in which packets are looked up.
    #[must_use]
    pub fn filter_tables(&self, main: &Main, of: FilterUse) -> Vec<(TableIndex, Mask)> {
        let first = self.filters.view(main.held()).0.get(&of);
        let chain = first.into_iter().flat_map(|first| self.tables(main).chain(*first));
        chain.map(|(index, table)| (index, table.spec.mask)).collect()
    }

    /// All filters that there are.
    fn filters_of(&self, main: &Main) -> Vec<FilterUse> {
        self.filters.view(main.held()).0.keys().copied().collect()
    }

    /// Whether a filter takes a packet, which is counted then; `None` when there is no such filter. The packet's first buffer
    /// begins with `bytes`, which are an Ethernet header or an IP header.
    pub(crate) fn takes(
        &self,
        of: FilterUse,
        asking: Asking<'_>,
        bytes: &[u8],
        is_ethernet: bool,
    ) -> Option<bool> {
        let Asking { token, locals, now } = asking;
        let first = *self.filters.read(token).0.get(&of)?;
        let mut shown = [0; SHOWN];
        let bytes = if is_ethernet { bytes } else { with_link_header(bytes, &mut shown) };
        let shard = locals.get(self.shard())?;
        let taken = self.read(token).chain(first).any(|(index, table)| {
            let mut key = Key::ZERO;
            table.spec.mask.lay_on(bytes, &mut key);
            lookup::belongs(table, shard, index, &key, now)
        });
        Some(taken)
    }
}

/// How many bits a mask compares.
fn bits(mask: &Mask) -> u32 {
    mask.bytes().iter().map(|byte| byte.count_ones()).sum()
}

/// How other users of a table hear of a filter.
fn user(of: FilterUse) -> String {
    match of {
        FilterUse::Trace => "classify filter trace".to_owned(),
        FilterUse::Pcap => "classify filter pcap".to_owned(),
        FilterUse::Interface(SwIfIndex(index)) => format!("classify filter of sw_if_index {index}"),
    }
}

/// An IP packet's first bytes behind an Ethernet header without addresses.
fn with_link_header<'s>(packet: &[u8], shown: &'s mut [u8; SHOWN]) -> &'s [u8] {
    let is_ip6 = packet.first().is_some_and(|byte| byte >> 4 == 6);
    let ethertype = if is_ip6 { EtherType::IP6 } else { EtherType::IP4 };
    let (link, rest) = shown.split_at_mut(size_of::<ethernet::Header>());
    link[12..].copy_from_slice(&ethertype.0.to_be_bytes());
    let n = packet.len().min(rest.len());
    rest[..n].copy_from_slice(&packet[..n]);
    let length = link.len() + n;
    &shown[..length]
}
