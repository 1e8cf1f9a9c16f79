//! The octets of the `vpp` profile, put together by hand from what VPP's flowprobe sends.

use super::{Families, FlowEncoder, FlowTemplates, Profile, RecordSet};
use crate::{
    flow::{Addresses, FlowRecord},
    interface::SwIfIndex,
    ipfix::{
        template::{Template, TemplateId},
        tests::sample,
    },
    runtime::PacketTime,
};

const L2: RecordSet = RecordSet::L2;
const L3: RecordSet = RecordSet::L3;
const L4: RecordSet = RecordSet::L4;
/// The record sets with something in them, in the order of VPP's documents.
const SETS: [RecordSet; 7] =
    [L2, L3, L4, L2.union(L3), L2.union(L4), L3.union(L4), L2.union(L3).union(L4)];

/// Element and octets of each field.
const COMMON: &[(u16, u16)] = &[(10, 4), (14, 4), (61, 1), (2, 8), (156, 8), (157, 8)];
const LAYER2: &[(u16, u16)] = &[(56, 6), (80, 6), (256, 2)];
const IP4: &[(u16, u16)] = &[(8, 4), (12, 4), (4, 1), (1, 8)];
const IP6: &[(u16, u16)] = &[(27, 16), (28, 16), (4, 1), (1, 8)];
const LAYER4: &[(u16, u16)] = &[(7, 2), (11, 2), (6, 2)];

/// The template record under identifier 256, as it is on the wire.
fn template(blocks: &[&[(u16, u16)]]) -> Vec<u8> {
    let fields = blocks.concat();
    let mut octets = vec![1, 0, 0, fields.len() as u8];
    for (element, length) in fields {
        octets.extend([element.to_be_bytes(), length.to_be_bytes()].concat());
    }
    octets
}

fn written(encoder: &FlowEncoder) -> Vec<u8> {
    let template = Template::new(TemplateId::FIRST, 0, encoder.fields()).unwrap();
    let mut octets = vec![0; template.wire_len()];
    template.write(&mut octets);
    octets
}

fn encoded(templates: &FlowTemplates, record: &FlowRecord) -> Vec<u8> {
    let (_, encoder) = templates.select(record).unwrap();
    let mut octets = vec![0xee; encoder.record_len()];
    encoder.encode(record, &mut octets);
    octets
}

fn templates(set: RecordSet, families: Families) -> FlowTemplates {
    Profile::Vpp.templates(set, families)
}

/// The blocks of a record set, with this one for layer 3.
fn blocks<T: ?Sized>(set: RecordSet, [common, l2, l3, l4]: [&T; 4]) -> Vec<&T> {
    let mut blocks = vec![common];
    blocks.extend(set.contains(L2).then_some(l2));
    blocks.extend(set.contains(L3).then_some(l3));
    blocks.extend(set.contains(L4).then_some(l4));
    blocks
}

#[test]
fn templates_have_vpps_fields_in_vpps_order() {
    for set in SETS {
        for (families, layer3) in [(Families::IP4, IP4), (Families::IP6, IP6)] {
            let expected = template(&blocks(set, [COMMON, LAYER2, layer3, LAYER4]));
            let templates = templates(set, families);
            let written: Vec<_> = templates.encoders().iter().map(written).collect();
            assert_eq!(written, [expected], "{set:?} {families:?}");
        }
    }
    let non_ip = templates(L2 | L3 | L4, Families::OTHER);
    assert_eq!(written(&non_ip.encoders()[0]), template(&[COMMON, LAYER2]));
}

#[test]
fn fields_and_octets_are_as_many_as_in_vpps_table() {
    let sizes = |set, families| -> Vec<(usize, usize)> {
        let templates = templates(set, families);
        templates.encoders().iter().map(|e| (e.fields().len(), e.record_len())).collect()
    };
    // l2, l3, l4, l2 l3, l2 l4, l3 l4, l2 l3 l4.
    let ip4 = [(9, 47), (10, 50), (9, 39), (13, 64), (12, 53), (13, 56), (16, 70)];
    let ip6 = [(9, 47), (10, 74), (9, 39), (13, 88), (12, 53), (13, 80), (16, 94)];
    for ((set, ip4), ip6) in SETS.into_iter().zip(ip4).zip(ip6) {
        assert_eq!(sizes(set, Families::IP4), [ip4], "{set:?}");
        assert_eq!(sizes(set, Families::IP6), [ip6], "{set:?}");
        // On the l2 datapath in the order of their identifiers: without IP, IPv4, IPv6.
        let l2 = set.contains(L2).then_some((9, 47));
        let expected: Vec<_> = l2.into_iter().chain([ip4, ip6]).collect();
        assert_eq!(sizes(set, Families::all()), expected, "{set:?}");
    }
}

/// Records as a meter of this set would make them: of what is not recorded nothing is known.
fn records() -> [FlowRecord; 3] {
    let [non_ip, ip4, _, ip6, _] = sample::one_of_each_shape();
    [non_ip, FlowRecord { tcp_flags: 0x11b, ..ip4 }, ip6]
}

const NTP_START: [u8; 8] = {
    // 1700000000 + 2208988800 seconds, 123456789 nanoseconds.
    let [a, b, c, d] = 3_908_988_800_u32.to_be_bytes();
    [a, b, c, d, 0x07, 0x5b, 0xcd, 0x15]
};
const NTP_END: [u8; 8] = {
    // 1700000060 + 2208988800 seconds, 456789012 nanoseconds.
    let [a, b, c, d] = 3_908_988_860_u32.to_be_bytes();
    [a, b, c, d, 0x1b, 0x3a, 0x0c, 0x14]
};

fn common(egress: [u8; 4], direction: u8) -> Vec<u8> {
    let counted = [&[0, 0, 0, 1][..], &egress, &[direction], &[0, 0, 0, 0, 0, 0, 0, 10]].concat();
    [counted, NTP_START.to_vec(), NTP_END.to_vec()].concat()
}

#[test]
fn records_have_vpps_octets_for_every_record_set() {
    let macs = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let layer4 = [0xc0, 0, 0, 80, 0, 0x1b];
    let octets = [0, 0, 0, 1, 0, 0, 0, 0];
    let ip4 = [&[192, 0, 2, 1, 198, 51, 100, 2, 6][..], &octets].concat();
    let mut ip6 = vec![0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    ip6.extend([0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6]);
    ip6.extend(octets);
    let [non_ip, of_ip4, of_ip6] = records();
    for set in SETS {
        let templates = templates(set, Families::all());
        // The type is little-endian: 0x0800, 0x86dd.
        let (mut l2_ip4, mut l2_ip6) = (macs.to_vec(), macs.to_vec());
        l2_ip4.extend([0x00, 0x08]);
        l2_ip6.extend([0xdd, 0x86]);
        let (none, seven) = (common([0xff; 4], 0), common([0, 0, 0, 7], 1));
        let expected = blocks(set, [&none[..], &l2_ip4, &ip4, &layer4]).concat();
        assert_eq!(encoded(&templates, &of_ip4), expected, "{set:?}");
        let expected = blocks(set, [&seven[..], &l2_ip6, &ip6, &layer4]).concat();
        assert_eq!(encoded(&templates, &of_ip6), expected, "{set:?}");
        if set.contains(L2) {
            let expected = [&none[..], &macs, &[0x06, 0x08]].concat();
            assert_eq!(encoded(&templates, &non_ip), expected, "{set:?}");
        }
    }
}

#[test]
fn a_collector_that_reads_the_type_big_endian_finds_what_vpps_tests_expect() {
    let templates = templates(L2, Families::all());
    let [_, ip4, ip6] = records();
    let slow_protocol = FlowRecord { ethertype: 0x8809, addresses: Addresses::None, ..ip4 };
    for (record, expected) in [(ip4, 8), (ip6, 56_710), (slow_protocol, 2440)] {
        let octets = encoded(&templates, &record);
        assert_eq!(u16::from_be_bytes([octets[45], octets[46]]), expected);
    }
}

#[test]
fn icmp_takes_the_template_of_its_family_and_has_no_ports() {
    let templates = templates(L4, Families::all());
    let [_, tcp, icmp, tcp6, icmp6] = sample::one_of_each_shape();
    for (one, other) in [(tcp, icmp), (tcp6, icmp6)] {
        assert_eq!(templates.select(&one).unwrap().0, templates.select(&other).unwrap().0);
        assert_eq!(encoded(&templates, &other)[33..], [0; 6]);
    }
}

#[test]
fn interfaces_and_times_are_told_as_they_are() {
    let [_, ip4, _] = records();
    let record = FlowRecord {
        ingress: SwIfIndex(0),
        start: PacketTime(0),
        end: PacketTime(2_086_000_000_999_999_999),
        ..ip4
    };
    let octets = encoded(&templates(L4, Families::IP4), &record);
    assert_eq!(octets[..4], [0; 4]);
    // 1970 is 0x83aa7e80; after 7 February 2036 the seconds begin at 0 again.
    assert_eq!(octets[17..25], [0x83, 0xaa, 0x7e, 0x80, 0, 0, 0, 0]);
    let seconds = ((2_086_000_000 + 2_208_988_800_u64) & 0xffff_ffff) as u32;
    assert_eq!(octets[25..29], seconds.to_be_bytes());
    assert_eq!(octets[29..33], 999_999_999_u32.to_be_bytes());
}
