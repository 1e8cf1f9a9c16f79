//! `arp-input`: is this ARP for IPv4 over Ethernet? And `arp-disabled`: where it ends on interfaces without IPv4 addresses.

use vnet::{
    buffer::Buffer,
    graph::{ArcIndex, Map, NodeSpec, PacketCx, Slot},
    wire::{
        arp::{Packet, operation},
        ethernet::EtherType,
    },
};

use super::{Error, Trace};

vnet::next_nodes! {
    /// Where packets go from `arp-input`.
    pub(crate) enum Next {
        Drop => "error-drop",
        Disabled => "arp-disabled",
    }
}

vnet::next_nodes! {
    /// Where packets go from `arp-disabled`.
    pub(crate) enum DisabledNext {
        Drop => "error-drop",
    }
}

/// Registration of the nodes.
pub(super) fn specs() -> [NodeSpec; 2] {
    [
        NodeSpec::map("arp-input", |at| Input { arc: at.arc("arp") }),
        NodeSpec::map("arp-disabled", |_| Disabled),
    ]
}

struct Input {
    arc: ArcIndex,
}

fn check(buffer: &Buffer) -> Result<(), Error> {
    let packet = buffer.view::<Packet>().ok_or(Error::Truncated)?;
    if packet.hardware_type.get() != 1 || packet.hardware_length != 6 {
        return Err(Error::L2Type);
    }
    if packet.protocol_type.get() != EtherType::IP4.0 || packet.protocol_length != 4 {
        return Err(Error::L3Type);
    }
    if packet.target_ip == [0; 4] {
        return Err(Error::TargetUnset);
    }
    match packet.operation.get() {
        operation::REQUEST | operation::REPLY => Ok(()),
        _ => Err(Error::Operation),
    }
}

impl Map for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        match check(buffer) {
            Ok(()) => cx.start_arc(self.arc, buffer.rx, buffer, Next::Disabled),
            Err(error) => {
                cx.error(buffer, error);
                Next::Drop.into()
            }
        }
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace::of(buffer)
    }
}

struct Disabled;

impl Map for Disabled {
    type Error = Error;
    type Next = DisabledNext;
    type Trace = Trace;

    fn map(
        &mut self,
        cx: &mut PacketCx<'_, DisabledNext, Error>,
        buffer: &mut Buffer,
    ) -> Slot<DisabledNext> {
        cx.error(buffer, Error::Disabled);
        DisabledNext::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace::of(buffer)
    }
}
