//! Layer 2 as nodes read it: ports, bridge domains, the MAC table.

use super::{
    BdIndex, Domain, Entry, EntryFlags, Epoch, MacKey, MacTables, Minute, Mode, Port, Switching,
};
use crate::{interface::SwIfIndex, process::Bell};

/// Ports, bridge domains and MAC addresses. The main thread changes the first two under the barrier; addresses are learned by all
/// threads.
pub struct Layer2 {
    pub(super) ports: Vec<Port>,
    /// By index, of which 0 is none.
    pub(super) domains: Vec<Option<Domain>>,
    pub(super) macs: MacTables,
    /// Most addresses that new domains learn.
    pub(super) default_learn_limit: u32,
    /// Most addresses that all domains learn.
    pub(super) total_learn_limit: u32,
    /// The last epoch of any interface.
    pub(super) epoch: Epoch,
    /// Wakes the process that makes the MAC table larger.
    pub(super) bell: Bell,
}

/// What became of the source address of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It was known there.
    Known,
    /// It is known now.
    New,
    /// It was seen elsewhere before.
    Moved,
    /// Frames of it are dropped.
    Filtered,
    /// It does not move from where it was put: the frame is dropped.
    Violation,
    /// As many as may be are known.
    Limit,
    /// No station has such an address.
    NotUnicast,
}

/// What is learned of the frames that an interface receives.
#[derive(Clone, Copy)]
pub struct Lane<'a> {
    layer2: &'a Layer2,
    /// The interface.
    pub interface: SwIfIndex,
    /// Its port.
    pub port: &'a Port,
    /// Its domain.
    pub domain: &'a Domain,
    index: BdIndex,
    /// What is done to its frames.
    pub switching: Switching,
    /// The entry that all of its stations have now which packets made known.
    expected: Entry,
}

impl Layer2 {
    pub(super) fn new(bell: Bell) -> Self {
        Self {
            ports: Vec::new(),
            domains: vec![None],
            macs: MacTables::new(),
            default_learn_limit: Domain::LEARN_LIMIT,
            total_learn_limit: Domain::LEARN_LIMIT,
            epoch: Epoch(0),
            bell,
        }
    }

    /// The port of an interface.
    #[inline]
    #[must_use]
    pub fn port(&self, interface: SwIfIndex) -> &Port {
        self.ports.get(interface.0 as usize).unwrap_or(&Port::ROUTED)
    }

    /// Whether all domains together may learn another address. They are summed where that can matter alone.
    fn may_learn(&self) -> bool {
        self.total_learn_limit == Domain::LEARN_LIMIT
            || self.domains.iter().flatten().map(Domain::learned).sum::<u32>()
                < self.total_learn_limit
    }

    /// A domain by its index.
    #[inline]
    #[must_use]
    pub fn domain(&self, index: BdIndex) -> Option<&Domain> {
        self.domains.get(usize::from(index.0))?.as_ref()
    }

    /// All domains, by index.
    pub fn domains(&self) -> impl Iterator<Item = (BdIndex, &Domain)> {
        let numbered = self.domains.iter().enumerate();
        numbered.filter_map(|(i, domain)| Some((BdIndex(i as u16), domain.as_ref()?)))
    }

    /// What is to be learned of the frames that `interface` receives in `minute`; `None` where it bridges none.
    #[must_use]
    pub fn lane(&self, interface: SwIfIndex, minute: Minute) -> Option<Lane<'_>> {
        let port = self.port(interface);
        let Mode::Bridged(index) = port.mode else { return None };
        let domain = self.domain(index)?;
        let switching = domain.switching & port.switching;
        let expected = Entry::new(interface, port.epoch, minute, EntryFlags::LEARNED);
        Some(Lane { layer2: self, interface, port, domain, index, switching, expected })
    }

    /// Whether an entry holds: its interface is in the domain, and was not flushed since.
    #[inline]
    #[must_use]
    pub fn holds(&self, of: BdIndex, entry: Entry) -> bool {
        let port = self.port(entry.port());
        entry.flags().contains(EntryFlags::FILTER)
            || (port.mode == Mode::Bridged(of)
                && (port.epoch == entry.epoch() || entry.flags().contains(EntryFlags::STATIC)))
    }

    /// All entries that hold.
    pub fn entries(&self) -> impl Iterator<Item = (MacKey, Entry)> {
        self.macs.iter().filter(|(key, entry)| self.holds(key.domain(), *entry))
    }

    /// The MAC table.
    #[inline]
    #[must_use]
    pub fn macs(&self) -> &MacTables {
        &self.macs
    }
}

impl Lane<'_> {
    /// The key of an address in the domain.
    #[inline(always)]
    #[must_use]
    pub fn key(&self, mac: crate::wire::ethernet::MacWord) -> MacKey {
        MacKey::new(self.index, mac)
    }

    /// Learns the source address of a frame, whose home bucket is known.
    #[inline(always)]
    #[must_use]
    pub fn learn(&self, home: usize, source: MacKey) -> Learned {
        match self.layer2.macs.find_at(home, source) {
            Some(found) if found.entry == self.expected => Learned::Known,
            _ => self.learn_slowly(source),
        }
    }

    /// What is not known yet, or was not seen in this minute.
    #[cold]
    fn learn_slowly(&self, source: MacKey) -> Learned {
        let macs = &self.layer2.macs;
        // Of several threads that change the entry one comes first; the others look again.
        for _ in 0..4 {
            let Some(found) = macs.find(source) else {
                if !source.is_unicast() {
                    return Learned::NotUnicast;
                }
                if !self.domain.may_learn() || !self.layer2.may_learn() {
                    return Learned::Limit;
                }
                match self.add(source) {
                    Some(learned) => return learned,
                    None => continue,
                }
            };
            let flags = found.entry.flags();
            if flags.contains(EntryFlags::FILTER) {
                return Learned::Filtered;
            }
            let here = found.entry.port() == self.expected.port();
            if flags.contains(EntryFlags::STATIC) {
                return if here { Learned::Known } else { Learned::Violation };
            }
            // What was flushed and is not swept yet is a new one.
            let holds = self.layer2.holds(source.domain(), found.entry);
            if macs.replace(source, found, self.expected) {
                if !flags.contains(EntryFlags::LEARNED) {
                    self.domain.count_learned();
                }
                return match (holds, here) {
                    (true, true) => Learned::Known,
                    (true, false) => Learned::Moved,
                    (false, _) => Learned::New,
                };
            }
        }
        Learned::Known
    }

    /// Adds an address; `None` when somebody else has.
    fn add(&self, source: MacKey) -> Option<Learned> {
        let added = self.layer2.macs.learn(source, self.expected);
        if self.layer2.macs.is_crowded() {
            self.layer2.bell.ring();
        }
        match added {
            super::mac_table::Insert::Done => {
                self.domain.count_learned();
                Some(Learned::New)
            }
            super::mac_table::Insert::Present => None,
            super::mac_table::Insert::Full => Some(Learned::Limit),
        }
    }
}
