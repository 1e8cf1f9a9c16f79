//! ARP (RFC 826): questions answered, answers learnt from.

pub mod api;
mod input;
mod proxy;
mod reply;

use vnet::{
    buffer::Buffer,
    graph::{ArcSpec, FeatureSpec, PacketCx},
    interface::SwIfIndex,
    plugin::Registrar,
    trace::{TraceCx, TraceRecord},
    wire::{
        arp::{Packet, operation},
        ethernet::MacAddress,
    },
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::neighbor::{Ears, counts::Counts, frame, links::Link};

vnet::node_errors! {
    /// What ARP nodes count, and why packets end. All count by these reasons, each under its own name.
    pub(crate) enum Error {
        RepliesSent => ("replies-sent", "ARP replies sent", Info),
        Disabled => ("disabled", "ARP Disabled on this interface", Error),
        Truncated => ("truncated", "ARP packet without its addresses", Error),
        L2Type => ("l2-type-not-ethernet", "L2 type not ethernet", Error),
        L3Type => ("l3-type-not-ip4", "L3 type not IP4", Error),
        SourceNotLocal => ("l3-src-address-not-local", "IP4 source address not local to subnet", Error),
        TargetNotLocal => ("l3-dst-address-not-local", "IP4 destination address not local to subnet", Error),
        TargetUnset => ("l3-dst-address-unset", "IP4 destination address is unset", Error),
        SourceIsOurs => ("l3-src-address-is-local", "IP4 source address matches local interface", Error),
        Learned => ("l3-src-address-learned", "ARP request IP4 source address learned", Info),
        Operation => ("opcode-not-request", "ARP opcode not request", Error),
        ProxyRepliesSent => ("proxy-arp-replies-sent", "Proxy ARP replies sent", Info),
        MacMismatch => ("l2-address-mismatch", "ARP hw addr does not match L2 frame src addr", Error),
        NoHost => ("l2-address-no-host", "ARP hw addr is no host's, or our own", Error),
        Gratuitous => ("gratuitous-arp", "ARP probe or announcement dropped", Info),
        LearningFull => ("learning-full", "no room to tell of a neighbour", Warn),
    }
}

vnet::next_nodes! {
    /// Where packets go from nodes that may answer.
    pub(crate) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
    }
}

/// Registers nodes, arc and commands.
pub(crate) fn register(r: &mut Registrar, ears: &Ears) {
    input::specs().into_iter().for_each(|spec| r.node(spec));
    r.arc(ArcSpec::new("arp", &["arp-input"], "error-drop"));
    r.feature(FeatureSpec::new("arp", "arp-disabled").after("arp-proxy"));
    reply::register(r, ears);
    proxy::register(r, ears);
}

/// The packet, and its sender's address in the frame's header.
fn read(buffer: &Buffer) -> Option<(Packet, MacAddress)> {
    let packet = *buffer.view::<Packet>()?;
    let header = buffer.from_offset(buffer.l2_offset);
    let (ethernet, _) = vnet::wire::ethernet::Header::ref_from_prefix(header).ok()?;
    Some((packet, ethernet.source))
}

/// Makes a request the answer that `link` has the address; whether it could.
fn answer(
    cx: &PacketCx<'_, Next, Error>,
    buffer: &mut Buffer,
    (interface, link): (SwIfIndex, &Link),
    counts: &Counts,
    request: &Packet,
) -> bool {
    let reply = frame::arp(link, request.sender_mac, &request.reply(link.mac));
    let is_made = frame::refill(buffer, interface, &reply);
    if is_made {
        counts.sent(cx, interface, &reply);
    }
    is_made
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace(Packet);

impl Trace {
    fn of(buffer: &Buffer) -> Self {
        let none = MacAddress::default();
        let packet = buffer.view::<Packet>().copied();
        // A packet that became an answer begins with its Ethernet header.
        Self(packet.unwrap_or(Packet::new(0, (none, [0; 4]), (none, [0; 4]))))
    }
}

impl TraceRecord for Trace {
    /// As VPP writes it.
    fn format(&self, f: &mut core::fmt::Formatter<'_>, _: &TraceCx<'_>) -> core::fmt::Result {
        let Packet { sender_mac, sender_ip, target_mac, target_ip, .. } = self.0;
        let [sender, target] = [sender_ip, target_ip].map(std::net::Ipv4Addr::from);
        let what = match self.0.operation.get() {
            operation::REQUEST => "request",
            operation::REPLY => "reply",
            _ => "unknown",
        };
        let kind = self.0.protocol_type.get();
        writeln!(f, "{what}, type ethernet/0x{kind:04x}, address size 6/4")?;
        write!(f, "{sender_mac}/{sender} -> {target_mac}/{target}")
    }
}
