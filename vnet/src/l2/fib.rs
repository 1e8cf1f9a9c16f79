//! Entries of the MAC table that commands make, and flushing.

use core::net::IpAddr;

use super::{
    BdId, BdIndex, Entry, EntryFlags, Epoch, L2, L2Error, MacKey, Minute, mac_table::Insert,
    mac_tables::SLICE,
};
use crate::{interface::SwIfIndex, runtime::Main, wire::ethernet::MacAddress};

/// Which entries are flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// All.
    All,
    /// Those of an interface.
    Interface(SwIfIndex),
    /// Those of a bridge domain.
    Domain(BdId),
}

impl L2 {
    /// Adds an address to the domain `id` on an interface of it, or changes it; without an interface, as one whose frames are
    /// dropped.
    ///
    /// # Errors
    /// When there is no such domain, the interface is not in it, the address is no station's, or it is a BVI's.
    pub fn add_entry(
        &self,
        main: &mut Main,
        mac: [u8; 6],
        id: BdId,
        interface: Option<SwIfIndex>,
        flags: EntryFlags,
    ) -> Result<(), L2Error> {
        let domain = self.index(main, id)?;
        self.check_address(main, mac, domain)?;
        if let Some(interface) = interface
            && self.view(main).port(interface).domain() != Some(domain)
        {
            return Err(L2Error::NotAMember { name: main.interface_name(interface), id });
        }
        self.put_entry(main, domain, mac, interface.unwrap_or(SwIfIndex::LOCAL0), flags)
    }

    fn check_address(&self, main: &Main, mac: [u8; 6], domain: BdIndex) -> Result<(), L2Error> {
        let key = MacKey::new(domain, MacAddress(mac).into());
        let text = || MacAddress(mac).to_string();
        if !key.is_unicast() {
            return Err(L2Error::NotUnicast(text()));
        }
        match self.view(main).macs.find(key) {
            Some(known) if known.entry.flags().contains(EntryFlags::BVI) => {
                Err(L2Error::BviEntry(text()))
            }
            _ => Ok(()),
        }
    }

    /// Puts an entry, whatever was there.
    pub(super) fn put_entry(
        &self,
        main: &mut Main,
        domain: BdIndex,
        mac: [u8; 6],
        interface: SwIfIndex,
        flags: EntryFlags,
    ) -> Result<(), L2Error> {
        let minute = Minute::of(main.clock().now());
        let layer2 = self.view(main);
        let key = MacKey::new(domain, MacAddress(mac).into());
        let entry = Entry::new(interface, layer2.port(interface).epoch, minute, flags);
        // Nodes may learn it meanwhile.
        for _ in 0..8 {
            let done = match layer2.macs.find(key) {
                None => layer2.macs.insert(key, entry, |key, gone| layer2.count_gone(key, gone)),
                Some(known) if layer2.macs.replace(key, known, entry) => {
                    if known.entry.flags().contains(EntryFlags::LEARNED)
                        && let Some(domain) = layer2.domain(domain)
                    {
                        domain.count_gone();
                    }
                    Insert::Done
                }
                Some(_) => Insert::Present,
            };
            match done {
                Insert::Done => {
                    if layer2.macs.is_crowded() {
                        self.bell.ring();
                    }
                    return Ok(());
                }
                Insert::Present => {}
                Insert::Full => break,
            }
        }
        self.bell.ring();
        Err(L2Error::Full(MacAddress(mac).to_string()))
    }

    /// Removes an address from the domain `id`.
    ///
    /// # Errors
    /// When there is no such domain or address, or it is a BVI's.
    pub fn delete_entry(&self, main: &mut Main, mac: [u8; 6], id: BdId) -> Result<(), L2Error> {
        let domain = self.index(main, id)?;
        self.check_address(main, mac, domain)?;
        let layer2 = self.view(main);
        let key = MacKey::new(domain, MacAddress(mac).into());
        let known = layer2.macs.find(key).map(|known| known.entry);
        let Some(entry) = known.filter(|entry| layer2.holds(domain, *entry)) else {
            return Err(L2Error::NoSuchEntry { id, mac: MacAddress(mac).to_string() });
        };
        if layer2.macs.remove(key) && entry.flags().contains(EntryFlags::LEARNED) {
            layer2.domain(domain).into_iter().for_each(super::Domain::count_gone);
        }
        Ok(())
    }

    /// Forgets learned addresses, and those that were added and are not static: from here on, as one.
    ///
    /// # Errors
    /// When there is no such domain.
    pub fn flush(&self, main: &mut Main, what: Flush) -> Result<(), L2Error> {
        let indices: Vec<BdIndex> = match what {
            Flush::All => self.view(main).domains().map(|(index, _)| index).collect(),
            Flush::Domain(id) => vec![self.index(main, id)?],
            Flush::Interface(_) => Vec::new(),
        };
        let layer2 = self.write(main);
        if let Flush::Interface(interface) = what {
            layer2.renew(interface);
        }
        for index in indices {
            let Some(domain) = layer2.domain_mut(index) else { continue };
            domain.sequence = domain.sequence.wrapping_add(1);
            let interfaces: Vec<SwIfIndex> = domain.interfaces().collect();
            interfaces.into_iter().for_each(|interface| layer2.renew(interface));
        }
        self.settle_epochs(main);
        self.bell.ring();
        Ok(())
    }

    /// Forgets all addresses, static ones too, but for those of BVIs.
    pub fn clear_entries(&self, main: &Main) {
        self.purge(main, |_, entry| !entry.flags().contains(EntryFlags::BVI));
    }

    /// Sweeps at once before epochs begin again, should nobody have done so: the process that sweeps has been kept from its work.
    fn settle_epochs(&self, main: &mut Main) {
        if self.view(main).epoch.0.is_multiple_of(Epoch::COUNT / 2) {
            let layer2 = self.view(main);
            self.purge(main, |key, entry| !layer2.holds(key.domain(), entry));
        }
    }

    /// Removes what `wanted` names, now.
    pub(super) fn purge(&self, main: &Main, mut wanted: impl FnMut(MacKey, Entry) -> bool) {
        let layer2 = self.view(main);
        let all: Vec<_> = layer2.macs.iter().filter(|(key, entry)| wanted(*key, *entry)).collect();
        for (key, entry) in all {
            if layer2.macs.remove(key) {
                layer2.count_gone(key, entry);
            }
        }
    }

    /// Sets the MAC address that a domain tells who asks for an IP address, or takes it back.
    ///
    /// # Errors
    /// When there is no such domain, or nothing to be taken back.
    pub fn set_arp_entry(
        &self,
        main: &mut Main,
        id: BdId,
        address: IpAddr,
        mac: Option<[u8; 6]>,
    ) -> Result<(), L2Error> {
        let index = self.index(main, id)?;
        let known = self.view(main).domain(index).is_some_and(|d| d.arp.contains_key(&address));
        if mac.is_none() && !known {
            return Err(L2Error::NoSuchArpEntry { id, address });
        }
        self.change_domain(main, id, |domain| match mac {
            Some(mac) => drop(domain.arp.insert(address, mac)),
            None => drop(domain.arp.remove(&address)),
        })
    }
}

impl super::Layer2 {
    /// An entry was removed.
    pub(super) fn count_gone(&self, key: MacKey, entry: Entry) {
        if entry.flags().contains(EntryFlags::LEARNED)
            && let Some(domain) = self.domain(key.domain())
        {
            domain.count_gone();
        }
    }

    /// For the main thread: removes of a slice what is void or has aged; whether there is more behind.
    pub(super) fn sweep_slice(&self, from: usize, minute: Minute) -> bool {
        let is_old = |key: MacKey, entry: Entry| {
            let age = self.domain(key.domain()).map_or(0, |domain| domain.mac_age);
            let keeps = EntryFlags::AGE_NOT | EntryFlags::STATIC | EntryFlags::FILTER;
            age > 0
                && !entry.flags().intersects(keeps)
                && minute.since(entry.minute()) > u16::from(age)
        };
        let wanted =
            |key: MacKey, entry: Entry| !self.holds(key.domain(), entry) || is_old(key, entry);
        self.macs.sweep_slice(from, wanted, |key, entry| self.count_gone(key, entry))
    }
}

/// The start of the slice behind that which starts at `from`.
pub(super) const fn behind(from: usize) -> usize {
    from + SLICE
}
