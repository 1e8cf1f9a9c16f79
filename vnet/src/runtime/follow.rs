//! What follows when an interface changes: its counters, its features, its routes and adjacencies, what workers know of it.

use crate::{
    adjacency::{Link, LinkKind, MaxPacket},
    fib::{FibError, FibIndex},
    interface::{
        Device, Event, HwIfIndex, InterfaceError, InterfaceTable, InterfaceViews, MtuKind,
        NewHardware, SwIfIndex,
    },
    log::Level,
};

use super::Main;

impl Main {
    /// Changes the interface table; counters, features, forwarding and workers follow before this returns, and so do
    /// plugins. Where a plugin's hook changes interfaces itself, hooks hear of that when they have heard of all that came
    /// before.
    pub fn change_interfaces<T>(&mut self, change: impl FnOnce(&mut InterfaceTable) -> T) -> T {
        let result = change(&mut self.interfaces);
        let mut changed = false;
        loop {
            // What devices do about some events makes others.
            let events = self.interfaces.take_events();
            if events.is_empty() {
                break;
            }
            changed = true;
            for event in &events {
                self.follow(event);
                // A device that goes closes what its queues are read from.
                if let Event::Deleted { .. } = event {
                    self.forget_rx_queues();
                }
                self.devices.follow(&mut self.interfaces, event);
                if let Event::Admin { sw_if_index, up } = event {
                    self.activate_rx_queues(*sw_if_index, *up);
                }
            }
            self.unheard.extend(events);
        }
        if changed {
            let views = InterfaceViews::of(&mut self.interfaces);
            *self.views.clone().write(self.held_mut()) = views;
            self.tell();
        }
        result
    }

    /// Makes an interface with a device behind it; it is down. Returns the number of its software interface.
    ///
    /// # Errors
    /// What the interface table has against it; the device is dropped.
    pub fn add_device(
        &mut self,
        new: NewHardware,
        device: Box<dyn Device>,
    ) -> Result<SwIfIndex, InterfaceError> {
        let (hardware, interface) = self.interfaces.create_hardware(new)?;
        self.devices.add(&mut self.interfaces, hardware, device);
        self.change_interfaces(|_| ());
        Ok(interface)
    }

    /// Sets an interface up or down, up when its device has done what it takes.
    ///
    /// # Errors
    /// When there is none, it is one that cannot be up, or its device refuses; then it stays down.
    pub fn set_interface_state(
        &mut self,
        interface: SwIfIndex,
        up: bool,
    ) -> Result<(), InterfaceError> {
        let known = self.interfaces.interface(interface).filter(|known| up && !known.admin_up);
        // Sub-interfaces have no device of their own.
        if let Some(known) = known.filter(|known| known.sub().is_none()) {
            let (name, hw_if_index) = (known.name.clone(), known.hw_if_index);
            let prepared = self.devices.prepare_up(hw_if_index);
            prepared.map_err(|reason| InterfaceError::Device { name, reason })?;
        }
        self.change_interfaces(|table| table.set_admin(interface, up))
    }

    /// Lets the hooks hear of what they have not heard of.
    fn tell(&mut self) {
        if core::mem::replace(&mut self.telling, true) {
            return;
        }
        let mut hooks = core::mem::take(&mut self.interface_hooks);
        while let Some(event) = self.unheard.pop_front() {
            hooks.iter_mut().for_each(|hook| hook(self, &event));
        }
        self.interface_hooks = hooks;
        self.telling = false;
    }

    fn follow(&mut self, event: &Event) {
        let counted = self.interface_counters.follow(&mut self.segment, event);
        self.report("counters", counted);
        let forwarded = match event {
            Event::Added { sw_if_index, .. } | Event::Admin { sw_if_index, .. } => {
                self.follow_link(*sw_if_index)
            }
            Event::Link { hw_if_index, .. } | Event::Mac { hw_if_index, .. } => {
                self.follow_links(*hw_if_index)
            }
            // Sub-interfaces without an MTU of their own have that of the interface above.
            Event::Mtu { sw_if_index, .. } => match self.interfaces.hardware_of(*sw_if_index) {
                Ok(hardware) => self.follow_links(hardware.index),
                Err(_) => Ok(()),
            },
            Event::Deleted { sw_if_index, .. } => {
                self.forget_features(*sw_if_index);
                self.forwarding.delete_interface(*sw_if_index)
            }
            Event::AddressAdded { sw_if_index, address, .. } => {
                self.forwarding.add_address(*sw_if_index, *address)
            }
            Event::AddressRemoved { sw_if_index, address, .. } => {
                self.forwarding.delete_address(*sw_if_index, *address)
            }
            Event::LinkLocal { sw_if_index, address } => {
                self.forwarding.set_link_local(*sw_if_index, *address)
            }
            Event::Table { sw_if_index, family, table } => {
                let fib = FibIndex(table.fib_index);
                self.forwarding.bind_table(*sw_if_index, *family, fib)
            }
            _ => Ok(()),
        };
        self.report("forwarding", forwarded);
    }

    /// Tells forwarding how packets leave the interfaces on some hardware.
    fn follow_links(&mut self, hw_if_index: HwIfIndex) -> Result<(), FibError> {
        let all = self.interfaces.interfaces();
        let on: Vec<_> = all.filter(|i| i.hw_if_index == hw_if_index).map(|i| i.index).collect();
        on.into_iter().try_for_each(|interface| self.follow_link(interface))
    }

    /// Tells forwarding how packets leave `interface`.
    fn follow_link(&mut self, interface: SwIfIndex) -> Result<(), FibError> {
        let Some(sw) = self.interfaces.interface(interface) else { return Ok(()) };
        let Some(hw) = self.interfaces.hardware_interface(sw.hw_if_index) else { return Ok(()) };
        let kind = match (hw.mac, self.interfaces.output_tags(interface)) {
            (Some(mac), Ok(tags)) => LinkKind::Ethernet { mac, tags },
            (Some(_), Err(_)) => LinkKind::ReceiveOnly,
            (None, _) => LinkKind::PointToPoint,
        };
        let most = |kind| {
            let mtu = self.interfaces.effective_mtu(interface, kind).unwrap_or(0);
            u16::try_from(mtu).unwrap_or(u16::MAX)
        };
        let max_l3_bytes = MaxPacket { ip4: most(MtuKind::Ip4), ip6: most(MtuKind::Ip6) };
        let up = sw.admin_up && hw.link.up;
        let above = sw.sub().map(|sub| sub.super_if);
        self.forwarding.set_interface(interface, Link { kind, max_l3_bytes, next: 0, up })?;
        if let Some(above) = above {
            self.forwarding.set_carrier(interface, above);
        }
        Ok(())
    }

    fn report<E: core::fmt::Display>(&self, subclass: &'static str, result: Result<(), E>) {
        if let Err(error) = result {
            self.log.write(self.log.class("interface", subclass), Level::Err, error);
        }
    }
}
