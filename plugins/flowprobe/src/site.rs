//! Where the headers of a packet are, at each kind of observation point.

use vnet::{
    buffer::{Buffer, BufferFlags},
    flow::{Direction, Known, Start},
    interface::{InterfaceViews, SwIfIndex},
    wire::link::LinkType,
};

/// A packet as an observation point sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'b> {
    /// From the first header that counts.
    pub(crate) bytes: &'b [u8],
    pub(crate) start: Start,
    /// Octets of the packet from the first of `bytes` on.
    pub(crate) length: u32,
}

/// A kind of observation point.
pub(crate) trait Site: Send + 'static {
    /// Whether it sees packets on receipt or on sending.
    const DIRECTION: Direction;

    /// What is known of packets beyond their octets.
    const KNOWN: Known;

    /// For a frame.
    fn new(views: &InterfaceViews) -> Self;

    /// Notes on the packet what [`view`](Self::view) needs and the packet does not say.
    #[inline(always)]
    fn note(&mut self, _: &InterfaceViews, _: &mut Buffer) {}

    /// The packet, from its link header on where `with_link` asks for it.
    fn view(buffer: &Buffer, with_link: bool) -> View<'_>;
}

/// Of packets that come.
const RECEIVED: Known = Known::INGRESS_VRF.union(Known::SELECTOR);
/// Of packets that leave.
const SENT: Known = RECEIVED.union(Known::EGRESS_VRF).union(Known::STATUS);

/// Behind `ip4-input` and `ip6-input`: the current position is the IP header, and the link header was passed.
pub(crate) struct IpInput;

impl Site for IpInput {
    const DIRECTION: Direction = Direction::Ingress;
    const KNOWN: Known = RECEIVED;

    fn new(_: &InterfaceViews) -> Self {
        Self
    }

    #[inline(always)]
    fn view(buffer: &Buffer, with_link: bool) -> View<'_> {
        let header = || u16::try_from(buffer.current_data().saturating_sub(buffer.l2_offset));
        if with_link && let Ok(header @ 1..) = header() {
            return View {
                bytes: buffer.from_offset(buffer.l2_offset),
                start: Start::Network(header),
                length: buffer.length_in_chain() as u32 + u32::from(header),
            };
        }
        View {
            bytes: buffer.current(),
            start: Start::Network(0),
            length: buffer.length_in_chain() as u32,
        }
    }
}

/// Behind `ip4-rewrite` and `ip6-rewrite`: the current position is the new link header, where there is one.
pub(crate) struct IpOutput;

impl Site for IpOutput {
    const DIRECTION: Direction = Direction::Egress;
    const KNOWN: Known = SENT.union(Known::NEXT_HOP);

    fn new(_: &InterfaceViews) -> Self {
        Self
    }

    #[inline(always)]
    fn view(buffer: &Buffer, with_link: bool) -> View<'_> {
        let header = buffer.l3_offset.saturating_sub(buffer.current_data());
        let header = u16::try_from(header).unwrap_or(0);
        let length = buffer.length_in_chain() as u32;
        if with_link {
            View { bytes: buffer.current(), start: Start::Network(header), length }
        } else {
            View {
                bytes: buffer.current().get(usize::from(header)..).unwrap_or_default(),
                start: Start::Network(0),
                length: length.saturating_sub(header.into()),
            }
        }
    }
}

/// Behind a device: the current position is whatever the device receives.
pub(crate) struct L2Input;

impl Site for L2Input {
    const DIRECTION: Direction = Direction::Ingress;
    const KNOWN: Known = RECEIVED;

    fn new(_: &InterfaceViews) -> Self {
        Self
    }

    #[inline(always)]
    fn view(buffer: &Buffer, _: bool) -> View<'_> {
        View {
            bytes: buffer.current(),
            start: Start::Link(link_type(buffer)),
            length: buffer.wire_length,
        }
    }
}

/// Before a device: the current position is what the device sends.
pub(crate) struct L2Output {
    tx: SwIfIndex,
    link: LinkType,
}

impl Site for L2Output {
    const DIRECTION: Direction = Direction::Egress;
    const KNOWN: Known = SENT;

    fn new(_: &InterfaceViews) -> Self {
        Self { tx: SwIfIndex::NONE, link: LinkType::Raw }
    }

    #[inline(always)]
    fn note(&mut self, views: &InterfaceViews, buffer: &mut Buffer) {
        if buffer.tx != self.tx {
            self.tx = buffer.tx;
            self.link = link_of(views, buffer.tx);
        }
        buffer.link_type = self.link.number();
    }

    #[inline(always)]
    fn view(buffer: &Buffer, _: bool) -> View<'_> {
        View {
            bytes: buffer.current(),
            start: Start::Link(link_type(buffer)),
            length: buffer.length_in_chain() as u32,
        }
    }
}

/// Behind `error-drop`: the current position is anywhere, and the headers before it, or a new link header, are still there.
pub(crate) struct Dropped {
    rx: SwIfIndex,
    link: LinkType,
}

impl Site for Dropped {
    const DIRECTION: Direction = Direction::Ingress;
    const KNOWN: Known = RECEIVED.union(Known::STATUS).union(Known::DROPS);

    fn new(_: &InterfaceViews) -> Self {
        Self { rx: SwIfIndex::NONE, link: LinkType::Raw }
    }

    #[inline(always)]
    fn note(&mut self, views: &InterfaceViews, buffer: &mut Buffer) {
        if buffer.rx != self.rx {
            self.rx = buffer.rx;
            self.link = link_of(views, buffer.rx);
        }
        buffer.link_type = self.link.number();
    }

    fn view(buffer: &Buffer, _: bool) -> View<'_> {
        let (at, l2, l3) = (buffer.current_data(), buffer.l2_offset, buffer.l3_offset);
        let is_rewritten = l3 > at;
        let is_ours = buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED);
        let l3 = if l3 == Buffer::NOWHERE { at } else { l3.min(at) };
        let (from, start) = match link_type(buffer) {
            LinkType::Ethernet if is_rewritten => (at, Start::Link(LinkType::Ethernet)),
            // Injected behind the link layer, as packet streams can be.
            LinkType::Ethernet if is_ours || (l2 == l3 && is_ip(buffer, l3)) => {
                (l3, Start::Network(0))
            }
            LinkType::Ethernet => (l2.min(at), Start::Link(LinkType::Ethernet)),
            _ => (l3, Start::Network(0)),
        };
        let length = buffer.length_in_chain() as u32 + u32::from(at.abs_diff(from));
        let is_as_received = !is_rewritten && !is_ours;
        View {
            bytes: buffer.from_offset(from),
            start,
            length: if is_as_received { length.max(buffer.wire_length) } else { length },
        }
    }
}

/// Whether there is an IP version at `offset`, where no link header was found before it: `ethernet-input` says of what it drops
/// that there is nothing behind.
fn is_ip(buffer: &Buffer, offset: i16) -> bool {
    let first = buffer.from_offset(offset).first();
    buffer.l3_offset != Buffer::NOWHERE && first.is_some_and(|byte| matches!(byte >> 4, 4 | 6))
}

fn link_of(views: &InterfaceViews, interface: SwIfIndex) -> LinkType {
    let ethernet = views.get(interface).is_none_or(|view| view.ethernet);
    if ethernet { LinkType::Ethernet } else { LinkType::Raw }
}

#[inline(always)]
fn link_type(buffer: &Buffer) -> LinkType {
    LinkType::from_number(buffer.link_type).unwrap_or(LinkType::Ethernet)
}
