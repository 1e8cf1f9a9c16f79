//! Streams for benchmarks: UDP packets of many flows to many destinations.

use core::net::{Ipv4Addr, Ipv6Addr};

use vnet::wire::{
    ethernet::{EtherType, MacAddress},
    ip4::protocol,
};

use super::{
    Layer, PacketSpec, Size, StreamSpec, Value,
    packet::{Ethernet, Ip4, Ip6, Udp},
};

/// Many UDP flows, one packet of each in turn.
#[derive(Clone, Copy, Debug)]
pub struct UdpFlows {
    /// How many flows: they differ in their source address.
    pub flows: u32,
    /// How many /24 prefixes (IPv4) or /64 prefixes (IPv6) they go to, at random; with one, all go to its first address.
    pub destinations: u32,
    /// Size of the frames, in bytes, at least 42 for IPv4 and 62 for IPv6.
    pub size: usize,
    /// Where the frames are sent from.
    pub source_mac: MacAddress,
    /// Where the frames are sent to: the address of the receiving interface.
    pub destination_mac: MacAddress,
}

impl UdpFlows {
    /// Source address of the first IPv4 flow; the others follow it.
    pub const SOURCE4: Ipv4Addr = Ipv4Addr::new(64, 0, 0, 1);
    /// The first of the IPv4 destination prefixes, which have 24 bits; the others follow it.
    pub const DESTINATION4: Ipv4Addr = Ipv4Addr::new(16, 0, 0, 0);
    /// Source address of the first IPv6 flow; the others follow it.
    pub const SOURCE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1);
    /// The first of the IPv6 destination prefixes, which have 64 bits; the others follow it.
    pub const DESTINATION6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 0);
    /// Source port of all packets.
    pub const SOURCE_PORT: u16 = 1024;
    /// Destination port of all packets.
    pub const DESTINATION_PORT: u16 = 5001;
}

impl StreamSpec {
    /// IPv4 packets of `flows` for `node`, which takes Ethernet frames.
    #[must_use]
    pub fn udp4_flows(node: &str, flows: UdpFlows) -> Self {
        let first = UdpFlows::SOURCE4.to_bits();
        let source = Value::increment(first, first.saturating_add(flows.flows.saturating_sub(1)));
        let first = UdpFlows::DESTINATION4.to_bits();
        let destination = match flows.destinations {
            0 | 1 => Value::from(first + 1),
            n => Value::random(first, first.saturating_add(n.saturating_mul(256) - 1)),
        };
        let ip = Layer::Ip4(Ip4::new(protocol::UDP.into(), source, destination));
        Self::udp_flows(node, flows, EtherType::IP4, ip)
    }

    /// As [`Self::udp4_flows`] for IPv6.
    #[must_use]
    pub fn udp6_flows(node: &str, flows: UdpFlows) -> Self {
        let first = UdpFlows::SOURCE6.to_bits();
        let last = first + u128::from(flows.flows.saturating_sub(1));
        let source = Value::increment(first, last);
        let destination = Value::from(UdpFlows::DESTINATION6.to_bits() + 1);
        let ip = Layer::Ip6(Ip6::new(protocol::UDP.into(), source, destination));
        Self::udp_flows(node, flows, EtherType::IP6, ip)
    }

    fn udp_flows(node: &str, flows: UdpFlows, ethertype: EtherType, ip: Layer) -> Self {
        let ethernet = Ethernet {
            source: flows.source_mac.0.into(),
            destination: flows.destination_mac.0.into(),
            ethertype: ethertype.0.into(),
            tags: Vec::new(),
        };
        let udp = Udp::new(UdpFlows::SOURCE_PORT.into(), UdpFlows::DESTINATION_PORT.into());
        let layers = vec![Layer::Ethernet(ethernet), ip, Layer::Udp(udp)];
        let packet = PacketSpec { layers, payload: Vec::new() };
        Self { size: Some(Size::fixed(flows.size)), ..Self::new(node, packet) }
    }
}
