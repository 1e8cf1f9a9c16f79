//! Flow keys as words: one type for each kind of flow, known at compile time.
//!
//! The first word of every key ends with a present bit, so that a slot of zeros equals no key. What a recording does not ask for is
//! masked out of the key, three to eight words at a time; no list of fields is looked at when a packet is counted.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    Addresses, Direction, FlowRecord, Keys,
    details::{DetailKeys, DetailMeters, Extra, Seen},
    hash::crc32c,
    meters::Meters,
};
use crate::{
    interface::SwIfIndex,
    wire::{
        ip4::{self, protocol},
        ip6,
        walk::{Link, Transport},
    },
};

/// A kind of flow: its key, its slot, and how a record tells of it.
pub(super) trait Kind: 'static {
    type Key: Key;
    type Slot: Slot<Key = Self::Key>;
    /// What is kept beside the slot.
    type Extra: Extra;

    /// Ones where flows have bits of the key.
    fn mask(keys: Keys) -> Self::Key;

    /// Likewise for ICMP, which has type and code in place of ports.
    fn icmp_mask(keys: Keys) -> Self::Key {
        Self::mask(keys)
    }

    /// Makes the keys of both directions of a flow the same, and says whether this one had to be turned.
    #[inline(always)]
    fn turn(_: &mut Self::Key) -> bool {
        false
    }

    /// Fills in what the words that are this kind's own say.
    fn describe(key: &Self::Key, record: &mut FlowRecord);
}

/// Words that tell flows apart.
pub(super) trait Key: Copy + PartialEq + Send + 'static {
    const FREE: Self;

    fn hash(&self) -> u32;
    fn masked(self, mask: &Self) -> Self;
    fn first(&self) -> u64;
    fn interfaces(&self) -> u64;
}

/// A key and the meters of its flow: one or two cache lines.
pub(super) trait Slot: FromBytes + IntoBytes + KnownLayout + Immutable + 'static {
    type Key;

    fn key(&self) -> &Self::Key;
    fn key_mut(&mut self) -> &mut Self::Key;
    fn meters(&self) -> &Meters;
    fn meters_mut(&mut self) -> &mut Meters;
}

/// IPv4 without MAC addresses.
pub(super) struct V4;
/// IPv4 with MAC addresses and Ethernet type.
pub(super) struct V4Mac;
/// IPv6 without MAC addresses.
pub(super) struct V6;
/// IPv6 with MAC addresses and Ethernet type.
pub(super) struct V6Mac;
/// MAC addresses and Ethernet type alone.
pub(super) struct Other;
/// IPv4 with details.
pub(super) struct V4Detail;
/// IPv6 with details.
pub(super) struct V6Detail;
/// Other frames with details.
pub(super) struct OtherDetail;

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) ingress: SwIfIndex,
    pub(super) egress: SwIfIndex,
    pub(super) direction: Direction,
}

/// What is looked for in packets of a kind beyond their key and counters.
pub(super) type SampleOf<K> = <<K as Kind>::Extra as Extra>::Sample;

/// Makes keys of IPv4 packets.
pub(super) trait Kind4: Kind {
    fn key(
        point: Point,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        extra: &SampleOf<Self>,
    ) -> Self::Key;
}

/// Makes keys of IPv6 packets.
pub(super) trait Kind6: Kind {
    fn key(
        point: Point,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        extra: &SampleOf<Self>,
    ) -> Self::Key;
}

/// Makes keys of other frames.
pub(super) trait KindOther: Kind {
    fn key(point: Point, link: &Link, extra: &SampleOf<Self>) -> Self::Key;
}

impl<const N: usize> Key for [u64; N] {
    const FREE: Self = [0; N];

    #[inline(always)]
    fn hash(&self) -> u32 {
        crc32c(self)
    }

    #[inline(always)]
    fn masked(mut self, mask: &Self) -> Self {
        for (word, mask) in self.iter_mut().zip(mask) {
            *word &= mask;
        }
        self
    }

    #[inline(always)]
    fn first(&self) -> u64 {
        self[0]
    }

    fn interfaces(&self) -> u64 {
        self[1]
    }
}

macro_rules! slot {
    ($name:ident, $key:literal, $pad:literal, $lines:literal) => {
        #[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
        #[repr(C)]
        pub(super) struct $name {
            key: [u64; $key],
            meters: Meters,
            pad: [u64; $pad],
        }

        const _: () = assert!(size_of::<$name>() == $lines * 64);

        impl Slot for $name {
            type Key = [u64; $key];

            #[inline(always)]
            fn key(&self) -> &Self::Key {
                &self.key
            }

            #[inline(always)]
            fn key_mut(&mut self) -> &mut Self::Key {
                &mut self.key
            }

            #[inline(always)]
            fn meters(&self) -> &Meters {
                &self.meters
            }

            #[inline(always)]
            fn meters_mut(&mut self) -> &mut Meters {
                &mut self.meters
            }
        }
    };
}

slot!(Slot3, 3, 0, 1);
slot!(Slot5, 5, 6, 2);
slot!(Slot6, 6, 5, 2);
slot!(Slot8, 8, 3, 2);
slot!(Slot7, 7, 4, 2);
slot!(Slot10, 10, 1, 2);

impl Kind for V4 {
    type Key = [u64; 3];
    type Slot = Slot3;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        [ip_mask(keys), interfaces_mask(keys), addresses4_mask(keys)]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses4(key[2]);
    }
}

impl Kind4 for V4 {
    #[inline(always)]
    fn key(
        point: Point,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        [ip_word(point, link, transport), interfaces(point), address_word(ip)]
    }
}

impl Kind for V4Mac {
    type Key = [u64; 5];
    type Slot = Slot5;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let [source, destination] = macs_mask(keys);
        [ip_mask(keys), interfaces_mask(keys), addresses4_mask(keys), source, destination]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses4(key[2]);
        describe_macs(key[3], key[4], record);
    }
}

impl Kind4 for V4Mac {
    #[inline(always)]
    fn key(
        point: Point,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        let [source, destination] = mac_words(link);
        [ip_word(point, link, transport), interfaces(point), address_word(ip), source, destination]
    }
}

impl Kind for V6 {
    type Key = [u64; 6];
    type Slot = Slot6;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let [source, destination] = addresses6_masks(keys);
        let interfaces = interfaces_mask(keys);
        [ip_mask(keys), interfaces, source, source, destination, destination]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses6([key[2], key[3]], [key[4], key[5]]);
    }
}

impl Kind6 for V6 {
    #[inline(always)]
    fn key(
        point: Point,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        let [a, b] = words(ip.source);
        let [c, d] = words(ip.destination);
        [ip_word(point, link, transport), interfaces(point), a, b, c, d]
    }
}

impl Kind for V6Mac {
    type Key = [u64; 8];
    type Slot = Slot8;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let [ip, interfaces, a, b, c, d] = V6::mask(keys);
        let [source, destination] = macs_mask(keys);
        [ip, interfaces, a, b, c, d, source, destination]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses6([key[2], key[3]], [key[4], key[5]]);
        describe_macs(key[6], key[7], record);
    }
}

impl Kind6 for V6Mac {
    #[inline(always)]
    fn key(
        point: Point,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        let [a, b] = words(ip.source);
        let [c, d] = words(ip.destination);
        let [source, destination] = mac_words(link);
        [ip_word(point, link, transport), interfaces(point), a, b, c, d, source, destination]
    }
}

impl KindOther for Other {
    fn key(point: Point, link: &Link, (): &()) -> Self::Key {
        let [source, destination] = mac_words(link);
        // The type moves to the second word, so that the first one has room for the tag.
        let ethertype = u64::from(link.ethertype.0) << TAG_SHIFT;
        [(source & MAC_MASK) | tag(point, link), interfaces(point), destination | ethertype]
    }
}

impl Kind for Other {
    type Key = [u64; 3];
    type Slot = Slot3;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let mac = |key| if keys.contains(key) { MAC_MASK } else { 0 };
        let ethertype = if keys.contains(Keys::ETHERTYPE) { !MAC_MASK } else { 0 };
        let source = mac(Keys::SOURCE_MAC) | tag_mask(keys);
        [source, interfaces_mask(keys), mac(Keys::DESTINATION_MAC) | ethertype]
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        record.source_mac = mac(key[0]);
        record.destination_mac = mac(key[2]);
        record.ethertype = (key[2] >> TAG_SHIFT) as u16;
    }
}

/// Behind the words of `V4Mac` two with details.
impl Kind for V4Detail {
    type Key = [u64; 7];
    type Slot = Slot7;
    type Extra = DetailMeters;

    fn mask(keys: Keys) -> Self::Key {
        joined(V4Mac::mask(keys), detail_masks(keys))
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn turn([ip, _, addresses, source, destination, ..]: &mut Self::Key) -> bool {
        let [from, to] = [*addresses as u32, (*addresses >> 32) as u32];
        let is_turned = (from, source_port(*ip)) > (to, destination_port(*ip));
        if is_turned {
            *addresses = addresses.rotate_left(32);
            *ip = with_ports_turned(*ip);
            core::mem::swap(source, destination);
        }
        is_turned
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., a, b] = *key;
        V4Mac::describe(&front, record);
        describe_details(a, b, record);
    }
}

impl Kind4 for V4Detail {
    fn key(
        point: Point,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        seen: &Seen,
    ) -> Self::Key {
        joined(V4Mac::key(point, link, ip, transport, &()), detail_words(seen))
    }
}

/// Behind the words of `V6Mac` two with details.
impl Kind for V6Detail {
    type Key = [u64; 10];
    type Slot = Slot10;
    type Extra = DetailMeters;

    fn mask(keys: Keys) -> Self::Key {
        joined(V6Mac::mask(keys), detail_masks(keys))
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn turn(key: &mut Self::Key) -> bool {
        let [ip, _, a, b, c, d, source, destination, ..] = key;
        let is_turned = (*a, *b, source_port(*ip)) > (*c, *d, destination_port(*ip));
        if is_turned {
            core::mem::swap(a, c);
            core::mem::swap(b, d);
            *ip = with_ports_turned(*ip);
            core::mem::swap(source, destination);
        }
        is_turned
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., a, b] = *key;
        V6Mac::describe(&front, record);
        describe_details(a, b, record);
    }
}

impl Kind6 for V6Detail {
    fn key(
        point: Point,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        seen: &Seen,
    ) -> Self::Key {
        joined(V6Mac::key(point, link, ip, transport, &()), detail_words(seen))
    }
}

/// Behind the words of `Other` two with details.
impl Kind for OtherDetail {
    type Key = [u64; 5];
    type Slot = Slot5;
    type Extra = DetailMeters;

    fn mask(keys: Keys) -> Self::Key {
        joined(Other::mask(keys), detail_masks(keys))
    }

    fn turn([source, _, destination, ..]: &mut Self::Key) -> bool {
        let (from, to) = (*source & MAC_MASK, *destination & MAC_MASK);
        if from > to {
            *source = (*source & !MAC_MASK) | to;
            *destination = (*destination & !MAC_MASK) | from;
        }
        from > to
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., a, b] = *key;
        Other::describe(&front, record);
        describe_details(a, b, record);
    }
}

impl KindOther for OtherDetail {
    fn key(point: Point, link: &Link, seen: &Seen) -> Self::Key {
        joined(Other::key(point, link, &()), detail_words(seen))
    }
}

/// 0 for ICMP, which has none.
fn source_port(ip: u64) -> u16 {
    if is_icmp(ip) { 0 } else { (ip >> 16) as u16 }
}

/// Likewise.
fn destination_port(ip: u64) -> u16 {
    if is_icmp(ip) { 0 } else { ip as u16 }
}

fn with_ports_turned(ip: u64) -> u64 {
    if is_icmp(ip) { ip } else { (ip & !LOW_HALF) | u64::from((ip as u32).rotate_left(16)) }
}

fn is_icmp(ip: u64) -> bool {
    matches!((ip >> PROTOCOL_SHIFT) as u8, protocol::ICMP | protocol::ICMP6)
}

/// `front` and then `details`; `N` is their number.
fn joined<const M: usize, const N: usize>(front: [u64; M], details: [u64; 2]) -> [u64; N] {
    let mut words = [0; N];
    for (word, from) in words.iter_mut().zip(front.into_iter().chain(details)) {
        *word = from;
    }
    words
}

/// The record of a key, with nothing counted.
pub(super) fn describe<K: Kind>(key: &K::Key, record: &mut FlowRecord) {
    let tag = key.first() >> TAG_SHIFT;
    record.vlan = (tag & TAGGED != 0).then_some((tag & VLAN_MASK) as u16);
    record.direction = if tag & EGRESS != 0 { Direction::Egress } else { Direction::Ingress };
    record.ingress = SwIfIndex(key.interfaces() as u32);
    record.egress = SwIfIndex((key.interfaces() >> 32) as u32);
    K::describe(key, record);
}

const TAG_SHIFT: u32 = 48;
const VLAN_MASK: u64 = 0x0fff;
const TAGGED: u64 = 0x1000;
const EGRESS: u64 = 0x2000;
const PRESENT: u64 = 0x8000;
const MAC_MASK: u64 = (1 << 48) - 1;
const PORT_MASK: u64 = 0xffff;
const LOW_HALF: u64 = 0xffff_ffff;
const PROTOCOL_SHIFT: u32 = 32;
const PROTOCOL_MASK: u64 = 0xff << PROTOCOL_SHIFT;

#[inline(always)]
fn tag(point: Point, link: &Link) -> u64 {
    let vlan = link.vlan.map_or(0, |id| TAGGED | u64::from(id));
    let direction = u64::from(point.direction as u8) * EGRESS;
    (PRESENT | direction | vlan) << TAG_SHIFT
}

fn tag_mask(keys: Keys) -> u64 {
    let vlan = if keys.contains(Keys::VLAN) { TAGGED | VLAN_MASK } else { 0 };
    let direction = if keys.contains(Keys::DIRECTION) { EGRESS } else { 0 };
    (PRESENT | direction | vlan) << TAG_SHIFT
}

#[inline(always)]
fn ip_word(point: Point, link: &Link, transport: &Transport) -> u64 {
    u64::from(transport.ports) | u64::from(transport.protocol) << PROTOCOL_SHIFT | tag(point, link)
}

fn ip_mask(keys: Keys) -> u64 {
    let source = if keys.contains(Keys::SOURCE_PORT) { PORT_MASK << 16 } else { 0 };
    let destination = if keys.contains(Keys::DESTINATION_PORT) { PORT_MASK } else { 0 };
    source | destination | protocol_mask(keys) | tag_mask(keys)
}

fn icmp_ip_mask(keys: Keys) -> u64 {
    let kind = if keys.contains(Keys::ICMP_TYPE) { 0xff00 } else { 0 };
    let code = if keys.contains(Keys::ICMP_CODE) { 0x00ff } else { 0 };
    kind | code | protocol_mask(keys) | tag_mask(keys)
}

fn protocol_mask(keys: Keys) -> u64 {
    if keys.contains(Keys::PROTOCOL) { PROTOCOL_MASK } else { 0 }
}

fn describe_ip(word: u64, record: &mut FlowRecord) {
    record.source_port = (word >> 16) as u16;
    record.destination_port = word as u16;
    record.protocol = (word >> PROTOCOL_SHIFT) as u8;
}

fn addresses4_mask(keys: Keys) -> u64 {
    let [source, destination] = addresses6_masks(keys);
    (source & LOW_HALF) | (destination & !LOW_HALF)
}

/// Of each word of the source, and of the destination.
fn addresses6_masks(keys: Keys) -> [u64; 2] {
    [Keys::SOURCE_ADDRESS, Keys::DESTINATION_ADDRESS]
        .map(|key| if keys.contains(key) { u64::MAX } else { 0 })
}

fn interfaces_mask(keys: Keys) -> u64 {
    let ingress = if keys.contains(Keys::INGRESS) { LOW_HALF } else { 0 };
    let egress = if keys.contains(Keys::EGRESS) { !LOW_HALF } else { 0 };
    ingress | egress
}

fn macs_mask(keys: Keys) -> [u64; 2] {
    let ethertype = if keys.contains(Keys::ETHERTYPE) { !MAC_MASK } else { 0 };
    [Keys::SOURCE_MAC, Keys::DESTINATION_MAC]
        .map(|key| ethertype | if keys.contains(key) { MAC_MASK } else { 0 })
}

#[inline(always)]
fn interfaces(point: Point) -> u64 {
    u64::from(point.ingress.0) | u64::from(point.egress.0) << 32
}

#[inline(always)]
fn address_word(ip: &ip4::Header) -> u64 {
    u64::from(u32::from_le_bytes(ip.source)) | u64::from(u32::from_le_bytes(ip.destination)) << 32
}

fn addresses4(word: u64) -> Addresses {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    Addresses::V4([a, b, c, d], [e, f, g, h])
}

#[inline(always)]
fn words(address: [u8; 16]) -> [u64; 2] {
    let words: [[u8; 8]; 2] = zerocopy::transmute!(address);
    words.map(u64::from_le_bytes)
}

fn addresses6(source: [u64; 2], destination: [u64; 2]) -> Addresses {
    let bytes = |words: [u64; 2]| zerocopy::transmute!(words.map(u64::to_le_bytes));
    Addresses::V6(bytes(source), bytes(destination))
}

/// Source address and type, destination address.
#[inline(always)]
fn mac_words(link: &Link) -> [u64; 2] {
    let word = |[a, b, c, d, e, f]: [u8; 6]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    let ethertype = u64::from(link.ethertype.0) << TAG_SHIFT;
    [word(link.source.0) | ethertype, word(link.destination.0)]
}

fn describe_macs(source: u64, destination: u64, record: &mut FlowRecord) {
    record.source_mac = mac(source);
    record.destination_mac = mac(destination);
    record.ethertype = (source >> TAG_SHIFT) as u16;
}

fn mac(word: u64) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = word.to_le_bytes();
    [a, b, c, d, e, f]
}

/// First word: class, priority, second tag. Second word: top label, flow label.
const PRIORITY_SHIFT: u32 = 8;
const CUSTOMER_VLAN_SHIFT: u32 = 16;
const CUSTOMER_PRIORITY_SHIFT: u32 = 32;
const FLOW_LABEL_SHIFT: u32 = 32;

fn detail_words(seen: &Seen) -> [u64; 2] {
    let first = u64::from(seen.class)
        | u64::from(seen.priority) << PRIORITY_SHIFT
        | u64::from(seen.customer_vlan) << CUSTOMER_VLAN_SHIFT
        | u64::from(seen.customer_priority) << CUSTOMER_PRIORITY_SHIFT;
    let [a, b, c] = seen.labels[0];
    let label = u32::from_be_bytes([0, a, b, c]);
    [first, u64::from(label) | u64::from(seen.flow_label) << FLOW_LABEL_SHIFT]
}

fn detail_masks(keys: Keys) -> [u64; 2] {
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

fn describe_details(first: u64, second: u64, record: &mut FlowRecord) {
    let Some(details) = &mut record.details else { return };
    let [_, a, b, c] = (second as u32).to_be_bytes();
    details.keys = DetailKeys {
        class: first as u8,
        priority: (first >> PRIORITY_SHIFT) as u8,
        customer_vlan: (first >> CUSTOMER_VLAN_SHIFT) as u16,
        customer_priority: (first >> CUSTOMER_PRIORITY_SHIFT) as u8,
        top_label: [a, b, c],
        flow_label: (second >> FLOW_LABEL_SHIFT) as u32,
    };
}
