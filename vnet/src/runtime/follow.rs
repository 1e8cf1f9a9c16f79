//! What follows when an interface changes: its counters, its features, its routes and adjacencies, what workers know of it.

use crate::{
    adjacency::{Link, LinkKind},
    fib::{FibError, FibIndex},
    interface::{Event, InterfaceTable, InterfaceViews, MtuKind, SwIfIndex},
    log::Level,
};

use super::Main;

impl Main {
    /// Changes the interface table; counters, features, forwarding and workers follow before this returns, and so do
    /// plugins. Where a plugin's hook changes interfaces itself, hooks hear of that when they have heard of all that came
    /// before.
    pub fn change_interfaces<T>(&mut self, change: impl FnOnce(&mut InterfaceTable) -> T) -> T {
        let result = change(&mut self.interfaces);
        let events = self.interfaces.take_events();
        if !events.is_empty() {
            for event in &events {
                self.follow(event);
            }
            *self.views.write(&mut self.held) = InterfaceViews::of(&mut self.interfaces);
            self.unheard.extend(events);
            self.tell();
        }
        result
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
            Event::Added { sw_if_index, .. }
            | Event::Admin { sw_if_index, .. }
            | Event::Mtu { sw_if_index, .. } => self.follow_link(*sw_if_index),
            Event::Link { hw_if_index, .. } | Event::Mac { hw_if_index, .. } => {
                let on: Vec<_> = self
                    .interfaces
                    .interfaces()
                    .filter(|i| i.hw_if_index == *hw_if_index)
                    .map(|i| i.index)
                    .collect();
                on.into_iter().try_for_each(|interface| self.follow_link(interface))
            }
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
            Event::Table { sw_if_index, family, table } => {
                let fib = FibIndex(table.fib_index);
                self.forwarding.bind_table(*sw_if_index, *family, fib)
            }
            _ => Ok(()),
        };
        self.report("forwarding", forwarded);
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
        let mtu = self.interfaces.effective_mtu(interface, MtuKind::L3).unwrap_or(0);
        let up = sw.admin_up && hw.link.up;
        let max_l3_bytes = u16::try_from(mtu).unwrap_or(u16::MAX);
        self.forwarding.set_interface(interface, Link { kind, max_l3_bytes, next: 0, up })
    }

    fn report<E: core::fmt::Display>(&self, subclass: &'static str, result: Result<(), E>) {
        if let Err(error) = result {
            self.log.write(self.log.class("interface", subclass), Level::Err, error);
        }
    }
}
