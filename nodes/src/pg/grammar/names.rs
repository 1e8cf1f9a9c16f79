//! VPP's names of protocol numbers.

use vnet::wire::{ethernet::EtherType, icmp, ip4::protocol};

use crate::pg::packet::Network;

const ETHERTYPES: [(&str, EtherType); 9] = [
    ("ARP", EtherType::ARP),
    ("DOT1AD", EtherType::QINQ),
    ("IP4", EtherType::IP4),
    ("IP6", EtherType::IP6),
    ("MPLS", EtherType::MPLS),
    ("PPPOE_DISCOVERY", EtherType::PPPOE_DISCOVERY),
    ("PPPOE_SESSION", EtherType::PPPOE_SESSION),
    ("VLAN", EtherType::VLAN),
    ("VLAN_9100", EtherType::VLAN_9100),
];

const PROTOCOLS: [(&str, u8); 16] = [
    ("GRE", 47),
    ("ICMP", protocol::ICMP),
    ("ICMP6", protocol::ICMP6),
    ("IGMP", 2),
    ("IP6_DESTINATION_OPTIONS", protocol::DESTINATION_OPTIONS),
    ("IP6_HOP_BY_HOP_OPTIONS", protocol::HOP_BY_HOP),
    ("IP6_NONXT", protocol::NO_NEXT),
    ("IPSEC_AH", protocol::AH),
    ("IPSEC_ESP", 50),
    ("IPV6", 41),
    ("IP_IN_IP", 4),
    ("OSPF", 89),
    ("SCTP", protocol::SCTP),
    ("TCP", protocol::TCP),
    ("UDP", protocol::UDP),
    ("VRRP", 112),
];

/// Names that stand for an ICMP type and a code.
const ICMP_CODES: [(&str, u8, u8); 17] = [
    ("destination_unreachable_net", 3, 0),
    ("destination_unreachable_host", 3, 1),
    ("destination_unreachable_protocol", 3, 2),
    ("destination_unreachable_port", 3, 3),
    ("fragmentation_needed_and_dont_fragment_set", 3, 4),
    ("source_route_failed", 3, 5),
    ("destination_network_unknown", 3, 6),
    ("destination_host_unknown", 3, 7),
    ("source_host_isolated", 3, 8),
    ("network_administratively_prohibited", 3, 9),
    ("host_administratively_prohibited", 3, 10),
    ("communication_administratively_prohibited", 3, 13),
    ("network_redirect", 5, 0),
    ("host_redirect", 5, 1),
    ("ttl_exceeded_in_transit", 11, 0),
    ("fragment_reassembly_time_exceeded", 11, 1),
    ("missing_required_option", 12, 1),
];

/// Names that stand for an ICMPv6 type and a code.
const ICMP6_CODES: [(&str, u8, u8); 8] = [
    ("no_route_to_destination", 1, 0),
    ("destination_administratively_prohibited", 1, 1),
    ("beyond_scope_of_source_address", 1, 2),
    ("address_unreachable", 1, 3),
    ("port_unreachable", 1, 4),
    ("ttl_exceeded_in_transit", 3, 0),
    ("fragment_reassembly_time_exceeded", 3, 1),
    ("erroneous_header_field", 4, 0),
];

pub(super) fn ethertype(name: &str) -> Option<u16> {
    ETHERTYPES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, t)| t.0)
}

pub(super) fn ip_protocol(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|&(_, p)| p)
}

/// Type and code of an ICMP message that `name` means over `network`.
pub(super) fn icmp_message(name: &str, network: Network) -> Option<(u8, u8)> {
    let (types, codes): (fn(u8) -> Option<&'static str>, &[_]) = match network {
        Network::Ip4 => (icmp::type_name, &ICMP_CODES),
        Network::Ip6 => (icmp::type_name6, &ICMP6_CODES),
    };
    let coded = codes.iter().find(|(n, ..)| *n == name).map(|&(_, kind, code)| (kind, code));
    coded.or_else(|| (0..=255).find(|&kind| types(kind) == Some(name)).map(|kind| (kind, 0)))
}
