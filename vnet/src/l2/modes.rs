//! Interfaces into bridge domains, to each other, and back to routing.

use super::{
    BdId, BdIndex, EfpFilter, EntryFlags, L2, L2Error, Layer2, Member, Mode, NewDomain, Port,
    Rewrite, Role, TagRewrite,
};
use crate::{
    interface::{Event, SwIfIndex},
    runtime::Main,
};

/// Classes of the devices whose other end is the engine itself, so that they can route for a domain.
pub const LOOPBACK_CLASS: &str = "Loopback";
/// The class of those that can do nothing else.
pub const BVI_CLASS: &str = "BVI";

impl L2 {
    /// Puts an interface into the domain `id`, which is made if need be; it leaves whatever it was in.
    ///
    /// # Errors
    /// When it has no Ethernet, or cannot have that role, or another interface has it.
    pub fn bridge(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        id: BdId,
        role: Role,
        shg: u8,
    ) -> Result<(), L2Error> {
        self.check_role(main, interface, id, role)?;
        main.change_interfaces(|table| table.set_layer2(interface, role != Role::Bvi))?;
        let index = match self.index(main, id) {
            Ok(index) => index,
            Err(_) => self.create_domain(main, id, &NewDomain::default())?,
        };
        let layer2 = self.write(main);
        layer2.leave(interface);
        layer2.renew(interface);
        let port = layer2.port_mut(interface);
        (port.mode, port.role, port.shg) = (Mode::Bridged(index), role, shg);
        if let Some(domain) = layer2.domain_mut(index) {
            match role {
                Role::Member => domain.members.push(Member { interface, shg }),
                // The last copy of a flooded frame is the frame itself: the routing one gets it.
                Role::Bvi => {
                    domain.bvi = Some(interface);
                    domain.members.push(Member { interface, shg });
                }
                Role::UuFwd => domain.uu_fwd = Some(interface),
            }
        }
        self.follow_bvi(main, interface);
        self.bell.ring();
        tell(main, interface)
    }

    fn check_role(
        &self,
        main: &Main,
        interface: SwIfIndex,
        id: BdId,
        role: Role,
    ) -> Result<(), L2Error> {
        if interface.0 > super::Entry::MAX_PORT {
            return Err(L2Error::IndexTooLarge(interface));
        }
        let hardware = main.interfaces().hardware_of(interface)?;
        let (class, is_main) = (hardware.device_class, hardware.sw_if_index == interface);
        let name = || main.interface_name(interface);
        if class == BVI_CLASS && role != Role::Bvi {
            return Err(L2Error::OnlyABvi(name()));
        }
        if role == Role::Bvi && !(is_main && [LOOPBACK_CLASS, BVI_CLASS].contains(&class)) {
            return Err(L2Error::NotABvi(name()));
        }
        let Ok(index) = self.index(main, id) else { return Ok(()) };
        let Some(domain) = self.view(main).domain(index) else { return Ok(()) };
        let other = |known: Option<SwIfIndex>| known.filter(|known| *known != interface);
        match role {
            Role::Bvi if let Some(by) = other(domain.bvi) => {
                Err(L2Error::BviExists { id, by: main.interface_name(by) })
            }
            Role::UuFwd if let Some(by) = other(domain.uu_fwd) => {
                Err(L2Error::UuFwdExists { id, by: main.interface_name(by) })
            }
            _ => Ok(()),
        }
    }

    /// Sends all that `interface` receives out of `peer`.
    ///
    /// # Errors
    /// When one of them has no Ethernet, or they are the same, or it can only be a BVI.
    pub fn connect(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        peer: SwIfIndex,
    ) -> Result<(), L2Error> {
        if interface == peer {
            return Err(L2Error::ConnectedToItself(main.interface_name(interface)));
        }
        for end in [interface, peer] {
            let hardware = main.interfaces().hardware_of(end)?;
            if hardware.device_class == BVI_CLASS {
                return Err(L2Error::OnlyABvi(main.interface_name(end)));
            }
            if !hardware.is_ethernet() {
                let name = main.interface_name(end);
                return Err(crate::interface::InterfaceError::NotEthernet { name }.into());
            }
        }
        main.change_interfaces(|table| table.set_layer2(interface, true))?;
        let layer2 = self.write(main);
        layer2.leave(interface);
        layer2.port_mut(interface).mode = Mode::Connected(peer);
        self.bell.ring();
        tell(main, interface)
    }

    /// Has an interface route what it receives. What was said of it for layer 2 is forgotten.
    ///
    /// # Errors
    /// When there is no such interface, or it has no Ethernet.
    pub fn route(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), L2Error> {
        main.change_interfaces(|table| table.set_layer2(interface, false))?;
        self.write(main).forget(interface);
        self.bell.ring();
        tell(main, interface)
    }

    /// Has the tags of an interface's frames rewritten, or left alone: while it is bridged or connected, now or later.
    ///
    /// # Errors
    /// When there is no such interface, it has no Ethernet, or frames that leave cannot get back what is taken from those that come.
    pub fn set_tag_rewrite(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        rewrite: Option<TagRewrite>,
    ) -> Result<(), L2Error> {
        if !main.interfaces().hardware_of(interface)?.is_ethernet() {
            let name = main.interface_name(interface);
            return Err(crate::interface::InterfaceError::NotEthernet { name }.into());
        }
        let sub = main.interfaces().interface(interface).and_then(|sw| sw.sub().copied());
        let (input, output) = match &rewrite {
            Some(rewrite) => (rewrite.input(), rewrite.output(sub.as_ref())?),
            None => (Rewrite::NONE, Rewrite::NONE),
        };
        let port = self.write(main).port_mut(interface);
        (port.tag_rewrite, port.input, port.output) = (rewrite, input, output);
        Ok(())
    }

    /// Lets only such frames leave by a sub-interface that it would take, or all.
    ///
    /// # Errors
    /// When the interface is not bridged or connected, or no sub-interface.
    pub fn set_efp_filter(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        on: bool,
    ) -> Result<(), L2Error> {
        let sub = main.interfaces().interface(interface).and_then(|sw| sw.sub().copied());
        let sub = sub.ok_or_else(|| L2Error::NoFilter(main.interface_name(interface)))?;
        self.change_port(main, interface, |port| port.efp_filter = on.then_some(EfpFilter(sub)))
    }

    /// What follows from changes of interfaces.
    pub(super) fn follow(&self, main: &mut Main, event: &Event) {
        match event {
            Event::Deleted { sw_if_index, .. } => {
                let known = self.view(main).concerns(*sw_if_index);
                if known {
                    self.write(main).forget_deleted(*sw_if_index);
                    self.bell.ring();
                }
            }
            Event::Mac { hw_if_index, .. } => {
                let hardware = main.interfaces().hardware_interface(*hw_if_index);
                if let Some(interface) = hardware.map(|hw| hw.sw_if_index) {
                    self.follow_bvi(main, interface);
                }
            }
            _ => {}
        }
    }

    /// The address of a BVI is that of its interface.
    fn follow_bvi(&self, main: &mut Main, interface: SwIfIndex) {
        let port = *self.view(main).port(interface);
        let (Role::Bvi, Mode::Bridged(domain)) = (port.role, port.mode) else { return };
        let hardware = main.interfaces().hardware_of(interface);
        let Some(mac) = hardware.ok().and_then(|hardware| hardware.mac) else { return };
        let of_bvi = |entry: super::Entry| entry.flags().contains(EntryFlags::BVI);
        self.purge(main, |key, entry| key.domain() == domain && of_bvi(entry));
        let flags = EntryFlags::STATIC | EntryFlags::AGE_NOT | EntryFlags::BVI;
        let added = self.put_entry(main, domain, mac, interface, flags);
        debug_assert!(added.is_ok(), "the table has room for a BVI");
    }
}

/// Has everyone hear that an interface is something else at layer 2.
fn tell(main: &mut Main, interface: SwIfIndex) -> Result<(), L2Error> {
    Ok(main.change_interfaces(|table| table.layer2_changed(interface))?)
}

impl Layer2 {
    /// Whether anything is kept for an interface.
    fn concerns(&self, interface: SwIfIndex) -> bool {
        let port = self.port(interface);
        port.mode != Mode::Routed
            || port.tag_rewrite.is_some()
            || self.ports.iter().any(|port| port.mode == Mode::Connected(interface))
    }

    /// Takes an interface out of its domain.
    fn leave(&mut self, interface: SwIfIndex) {
        let domain: Option<BdIndex> = self.port(interface).domain();
        if let Some(domain) = domain.and_then(|domain| self.domain_mut(domain)) {
            domain.members.retain(|member| member.interface != interface);
            domain.bvi = domain.bvi.filter(|known| *known != interface);
            domain.uu_fwd = domain.uu_fwd.filter(|known| *known != interface);
            self.renew(interface);
        }
    }

    /// Makes all entries of an interface void but those that do not age.
    pub(super) fn renew(&mut self, interface: SwIfIndex) {
        self.epoch = self.epoch.next();
        let epoch = self.epoch;
        let port = self.port_mut(interface);
        port.epoch = epoch;
        port.sequence = port.sequence.wrapping_add(1);
    }

    fn forget(&mut self, interface: SwIfIndex) {
        self.leave(interface);
        let port = self.port_mut(interface);
        *port = Port { epoch: port.epoch, ..Port::ROUTED };
    }

    fn forget_deleted(&mut self, interface: SwIfIndex) {
        self.forget(interface);
        // Another interface may have its number next, to which nobody was connected.
        for port in &mut self.ports {
            if port.mode == Mode::Connected(interface) {
                port.mode = Mode::Connected(SwIfIndex::NONE);
            }
        }
    }
}
