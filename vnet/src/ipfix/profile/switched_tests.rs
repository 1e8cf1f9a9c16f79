//! The octets of Open vSwitch's exporter, of messages that an independent encoder made.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use super::{FlowTemplates, Framing};
use crate::{
    flow::{
        Addresses, DetailKeys, Details, Direction, EndReason, FlowRecord, Outer, Rate, Site,
        TunnelKind,
    },
    interface::SwIfIndex,
    ipfix::{
        export::{ExportTime, Outgoing, Outlet, Stream, StreamKey},
        template::{Template, TemplateId},
    },
    runtime::PacketTime,
};

/// A quarter of a second before the export time of the messages.
const NOW: PacketTime = PacketTime(1_700_000_000_250_000_000);
const KEY: StreamKey = StreamKey { domain: 123, source_port: 4739 };

const UDP: &str = "000a00736553f101000000010000007b01080063000001c80050540000000550540000000708000e0440110b012ec0a80001c0a8000203e800350057bcf0001ab3f0000000000000000700000000000002bc02000000000000025a000000000000ca3c00000000000000560000000000000056";
const IN_VXLAN: &str = "000a00856553f101000000020000007b01090075000001c80050540000000550540000000708000e0440110b012ec0a80001c0a8000203e800350a0000010a00000211000012b5010300002a0057bcf0001ab3f0000000000000000700000000000002bc02000000000000025a000000000000ca3c00000000000000560000000000000056";
const ARP: &str = "000a00416553f101000000030000007b01000031000001c80050540000000550540000000708060e0057bcf0001ab3f0000000000000000700000000000002bc02";
/// Set header and the first two templates.
const TEMPLATES: &str = "000204080100000b008a0004003d000100380006005000060100000200f00001009e0004009f00040002000801600008008800010101\
0012008a0004003d000100380006005000060100000200f00001837d000400001adc837e000400001adc837f000100001adc8380000200001adc\
8381000200001adc837b000100001adc837cffff00001adc009e0004009f000400020008016000080088 0001";

/// Identifier; fields; octets of the template record; octets of keys, without that of the tunnel; octets of counts.
const TABLE: [(u16, usize, usize, usize, usize); 28] = [
    (256, 11, 48, 20, 25),
    (257, 18, 104, 35, 25),
    (262, 23, 96, 34, 57),
    (263, 30, 152, 49, 57),
    (264, 25, 104, 38, 57),
    (265, 32, 160, 53, 57),
    (266, 25, 104, 36, 57),
    (267, 32, 160, 51, 57),
    (268, 24, 100, 62, 57),
    (269, 31, 156, 77, 57),
    (270, 26, 108, 66, 57),
    (271, 33, 164, 81, 57),
    (272, 26, 108, 64, 57),
    (273, 33, 164, 79, 57),
    (274, 14, 60, 25, 25),
    (275, 21, 116, 40, 25),
    (280, 26, 108, 39, 57),
    (281, 33, 164, 54, 57),
    (282, 28, 116, 43, 57),
    (283, 35, 172, 58, 57),
    (284, 28, 116, 41, 57),
    (285, 35, 172, 56, 57),
    (286, 27, 112, 67, 57),
    (287, 34, 168, 82, 57),
    (288, 29, 120, 71, 57),
    (289, 36, 176, 86, 57),
    (290, 29, 120, 69, 57),
    (291, 36, 176, 84, 57),
];

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// Seven packets of 100 octets over UDP, the first five seconds ago, the last one a second ago.
fn udp() -> FlowRecord {
    let site = Site { domain: 123, point: 456, rate: Rate::ALL };
    let keys = DetailKeys { class: 0x2e, ttl: 64, site, ..DetailKeys::NONE };
    let mut meters = Details::NONE.meters;
    (meters.squares, meters.min_octets, meters.max_octets) = (7 * 86 * 86, 86, 86);
    FlowRecord {
        ingress: SwIfIndex::NONE,
        egress: SwIfIndex::NONE,
        direction: Direction::Ingress,
        source_mac: [0x50, 0x54, 0, 0, 0, 5],
        destination_mac: [0x50, 0x54, 0, 0, 0, 7],
        ethertype: 0x0800,
        vlan: None,
        addresses: Addresses::V4([192, 168, 0, 1], [192, 168, 0, 2]),
        protocol: 17,
        source_port: 1000,
        destination_port: 53,
        tcp_flags: 0,
        packets: 7,
        octets: 7 * 86,
        layer2_octets: 700,
        start: PacketTime(NOW.0 - 5_000_000_000),
        end: PacketTime(NOW.0 - 1_000_000_000),
        end_reason: EndReason::ActiveTimeout,
        details: Some(Details { keys, meters, ..Details::NONE }),
    }
}

fn with_keys(record: FlowRecord, change: impl FnOnce(&mut DetailKeys)) -> FlowRecord {
    let mut record = record;
    change(&mut record.details.as_mut().unwrap().keys);
    record
}

fn in_vxlan() -> FlowRecord {
    let outer = Outer {
        kind: TunnelKind::Vxlan,
        source: [10, 0, 0, 1],
        destination: [10, 0, 0, 2],
        source_port: 0,
        destination_port: 4789,
        key: 0x2a,
    };
    with_keys(udp(), |keys| keys.outer = Some(outer))
}

fn arp() -> FlowRecord {
    FlowRecord { ethertype: 0x0806, addresses: Addresses::None, protocol: 0, octets: 0, ..udp() }
}

/// The messages of a stream of at most `limit` octets.
fn sent(limit: usize, add: impl FnOnce(&mut Stream, &mut Outlet<'_>)) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut send = |outgoing: Outgoing<'_>| {
        messages.push(outgoing.message.to_vec());
        Ok(())
    };
    let export_time = ExportTime::from(NOW);
    let mut outlet = Outlet { export_time, send: &mut send, failure: None };
    let mut stream = Stream::new(KEY, limit);
    add(&mut stream, &mut outlet);
    stream.flush(&mut outlet);
    messages
}

fn add_records(framing: Framing, stream: &mut Stream, outlet: &mut Outlet<'_>, of: &[FlowRecord]) {
    let templates = FlowTemplates::of_switch(framing);
    for record in of {
        let (slot, encoder) = templates.select(record).unwrap();
        let template = Template::new(templates.id(slot.index()).unwrap(), 0, encoder.fields());
        let set = crate::ipfix::export::DataSet::of(&template.unwrap(), framing);
        let time = outlet.export_time.seconds(framing);
        let write = |out: &mut [u8]| encoder.encode_at(record, time, out);
        stream.record(set, encoder.len_of(record), outlet, write).unwrap();
    }
}

fn add_templates(framing: Framing, stream: &mut Stream, outlet: &mut Outlet<'_>) {
    let templates = FlowTemplates::of_switch(framing);
    for (index, encoder) in templates.encoders().iter().enumerate() {
        let template = Template::new(templates.id(index).unwrap(), 0, encoder.fields()).unwrap();
        stream.template(&template, framing, outlet).unwrap();
    }
}

#[test]
fn records_of_profile_ovs_are_open_vswitchs_to_the_octet() {
    let records = [udp(), in_vxlan(), arp()];
    let messages = sent(484, |stream, outlet| add_records(Framing::OVS, stream, outlet, &records));
    assert_eq!(messages, [UDP, IN_VXLAN, ARP].map(octets));
}

#[test]
fn template_messages_of_profile_ovs_are_open_vswitchs_to_the_octet() {
    let messages = sent(484, |stream, outlet| add_templates(Framing::OVS, stream, outlet));
    let header = octets("000a0418 6553f101 00000001 0000007b");
    assert_eq!(messages[0][..16], header);
    let first = octets(TEMPLATES);
    assert_eq!(messages[0][16..16 + first.len()], first);
    let told: Vec<(usize, String)> =
        messages.iter().map(|m| (m.len(), sha256(m)[..16].to_owned())).collect();
    let expected = [
        (1048, "86a0953f4f0ce24c"),
        (1168, "79a59afbe8338603"),
        (1172, "7d2a56e573d40547"),
        (316, "fe9a4d2699bc1575"),
    ];
    assert_eq!(told, expected.map(|(len, sum)| (len, sum.to_owned())));
}

fn sha256(octets: &[u8]) -> String {
    let mut sum = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum is in coreutils");
    sum.stdin.take().unwrap().write_all(octets).unwrap();
    String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn there_are_28_templates_and_their_numbers_say_of_what() {
    let templates = FlowTemplates::of_switch(Framing::SWITCH);
    let found: Vec<_> = (0..templates.encoders().len())
        .map(|index| {
            let (id, encoder) = (templates.id(index).unwrap(), &templates.encoders()[index]);
            let wire_len = Template::new(id, 0, encoder.fields()).unwrap().wire_len();
            (id.get(), encoder.fields().len(), wire_len, encoder.record_len())
        })
        .collect();
    let expected = TABLE.map(|(id, fields, wire, keys, counts)| (id, fields, wire, keys + counts));
    assert_eq!(found, expected);
}

#[test]
fn a_record_takes_the_template_of_its_class() {
    let templates = FlowTemplates::of_switch(Framing::SWITCH);
    let id = |record: &FlowRecord| {
        let (slot, _) = templates.select(record).unwrap();
        templates.id(slot.index()).map(TemplateId::get).unwrap()
    };
    let v6 = Addresses::V6([1; 16], [2; 16]);
    let tagged = |record| FlowRecord { vlan: Some(0), ..record };
    let of = |addresses, protocol| FlowRecord { addresses, protocol, ..udp() };
    assert_eq!((id(&arp()), id(&tagged(arp()))), (256, 274));
    assert_eq!((id(&udp()), id(&in_vxlan()), id(&tagged(in_vxlan()))), (264, 265, 283));
    // TCP and SCTP have ports, others have none.
    let v4 = udp().addresses;
    assert_eq!(
        [6, 132, 136, 47, 1].map(|protocol| id(&of(v4, protocol))),
        [264, 264, 262, 262, 266]
    );
    assert_eq!([17, 58, 1].map(|protocol| id(&of(v6, protocol))), [270, 272, 268]);
    assert_eq!(id(&of(v4, 58)), 262);
}

/// D9: nothing is subtracted without a look. D8: the class alone says which fields there are.
#[test]
fn a_record_is_as_long_as_its_template_says_whatever_is_counted() {
    let templates = FlowTemplates::of_switch(Framing::SWITCH);
    let mut empty = udp();
    empty.details.as_mut().unwrap().meters.squares = 0;
    for record in [empty, in_vxlan(), FlowRecord { octets: u64::MAX, ..udp() }] {
        let (slot, encoder) = templates.select(&record).unwrap();
        let id = templates.id(slot.index()).unwrap();
        let template = Template::new(id, 0, encoder.fields()).unwrap();
        let len = encoder.len_of(&record);
        assert!(template.has_records_of(len));
        let mut out = vec![0xee; len];
        encoder.encode_at(&record, 1_700_000_001, &mut out);
        assert!(out.ends_with(&[0, 0, 0, 0, 0, 0, 0, 86]));
    }
}

#[test]
fn by_default_messages_hold_what_fits_and_count_records() {
    let records = vec![udp(); 20];
    let messages =
        sent(1024, |stream, outlet| add_records(Framing::SWITCH, stream, outlet, &records));
    assert!(messages.iter().all(|message| message.len() <= 1024));
    let sequences: Vec<u8> = messages.iter().map(|message| message[11]).collect();
    assert_eq!(sequences, [0, 10]);
    let templates = sent(1024, |stream, outlet| add_templates(Framing::SWITCH, stream, outlet));
    assert!(templates.iter().all(|message| message.len() <= 1024 && message[8..12] == [0; 4]));
}

#[test]
fn counts_are_scaled_by_the_rate_and_lengths_are_not() {
    let rate = Rate::one_in(400.try_into().unwrap());
    let sampled = with_keys(udp(), |keys| keys.site.rate = rate);
    let messages =
        sent(484, |stream, outlet| add_records(Framing::OVS, stream, outlet, &[sampled]));
    let tail = &messages[0][messages[0].len() - 49..];
    let words: Vec<u64> = [&tail[..16], &tail[17..]]
        .concat()
        .chunks(8)
        .map(|word| u64::from_be_bytes(word.try_into().unwrap()))
        .collect();
    assert_eq!(words, [7 * 400, 700 * 400, 602 * 400, 51_772 * 400, 86, 86]);
}

#[test]
fn times_are_told_by_a_whole_second_that_is_not_before_them() {
    let templates = FlowTemplates::of_switch(Framing::SWITCH);
    let seconds = |wall: u64| ExportTime::from(PacketTime(wall)).seconds(Framing::SWITCH);
    assert_eq!((seconds(5_000_000_000), seconds(5_000_000_001)), (5, 6));
    let deltas = |start: u64, end: u64, time: u32| {
        let record = FlowRecord { start: PacketTime(start), end: PacketTime(end), ..arp() };
        let (_, encoder) = templates.select(&record).unwrap();
        let mut out = vec![0; encoder.record_len()];
        encoder.encode_at(&record, time, &mut out);
        let word = |at: usize| u32::from_be_bytes(out[at..at + 4].try_into().unwrap());
        (word(20), word(24))
    };
    assert_eq!(deltas(4_999_999_000, 5_000_000_000, 5), (1, 0));
    // A clock that was set back, and one that was set forth by hours.
    assert_eq!(deltas(9_000_000_000, 9_000_000_000, 5), (0, 0));
    assert_eq!(deltas(0, 1_000_000_000, 10_000), (u32::MAX, u32::MAX));
}
