//! Addresses, tables and unnumbered interfaces.

use super::{
    Event, InterfaceAddress, InterfaceError, InterfaceTable, SwIfIndex, SwInterface, TableBinding,
    address::source_for,
};
use crate::fib::Family;
use std::net::{IpAddr, Ipv6Addr};

impl InterfaceTable {
    /// Adds an address. Its prefix must not overlap with one that another interface of the same table has, nor with
    /// another prefix of its own. An IPv6 link-local address, with prefix length 128, replaces the one before.
    pub fn add_address(
        &mut self,
        interface: SwIfIndex,
        address: InterfaceAddress,
    ) -> Result<(), InterfaceError> {
        let on = self.addressable(interface)?;
        if let IpAddr::V6(local) = address.address()
            && local.is_unicast_link_local()
        {
            if address.length() != 128 {
                return Err(InterfaceError::LinkLocalLength);
            }
            if on.link_local != Some(local) {
                let on = self.changeable(interface)?;
                on.tentative.retain(|tentative| Some(*tentative) != on.link_local);
                on.link_local = Some(local);
                let address = Some(local);
                self.events.push(Event::LinkLocal { sw_if_index: interface, address });
            }
            return Ok(());
        }
        if let Some(donor) = on.unnumbered {
            return Err(self.cannot_lend(interface, donor, "it uses them already"));
        }
        let (name, table) = (on.name.clone(), on.table(address.family()));
        match self.connected.conflict(table.table_id, interface, address) {
            Some((old, by)) if by == interface && old == address => {
                if self.stale.remove(&(interface, address)) {
                    return Ok(());
                }
                return Err(InterfaceError::DuplicateAddress { name, address });
            }
            Some((old, by)) => {
                let by = self.known(by)?.name.clone();
                return Err(InterfaceError::AddressConflict { name, new: address, old, by });
            }
            None => {}
        }
        self.connected.insert(table.table_id, interface, address);
        self.changeable(interface)?.addresses.push(address);
        self.events.push(Event::AddressAdded { sw_if_index: interface, address, table });
        Ok(())
    }

    /// Removes an address.
    pub fn remove_address(
        &mut self,
        interface: SwIfIndex,
        address: InterfaceAddress,
    ) -> Result<(), InterfaceError> {
        let on = self.changeable(interface)?;
        let name = on.name.clone();
        if on.link_local.map(IpAddr::V6) == Some(address.address()) {
            return Err(InterfaceError::LinkLocalStays { name });
        }
        let Some(at) = on.addresses.iter().position(|held| *held == address) else {
            return Err(InterfaceError::AddressNotFound { name, address });
        };
        on.addresses.remove(at);
        self.stale.remove(&(interface, address));
        let on = self.changeable(interface)?;
        on.tentative.retain(|tentative| IpAddr::V6(*tentative) != address.address());
        let table = on.table(address.family());
        self.connected.remove(table.table_id, address);
        self.events.push(Event::AddressRemoved { sw_if_index: interface, address, table });
        Ok(())
    }

    /// Takes the link-local address from an interface, which has no IPv6 any more.
    pub fn remove_link_local(&mut self, interface: SwIfIndex) -> Result<(), InterfaceError> {
        let on = self.changeable(interface)?;
        if let Some(local) = on.link_local.take() {
            on.tentative.retain(|tentative| *tentative != local);
            self.events.push(Event::LinkLocal { sw_if_index: interface, address: None });
        }
        Ok(())
    }

    /// Removes all addresses but the link-local one.
    pub fn remove_all_addresses(&mut self, interface: SwIfIndex) -> Result<(), InterfaceError> {
        for address in self.changeable(interface)?.addresses.clone() {
            self.remove_address(interface, address)?;
        }
        Ok(())
    }

    /// Binds an interface's packets of a family to a table. Only without addresses of that family, its own, borrowed
    /// or lent.
    pub fn set_table(
        &mut self,
        interface: SwIfIndex,
        family: Family,
        table: TableBinding,
    ) -> Result<(), InterfaceError> {
        let lends = self.borrowers(interface).next().is_some();
        let on = self.changeable(interface)?;
        if on.table(family) == table {
            return Ok(());
        }
        let has = on.addresses.iter().any(|address| address.family() == family);
        if has || lends || on.unnumbered.is_some() {
            return Err(InterfaceError::HasAddresses { name: on.name.clone() });
        }
        match family {
            Family::Ip4 => on.ip4_table = table,
            Family::Ip6 => on.ip6_table = table,
        }
        self.events.push(Event::Table { sw_if_index: interface, family, table });
        Ok(())
    }

    /// Lets an interface use another one's addresses (`set interface unnumbered`), or ends that with `None`.
    pub fn set_unnumbered(
        &mut self,
        interface: SwIfIndex,
        donor: Option<SwIfIndex>,
    ) -> Result<(), InterfaceError> {
        let borrower = self.addressable(interface)?;
        if borrower.unnumbered == donor {
            return Ok(());
        }
        if let Some(donor) = donor {
            let lender = self.addressable(donor)?;
            let reason = if donor == interface {
                Some("they are its own")
            } else if lender.unnumbered.is_some() {
                Some("that interface has none of its own")
            } else if !borrower.addresses.is_empty() {
                Some("it has addresses of its own")
            } else if self.borrowers(interface).next().is_some() {
                Some("it lends its own to others")
            } else if (lender.ip4_table, lender.ip6_table)
                != (borrower.ip4_table, borrower.ip6_table)
            {
                Some("the two are in different tables")
            } else {
                None
            };
            if let Some(reason) = reason {
                return Err(self.cannot_lend(interface, donor, reason));
            }
        }
        self.changeable(interface)?.unnumbered = donor;
        self.events.push(Event::Unnumbered { sw_if_index: interface, donor });
        Ok(())
    }

    /// The addresses that an interface answers to: its own, or those of the interface that it borrows from.
    pub fn addresses(&self, interface: SwIfIndex) -> Result<&[InterfaceAddress], InterfaceError> {
        let on = self.known(interface)?;
        let owner = on.unnumbered.and_then(|donor| self.interface(donor)).unwrap_or(on);
        Ok(&owner.addresses)
    }

    /// The address from which an interface speaks to `peer`.
    #[must_use]
    pub fn source_for(&self, interface: SwIfIndex, peer: IpAddr) -> Option<IpAddr> {
        source_for(self.used_addresses(interface), self.used_link_local(interface), peer)
    }

    /// Says of an IPv6 address of an interface whether another node of the link may have it, so that it is not used.
    pub fn set_tentative(
        &mut self,
        interface: SwIfIndex,
        address: Ipv6Addr,
        on: bool,
    ) -> Result<(), InterfaceError> {
        let tentative = &mut self.changeable(interface)?.tentative;
        if tentative.contains(&address) == on {
            return Ok(());
        }
        match on {
            true => tentative.push(address),
            false => tentative.retain(|other| *other != address),
        }
        self.events.push(Event::Tentative { sw_if_index: interface, address, on });
        Ok(())
    }

    /// Whether an address that an interface has or borrows is not used yet.
    #[must_use]
    pub fn is_tentative(&self, interface: SwIfIndex, address: Ipv6Addr) -> bool {
        let of = |interface: &SwInterface| interface.tentative.contains(&address);
        self.interface(interface).is_some_and(|on| {
            let donor = on.unnumbered.and_then(|donor| self.interface(donor));
            of(on) || donor.is_some_and(of)
        })
    }

    /// The addresses that an interface answers to and speaks from, without the link-local one.
    pub fn used_addresses(
        &self,
        interface: SwIfIndex,
    ) -> impl Iterator<Item = InterfaceAddress> + Clone {
        let all = self.addresses(interface).unwrap_or_default().iter().copied();
        all.filter(move |own| match own.address() {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !self.is_tentative(interface, address),
        })
    }

    /// The link-local address of an interface, if it has one and uses it.
    #[must_use]
    pub fn used_link_local(&self, interface: SwIfIndex) -> Option<Ipv6Addr> {
        let address = self.interface(interface)?.link_local?;
        (!self.is_tentative(interface, address)).then_some(address)
    }

    /// Takes from an interface all that has to do with addresses, because it is about to go.
    pub(super) fn strip_addressing(&mut self, interface: SwIfIndex) {
        let borrowers: Vec<_> = self.borrowers(interface).collect();
        for borrower in borrowers {
            if let Some(borrower) = self.software.at_mut(borrower.0) {
                borrower.unnumbered = None;
            }
            self.events.push(Event::Unnumbered { sw_if_index: borrower, donor: None });
        }
        self.stale.retain(|(on, _)| *on != interface);
        let Some(going) = self.software.at_mut(interface.0) else { return };
        going.tentative.clear();
        let sw_if_index = interface;
        if going.unnumbered.take().is_some() {
            self.events.push(Event::Unnumbered { sw_if_index, donor: None });
        }
        if going.link_local.take().is_some() {
            self.events.push(Event::LinkLocal { sw_if_index, address: None });
        }
        for address in std::mem::take(&mut going.addresses) {
            let table = going.table(address.family());
            self.connected.remove(table.table_id, address);
            self.events.push(Event::AddressRemoved { sw_if_index, address, table });
        }
        for family in [Family::Ip4, Family::Ip6] {
            if going.table(family) != TableBinding::DEFAULT {
                let table = TableBinding::DEFAULT;
                self.events.push(Event::Table { sw_if_index, family, table });
            }
        }
    }

    /// The interfaces that use an interface's addresses.
    fn borrowers(&self, donor: SwIfIndex) -> impl Iterator<Item = SwIfIndex> {
        self.software
            .iter()
            .filter(move |interface| interface.unnumbered == Some(donor))
            .map(|interface| interface.index)
    }

    /// An interface that can have addresses.
    fn addressable(&self, interface: SwIfIndex) -> Result<&SwInterface, InterfaceError> {
        let on = self.known(interface)?;
        if interface == SwIfIndex::LOCAL0 {
            return Err(InterfaceError::Local0);
        }
        match self.output_tags(interface) {
            Err(InterfaceError::NoOutputTags { tags, .. }) if !tags.is_exact() => {
                Err(InterfaceError::NotExact)
            }
            tags => tags.map(|_| on),
        }
    }

    fn cannot_lend(
        &self,
        interface: SwIfIndex,
        donor: SwIfIndex,
        reason: &'static str,
    ) -> InterfaceError {
        let name = |index| self.interface(index).map_or_else(String::new, |i| i.name.clone());
        InterfaceError::Unnumbered { name: name(interface), donor: name(donor), reason }
    }
}
