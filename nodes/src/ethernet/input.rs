//! `ethernet-input`: from the frame to the interface and the protocol.

use core::{cell::Cell, fmt};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    interface::{InterfaceView, InterfaceViews, SwIfIndex, TagTarget, Tags},
    runtime::Shared,
    trace::{Start, Tap, Taps, TraceCx, TraceRecord},
    wire::{
        ethernet::{EtherType, Header, MacAddress},
        trace::Ethernet,
    },
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, network_endian::U16};

use super::tagged::{Tagged, tagged};
use crate::trace::Snap;

vnet::next_nodes! {
    /// Where packets go from `ethernet-input`.
    pub(crate) enum Next {
        Drop => "error-drop",
        Punt => "error-punt",
        Ip4 => "ip4-input",
        Ip6 => "ip6-input",
        Arp => "arp-input",
        L2 => "l2-input",
    }
}

vnet::node_errors! {
    /// Why a frame ends here.
    pub(crate) enum Error named by text {
        Truncated => ("truncated", "shorter than its ethernet header", Error),
        BadLlcLength => ("bad-llc-length", "802.3 length > packet length", Error),
        UnknownType => ("unknown-type", "unknown ethernet type", Error),
        UnknownVlan => ("unknown-vlan", "unknown vlan", Error),
        MacMismatch => ("mac-mismatch", "l3 mac mismatch", Error),
        Down => ("down", "interface is down", Error),
        Punted => ("punted", "interface is down and punts", Info),
        UnknownInterface => ("unknown-interface", "received on an interface that is gone", Error),
    }
}

impl Error {
    /// Whether the frame was no good, whoever would have received it.
    const fn is_malformed(self) -> bool {
        matches!(self, Self::Truncated | Self::BadLlcLength)
    }
}

/// The node.
pub(crate) struct Input {
    views: Shared<InterfaceViews>,
    taps: Shared<Taps>,
}

/// What is known of the interface on which a run of frames came.
#[derive(Clone, Copy)]
pub(super) struct Port<'a> {
    pub(super) rx: SwIfIndex,
    pub(super) view: Option<&'a InterfaceView>,
    /// Whether [`plain`] may decide: frames without tags belong to the interface itself, which is up.
    plain: bool,
    /// Whether [`bridged`] may decide: all frames belong to the interface itself, which is up and bridges them.
    bridged: bool,
    pub(super) mac: MacAddress,
}

impl<'a> Port<'a> {
    fn of(views: &'a InterfaceViews, rx: SwIfIndex) -> Self {
        let view = views.get(rx);
        let up = view.filter(|view| view.up);
        let plain = up.is_some_and(|view| {
            let untagged = view.tags.as_ref().map(|tags| tags.lookup(Tags::NONE));
            !view.layer2 && untagged == Some(TagTarget::Up(rx))
        });
        let bridged = up.is_some_and(|view| {
            view.layer2 && view.tags.as_ref().is_some_and(|tags| tags.is_all_of(rx))
        });
        Self { rx, view, plain, bridged, mac: MacAddress(view.map_or([0; 6], |view| view.mac)) }
    }
}

pub(super) type Cx<'a, 'd> = &'a mut PacketCx<'d, Next, Error>;

impl Input {
    pub(crate) fn spec(views: Shared<InterfaceViews>, taps: Shared<Taps>) -> NodeSpec {
        NodeSpec::internal("ethernet-input", move |_| Self {
            views: views.clone(),
            taps: taps.clone(),
        })
    }

    /// Shows all frames as they came, each under the interface that its tags belong to.
    #[cold]
    fn tap(&self, cx: &NodeCx<'_, Next, Error>, tap: &dyn Tap, frame: &mut Frame) {
        let views = self.views.read(cx.token());
        for buffer in cx.buffers(frame).iter_mut() {
            let interface = receiver(views, buffer).unwrap_or(buffer.rx);
            cx.show_tap(tap, views, buffer, Start::here(buffer, true), interface);
        }
    }
}

/// The interface that a frame's tags belong to.
fn receiver(views: &InterfaceViews, buffer: &Buffer) -> Option<SwIfIndex> {
    let table = views.get(buffer.rx)?.tags.as_ref()?;
    let (tags, ..) = Tags::read(buffer.current())?;
    match table.lookup(tags) {
        TagTarget::Up(interface) | TagTarget::Down(interface) => Some(interface),
        TagTarget::Unknown => None,
    }
}

/// A frame without tags that carries IP, for an interface that is up: nearly all of them.
#[inline]
fn plain(port: &Port<'_>, buffer: &mut Buffer) -> Option<Slot<Next>> {
    if !port.plain {
        return None;
    }
    let header = buffer.view::<Header>()?;
    // The type as it stands in the packet: no need to swap its bytes.
    const IP4: U16 = U16::new(EtherType::IP4.0);
    const IP6: U16 = U16::new(EtherType::IP6.0);
    let next = if header.ethertype == IP4 {
        Next::Ip4
    } else if header.ethertype == IP6 {
        Next::Ip6
    } else {
        return None;
    };
    if !header.is_for(port.mac) && !is_multicast(header) {
        return None;
    }
    buffer.l2_offset = buffer.current_data();
    let advanced = buffer.advance(size_of::<Header>());
    debug_assert!(advanced, "the header was viewed");
    Some(next.into())
}

/// A frame of an interface that bridges all that it receives; not one with an 802.3 length, which is looked at.
#[inline]
fn bridged(port: &Port<'_>, buffer: &mut Buffer) -> Option<Slot<Next>> {
    if !port.bridged || EtherType(buffer.view::<Header>()?.ethertype.get()).is_length() {
        return None;
    }
    buffer.l2_offset = buffer.current_data();
    Some(Next::L2.into())
}

/// Out of line, so that it is asked only where the address is not the interface's.
#[cold]
fn is_multicast(header: &Header) -> bool {
    header.destination.is_multicast()
}

/// A frame with tags, or one that takes more of a look.
#[inline(never)]
fn other(
    cx: Cx<'_, '_>,
    views: &InterfaceViews,
    port: Port<'_>,
    last: &Cell<Tagged>,
    buffer: &mut Buffer,
) -> Slot<Next> {
    let mut of_tag = last.get();
    let next = tagged(cx, views, port, &mut of_tag, buffer);
    last.set(of_tag);
    next.unwrap_or_else(|| any(cx, views, port, buffer))
}

/// Everything else, step by step.
#[cold]
#[inline(never)]
fn any(cx: Cx<'_, '_>, views: &InterfaceViews, port: Port<'_>, buffer: &mut Buffer) -> Slot<Next> {
    buffer.l2_offset = buffer.current_data();
    match classify(cx, views, &port, buffer) {
        Ok(next) => next.into(),
        Err((error, next)) => {
            if error.is_malformed() {
                cx.state().interfaces.rx_error.add(port.rx.0, 1);
            }
            cx.error(buffer, error);
            buffer.l3_offset = Buffer::NOWHERE;
            next.into()
        }
    }
}

/// An interface without Ethernet headers: its packets come here where they leave the arc of the devices.
fn bare(view: &InterfaceView, buffer: &mut Buffer) -> Result<Next, (Error, Next)> {
    if !view.up {
        return Err((Error::Down, Next::Drop));
    }
    match buffer.current().first().map(|octet| octet >> 4) {
        Some(4) => Ok(Next::Ip4),
        Some(6) => Ok(Next::Ip6),
        _ => Err((Error::UnknownType, Next::Punt)),
    }
}

fn classify(
    cx: Cx<'_, '_>,
    views: &InterfaceViews,
    port: &Port<'_>,
    buffer: &mut Buffer,
) -> Result<Next, (Error, Next)> {
    let drop = |error| (error, Next::Drop);
    let view = port.view.ok_or(drop(Error::UnknownInterface))?;
    if !view.ethernet {
        return bare(view, buffer);
    }
    let table = view.tags.as_ref().ok_or(drop(Error::UnknownInterface))?;
    let header = *buffer.view::<Header>().ok_or(drop(Error::Truncated))?;
    let (tags, ethertype, length) = Tags::read(buffer.current()).ok_or(drop(Error::Truncated))?;
    let interface = match table.lookup(tags) {
        TagTarget::Up(interface) if view.up => interface,
        TagTarget::Down(interface) if views.get(interface).is_some_and(|down| down.punt) => {
            receive(cx, port, buffer, interface);
            return Err((Error::Punted, Next::Punt));
        }
        TagTarget::Up(_) | TagTarget::Down(_) => return Err(drop(Error::Down)),
        TagTarget::Unknown => return Err(drop(Error::UnknownVlan)),
    };
    let layer2 = views.get(interface).is_some_and(|view| view.layer2);
    if !layer2 && !header.destination.is_multicast() && header.destination.0 != view.mac {
        return Err(drop(Error::MacMismatch));
    }
    let packet = buffer.length_in_chain();
    if ethertype.is_length() && length + usize::from(ethertype.0) > packet {
        return Err(drop(Error::BadLlcLength));
    }
    match tags.count {
        0 => {}
        1 => buffer.set_flags(BufferFlags::VLAN_1_DEEP),
        _ => buffer.set_flags(BufferFlags::VLAN_2_DEEP),
    }
    receive(cx, port, buffer, interface);
    if layer2 {
        return Ok(Next::L2);
    }
    if !buffer.advance(length) {
        return Err(drop(Error::Truncated));
    }
    match ethertype {
        EtherType::IP4 => Ok(Next::Ip4),
        EtherType::IP6 => Ok(Next::Ip6),
        EtherType::ARP => Ok(Next::Arp),
        _ => Err((Error::UnknownType, Next::Punt)),
    }
}

/// Makes a sub-interface the one that received the frame. Frames of the main interface were counted by its device.
fn receive(cx: Cx<'_, '_>, port: &Port<'_>, buffer: &mut Buffer, interface: SwIfIndex) {
    if interface != port.rx {
        let bytes = buffer.length_in_chain() as u64;
        cx.state().interfaces.rx.add(interface.0, 1, bytes);
        buffer.rx = interface;
    }
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        if let Some(tap) = &self.taps.read(cx.token()).rx {
            self.tap(cx, &**tap, frame);
        }
        let views = self.views.read(cx.token());
        // Not part of what is known of a run, which stays in registers where no frame has a tag.
        let last = Cell::new(Tagged::NONE);
        cx.each_run(
            frame,
            |_, buffer| buffer.rx,
            |_, rx| Port::of(views, rx),
            |cx, port, buffer| match plain(port, buffer).or_else(|| bridged(port, buffer)) {
                Some(next) => next,
                None => other(cx, views, *port, &last, buffer),
            },
            |cx, rx, _, _| last.replace(Tagged::NONE).count(cx, rx),
        )
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace {
            flags: buffer.flags().bits(),
            interface: buffer.rx.0,
            header: Snap::from_offset(buffer, buffer.l2_offset),
        }
    }
}

/// What is recorded of a traced frame.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    flags: u32,
    interface: u32,
    header: Snap,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        let Self { flags, interface, .. } = self;
        write!(f, "frame: flags 0x{flags:x}, ")?;
        if let Some(hardware) = (cx.hardware)(SwIfIndex(*interface)) {
            write!(f, "hw-if-index {hardware}, ")?;
        }
        writeln!(f, "sw-if-index {interface}")?;
        write!(f, "{}", Ethernet(self.header.bytes()))
    }
}
