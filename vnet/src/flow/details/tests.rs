//! Details of packets worked by hand, and of flows against a naive twin.

use proptest::prelude::*;

use super::{DetailMeters, Details, Extra, Seen};
use crate::{
    flow::{
        Config, Families, FlowRecord, Keys, Meter, Observed, RecordSet, Scope, Selection, Start,
    },
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::link::LinkType,
};

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
const UDP: [u8; 8] = [0, 1, 0, 2, 0, 8, 0, 0];

fn config(keys: Keys) -> Config {
    let selection = Selection {
        ip4: keys,
        ip6: keys,
        other: keys,
        tcp_flags: false,
        details: true,
        biflow: false,
        sequence: false,
    };
    Config {
        selection: Some(selection),
        max_flows: 100,
        ..Config::new(Families::all(), RecordSet::empty())
    }
}

/// Records of frames, all seen at once.
fn records(keys: Keys, start: Start, frames: &[Vec<u8>]) -> Vec<FlowRecord> {
    let (mut meter, mut records) = (Meter::new(&config(keys)).unwrap(), Vec::new());
    let packets = frames.iter().map(|frame| Observed::new(frame, start, SwIfIndex(1)));
    meter.frame(packets, &mut |record: &_| records.push(*record));
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    records
}

fn details(start: Start, frame: &[u8]) -> Details {
    let records = records(Keys::all(), start, &[frame.to_vec()]);
    records[0].details.unwrap()
}

fn ip4(class: u8, ttl: u8, fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, class];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0xab, 0xcd]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([ttl, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(payload);
    packet
}

fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6b, 0x91, 0x23, 0x45];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 63]);
    packet.extend([0x20; 32]);
    packet.extend(payload);
    packet
}

#[test]
fn tags_and_labels_are_those_of_the_frame() {
    let mut frame = MACS.to_vec();
    // Priority 5 and identifier 100 outside, 3 and 200 inside, and with the discard bit.
    frame.extend([0x88, 0xa8, 0xa0, 100, 0x81, 0, 0x70, 200, 0x88, 0x47]);
    // Label 29 with traffic class 5 and TTL 255, then label 16 at the bottom.
    frame.extend([0x00, 0x01, 0xda, 255, 0x00, 0x01, 0x01, 64]);
    frame.extend(ip4(0xb8, 7, 0x4000, 17, &UDP));
    let Details { keys, meters, .. } = details(Start::Link(LinkType::Ethernet), &frame);
    assert_eq!((keys.priority, keys.customer_vlan, keys.customer_priority), (5, 200, 3));
    assert_eq!((keys.top_label, keys.class), ([0x00, 0x01, 0xda], 0xb8));
    assert_eq!(meters.first.labels[..3], [[0, 1, 0xda], [0, 1, 1], [0; 3]]);
    assert_eq!((meters.first.label_depth, meters.first.label_ttl), (2, 255));
    assert_eq!((meters.min_ttl, meters.max_ttl, meters.fragment_flags), (7, 7, 0x40));
    assert_eq!((meters.min_octets, meters.min_layer2), (28, 14 + 8 + 8 + 28));
}

/// The chain of RFC 9740 section 6.1 that has two octets, and the bits of the registry.
#[test]
fn headers_that_end_a_chain_have_their_bits_too() {
    let headers = |first, chain: &[u8]| {
        details(Start::Network(0), &ip6(first, chain)).meters.extension_headers
    };
    // Routing, authentication (12 octets of its own and no value), mobility.
    let chain = [
        &[51, 0, 1, 4, 0, 0, 0, 0][..],
        &[135, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[59, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(headers(43, &chain.concat()), 0x02a0);
    for (protocol, bit) in [(59, 2), (135, 7), (50, 8), (139, 10), (140, 11), (253, 12), (254, 13)]
    {
        assert_eq!(headers(protocol, &[0; 8]), 1 << bit, "{protocol}");
    }
    assert_eq!(headers(44, &[17, 0, 0, 1, 0, 0, 0, 9, 0, 1, 0, 2, 0, 8, 0, 0]), 1 << 4);
}

/// The examples of RFC 9740 section 6.
#[test]
fn extension_headers_and_options_have_the_bits_of_rfc_9740() {
    let chain = [
        &[43, 0, 1, 4, 0, 0, 0, 0][..],
        &[60, 0, 0, 0, 0, 0, 0, 0],
        &[17, 0, 1, 4, 0, 0, 0, 0],
        &UDP,
    ];
    let seen = details(Start::Network(0), &ip6(0, &chain.concat()));
    assert_eq!(seen.meters.extension_headers, 0x23);
    assert_eq!((seen.keys.class, seen.keys.flow_label), (0xb9, 0x12345));
    let destination = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &UDP].concat();
    let seen = details(Start::Network(0), &ip6(60, &destination));
    assert_eq!(seen.meters.extension_headers, 0x01);

    let mut tcp = vec![0, 80, 0, 81, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0x12, 0x20, 0, 0, 0, 0, 0];
    tcp.extend([2, 4, 5, 0xb4, 3, 3, 7, 0, 0, 0, 0, 0]);
    let meters = details(Start::Network(0), &ip4(0, 64, 0, 6, &tcp)).meters;
    assert_eq!(meters.tcp_options, [0x0d, 0, 0, 0]);
    assert_eq!((meters.first.sequence, meters.first.acknowledgment), (0x0102_0304, 0x0506_0708));
    assert_eq!((meters.first.window, meters.total_flags), (0x2000, [0, 1, 0, 0, 1, 0]));
}

#[test]
fn options_that_are_cut_or_have_no_length_end_the_list() {
    for (options, bits) in [
        (&[254, 4, 0, 0][..], [0, 0, 0, 1 << 62]),
        (&[2, 0, 3, 3], [1 << 2, 0, 0, 0]),
        (&[1, 1, 8, 1], [1 << 8 | 1 << 1, 0, 0, 0]),
        (&[1, 1, 1, 3], [1 << 3 | 1 << 1, 0, 0, 0]),
    ] {
        let mut tcp = vec![0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x10, 0, 0, 0, 0, 0, 0];
        tcp.extend(options);
        let meters = details(Start::Network(0), &ip4(0, 64, 0, 6, &tcp)).meters;
        assert_eq!(meters.tcp_options, bits, "{options:?}");
    }
}

#[test]
fn fragments_are_known_by_identification_offset_and_flags() {
    let first = details(Start::Network(0), &ip4(0, 64, 0x2000, 17, &UDP)).meters;
    assert_eq!((first.first.fragment_id, first.first.fragment_offset), (0xabcd, 0));
    assert_eq!(first.fragment_flags, 0x20);
    let later = details(Start::Network(0), &ip4(0, 64, 185, 17, &UDP)).meters;
    assert_eq!((later.first.fragment_offset, later.fragment_flags), (1480, 0));
    // A later fragment of IPv6: 1448 octets behind the first, more to come.
    let fragment = [&[17, 0, 0x05, 0xa9, 1, 2, 3, 4][..], &UDP].concat();
    let later = details(Start::Network(0), &ip6(44, &fragment)).meters;
    assert_eq!((later.first.fragment_id, later.first.fragment_offset), (0x0102_0304, 1448));
    assert_eq!((later.fragment_flags, later.extension_headers), (0x20, 1 << 6));
}

#[test]
fn details_that_are_keys_tell_flows_apart_and_no_others_do() {
    let frames: Vec<Vec<u8>> =
        [0xb8, 0xb9, 0x28, 0xb8].map(|class| ip4(class, class, 0, 17, &UDP)).to_vec();
    for (keys, flows) in [
        (Keys::empty(), 1),
        (Keys::CLASS, 3),
        (Keys::DSCP, 2),
        (Keys::ECN, 2),
        (Keys::PRECEDENCE, 2),
        (Keys::DROP_PRECEDENCE, 2),
    ] {
        assert_eq!(records(keys, Start::Network(0), &frames).len(), flows, "{keys:?}");
    }
}

#[test]
fn what_was_reported_is_not_reported_again_but_in_totals() {
    let second = 1_000_000_000;
    let config = Config { active: core::time::Duration::from_secs(1), ..config(Keys::empty()) };
    let (mut meter, mut records) = (Meter::new(&config).unwrap(), Vec::new());
    for (time, ttl) in [(0, 9), (second / 2, 3), (second, 5), (second + 1, 7)] {
        let packet = ip4(0, ttl, 0, 17, &UDP);
        let observed = Observed {
            time: PacketTime(second + time),
            ..Observed::new(&packet, Start::Network(0), SwIfIndex(1))
        };
        meter.frame([observed], &mut |record: &_| records.push(*record));
    }
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    let told = records.iter().map(|record| {
        let meters = record.details.unwrap().meters;
        (record.packets, meters.first.ttl, meters.min_ttl, meters.max_ttl, meters.total_packets)
    });
    assert_eq!(told.collect::<Vec<_>>(), [(2, 9, 3, 9, 2), (2, 5, 5, 7, 4)]);
}

#[test]
fn zeros_are_details_of_no_packet() {
    let zeros: DetailMeters = zerocopy::FromZeros::new_zeroed();
    assert_eq!(zeros, Details::NONE.meters);
    assert_eq!(<DetailMeters as Extra>::NONE, <Seen as zerocopy::FromZeros>::new_zeroed());
}

proptest! {
    #[test]
    fn least_and_greatest_are_those_of_all_packets(
        packets in prop::collection::vec((any::<u8>(), 0_u16..100, any::<[bool; 3]>()), 1..200),
        frame in prop_oneof![Just(1_usize), Just(7), Just(256)],
    ) {
        let frames: Vec<Vec<u8>> = packets.iter().map(|&(ttl, length, [r, df, mf])| {
            let flags = u16::from(r) << 15 | u16::from(df) << 14 | u16::from(mf) << 13;
            ip4(0, ttl, flags, 17, &vec![0; usize::from(length)])
        }).collect();
        let (mut meter, mut records) = (Meter::new(&config(Keys::empty())).unwrap(), Vec::new());
        for frames in frames.chunks(frame) {
            let packets = frames.iter().map(|f| Observed::new(f, Start::Network(0), SwIfIndex(1)));
            meter.frame(packets, &mut |record: &_| records.push(*record));
        }
        meter.flush(Scope::All, &mut |record: &_| records.push(*record));
        prop_assert_eq!(records.len(), 1);
        let meters = records[0].details.unwrap().meters;
        let ttls = || packets.iter().map(|p| p.0);
        let lengths = || packets.iter().map(|p| u32::from(p.1) + 20);
        let any = |at: usize| packets.iter().any(|p| p.2[at]);
        prop_assert_eq!(Some(meters.min_ttl), ttls().min());
        prop_assert_eq!(Some(meters.max_ttl), ttls().max());
        prop_assert_eq!(Some(meters.first.ttl), ttls().next());
        prop_assert_eq!(Some(meters.min_octets), lengths().min());
        prop_assert_eq!(Some(meters.max_octets), lengths().max());
        let flags = u8::from(any(0)) << 7 | u8::from(any(1)) << 6 | u8::from(any(2)) << 5;
        prop_assert_eq!(meters.fragment_flags, flags);
        prop_assert_eq!(meters.total_octets, records[0].octets);
        prop_assert_eq!(meters.total_packets, records[0].packets);
    }
}
