//! `/net/arp/...` and `/net/ip6-nd/...` of the stats segment: questions and answers of neighbours and to them, by interface, under VPP's
//! names.

use vnet::{
    counter::{Counter, CounterError},
    error::ErrorSet,
    fib::Family,
    graph::{NextSet, PacketCx},
    interface::SwIfIndex,
    plugin::Registrar,
    wire::{
        arp,
        ethernet::EtherType,
        icmp::kind6,
        ip6,
        link::LinkType,
        nd::Neighbor,
        walk::{self, Version},
    },
};
use zerocopy::FromBytes;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Request,
    Reply,
    /// What nobody has asked for.
    Gratuitous,
}

/// Of a family: what is received, and what is sent.
type OfFamily = [[Counter<u64>; 3]; 2];

/// All of them.
#[derive(Clone)]
pub(crate) struct Counts([OfFamily; 2]);

impl Counts {
    /// Registers the counters.
    pub(super) fn register(r: &mut Registrar) -> Result<Self, CounterError> {
        let mut of = |family: &str, way: &str, said: &str| {
            r.interface_counter(&format!("/net/{family}/{way}/{said}"))
        };
        let mut way = |family: &str, way: &str| {
            let [requests, replies, gratuitous] = ["requests", "replies", "gratuitous"];
            Ok([
                of(family, way, requests)?,
                of(family, way, replies)?,
                of(family, way, gratuitous)?,
            ])
        };
        let mut family = |name: &str| Ok([way(name, "rx")?, way(name, "tx")?]);
        Ok(Self([family("arp")?, family("ip6-nd")?]))
    }

    /// Counts what a neighbour has said.
    pub(crate) fn received<N: NextSet, E: ErrorSet>(
        &self,
        cx: &PacketCx<'_, N, E>,
        interface: SwIfIndex,
        family: Family,
        said: Said,
    ) {
        cx.add(&self.0[family as usize][0][said as usize], interface.0, 1);
    }

    /// Counts what is said to neighbours by a frame, if anything is.
    pub(crate) fn sent<N: NextSet, E: ErrorSet>(
        &self,
        cx: &PacketCx<'_, N, E>,
        interface: SwIfIndex,
        frame: &[u8],
    ) {
        if let Some((family, said)) = said_by(frame) {
            cx.add(&self.0[family as usize][1][said as usize], interface.0, 1);
        }
    }
}

/// What an ARP packet says.
pub(crate) fn said_by_arp(packet: &arp::Packet) -> Option<Said> {
    match packet.operation.get() {
        _ if packet.is_gratuitous() => Some(Said::Gratuitous),
        arp::operation::REQUEST => Some(Said::Request),
        arp::operation::REPLY => Some(Said::Reply),
        _ => None,
    }
}

/// What a frame from this machine says.
fn said_by(frame: &[u8]) -> Option<(Family, Said)> {
    let link = walk::link(frame, LinkType::Ethernet).ok()?;
    let payload = frame.get(link.payload..)?;
    if link.ethertype == EtherType::ARP {
        let (packet, _) = arp::Packet::ref_from_prefix(payload).ok()?;
        return Some((Family::Ip4, said_by_arp(packet)?));
    }
    let Ok((Version::V6, _)) = walk::network(frame, &link) else { return None };
    let (_, message) = ip6::Header::ref_from_prefix(payload).ok()?;
    let (message, _) = Neighbor::ref_from_prefix(message).ok()?;
    Some((Family::Ip6, said_by_nd(message)?))
}

/// What a message of neighbour discovery says.
pub(crate) fn said_by_nd(message: &Neighbor) -> Option<Said> {
    match message.icmp.kind {
        kind6::NEIGHBOR_SOLICITATION => Some(Said::Request),
        kind6::NEIGHBOR_ADVERTISEMENT if message.flags.get() & Neighbor::SOLICITED != 0 => {
            Some(Said::Reply)
        }
        kind6::NEIGHBOR_ADVERTISEMENT => Some(Said::Gratuitous),
        _ => None,
    }
}
