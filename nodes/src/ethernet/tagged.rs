//! Frames with one VLAN tag, many in a row to the same interface: most of those that have tags.

use vnet::{
    buffer::{Buffer, BufferFlags},
    counter::Count,
    graph::Slot,
    interface::{InterfaceViews, SwIfIndex, TagTarget, Tags},
    wire::ethernet::{EtherType, Header, VlanTag},
};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::input::{Cx, Next, Port};

/// A header with its first tag, 18 bytes.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TaggedHeader {
    header: Header,
    tag: VlanTag,
}

/// Who has the frames of the tag that was seen last in a run.
#[derive(Clone, Copy)]
pub(super) struct Tagged {
    /// Type and identifier of that tag; 0 before there was any.
    tag: u32,
    interface: SwIfIndex,
    layer2: bool,
    /// What the interface has received and is not counted yet.
    received: Count,
}

impl Tagged {
    pub(super) const NONE: Self = Self {
        tag: 0,
        interface: SwIfIndex::NONE,
        layer2: false,
        received: Count { packets: 0, bytes: 0 },
    };

    /// Counts what the interface has received. Frames of a main interface were counted by its device.
    pub(super) fn count(self, cx: Cx<'_, '_>, rx: SwIfIndex) {
        let Count { packets, bytes } = self.received;
        if packets > 0 && self.interface != rx {
            cx.state().interfaces.rx.add(self.interface.0, packets, bytes);
        }
    }
}

/// A frame with one tag that carries IP, or is bridged, for an interface that is up; `None` when it takes more of a look.
#[inline]
pub(super) fn tagged(
    cx: Cx<'_, '_>,
    views: &InterfaceViews,
    port: Port<'_>,
    last: &mut Tagged,
    buffer: &mut Buffer,
) -> Option<Slot<Next>> {
    let TaggedHeader { header, tag } = buffer.view()?;
    let (outer, inner) = (EtherType(header.ethertype.get()), EtherType(tag.ethertype.get()));
    if !outer.is_vlan() {
        return None;
    }
    let key = u32::from(outer.0) << 16 | u32::from(tag.id());
    if key != last.tag {
        *last = turn(cx, views, (port, *last), buffer, key)?;
    }
    let next = match (last.layer2, inner) {
        (true, inner) if !inner.is_vlan() && !inner.is_length() => Next::L2,
        (false, EtherType::IP4) if header.is_for(port.mac) => Next::Ip4,
        (false, EtherType::IP6) if header.is_for(port.mac) => Next::Ip6,
        _ => return None,
    };
    buffer.l2_offset = buffer.current_data();
    buffer.set_flags(BufferFlags::VLAN_1_DEEP);
    buffer.rx = last.interface;
    last.received.packets += 1;
    last.received.bytes += buffer.length_in_chain() as u64;
    if !last.layer2 {
        let advanced = buffer.advance(size_of::<TaggedHeader>());
        debug_assert!(advanced, "the header was viewed");
    }
    Some(next.into())
}

/// Counts for the interface of the tag before, and finds that of the next one, if it is up.
#[inline(never)]
fn turn(
    cx: Cx<'_, '_>,
    views: &InterfaceViews,
    (port, last): (Port<'_>, Tagged),
    buffer: &Buffer,
    tag: u32,
) -> Option<Tagged> {
    let view = port.view.filter(|view| view.up && view.ethernet)?;
    let (tags, ..) = Tags::read(buffer.current())?;
    let TagTarget::Up(interface) = view.tags.as_ref()?.lookup(Tags { count: 1, ..tags }) else {
        return None;
    };
    last.count(cx, port.rx);
    let layer2 = views.get(interface).is_some_and(|view| view.layer2);
    Some(Tagged { tag, interface, layer2, ..Tagged::NONE })
}
