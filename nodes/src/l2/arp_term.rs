//! `arp-term-l2bd`: questions for addresses that a bridge domain knows are answered by itself.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet::{
    buffer::Buffer,
    graph::{Map, NodeSpec, PacketCx, Slot},
    l2::{Domain, L2, Port, Role, Switching},
    wire::{
        arp::{self, operation},
        checksum,
        ethernet::{EtherType, Header, MacAddress},
        ip6,
    },
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

use super::{
    asked::{Asked, Asking},
    input::receive_by_bvi,
    trace::ArpTermTrace,
};

vnet::next_nodes! {
    /// Where frames go from `arp-term-l2bd`.
    pub(super) enum Next {
        Flood => "l2-flood",
        L2Output => "l2-output",
        Bvi => "ethernet-input",
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What `arp-term-l2bd` counts.
    pub(super) enum Error named by text {
        ArpReplies => ("arp-replies", "ARP replies sent", Info),
        NdReplies => ("nd-replies", "ND replies sent", Info),
        Unknown => ("unknown", "questions for addresses that the bridge domain does not know", Info),
        Untold => ("events-lost", "questions that clients were not told of", Error),
        NoFlood => ("flood-drop", "L2 flood where frames to all are not flooded", Error),
        UuFlood => ("uu-flood-drop", "L2 unknown unicast where it is not flooded", Error),
    }
}

/// The node.
pub(super) struct ArpTerm {
    l2: L2,
    asking: Asking,
}

impl ArpTerm {
    pub(super) fn spec(l2: L2, asking: Asking) -> NodeSpec {
        NodeSpec::map("arp-term-l2bd", move |_| Self { l2: l2.clone(), asking: asking.clone() })
    }
}

/// Whether a frame may be such a question.
pub(super) fn is_question(buffer: &Buffer) -> bool {
    let ethertype = buffer.view::<Header>().map(|header| EtherType(header.ethertype.get()));
    matches!(ethertype, Some(EtherType::ARP | EtherType::IP6))
}

/// An ARP packet in its frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ArpFrame {
    ethernet: Header,
    arp: arp::Packet,
}

/// A neighbour solicitation or advertisement with one option (RFC 4861, sections 4.3, 4.4 and 4.6.1), 32 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Nd {
    kind: u8,
    code: u8,
    checksum: U16,
    flags: [u8; 4],
    target: [u8; 16],
    option: u8,
    /// In units of 8 octets.
    option_length: u8,
    mac: MacAddress,
}

impl Nd {
    const SOLICITATION: u8 = 135;
    const ADVERTISEMENT: u8 = 136;
    const SOURCE: u8 = 1;
    const TARGET: u8 = 2;
    /// The flags solicited and override.
    const ANSWER: [u8; 4] = [0x60, 0, 0, 0];
}

/// The same in its frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct NdFrame {
    ethernet: Header,
    ip: ip6::Header,
    nd: Nd,
}

/// Who asks by this frame, if it is an ARP request or a neighbour solicitation or advertisement from an address that can be used
/// elsewhere than on this link.
fn who_asks(buffer: &Buffer) -> Option<Asked> {
    let header = buffer.view::<Header>()?;
    let (ip, mac): (IpAddr, _) = match EtherType(header.ethertype.get()) {
        EtherType::ARP => {
            let ArpFrame { ethernet, arp } = buffer.view::<ArpFrame>()?;
            let is_request =
                arp.is_ip4_over_ethernet() && arp.operation.get() == operation::REQUEST;
            let is_sender = !arp.sender_mac.is_multicast() && arp.sender_mac == ethernet.source;
            let ip = Ipv4Addr::from(arp.sender_ip);
            let asks = is_request && is_sender && !ip.is_multicast();
            (asks.then_some(ip)?.into(), arp.sender_mac)
        }
        EtherType::IP6 => {
            let NdFrame { ethernet, ip, nd } = buffer.view::<NdFrame>()?;
            let is_nd =
                ip.next_header == 58 && [Nd::SOLICITATION, Nd::ADVERTISEMENT].contains(&nd.kind);
            let source = Ipv6Addr::from(ip.source);
            let asks = is_nd && !source.is_unicast_link_local() && !source.is_unspecified();
            (asks.then_some(source)?.into(), ethernet.source)
        }
        _ => return None,
    };
    Some(Asked { ip, mac: mac.0, interface: buffer.rx })
}

/// Makes the answer to an ARP request of it, if it is one for an address that the domain knows.
fn answer_arp(domain: &Domain, buffer: &mut Buffer) -> Option<Error> {
    let ArpFrame { ethernet, arp } = buffer.view_mut::<ArpFrame>()?;
    let is_request = arp.is_ip4_over_ethernet() && arp.operation.get() == operation::REQUEST;
    // Who asks for its own address wants to be heard by all (RFC 5227).
    let for_itself = arp.sender_ip == arp.target_ip || arp.sender_ip == [0; 4];
    let is_sender = !arp.sender_mac.is_multicast() && arp.sender_mac == ethernet.source;
    if !is_request || for_itself || !is_sender {
        return None;
    }
    let mac = MacAddress(*domain.arp.get(&Ipv4Addr::from(arp.target_ip).into())?);
    arp.operation = operation::REPLY.into();
    (arp.target_mac, arp.sender_mac) = (arp.sender_mac, mac);
    (arp.target_ip, arp.sender_ip) = (arp.sender_ip, arp.target_ip);
    (ethernet.destination, ethernet.source) = (ethernet.source, mac);
    Some(Error::ArpReplies)
}

/// The same of a neighbour solicitation.
fn answer_nd(domain: &Domain, buffer: &mut Buffer) -> Option<Error> {
    let NdFrame { ethernet, ip, nd } = buffer.view_mut::<NdFrame>()?;
    let is_whole = usize::from(ip.payload_length.get()) == size_of::<Nd>();
    // Nobody has forwarded it (RFC 4861, section 7.1.1).
    let is_icmp = ip.version() == 6 && ip.next_header == 58 && ip.hop_limit == 255;
    let is_question = nd.kind == Nd::SOLICITATION && nd.code == 0;
    let tells_mac = nd.option == Nd::SOURCE && nd.option_length == 1 && nd.mac == ethernet.source;
    if !is_whole || !is_icmp || !is_question || !tells_mac || ip.source == [0; 16] {
        return None;
    }
    let known = nd.checksum;
    nd.checksum = 0.into();
    let right = checksum::of_transport6(ip, ip.next_header, nd.as_bytes());
    nd.checksum = known;
    if known.get() != right {
        return None;
    }
    let mac = MacAddress(*domain.arp.get(&Ipv6Addr::from(nd.target).into())?);
    (ip.destination, ip.source) = (ip.source, nd.target);
    (nd.kind, nd.flags, nd.option, nd.mac) = (Nd::ADVERTISEMENT, Nd::ANSWER, Nd::TARGET, mac);
    nd.checksum = 0.into();
    nd.checksum = checksum::of_transport6(ip, ip.next_header, nd.as_bytes()).into();
    (ethernet.destination, ethernet.source) = (ethernet.source, mac);
    Some(Error::NdReplies)
}

impl Map for ArpTerm {
    type Error = Error;
    type Next = Next;
    type Trace = ArpTermTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        if self.asking.is_wanted()
            && let Some(asked) = who_asks(buffer)
            && !self.asking.put(asked)
        {
            cx.count(Error::Untold, 1);
        }
        let layer2 = self.l2.read(cx.token());
        let port = layer2.port(buffer.rx);
        let Some(domain) = port.domain().and_then(|index| layer2.domain(index)) else {
            return Next::Flood.into();
        };
        let answered = match buffer.view::<Header>().map(|h| EtherType(h.ethertype.get())) {
            Some(EtherType::ARP) => answer_arp(domain, buffer),
            Some(EtherType::IP6) => answer_nd(domain, buffer),
            _ => None,
        };
        match answered {
            Some(answer) => {
                cx.count(answer, 1);
                send_back(cx, port, buffer)
            }
            None => ask_others(cx, domain, buffer),
        }
    }

    fn trace(&self, buffer: &Buffer) -> ArpTermTrace {
        ArpTermTrace::of(buffer)
    }
}

/// The answer goes to where the question came from.
fn send_back(cx: &PacketCx<'_, Next, Error>, port: &Port, buffer: &mut Buffer) -> Slot<Next> {
    if port.role == Role::Bvi {
        receive_by_bvi(cx, buffer, buffer.rx);
        return Next::Bvi.into();
    }
    buffer.tx = buffer.rx;
    // What the port asks for is done there, if it asks for anything.
    Next::L2Output.into()
}

fn ask_others(
    cx: &mut PacketCx<'_, Next, Error>,
    domain: &Domain,
    buffer: &mut Buffer,
) -> Slot<Next> {
    cx.count(Error::Unknown, 1);
    if !domain.switching.contains(Switching::ARP_UFWD) {
        if domain.switching.contains(Switching::FLOOD) {
            return Next::Flood.into();
        }
        cx.error(buffer, Error::NoFlood);
        return Next::Drop.into();
    }
    match domain.uu_fwd {
        Some(interface) if interface != buffer.rx => {
            buffer.tx = interface;
            Next::L2Output.into()
        }
        None if domain.switching.contains(Switching::UU_FLOOD) => Next::Flood.into(),
        _ => {
            cx.error(buffer, Error::UuFlood);
            Next::Drop.into()
        }
    }
}
