//! Records of switches, as Open vSwitch has them: 28 templates, whose identifiers say of what flows they are.
//!
//! A record is what tells its flow apart, in blocks; then the tunnel, where there is one; then counts, scaled by the rate of sampling,
//! and times, told by the export time of the message. Elements of tunnels are VMware's.

use zerocopy::{
    Immutable, IntoBytes, Unaligned,
    byteorder::big_endian::{U16, U32, U64},
};

use super::{
    Encode, FlowEncoder, FlowTemplates, Framing,
    layout::{Block, Nothing, block, encoder as join},
};
use crate::{
    flow::{Addresses, DetailKeys, DetailMeters, Details, FlowRecord, Outer, Rate},
    ipfix::{
        elements::ElementId,
        template::{FieldSpecifier, TemplateId, VARIABLE_LENGTH},
    },
    runtime::PacketTime,
    wire::ip4::protocol,
};

block! {
    /// Every record begins with these.
    Common |r| {
        "observationPointId" U32: keys(r).site.point.into(),
        "flowDirection" u8: r.direction as u8,
        "sourceMacAddress" [u8; 6]: r.source_mac,
        "destinationMacAddress" [u8; 6]: r.destination_mac,
        "ethernetType" U16: r.ethertype.into(),
        "ethernetHeaderLength" u8: if r.vlan.is_some() { 18 } else { 14 },
    }
}

block! {
    /// A VLAN tag.
    Vlan |r| {
        "vlanId" U16: r.vlan.unwrap_or(0).into(),
        "dot1qVlanId" U16: r.vlan.unwrap_or(0).into(),
        "dot1qPriority" u8: keys(r).priority,
    }
}

/// What both versions of IP have, and then addresses.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Ip {
    version: u8,
    ttl: u8,
    protocol: u8,
    dscp: u8,
    precedence: u8,
    class: u8,
}

impl Ip {
    const FIELDS: [FieldSpecifier; 6] = [
        FieldSpecifier::iana("ipVersion", 1),
        FieldSpecifier::iana("ipTTL", 1),
        FieldSpecifier::iana("protocolIdentifier", 1),
        FieldSpecifier::iana("ipDiffServCodePoint", 1),
        FieldSpecifier::iana("ipPrecedence", 1),
        FieldSpecifier::iana("ipClassOfService", 1),
    ];

    fn of(version: u8, record: &FlowRecord) -> Self {
        let DetailKeys { ttl, class, .. } = *keys(record);
        let (dscp, precedence) = (class >> 2, class >> 5);
        Self { version, ttl, protocol: record.protocol, dscp, precedence, class }
    }
}

/// IPv4.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Ip4(Ip, [u8; 4], [u8; 4]);

impl Block for Ip4 {
    const FIELDS: &'static [FieldSpecifier] = &{
        let [a, b, c, d, e, f] = Ip::FIELDS;
        let source = FieldSpecifier::iana("sourceIPv4Address", 4);
        [a, b, c, d, e, f, source, FieldSpecifier::iana("destinationIPv4Address", 4)]
    };

    fn of(record: &FlowRecord) -> Self {
        let (source, destination) = match record.addresses {
            Addresses::V4(source, destination) => (source, destination),
            Addresses::None | Addresses::V6(..) => ([0; 4], [0; 4]),
        };
        Self(Ip::of(4, record), source, destination)
    }
}

/// IPv6.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Ip6(Ip, [u8; 16], [u8; 16], U32);

impl Block for Ip6 {
    const FIELDS: &'static [FieldSpecifier] = &{
        let [a, b, c, d, e, f] = Ip::FIELDS;
        let source = FieldSpecifier::iana("sourceIPv6Address", 16);
        let destination = FieldSpecifier::iana("destinationIPv6Address", 16);
        [a, b, c, d, e, f, source, destination, FieldSpecifier::iana("flowLabelIPv6", 4)]
    };

    fn of(record: &FlowRecord) -> Self {
        let (source, destination) = match record.addresses {
            Addresses::V6(source, destination) => (source, destination),
            Addresses::None | Addresses::V4(..) => ([0; 16], [0; 16]),
        };
        Self(Ip::of(6, record), source, destination, keys(record).flow_label.into())
    }
}

block! {
    /// Ports.
    Ports |r| {
        "sourceTransportPort" U16: r.source_port.into(),
        "destinationTransportPort" U16: r.destination_port.into(),
    }
}

block! {
    /// ICMP over IPv4.
    Icmp4 |r| {
        "icmpTypeIPv4" u8: (r.destination_port >> 8) as u8,
        "icmpCodeIPv4" u8: r.destination_port as u8,
    }
}

block! {
    /// ICMPv6 over IPv6.
    Icmp6 |r| {
        "icmpTypeIPv6" u8: (r.destination_port >> 8) as u8,
        "icmpCodeIPv6" u8: r.destination_port as u8,
    }
}

/// Elements of the outer header but for the key, whose number is [`VMWARE`]'s.
const VMWARE: u32 = 6876;
const TUNNEL: [(u16, u16); 7] =
    [(893, 4), (894, 4), (895, 1), (896, 2), (897, 2), (891, 1), (892, VARIABLE_LENGTH)];
/// Octets of those of fixed length.
const TUNNEL_LEN: usize = 14;

/// Counts and times.
const COUNTS: [FieldSpecifier; 5] = [
    FieldSpecifier::iana("flowStartDeltaMicroseconds", 4),
    FieldSpecifier::iana("flowEndDeltaMicroseconds", 4),
    FieldSpecifier::iana("packetDeltaCount", 8),
    FieldSpecifier::iana("layer2OctetDeltaCount", 8),
    FieldSpecifier::iana("flowEndReason", 1),
];
/// Those of IP.
const IP_COUNTS: [FieldSpecifier; 4] = [
    FieldSpecifier::iana("octetDeltaCount", 8),
    FieldSpecifier::iana("octetDeltaSumOfSquares", 8),
    FieldSpecifier::iana("minimumIpTotalLength", 8),
    FieldSpecifier::iana("maximumIpTotalLength", 8),
];

#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Counts(U32, U32, U64, U64, u8);

#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct IpCounts(U64, U64, U64, U64);

/// What a switch has of flows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer3 {
    None,
    V4,
    V6,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer4 {
    None,
    Ports,
    Icmp,
}

/// What flow a record is of.
#[derive(Clone, Copy)]
struct Class {
    is_tagged: bool,
    layer3: Layer3,
    layer4: Layer4,
    is_tunnelled: bool,
}

impl Class {
    const COUNT: usize = 36;

    fn of(record: &FlowRecord) -> Self {
        let layer3 = match record.addresses {
            Addresses::None => Layer3::None,
            Addresses::V4(..) => Layer3::V4,
            Addresses::V6(..) => Layer3::V6,
        };
        let layer4 = match (layer3, record.protocol) {
            (Layer3::None, _) => Layer4::None,
            (_, protocol::TCP | protocol::UDP | protocol::SCTP) => Layer4::Ports,
            (Layer3::V4, protocol::ICMP) | (Layer3::V6, protocol::ICMP6) => Layer4::Icmp,
            _ => Layer4::None,
        };
        let is_tunnelled = keys(record).outer.is_some();
        Self { is_tagged: record.vlan.is_some(), layer3, layer4, is_tunnelled }
    }

    /// All that there are, in the order of their numbers.
    fn all() -> impl Iterator<Item = Self> {
        let layers = [
            (Layer3::None, Layer4::None),
            (Layer3::V4, Layer4::None),
            (Layer3::V4, Layer4::Ports),
            (Layer3::V4, Layer4::Icmp),
            (Layer3::V6, Layer4::None),
            (Layer3::V6, Layer4::Ports),
            (Layer3::V6, Layer4::Icmp),
        ];
        [false, true].into_iter().flat_map(move |is_tagged| {
            layers.into_iter().flat_map(move |(layer3, layer4)| {
                [false, true].map(|is_tunnelled| Self { is_tagged, layer3, layer4, is_tunnelled })
            })
        })
    }

    /// 256 and that is the identifier of its template.
    const fn number(self) -> usize {
        ((self.is_tagged as usize * 3 + self.layer3 as usize) * 3 + self.layer4 as usize) * 2
            + self.is_tunnelled as usize
    }

    fn encoder(self) -> FlowEncoder {
        let keys = match self.is_tagged {
            false => with_tag::<Nothing>(self),
            true => with_tag::<Vlan>(self),
        };
        let FlowEncoder { mut fields, mut len, encode } = keys;
        let Encode::Straight(write) = encode else { return FlowEncoder { fields, len, encode } };
        let (keys_len, has_octets) = (len, self.layer3 != Layer3::None);
        if self.is_tunnelled {
            let of_vmware =
                |(id, length)| FieldSpecifier::new(ElementId { enterprise: VMWARE, id }, length);
            fields.extend(TUNNEL.map(of_vmware));
            len += TUNNEL_LEN + 1;
        }
        fields.extend(COUNTS);
        len += size_of::<Counts>();
        if has_octets {
            fields.extend(IP_COUNTS);
            len += size_of::<IpCounts>();
        }
        let steps = Switched { write, keys_len, is_tunnelled: self.is_tunnelled, has_octets };
        FlowEncoder { fields, len, encode: Encode::Switched(steps) }
    }
}

fn with_tag<T: Block>(class: Class) -> FlowEncoder {
    match (class.layer3, class.layer4) {
        (Layer3::None, _) => join::<Common, T, Nothing, Nothing>(),
        (Layer3::V4, Layer4::None) => join::<Common, T, Ip4, Nothing>(),
        (Layer3::V4, Layer4::Ports) => join::<Common, T, Ip4, Ports>(),
        (Layer3::V4, Layer4::Icmp) => join::<Common, T, Ip4, Icmp4>(),
        (Layer3::V6, Layer4::None) => join::<Common, T, Ip6, Nothing>(),
        (Layer3::V6, Layer4::Ports) => join::<Common, T, Ip6, Ports>(),
        (Layer3::V6, Layer4::Icmp) => join::<Common, T, Ip6, Icmp6>(),
    }
}

/// The templates, whichever way their records are put into messages.
pub(super) fn templates(framing: Framing) -> FlowTemplates {
    let mut templates = FlowTemplates { has_details: true, ..FlowTemplates::new(framing) };
    templates.classify = |record| Class::of(record).number();
    templates.slots = vec![super::TemplateSlot::NONE; Class::COUNT].into();
    for class in Class::all() {
        templates.ids.push(TemplateId::from_ordinal(class.number() as u16));
        templates.add(class.number(), class.encoder());
    }
    templates
}

/// Writes a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switched {
    write: fn(&FlowRecord, &mut [u8]),
    keys_len: usize,
    is_tunnelled: bool,
    has_octets: bool,
}

impl Switched {
    /// Octets of a record beyond those that each has.
    pub(super) fn more(&self, record: &FlowRecord) -> usize {
        match keys(record).outer {
            Some(outer) if self.is_tunnelled => outer.kind.key_len(),
            _ => 0,
        }
    }

    /// `time` is the export time of the message, in seconds.
    pub(super) fn encode(&self, record: &FlowRecord, time: u32, out: &mut [u8]) {
        let Some((front, mut rest)) = out.split_at_mut_checked(self.keys_len) else { return };
        (self.write)(record, front);
        if self.is_tunnelled {
            let Some(behind) = write_tunnel(keys(record).outer.as_ref(), rest) else { return };
            rest = behind;
        }
        let Details { keys: DetailKeys { site, .. }, meters, .. } = details(record);
        let counts = Counts(
            microseconds_before(time, record.start).into(),
            microseconds_before(time, record.end).into(),
            site.rate.scale(record.packets).into(),
            site.rate.scale(record.layer2_octets).into(),
            record.end_reason as u8,
        );
        // Lengths are part of the contract of `FlowEncoder::encode`.
        let Ok(rest) = counts.write_to_prefix(rest).map(|()| &mut rest[size_of::<Counts>()..])
        else {
            return;
        };
        if self.has_octets {
            let _: Result<(), _> = ip_counts(record, site.rate, meters).write_to(rest);
        }
    }
}

fn ip_counts(record: &FlowRecord, rate: Rate, meters: &DetailMeters) -> IpCounts {
    IpCounts(
        rate.scale(record.octets).into(),
        rate.scale(meters.squares).into(),
        u64::from(meters.min_octets).into(),
        u64::from(meters.max_octets).into(),
    )
}

/// What is left of `out`.
fn write_tunnel<'o>(outer: Option<&Outer>, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
    let outer = outer?;
    let key_len = outer.kind.key_len();
    let (tunnel, rest) = out.split_at_mut_checked(TUNNEL_LEN + 1 + key_len)?;
    tunnel[..4].copy_from_slice(&outer.source);
    tunnel[4..8].copy_from_slice(&outer.destination);
    tunnel[8] = outer.kind.protocol();
    tunnel[9..11].copy_from_slice(&outer.source_port.to_be_bytes());
    tunnel[11..13].copy_from_slice(&outer.destination_port.to_be_bytes());
    tunnel[13] = outer.kind as u8;
    tunnel[14] = key_len as u8;
    tunnel[15..].copy_from_slice(&outer.key.to_be_bytes()[8 - key_len..]);
    Some(rest)
}

/// From `then` to the export time; at most what the element holds, which is 71 minutes.
fn microseconds_before(time: u32, then: PacketTime) -> u32 {
    // Seconds of export times wrap in 2106; packets are not that old.
    let then_seconds = then.0 / 1_000_000_000;
    let seconds = time.wrapping_sub(then_seconds as u32).cast_signed().max(0);
    let until = u64::from(seconds.cast_unsigned()) * 1_000_000;
    let within = (then.0 % 1_000_000_000) / 1_000;
    u32::try_from(until.saturating_sub(within)).unwrap_or(u32::MAX)
}

fn details(record: &FlowRecord) -> &Details {
    static NONE: Details = Details::NONE;
    record.details.as_ref().unwrap_or(&NONE)
}

fn keys(record: &FlowRecord) -> &DetailKeys {
    &details(record).keys
}
