//! Under the profile `vpp`: the octets that VPP's flowprobe would have sent.

use crate::scene::{IP4, IP6, Scene, UDP, UDP6};

const ARP: &str = "0x0806: 02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff hex 0x00010800";
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0xfe, 0, 0, 0, 0];
/// 2026-01-01T00:00:00Z, when each scene begins, as seconds of NTP.
const BEGIN: u32 = 1_767_225_600 + 2_208_988_800_u64 as u32;

fn scene(name: &str, exporter: &str, params: &str) -> Scene {
    let scene = Scene::new(name, exporter);
    scene.params(&format!("{params} profile vpp"));
    scene
}

/// A message without the IP and UDP headers.
struct Message(Vec<u8>);

impl Message {
    fn is_template(&self) -> bool {
        self.0[16..18] == [0, 2]
    }

    fn set(&self) -> u16 {
        u16::from_be_bytes([self.0[16], self.0[17]])
    }

    fn sequence(&self) -> u32 {
        u32::from_be_bytes(self.0[8..12].try_into().unwrap())
    }

    /// What stands behind the set header.
    fn records(&self) -> &[u8] {
        &self.0[20..]
    }
}

fn messages(scene: &Scene) -> Vec<Message> {
    scene.packets().iter().map(|packet| Message(packet[28..].to_vec())).collect()
}

/// Set identifiers, sequence numbers and records of the messages with data.
fn data(scene: &Scene) -> Vec<(u16, u32, Vec<u8>)> {
    let data = messages(scene).into_iter().filter(|message| !message.is_template());
    data.map(|m| (m.set(), m.sequence(), m.records().to_vec())).collect()
}

/// What every record begins with: of these packets, received by pg0, and of these seconds.
fn common(packets: u64, start: u32, end: u32) -> Vec<u8> {
    let mut octets = vec![0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0];
    octets.extend(packets.to_be_bytes());
    octets.extend([start.to_be_bytes(), [0; 4], end.to_be_bytes(), [0; 4]].concat());
    octets
}

#[test]
fn the_l2_datapath_sends_vpps_packets_octet_by_octet() {
    let scene = scene("vpp-l2", "path-mtu 1450", "record l2 l3 l4");
    scene.feature("pg0 l2 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.send(2, &format!("{IP6} {UDP6}"));
    scene.send(1, ARP);
    scene.feature("pg0 l2 disable");
    let messages = messages(&scene);
    let (templates, data) = messages.split_at(3);
    let fields = |blocks: &[&[(u16, u16)]]| -> Vec<u8> {
        blocks
            .concat()
            .iter()
            .flat_map(|(e, l)| [e.to_be_bytes(), l.to_be_bytes()].concat())
            .collect()
    };
    let common_fields = &[(10, 4), (14, 4), (61, 1), (2, 8), (156, 8), (157, 8)][..];
    let (layer2, layer4) = (&[(56, 6), (80, 6), (256, 2)][..], &[(7, 2), (11, 2), (6, 2)][..]);
    let (ip4, ip6) =
        (&[(8, 4), (12, 4), (4, 1), (1, 8)][..], &[(27, 16), (28, 16), (4, 1), (1, 8)][..]);
    for (message, (id, count, fields)) in templates.iter().zip([
        (0, 9, fields(&[common_fields, layer2])),
        (1, 16, fields(&[common_fields, layer2, ip4, layer4])),
        (2, 16, fields(&[common_fields, layer2, ip6, layer4])),
    ]) {
        let len = 16 + 8 + 4 * count;
        let mut golden = vec![0, 10, 0, len];
        golden.extend(1_767_225_600_u32.to_be_bytes());
        golden.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, len - 16, 1, id, 0, count]);
        golden.extend(fields);
        assert_eq!(message.0, golden);
    }
    let addresses = [192, 168, 0, 2, 10, 0, 0, 1, 17];
    let addresses6 = "20010db8000000000000000000000002 20010db8001000000000000000000001 11";
    let addresses6: Vec<u8> = addresses6
        .replace(' ', "")
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    let layer4 = [0x03, 0xe8, 0x07, 0xd0, 0, 0];
    let mut expected = [
        // 46 octets a packet.
        (
            257,
            [
                &common(3, BEGIN, BEGIN)[..],
                &MACS,
                &[0, 8],
                &addresses,
                &138_u64.to_be_bytes(),
                &layer4,
            ]
            .concat(),
        ),
        (
            258,
            [
                &common(2, BEGIN, BEGIN)[..],
                &MACS,
                &[0xdd, 0x86],
                &addresses6,
                &100_u64.to_be_bytes(),
                &layer4,
            ]
            .concat(),
        ),
        (256, [&common(1, BEGIN, BEGIN)[..], &MACS[..6], &[0xff; 6], &[6, 8]].concat()),
    ];
    expected.sort();
    let mut found: Vec<_> = data.iter().map(|m| (m.set(), m.records().to_vec())).collect();
    found.sort();
    assert_eq!(found, expected);
    let sequences: Vec<u32> = data.iter().map(Message::sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
}

#[test]
fn records_a_packet_fill_packets_as_vpps_do_and_begin_in_1970() {
    for (mtu, l2, expected) in [
        (260, "l2 l3 l4", [258; 5]),
        (512, "l2 l3 l4", [468; 5]),
        (1450, "l3", [1448; 5]),
        (100, "l3 l4", [48 + 56; 5]),
    ] {
        let exporter = format!("path-mtu {mtu}");
        let scene = scene(&format!("vpp-fill-{mtu}"), &exporter, &format!("record {l2} active 0"));
        scene.feature("pg0 ip4 rx");
        scene.send(300, &format!("{IP4} {UDP}"));
        scene.lab.run("ipfix flush");
        let packets = scene.packets();
        let data: Vec<_> = packets.iter().filter(|p| p[44..46] != [0, 2]).collect();
        assert_eq!(data.iter().map(|p| p.len()).take(5).collect::<Vec<_>>(), expected, "{mtu}");
        for (number, packet) in (0_u32..).zip(&data) {
            assert_eq!(packet[36..40], number.to_be_bytes());
            // 2208988800 seconds after 1900, and no nanoseconds.
            assert_eq!(packet[65..73], [0x83, 0xaa, 0x7e, 0x80, 0, 0, 0, 0]);
            assert_eq!(packet[73..77], BEGIN.to_be_bytes());
        }
    }
}

#[test]
fn a_flow_keeps_its_start_in_all_its_records() {
    let scene = scene("vpp-start", "", "record l4 active 10 passive 60");
    scene.feature("pg0 ip4 rx");
    for _ in 0..3 {
        scene.send(4, &format!("{IP4} {UDP}"));
        scene.lab.advance(12);
    }
    scene.feature("pg0 ip4 disable");
    let ports = [0x03, 0xe8, 0x07, 0xd0, 0, 0];
    let record = |end| [&common(4, BEGIN, BEGIN + end)[..], &ports].concat();
    let records: Vec<_> = data(&scene).into_iter().map(|(.., record)| record).collect();
    assert_eq!(records, [record(0), record(12), record(24)]);
}

#[test]
fn frames_without_a_template_are_sent_in_set_0() {
    let scene = scene("vpp-set-0", "", "record l3");
    scene.feature("pg0 l2 rx");
    scene.send(5, ARP);
    scene.feature("pg0 l2 disable");
    assert_eq!(scene.not_sent(), 0);
    let messages = messages(&scene);
    // IPv4 and IPv6 have their templates though there is none for them.
    let (templates, data) = messages.split_at(2);
    assert!(templates.iter().all(Message::is_template));
    let data: Vec<_> = data.iter().map(|m| (m.set(), m.sequence(), m.records())).collect();
    assert_eq!(data, [(0, 0, &common(5, BEGIN, BEGIN)[..])]);
}

#[test]
fn ip_behind_a_tag_is_a_frame_with_the_type_behind_the_tag() {
    let scene = scene("vpp-tag", "", "record l2 l3 l4");
    scene.feature("pg0 l2 rx");
    let mut frame = [&MACS[6..], &MACS[..6], &[0x81, 0, 0, 5, 8, 0]].concat();
    frame.extend([
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 8, 0, 0,
    ]);
    scene.replay(&[frame.clone(), frame]);
    scene.feature("pg0 l2 disable");
    let expected = [&common(2, BEGIN, BEGIN)[..], &MACS, &[0, 8]].concat();
    assert_eq!(data(&scene), [(256, 0, expected)]);
}

#[test]
fn each_family_has_a_template_of_its_own_though_the_fields_are_the_same() {
    let scene = scene("vpp-l4", "", "record l4");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg0 ip6 rx");
    scene.send(1, &format!("{IP4} {UDP}"));
    scene.send(1, &format!("{IP6} {UDP6}"));
    scene.feature("pg0 ip4 disable");
    scene.feature("pg0 ip6 disable");
    let told: Vec<_> = data(&scene).into_iter().map(|(set, number, _)| (set, number)).collect();
    assert_eq!(told, [(256, 0), (257, 1)]);
}

#[test]
fn parameters_without_a_profile_are_shown_as_vpp_shows_them() {
    let scene = Scene::without_collector("vpp-show");
    for (words, shown) in [
        ("record l3 profile vpp", " l3 active: 15 passive: 120 profile: vpp\n"),
        ("record l3 profile rfc", " l3 active: 15 passive: 120\n"),
        ("profile vpp record l2 l4 active 5", " l2 l4 active: 5 passive: 120 profile: vpp\n"),
        ("record l2 l4", " l2 l4 active: 15 passive: 120\n"),
    ] {
        scene.params(words);
        assert_eq!(scene.lab.run("show flowprobe params"), shown, "{words}");
    }
    let refused = scene.lab.refused("flowprobe params record l3 profile ntop");
    assert!(refused.contains("rfc") && refused.contains("vpp"), "{refused}");
}
