//! What follows when an interface changes: its counters, its features, its routes and adjacencies, what workers know of it.

use crate::{
    adjacency::{Link, LinkKind},
    fib::{self, FibError, FibIndex},
    interface::{
        Event, Family, InterfaceAddress, InterfaceTable, InterfaceViews, MtuKind, SwIfIndex,
    },
    log::Level,
};

use super::Main;

impl Main {
    /// Changes the interface table; counters, features, forwarding, workers and plugins follow before this returns.
    pub fn change_interfaces<T>(&mut self, change: impl FnOnce(&mut InterfaceTable) -> T) -> T {
        let result = change(&mut self.interfaces);
        loop {
            let events = self.interfaces.take_events();
            if events.is_empty() {
                return result;
            }
            for event in &events {
                self.follow(event);
            }
            *self.views.write(&mut self.held) = InterfaceViews::of(&mut self.interfaces);
            let mut hooks = core::mem::take(&mut self.interface_hooks);
            for event in &events {
                hooks.iter_mut().for_each(|hook| hook(self, event));
            }
            // What the hooks changed themselves comes round as further events.
            self.interface_hooks = hooks;
        }
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
            Event::AddressAdded { sw_if_index, address, .. } => fib_address(address)
                .and_then(|address| self.forwarding.add_address(*sw_if_index, address)),
            Event::AddressRemoved { sw_if_index, address, .. } => fib_address(address)
                .and_then(|address| self.forwarding.delete_address(*sw_if_index, address)),
            Event::Table { sw_if_index, family, table } => {
                let fib = FibIndex(table.fib_index);
                self.forwarding.bind_table(*sw_if_index, fib_family(*family), fib)
            }
            _ => Ok(()),
        };
        self.report("forwarding", forwarded);
    }

    /// Tells forwarding how packets leave `interface`.
    fn follow_link(&mut self, interface: SwIfIndex) -> Result<(), FibError> {
        let Some(sw) = self.interfaces.interface(interface) else { return Ok(()) };
        let Some(hw) = self.interfaces.hardware_interface(sw.hw_if_index) else { return Ok(()) };
        let kind = match hw.mac {
            Some(mac) => LinkKind::Ethernet { mac },
            None => LinkKind::PointToPoint,
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

fn fib_address(address: &InterfaceAddress) -> Result<fib::InterfaceAddress, FibError> {
    fib::InterfaceAddress::new(address.address(), address.length())
}

fn fib_family(family: Family) -> fib::Family {
    match family {
        Family::Ip4 => fib::Family::Ip4,
        Family::Ip6 => fib::Family::Ip6,
    }
}
