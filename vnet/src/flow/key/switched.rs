//! Kinds of flows as a switch tells them apart, and behind their words those of the tunnel that packets came in.
//!
//! The type of what is behind the link header is that of the kind where there is IP, so that its place is free for other things.

use super::{words::*, *};
use crate::flow::{
    Outer, Rate, Site, TunnelKind,
    details::{Framed, Sizes},
};

const TTL_SHIFT: u32 = 40;
/// Behind a MAC address.
const CLASS_SHIFT: u32 = 48;
const PRIORITY_SHIFT: u32 = 56;
const OF_SHIFT: u32 = 48;
const LABEL_SHIFT: u32 = 32;

macro_rules! in_slot {
    () => {
        const IN_SLOT: bool = true;

        #[inline(always)]
        fn hash(key: &Self::Key) -> u32 {
            beside_the_other(key)
        }

        #[inline(always)]
        fn in_slot(slot: &Self::Slot) -> Option<&Sizes> {
            Some(&slot.sizes)
        }

        #[inline(always)]
        fn in_slot_mut(slot: &mut Self::Slot) -> Option<&mut Sizes> {
            Some(&mut slot.sizes)
        }
    };
}

/// Frames that come mostly leave as they came, so that keys of both directions are met together: their flows belong next to each other,
/// with different tags.
#[inline(always)]
fn beside_the_other<const N: usize>(key: &[u64; N]) -> u32 {
    let mut either = *key;
    either[0] &= !(EGRESS << TAG_SHIFT);
    let sent = u32::from(is_sent(key[0]));
    crc32c(&either) ^ (sent << 31 | sent)
}

/// Domain and observation point.
#[inline(always)]
fn site_word(site: &Site) -> u64 {
    u64::from(site.domain) | u64::from(site.point) << 32
}

fn site(word: u64, packets: u32, of: u16) -> Site {
    Site { domain: word as u32, point: (word >> 32) as u32, rate: Rate::from_words(packets, of) }
}

/// Source address with the rate's denominator, destination address with class and priority.
#[inline(always)]
fn mac_words_of(link: &Link, of: u16, class: u8, priority: u8) -> [u64; 2] {
    let about = u64::from(class) << CLASS_SHIFT | u64::from(priority) << PRIORITY_SHIFT;
    [link.source.get() | u64::from(of) << OF_SHIFT, link.destination.get() | about]
}

/// What all records of a switch have.
fn describe_switched(site: Site, record: &mut FlowRecord) -> Option<&mut DetailKeys> {
    // There is no interface in these keys.
    (record.ingress, record.egress) = (SwIfIndex::NONE, SwIfIndex::NONE);
    let keys = &mut record.details.as_mut()?.keys;
    keys.site = site;
    Some(keys)
}

fn describe_switched_ip(
    [ip, scope, source, destination]: [u64; 4],
    packets: u32,
    ethertype: EtherType,
    record: &mut FlowRecord,
) {
    describe_ip(ip, record);
    record.source_mac = mac(source);
    record.destination_mac = mac(destination);
    record.ethertype = ethertype.0;
    if let Some(keys) = describe_switched(site(scope, packets, (source >> OF_SHIFT) as u16), record)
    {
        keys.ttl = (ip >> TTL_SHIFT) as u8;
        keys.class = (destination >> CLASS_SHIFT) as u8;
        keys.priority = (destination >> PRIORITY_SHIFT) as u8;
    }
}

impl Kind for V4Switched {
    type Key = [u64; 6];
    type Slot = SwitchSlot6;
    type Extra = Sizes;

    in_slot!();

    fn mask(_: Keys) -> Self::Key {
        [u64::MAX; 6]
    }

    fn describe(
        &[ip, scope, addresses, source, destination, rate]: &Self::Key,
        record: &mut FlowRecord,
    ) {
        record.addresses = addresses4(addresses);
        describe_switched_ip([ip, scope, source, destination], rate as u32, EtherType::IP4, record);
    }
}

impl Kind4 for V4Switched {
    #[inline(always)]
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        framed: &Framed,
    ) -> Self::Key {
        let site = &point.context.site;
        let (packets, of) = site.rate.words();
        let [source, destination] = mac_words_of(link, of, ip.tos, framed.priority);
        let word = ip_word(point, link, transport) | u64::from(ip.ttl) << TTL_SHIFT;
        [word, site_word(site), address_word(ip), source, destination, packets.into()]
    }
}

impl Kind for V6Switched {
    type Key = [u64; 9];
    type Slot = SwitchSlot9;
    type Extra = Sizes;

    in_slot!();

    fn mask(_: Keys) -> Self::Key {
        [u64::MAX; 9]
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [ip, scope, a, b, c, d, source, destination, rate] = *key;
        record.addresses = addresses6([a, b], [c, d]);
        describe_switched_ip([ip, scope, source, destination], rate as u32, EtherType::IP6, record);
        if let Some(details) = &mut record.details {
            details.keys.flow_label = (rate >> LABEL_SHIFT) as u32;
        }
    }
}

impl Kind6 for V6Switched {
    #[inline(always)]
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        framed: &Framed,
    ) -> Self::Key {
        let site = &point.context.site;
        let (packets, of) = site.rate.words();
        let [source, destination] = mac_words_of(link, of, ip.traffic_class(), framed.priority);
        let word = ip_word(point, link, transport) | u64::from(ip.hop_limit) << TTL_SHIFT;
        let ([a, b], [c, d]) = (words(ip.source), words(ip.destination));
        let rate = u64::from(packets) | u64::from(ip.flow_label()) << LABEL_SHIFT;
        [word, site_word(site), a, b, c, d, source, destination, rate]
    }
}

/// The last word: the rate, and the priority between its halves.
const OTHER_OF_SHIFT: u32 = 32;

impl Kind for OtherSwitched {
    type Key = [u64; 4];
    type Slot = SwitchSlot4;
    type Extra = Sizes;

    in_slot!();

    fn mask(_: Keys) -> Self::Key {
        [u64::MAX; 4]
    }

    fn describe(&[source, scope, destination, rate]: &Self::Key, record: &mut FlowRecord) {
        record.source_mac = mac(source);
        record.destination_mac = mac(destination);
        record.ethertype = (destination >> TAG_SHIFT) as u16;
        let site = site(scope, rate as u32, (rate >> OTHER_OF_SHIFT) as u16);
        if let Some(keys) = describe_switched(site, record) {
            keys.priority = (rate >> CLASS_SHIFT) as u8;
        }
    }
}

impl KindOther for OtherSwitched {
    fn key(point: Point<'_>, link: &Link, framed: &Framed) -> Self::Key {
        let site = &point.context.site;
        let (packets, of) = site.rate.words();
        let rate = u64::from(packets)
            | u64::from(of) << OTHER_OF_SHIFT
            | u64::from(framed.priority) << CLASS_SHIFT;
        let ethertype = u64::from(link.ethertype.0) << TAG_SHIFT;
        [
            link.source.get() | tag(point, link),
            site_word(site),
            link.destination.get() | ethertype,
            rate,
        ]
    }
}

/// Addresses, ports with the kind, key; zeros where there is no tunnel.
fn outer_words(point: Point<'_>) -> [u64; 3] {
    let Some(outer) = &point.context.outer else { return [0; 3] };
    let Outer { kind, source, destination, source_port, destination_port, key } = *outer;
    let addresses =
        u64::from(u32::from_le_bytes(source)) | u64::from(u32::from_le_bytes(destination)) << 32;
    let source_port = if point.outer_port == 0 { source_port } else { point.outer_port };
    let ports = u64::from(source_port) | u64::from(destination_port) << 16;
    [addresses, ports | u64::from(kind as u8) << 32, key]
}

fn describe_outer([addresses, ports, key]: [u64; 3], record: &mut FlowRecord) {
    let Some(details) = &mut record.details else { return };
    let [a, b, c, d, e, f, g, h] = addresses.to_le_bytes();
    details.keys.outer = TunnelKind::from_number((ports >> 32) as u8).map(|kind| Outer {
        kind,
        source: [a, b, c, d],
        destination: [e, f, g, h],
        source_port: ports as u16,
        destination_port: (ports >> 16) as u16,
        key,
    });
}

macro_rules! tunnelled {
    ($name:ident, $plain:ident, $words:literal, $slot:ident, $makes:ident($($part:ident: $type:ty),*)) => {
        impl Kind for $name {
            type Key = [u64; $words];
            type Slot = $slot;
            type Extra = Sizes;

            in_slot!();

            fn mask(_: Keys) -> Self::Key {
                [u64::MAX; $words]
            }

            fn describe(key: &Self::Key, record: &mut FlowRecord) {
                let [front @ .., addresses, ports, tunnel] = *key;
                $plain::describe(&front, record);
                describe_outer([addresses, ports, tunnel], record);
            }
        }

        impl $makes for $name {
            fn key(point: Point<'_>, link: &Link, $($part: $type,)* framed: &Framed) -> Self::Key {
                let outer = outer_words(point);
                joined($plain::key(point, link, $($part,)* framed), outer)
            }
        }
    };
}

tunnelled!(V4Tunnelled, V4Switched, 9, SwitchSlot9, Kind4(ip: &ip4::Header, transport: &Transport));
tunnelled!(V6Tunnelled, V6Switched, 12, SwitchSlot12, Kind6(ip: &ip6::Header, transport: &Transport));
tunnelled!(OtherTunnelled, OtherSwitched, 7, SwitchSlot7, KindOther());
