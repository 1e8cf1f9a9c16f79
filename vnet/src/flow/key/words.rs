//! What the words of keys hold.

use super::Point;
use crate::{
    flow::{
        Addresses, Context, FlowContext, FlowRecord, Keys,
        details::{DetailKeys, Seen},
    },
    wire::{
        ethernet::MacWord,
        ip4::{self, protocol},
        walk::{Link, Transport},
    },
};

pub(super) const TAG_SHIFT: u32 = 48;
pub(super) const VLAN_MASK: u64 = 0x0fff;
pub(super) const TAGGED: u64 = 0x1000;
pub(super) const EGRESS: u64 = 0x2000;
pub(super) const PRESENT: u64 = 0x8000;
pub(super) const MAC_MASK: u64 = MacWord::MASK;
pub(super) const PORT_MASK: u64 = 0xffff;
pub(super) const LOW_HALF: u64 = 0xffff_ffff;
pub(super) const PROTOCOL_SHIFT: u32 = 32;
pub(super) const PROTOCOL_MASK: u64 = 0xff << PROTOCOL_SHIFT;

#[inline(always)]
pub(super) fn tag(point: Point<'_>, link: &Link) -> u64 {
    let vlan = link.vlan.map_or(0, |id| TAGGED | u64::from(id));
    let direction = u64::from(point.direction as u8) * EGRESS;
    (PRESENT | direction | vlan) << TAG_SHIFT
}

pub(super) fn tag_mask(keys: Keys) -> u64 {
    let vlan = if keys.contains(Keys::VLAN) { TAGGED | VLAN_MASK } else { 0 };
    let direction = if keys.contains(Keys::DIRECTION) { EGRESS } else { 0 };
    (PRESENT | direction | vlan) << TAG_SHIFT
}

#[inline(always)]
pub(super) fn ip_word(point: Point<'_>, link: &Link, transport: &Transport) -> u64 {
    u64::from(transport.ports) | u64::from(transport.protocol) << PROTOCOL_SHIFT | tag(point, link)
}

pub(super) fn ip_mask(keys: Keys) -> u64 {
    let source = if keys.contains(Keys::SOURCE_PORT) { PORT_MASK << 16 } else { 0 };
    let destination = if keys.contains(Keys::DESTINATION_PORT) { PORT_MASK } else { 0 };
    source | destination | protocol_mask(keys) | tag_mask(keys)
}

pub(super) fn icmp_ip_mask(keys: Keys) -> u64 {
    let kind = if keys.contains(Keys::ICMP_TYPE) { 0xff00 } else { 0 };
    let code = if keys.contains(Keys::ICMP_CODE) { 0x00ff } else { 0 };
    kind | code | protocol_mask(keys) | tag_mask(keys)
}

pub(super) fn protocol_mask(keys: Keys) -> u64 {
    if keys.contains(Keys::PROTOCOL) { PROTOCOL_MASK } else { 0 }
}

pub(super) fn describe_ip(word: u64, record: &mut FlowRecord) {
    record.source_port = (word >> 16) as u16;
    record.destination_port = word as u16;
    record.protocol = (word >> PROTOCOL_SHIFT) as u8;
}

pub(super) fn addresses4_mask(keys: Keys) -> u64 {
    let [source, destination] = addresses6_masks(keys);
    (source & LOW_HALF) | (destination & !LOW_HALF)
}

/// Of each word of the source, and of the destination.
pub(super) fn addresses6_masks(keys: Keys) -> [u64; 2] {
    [Keys::SOURCE_ADDRESS, Keys::DESTINATION_ADDRESS]
        .map(|key| if keys.contains(key) { u64::MAX } else { 0 })
}

pub(super) fn interfaces_mask(keys: Keys) -> u64 {
    let ingress = if keys.contains(Keys::INGRESS) { LOW_HALF } else { 0 };
    let egress = if keys.contains(Keys::EGRESS) { !LOW_HALF } else { 0 };
    ingress | egress
}

pub(super) fn macs_mask(keys: Keys) -> [u64; 2] {
    let ethertype = if keys.contains(Keys::ETHERTYPE) { !MAC_MASK } else { 0 };
    [Keys::SOURCE_MAC, Keys::DESTINATION_MAC]
        .map(|key| ethertype | if keys.contains(key) { MAC_MASK } else { 0 })
}

#[inline(always)]
pub(super) fn interfaces(point: Point<'_>) -> u64 {
    u64::from(point.ingress.0) | u64::from(point.egress.0) << 32
}

#[inline(always)]
pub(super) fn address_word(ip: &ip4::Header) -> u64 {
    u64::from(u32::from_le_bytes(ip.source)) | u64::from(u32::from_le_bytes(ip.destination)) << 32
}

pub(super) fn addresses4(word: u64) -> Addresses {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    Addresses::V4([a, b, c, d], [e, f, g, h])
}

#[inline(always)]
pub(super) fn words(address: [u8; 16]) -> [u64; 2] {
    let words: [[u8; 8]; 2] = zerocopy::transmute!(address);
    words.map(u64::from_le_bytes)
}

pub(super) fn addresses6(source: [u64; 2], destination: [u64; 2]) -> Addresses {
    let bytes = |words: [u64; 2]| zerocopy::transmute!(words.map(u64::to_le_bytes));
    Addresses::V6(bytes(source), bytes(destination))
}

/// Source address and type, destination address.
#[inline(always)]
pub(super) fn mac_words(link: &Link) -> [u64; 2] {
    let ethertype = u64::from(link.ethertype.0) << TAG_SHIFT;
    [link.source.get() | ethertype, link.destination.get()]
}

pub(super) fn describe_macs(source: u64, destination: u64, record: &mut FlowRecord) {
    record.source_mac = mac(source);
    record.destination_mac = mac(destination);
    record.ethertype = (source >> TAG_SHIFT) as u16;
}

pub(super) fn mac(word: u64) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = word.to_le_bytes();
    [a, b, c, d, e, f]
}

/// First word: class, priority, second tag. Second word: top label, flow label.
pub(super) const PRIORITY_SHIFT: u32 = 8;
pub(super) const CUSTOMER_VLAN_SHIFT: u32 = 16;
pub(super) const CUSTOMER_PRIORITY_SHIFT: u32 = 32;
pub(super) const FLOW_LABEL_SHIFT: u32 = 32;

pub(super) fn detail_words(seen: &Seen) -> [u64; 2] {
    let first = u64::from(seen.class)
        | u64::from(seen.priority) << PRIORITY_SHIFT
        | u64::from(seen.customer_vlan) << CUSTOMER_VLAN_SHIFT
        | u64::from(seen.customer_priority) << CUSTOMER_PRIORITY_SHIFT;
    let [a, b, c] = seen.labels[0];
    let label = u32::from_be_bytes([0, a, b, c]);
    [first, u64::from(label) | u64::from(seen.flow_label) << FLOW_LABEL_SHIFT]
}

pub(super) fn detail_masks(keys: Keys) -> [u64; 2] {
    let mask = |fields: &[(Keys, u64)]| {
        fields.iter().filter(|(key, _)| keys.contains(*key)).fold(0, |mask, (_, bits)| mask | bits)
    };
    let first = [
        (Keys::PRECEDENCE, 0xe0),
        (Keys::DROP_PRECEDENCE, 0x1c),
        (Keys::ECN, 0x03),
        (Keys::PRIORITY, 0xff << PRIORITY_SHIFT),
        (Keys::CUSTOMER_VLAN, 0xffff << CUSTOMER_VLAN_SHIFT),
        (Keys::CUSTOMER_PRIORITY, 0xff << CUSTOMER_PRIORITY_SHIFT),
    ];
    let second = [
        (Keys::TOP_LABEL, 0x00ff_fff1),
        (Keys::TOP_LABEL_CLASS, 0x0e),
        (Keys::FLOW_LABEL, LOW_HALF << FLOW_LABEL_SHIFT),
    ];
    [mask(&first), mask(&second)]
}

pub(super) fn describe_details(first: u64, second: u64, record: &mut FlowRecord) {
    let Some(details) = &mut record.details else { return };
    let [_, a, b, c] = (second as u32).to_be_bytes();
    details.keys = DetailKeys {
        class: first as u8,
        priority: (first >> PRIORITY_SHIFT) as u8,
        customer_vlan: (first >> CUSTOMER_VLAN_SHIFT) as u16,
        customer_priority: (first >> CUSTOMER_PRIORITY_SHIFT) as u8,
        top_label: [a, b, c],
        flow_label: (second >> FLOW_LABEL_SHIFT) as u32,
        context: FlowContext::default(),
        ..DetailKeys::NONE
    };
}

/// First word: tables of ingress and egress. Second word: forwarding status, selector.
const SELECTOR_SHIFT: u32 = 8;

pub(super) fn context_words(context: &Context, ingress: u32, egress: u32) -> [u64; 2] {
    let selected = u64::from(context.status) | context.selector << SELECTOR_SHIFT;
    [u64::from(ingress) | u64::from(egress) << 32, selected]
}

pub(super) fn context_masks(keys: Keys) -> [u64; 2] {
    let mask = |key, bits| if keys.contains(key) { bits } else { 0 };
    let tables = mask(Keys::INGRESS_VRF, LOW_HALF) | mask(Keys::EGRESS_VRF, !LOW_HALF);
    let selected =
        mask(Keys::STATUS, u8::MAX.into()) | mask(Keys::SELECTOR, u64::MAX << SELECTOR_SHIFT);
    [tables, selected]
}

/// Of each word of a next hop.
pub(super) fn next_hop_mask(keys: Keys) -> u64 {
    if keys.contains(Keys::NEXT_HOP) { u64::MAX } else { 0 }
}

pub(super) fn describe_context(tables: u64, selected: u64, hop: [u64; 2], record: &mut FlowRecord) {
    let Some(details) = &mut record.details else { return };
    details.keys.context = FlowContext {
        status: selected as u8,
        selector: selected >> SELECTOR_SHIFT,
        ingress_vrf: tables as u32,
        egress_vrf: (tables >> 32) as u32,
        next_hop: zerocopy::transmute!(hop.map(u64::to_le_bytes)),
    };
}

/// 0 for ICMP, which has none.
pub(super) fn source_port(ip: u64) -> u16 {
    if is_icmp(ip) { 0 } else { (ip >> 16) as u16 }
}

/// Likewise.
pub(super) fn destination_port(ip: u64) -> u16 {
    if is_icmp(ip) { 0 } else { ip as u16 }
}

pub(super) fn with_ports_turned(ip: u64) -> u64 {
    if is_icmp(ip) { ip } else { (ip & !LOW_HALF) | u64::from((ip as u32).rotate_left(16)) }
}

pub(super) fn is_icmp(ip: u64) -> bool {
    matches!((ip >> PROTOCOL_SHIFT) as u8, protocol::ICMP | protocol::ICMP6)
}

/// `front` and then `more`; `N` is their number.
pub(super) fn joined<const M: usize, const L: usize, const N: usize>(
    front: [u64; M],
    more: [u64; L],
) -> [u64; N] {
    const { assert!(N == M + L) };
    let mut words = [0; N];
    for (word, from) in words.iter_mut().zip(front.into_iter().chain(more)) {
        *word = from;
    }
    words
}
