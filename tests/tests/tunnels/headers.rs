//! What goes over from inner to outer headers, and back: RFC 6040, RFC 2983, RFC 2003.

use crate::{
    ENDS, KINDS, Kind, end,
    packets::{Ip4, PG0, checksum, frame_to, ip6_udp},
    scene::Scene,
};

/// A frame with an IPv4 packet or an IPv6 one, of DSCP and ECN.
fn frame(kind: &Kind, ip6: bool, tos: u8, dont_fragment: bool) -> Vec<u8> {
    let packet = if ip6 {
        let mut packet = ip6_udp("2001:db8:10::2", "2001:db8:11::2", 64, 18);
        packet[..4].copy_from_slice(&(6 << 28 | u32::from(tos) << 20 | 0x12345).to_be_bytes());
        packet
    } else {
        let fragment = if dont_fragment { 0x4000 } else { 0 };
        let mut packet = Ip4 { fragment, ..Ip4::udp("10.10.0.2", "10.11.0.2") }.bytes();
        set_tos4(&mut packet, tos);
        packet
    };
    frame_to(if kind.bridged { [2, 0, 0, 0, 0, 9] } else { PG0 }, &[], &packet)
}

fn set_tos4(packet: &mut [u8], tos: u8) {
    packet[1] = tos;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// DSCP and ECN of a packet.
fn tos(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 { packet[1] } else { packet[0] << 4 | packet[1] >> 4 }
}

fn set_tos(packet: &mut [u8], tos: u8) {
    if packet[0] >> 4 == 4 {
        return set_tos4(packet, tos);
    }
    packet[0] = 0x60 | tos >> 4;
    packet[1] = packet[1] & 0x0f | tos << 4;
}

/// The outer packets that these frames become.
fn outside(scene: &Scene, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    scene.capture("pg1");
    scene.send("pg0", frames);
    scene.captured("pg1").frames.iter().map(|frame| frame[14..].to_vec()).collect()
}

#[test]
fn outer_headers_say_what_vpp_and_the_rfcs_have_them_say() {
    for (family, ends) in ENDS {
        for kind in KINDS {
            let what = format!("{} over {family}", kind.name);
            let near = end(&kind, ends, 0);
            let frames: Vec<_> =
                (0..8_u8).map(|n| frame(&kind, n & 4 != 0, 0xb8 | n & 3, true)).collect();
            let packets = outside(&near, &frames);
            assert_eq!(packets.len(), 8, "{what}: {:?}", near.reasons());
            for (n, packet) in packets.iter().enumerate() {
                // The congestion bits alone go over.
                assert_eq!(tos(packet), n as u8 & 3, "{what}");
                let lives = if kind.name == "ipip" { 64 } else { 254 };
                match family {
                    "ip" => {
                        assert_eq!((packet[8], packet[6] & 0x40), (lives, 0), "{what}");
                        assert_eq!(checksum(&packet[..20]), 0, "{what}");
                    }
                    _ => assert_eq!(packet[7], if lives == 64 { 64 } else { 255 }, "{what}"),
                }
            }
            if family == "ip" {
                // Each may be fragmented, so that each is another one.
                let ids: std::collections::BTreeSet<_> =
                    packets.iter().map(|p| [p[4], p[5]]).collect();
                assert_eq!(ids.len(), packets.len(), "{what}");
            }
        }
    }
}

#[test]
fn flags_of_a_tunnel_let_more_go_over() {
    let words = [
        "encap-copy-dscp",
        "encap-copy-hop-limit",
        "encap-copy-df",
        "encap-set-df",
        "encap-copy-flow-label",
        "encap-inner-hash",
        "encap-copy-ecn",
        "decap-copy-ecn",
    ];
    let with = |word: &str| {
        Box::leak(format!("create ipip tunnel src LOCAL dst REMOTE flags {word}").into_boxed_str())
    };
    for (family, ends) in ENDS {
        for word in words {
            let kind = Kind { create: with(word), ..KINDS[5] };
            let near = end(&kind, ends, 0);
            let frames = [
                frame(&kind, false, 0xb9, true),
                frame(&kind, false, 0xb9, false),
                frame(&kind, true, 0xb9, false),
            ];
            let packets = outside(&near, &frames);
            let expected = if word == "encap-copy-dscp" { 0xb9 } else { 1 };
            assert_eq!(packets.iter().map(|p| tos(p)).collect::<Vec<_>>(), [expected; 3], "{word}");
            let lives = if family == "ip" { 8 } else { 7 };
            let expected = if word == "encap-copy-hop-limit" { 63 } else { 64 };
            assert_eq!(
                packets.iter().map(|p| p[lives]).collect::<Vec<_>>(),
                [expected; 3],
                "{word}"
            );
            if family == "ip" {
                let expected = match word {
                    "encap-set-df" => [true; 3],
                    "encap-copy-df" => [true, false, false],
                    _ => [false; 3],
                };
                let flags: Vec<_> = packets.iter().map(|p| p[6] & 0x40 != 0).collect();
                assert_eq!(flags, expected, "{word}");
                continue;
            }
            let labels: Vec<u32> =
                packets.iter().map(|p| u32::from_be_bytes([0, p[1] & 0x0f, p[2], p[3]])).collect();
            match word {
                "encap-copy-flow-label" => assert_eq!(labels, [0, 0, 0x12345]),
                "encap-inner-hash" => assert!(
                    labels[0] != 0 && labels[0] == labels[1] && labels[1] != labels[2],
                    "{labels:x?}"
                ),
                _ => assert_eq!(labels, [0; 3]),
            }
        }
    }
}

#[test]
fn congestion_met_on_the_way_is_told_to_those_who_understand_it() {
    // RFC 6040, figure 4: what arrives by inner (rows) and outer bits, Not-ECT, ECT(1), ECT(0), CE as numbers.
    let table: [[Option<u8>; 4]; 4] = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3); 4],
    ];
    for (family, ends) in ENDS {
        for kind in KINDS {
            for ip6 in [false, true] {
                let what = format!("{} over {family}, ip6 {ip6}", kind.name);
                let [near, far] = [0, 1].map(|side| end(&kind, ends, side));
                let (mut frames, mut expected) = (Vec::new(), Vec::new());
                for (inner, row) in table.iter().enumerate() {
                    let mut sent = near_frame(&near, &frame(&kind, ip6, 0xb8 | inner as u8, false));
                    for (outer, bits) in row.iter().enumerate() {
                        set_tos(&mut sent[14..], outer as u8);
                        frames.push(sent.clone());
                        expected.extend(bits.map(|bits| 0xb8 | bits));
                    }
                }
                far.capture("pg0");
                far.send("pg1", &frames);
                let arrived = far.captured("pg0");
                let bits: Vec<u8> = arrived.frames.iter().map(|f| tos(&f[14..])).collect();
                assert_eq!(bits, expected, "{what}: {:?}", far.reasons());
                for frame in arrived.frames.iter().filter(|_| !ip6) {
                    assert_eq!(checksum(&frame[14..34]), 0, "{what}");
                }
                let dropped =
                    far.reasons().into_iter().filter(|((_, reason), _)| reason == "ecn-not-ect");
                assert_eq!(dropped.map(|(_, n)| n).sum::<u64>(), 1, "{what}");
            }
        }
    }
}

/// What a frame becomes.
fn near_frame(near: &Scene, frame: &[u8]) -> Vec<u8> {
    near.capture("pg1");
    near.send("pg0", &[frame.to_vec()]);
    near.captured("pg1").frames[0].clone()
}
