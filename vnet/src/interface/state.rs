//! What the operator and devices set on interfaces: state, MTU, MAC address, notes.

use super::{
    Event, HwIfIndex, InterfaceError, InterfaceTable, LinkState, Mtu, MtuKind, Offloads, SwIfIndex,
    SwKind, table::is_unicast,
};

/// Bytes of a tag at most, as VPP's API has it.
const TAG_BYTES: usize = 63;

impl InterfaceTable {
    /// Sets an interface up or down. A sub-interface goes up only below one that is up; a hardware interface that goes
    /// down loses its link until its device says otherwise.
    pub fn set_admin(&mut self, interface: SwIfIndex, up: bool) -> Result<(), InterfaceError> {
        let changed = self.changeable(interface)?;
        if changed.admin_up == up {
            return Ok(());
        }
        let (kind, hw_if_index) = (changed.kind.clone(), changed.hw_if_index);
        if let (SwKind::Sub(sub), true) = (&kind, up) {
            let above = self.known(sub.super_if)?;
            if !above.admin_up {
                return Err(InterfaceError::SuperDown { name: above.name.clone() });
            }
        }
        self.changeable(interface)?.admin_up = up;
        self.events.push(Event::Admin { sw_if_index: interface, up });
        if kind == SwKind::Hardware && !up {
            let link = self.hardware_of(interface)?.link;
            self.set_link(hw_if_index, LinkState { up: false, ..link })?;
        }
        self.tags_changed(hw_if_index);
        Ok(())
    }

    /// Punts all that an interface receives while it is down, or ends that.
    pub fn set_punt(&mut self, interface: SwIfIndex, punt: bool) -> Result<(), InterfaceError> {
        let changed = self.changeable(interface)?;
        if changed.punt != punt {
            changed.punt = punt;
            self.events.push(Event::Punt { sw_if_index: interface, on: punt });
        }
        Ok(())
    }

    /// Takes over what a device says of its link.
    pub fn set_link(
        &mut self,
        hw_if_index: HwIfIndex,
        link: LinkState,
    ) -> Result<(), InterfaceError> {
        let Some(hardware) = self.hardware.at_mut(hw_if_index.0) else {
            return Err(InterfaceError::NoSuchHardware { hw_if_index });
        };
        if hardware.sw_if_index == SwIfIndex::LOCAL0 {
            return Err(InterfaceError::Local0);
        }
        if hardware.link != link {
            hardware.link = link;
            self.events.push(Event::Link { hw_if_index, link });
        }
        Ok(())
    }

    /// Notes what the device of new hardware can be left to do.
    pub(super) fn set_offloads(&mut self, hw_if_index: HwIfIndex, offloads: Offloads) {
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            hardware.offloads = offloads;
        }
    }

    /// Sets an MTU in bytes; 0 takes it back.
    pub fn set_mtu(
        &mut self,
        interface: SwIfIndex,
        kind: MtuKind,
        bytes: u32,
    ) -> Result<(), InterfaceError> {
        let most = self.hardware_of(interface)?.max_packet_size();
        let changed = self.changeable(interface)?;
        if bytes > most {
            return Err(InterfaceError::Mtu { name: changed.name.clone(), bytes, most });
        }
        if changed.mtu.of(kind) != bytes {
            changed.mtu.set(kind, bytes);
            self.events.push(Event::Mtu { sw_if_index: interface, kind, bytes });
        }
        Ok(())
    }

    /// Sets all MTUs of an interface in bytes, 0 for those that are not set.
    pub fn set_mtus(&mut self, interface: SwIfIndex, mtu: Mtu) -> Result<(), InterfaceError> {
        let most = self.hardware_of(interface)?.max_packet_size();
        let kinds = [MtuKind::L3, MtuKind::Ip4, MtuKind::Ip6, MtuKind::Mpls];
        let changed = self.changeable(interface)?;
        if let Some(bytes) = kinds.map(|kind| mtu.of(kind)).into_iter().find(|bytes| *bytes > most)
        {
            return Err(InterfaceError::Mtu { name: changed.name.clone(), bytes, most });
        }
        kinds.into_iter().try_for_each(|kind| self.set_mtu(interface, kind, mtu.of(kind)))
    }

    /// Sets the MTU of a device: that of packets of any protocol on a main interface and on all its sub-interfaces.
    pub fn set_device_mtu(
        &mut self,
        interface: SwIfIndex,
        bytes: u32,
    ) -> Result<(), InterfaceError> {
        let main = self.main_interface(interface)?;
        let (index, hw_if_index) = (main.index, main.hw_if_index);
        let hardware = self.hardware_of(interface)?;
        let subs: Vec<_> = hardware.subs.values().copied().collect();
        let link_mtu = if bytes == 0 { hardware.max_packet_size() } else { bytes };
        core::iter::once(index)
            .chain(subs)
            .try_for_each(|interface| self.set_mtu(interface, MtuKind::L3, bytes))?;
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            hardware.link_mtu = link_mtu;
        }
        Ok(())
    }

    /// The MTU that holds for packets of a kind: the interface's own for the protocol, else for all, else that of the
    /// interface above, else what the device can take.
    pub fn effective_mtu(
        &self,
        interface: SwIfIndex,
        kind: MtuKind,
    ) -> Result<u32, InterfaceError> {
        let mut interface = self.known(interface)?;
        loop {
            let set = [interface.mtu.of(kind), interface.mtu.l3].into_iter().find(|mtu| *mtu > 0);
            match (set, interface.sub()) {
                (Some(bytes), _) => return Ok(bytes),
                (None, Some(sub)) => interface = self.known(sub.super_if)?,
                (None, None) => return Ok(self.hardware_of(interface.index)?.max_packet_size()),
            }
        }
    }

    /// Sets the MAC address of an interface's hardware.
    pub fn set_mac(&mut self, interface: SwIfIndex, mac: [u8; 6]) -> Result<(), InterfaceError> {
        let changed = self.changeable(interface)?;
        let (hw_if_index, name) = (changed.hw_if_index, changed.name.clone());
        let Some(hardware) = self.hardware.at_mut(hw_if_index.0).filter(|hw| hw.is_ethernet())
        else {
            return Err(InterfaceError::NotEthernet { name });
        };
        if !is_unicast(mac) {
            return Err(InterfaceError::MacNotUnicast);
        }
        if hardware.mac != Some(mac) {
            hardware.mac = Some(mac);
            self.events.push(Event::Mac { hw_if_index, mac });
        }
        Ok(())
    }

    /// Lets an interface's hardware take frames for all MAC addresses, or for its own only.
    pub fn set_promiscuous(
        &mut self,
        interface: SwIfIndex,
        on: bool,
    ) -> Result<(), InterfaceError> {
        let hw_if_index = self.changeable(interface)?.hw_if_index;
        let before = self.takes_all(hw_if_index);
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            hardware.promiscuous = on;
        }
        self.tell_promiscuous(hw_if_index, before);
        Ok(())
    }

    /// Has frames that an Ethernet interface receives bridged or cross-connected, or routed again. Its hardware takes frames for
    /// all MAC addresses meanwhile, and what no sub-interface takes of a main interface's tagged frames is the main interface's.
    pub fn set_layer2(&mut self, interface: SwIfIndex, on: bool) -> Result<(), InterfaceError> {
        if !self.hardware_of(interface)?.is_ethernet() {
            let name = self.changeable(interface)?.name.clone();
            return Err(InterfaceError::NotEthernet { name });
        }
        let hw_if_index = self.changeable(interface)?.hw_if_index;
        let before = self.takes_all(hw_if_index);
        let changed = self.changeable(interface)?;
        if changed.layer2 != on {
            changed.layer2 = on;
            self.tags_changed(hw_if_index);
            self.tell_promiscuous(hw_if_index, before);
        }
        Ok(())
    }

    /// Notes that what an interface does at layer 2 is something else than before.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn layer2_changed(&mut self, interface: SwIfIndex) -> Result<(), InterfaceError> {
        self.changeable(interface)?;
        self.events.push(Event::Layer2 { sw_if_index: interface });
        Ok(())
    }

    /// Whether hardware is to take frames for all MAC addresses: the operator or a bridged interface on it wants that.
    pub(super) fn takes_all(&self, hw_if_index: HwIfIndex) -> bool {
        let Some(hardware) = self.hardware.at(hw_if_index.0) else { return false };
        let mut on = core::iter::once(&hardware.sw_if_index).chain(hardware.subs.values());
        hardware.promiscuous || on.any(|i| self.interface(*i).is_some_and(|sw| sw.layer2))
    }

    /// Tells what follows from a change of that.
    pub(super) fn tell_promiscuous(&mut self, hw_if_index: HwIfIndex, before: bool) {
        let on = self.takes_all(hw_if_index);
        if on != before {
            self.events.push(Event::Promiscuous { hw_if_index, on });
        }
    }

    /// Notes something on an interface, at most 63 bytes; empty for nothing.
    pub fn set_tag(&mut self, interface: SwIfIndex, tag: &str) -> Result<(), InterfaceError> {
        let changed = self.changeable(interface)?;
        if tag.len() > TAG_BYTES {
            let name = changed.name.clone();
            return Err(InterfaceError::TagTooLong { name, bytes: tag.len() });
        }
        tag.clone_into(&mut changed.tag);
        Ok(())
    }
}
