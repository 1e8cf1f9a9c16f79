//! Packets of tunnels that are no good, and where each is counted.

use crate::{
    ENDS, KINDS, Kind, adds_up, end,
    packets::{Ip4, PG0, checksum, frame_to},
};

/// A field with a bad value, and the counter that is expected.
type Case = (&'static str, fn(&mut Vec<u8>), &'static str, &'static str);

/// Makes the IPv4 header of a frame right again, whose packet may have another length.
fn settle(frame: &mut [u8]) {
    let length = (frame.len() - 14) as u16;
    frame[16..18].copy_from_slice(&length.to_be_bytes());
    frame[24..26].fill(0);
    let sum = checksum(&frame[14..34]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

/// Cuts what is behind the IPv4 header to `n` octets, and says so in a UDP header that is there.
fn cut(frame: &mut Vec<u8>, n: usize) {
    frame.truncate(34 + n);
    if frame[23] == 17 {
        frame[38..40].copy_from_slice(&(n as u16).to_be_bytes());
    }
    settle(frame);
}

/// A checksum of GRE in front of the payload, which is wrong by `wrong`.
fn with_gre_checksum(frame: &mut Vec<u8>, wrong: u16) {
    frame[34] |= 0x80;
    frame.splice(38..38, [0; 4]);
    let sum = checksum(&frame[34..]) ^ wrong;
    frame[38..40].copy_from_slice(&sum.to_be_bytes());
    settle(frame);
}

/// What came is as the far end sent it; then each field in turn has a bad value.
fn judge(kind: &Kind, cases: &[Case]) {
    let ends = ENDS[0].1;
    let [near, far] = [0, 1].map(|side| end(kind, ends, side));
    let to = if kind.bridged { [2, 0, 0, 0, 0, 9] } else { PG0 };
    near.capture("pg1");
    near.send("pg0", &[frame_to(to, &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes())]);
    let good = near.captured("pg1").frames[0].clone();
    for (what, spoil, node, reason) in cases {
        let what = format!("{}: {what}", kind.name);
        let mut bad = good.clone();
        spoil(&mut bad);
        let before = far.lab.error(node, reason);
        far.send("pg1", &[bad]);
        assert_eq!(far.lab.error(node, reason) - before, 1, "{what}: {:?}", far.reasons());
        adds_up(&far);
    }
    // None of them has hurt it.
    let before = far.counter("pg0", "tx packets");
    far.send("pg1", &[good]);
    assert_eq!(far.counter("pg0", "tx packets") - before, 1, "{}", kind.name);
}

const VXLAN: &str = "vxlan4-input";
const GENEVE: &str = "geneve4-input";
const GRE: &str = "gre4-input";
const IPIP: &str = "ipip4-input";

#[test]
fn each_bad_vxlan_packet_is_counted_under_its_reason() {
    judge(
        &KINDS[0],
        &[
            ("flags without I", |f| f[42] = 0xf7, VXLAN, "bad-flags"),
            ("VNI of no tunnel", |f| f[48] = 14, VXLAN, "no-such-tunnel"),
            (
                "from somebody else",
                |f| {
                    f[29] = 9;
                    settle(f);
                },
                VXLAN,
                "no-such-tunnel",
            ),
            ("header cut", |f| cut(f, 8 + 7), VXLAN, "truncated"),
            ("nothing in it", |f| cut(f, 8 + 8), "ethernet-input", "truncated"),
            ("frame cut", |f| cut(f, 8 + 8 + 13), "ethernet-input", "truncated"),
            ("UDP length short of the header", |f| f[39] = 15, VXLAN, "truncated"),
            ("UDP length beyond the packet", |f| f[38] = 9, "ip4-local", "udp-length"),
            ("UDP checksum", |f| f[41] ^= 1, "ip4-local", "bad-l4-checksum"),
            ("port of nobody", |f| f[37] ^= 1, "ip4-udp-lookup", "no-listener"),
            ("inner source a group", |f| f[56] = 1, "l2-input", "source-not-unicast"),
        ],
    );
}

#[test]
fn each_bad_geneve_packet_is_counted_under_its_reason() {
    judge(
        &KINDS[1],
        &[
            ("version 1", |f| f[42] = 0x40, GENEVE, "unsupported-version"),
            ("control message", |f| f[43] = 0x80, GENEVE, "control"),
            ("critical option", |f| f[43] = 0x40, GENEVE, "critical-option"),
            ("IP inside", |f| f[44..46].copy_from_slice(&[8, 0]), GENEVE, "unknown-protocol"),
            ("options beyond the packet", |f| f[42] = 0x3f, GENEVE, "truncated"),
            ("VNI of no tunnel", |f| f[48] = 14, GENEVE, "no-such-tunnel"),
            (
                "to another end",
                |f| {
                    f[29] = 9;
                    settle(f);
                },
                GENEVE,
                "no-such-tunnel",
            ),
            ("header cut", |f| cut(f, 8 + 7), GENEVE, "truncated"),
            ("frame cut", |f| cut(f, 8 + 8 + 13), "ethernet-input", "truncated"),
        ],
    );
}

#[test]
fn each_bad_gre_packet_is_counted_under_its_reason() {
    judge(
        &KINDS[2],
        &[
            ("version 1", |f| f[35] = 1, GRE, "unsupported-version"),
            ("source routes", |f| f[34] = 0x40, GRE, "bad-flags"),
            ("strict source route", |f| f[34] = 0x08, GRE, "bad-flags"),
            ("protocol", |f| f[36..38].copy_from_slice(&[0x88, 0x47]), GRE, "unknown-protocol"),
            (
                "Ethernet in a tunnel of IP",
                |f| f[36..38].copy_from_slice(&[0x65, 0x58]),
                GRE,
                "no-such-tunnel",
            ),
            ("key where there is none", |f| f[34] = 0x20, GRE, "no-such-tunnel"),
            ("checksum", |f| with_gre_checksum(f, 1), GRE, "bad-checksum"),
            ("header cut", |f| cut(f, 3), GRE, "truncated"),
            (
                "key cut",
                |f| {
                    f[34] = 0x20;
                    cut(f, 7);
                },
                GRE,
                "truncated",
            ),
            (
                "from somebody else",
                |f| {
                    f[29] = 9;
                    settle(f);
                },
                GRE,
                "no-such-tunnel",
            ),
            ("nothing in it", |f| cut(f, 4), "ip4-input", "too-short"),
            (
                "IPv6 that is none",
                |f| f[36..38].copy_from_slice(&[0x86, 0xdd]),
                "ip6-input",
                "version",
            ),
        ],
    );
    judge(
        &KINDS[3],
        &[
            ("another key", |f| f[41] ^= 1, GRE, "no-such-tunnel"),
            (
                "no key",
                |f| {
                    f[34] = 0;
                    f.drain(38..42);
                    settle(f);
                },
                GRE,
                "no-such-tunnel",
            ),
        ],
    );
}

#[test]
fn each_bad_ip_in_ip_packet_is_counted_under_its_reason() {
    judge(
        &KINDS[5],
        &[
            (
                "IPv6 said, IPv4 in it",
                |f| {
                    f[23] = 41;
                    settle(f);
                },
                IPIP,
                "unknown-protocol",
            ),
            ("neither", |f| f[34] = 0x75, IPIP, "unknown-protocol"),
            ("nothing in it", |f| cut(f, 0), IPIP, "truncated"),
            ("header cut", |f| cut(f, 19), "ip4-input", "too-short"),
            ("inner checksum", |f| f[44] ^= 1, "ip4-input", "bad-checksum"),
            (
                "from somebody else",
                |f| {
                    f[29] = 9;
                    settle(f);
                },
                IPIP,
                "no-such-tunnel",
            ),
        ],
    );
}

#[test]
fn what_gre_may_have_is_taken() {
    let kind = KINDS[2];
    let [near, far] = [0, 1].map(|side| end(&kind, ENDS[0].1, side));
    near.capture("pg1");
    near.send("pg0", &[frame_to(PG0, &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes())]);
    let good = near.captured("pg1").frames[0].clone();
    let mut summed = good.clone();
    with_gre_checksum(&mut summed, 0);
    let mut numbered = good.clone();
    numbered[34] = 0x10;
    numbered.splice(38..38, [0, 0, 0, 9]);
    settle(&mut numbered);
    // What is behind the packet is padding of the frame.
    let padded = [&good[..], &[0; 20]].concat();
    far.capture("pg0");
    far.send("pg1", &[good, summed, numbered, padded]);
    let arrived = far.captured("pg0").frames.clone();
    assert_eq!(arrived.len(), 4, "{:?}", far.reasons());
    assert!(arrived.iter().all(|frame| *frame == arrived[0]));
}

#[test]
fn a_tunnel_whose_interface_is_down_takes_nothing_and_sends_nothing() {
    for kind in KINDS {
        let [near, far] = [0, 1].map(|side| end(&kind, ENDS[0].1, side));
        let to = if kind.bridged { [2, 0, 0, 0, 0, 9] } else { PG0 };
        let frame = frame_to(to, &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes());
        near.capture("pg1");
        near.send("pg0", std::slice::from_ref(&frame));
        let outside = near.captured("pg1").frames.clone();
        for scene in [&near, &far] {
            scene.lab.run(&format!("set interface state {} down", kind.interface));
        }
        near.send("pg0", &[frame]);
        far.send("pg1", &outside);
        let down = |scene: &crate::Scene| {
            let reasons = scene.reasons().into_iter();
            let of = |reason: &str| ["down", "route", "not-enabled"].contains(&reason);
            reasons.filter(|((_, reason), _)| of(reason)).map(|(_, n)| n).sum::<u64>()
        };
        assert_eq!(
            (down(&near), down(&far)),
            (1, 1),
            "{}: {:?} {:?}",
            kind.name,
            near.reasons(),
            far.reasons()
        );
        adds_up(&near);
        adds_up(&far);
    }
}

#[test]
fn over_ip6_only_tunnels_take_datagrams_without_a_checksum() {
    let ends = ENDS[1].1;
    let [near, far] = [0, 1].map(|side| end(&KINDS[0], ends, side));
    near.capture("pg1");
    let inner = frame_to([2, 0, 0, 0, 0, 9], &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes());
    near.send("pg0", std::slice::from_ref(&inner));
    let good = near.captured("pg1").frames[0].clone();
    let with = |sum: [u8; 2], port: u16| {
        let mut frame = good.clone();
        frame[56..58].copy_from_slice(&port.to_be_bytes());
        frame[60..62].copy_from_slice(&sum);
        frame
    };
    far.capture("pg0");
    far.send("pg1", &[with([0, 0], 4789), with([1, 1], 4789), with([0, 0], 4739)]);
    assert_eq!(far.captured("pg0").frames, [inner], "{:?}", far.reasons());
    assert_eq!(far.lab.error("ip6-local", "bad-l4-checksum"), 1);
    assert_eq!(far.lab.error("ip6-udp-lookup", "no-listener"), 1);
    // Where somebody else listens who was not told to do without.
    far.lab.engine.with(|main| {
        let ports = main.provided::<nodes::udp::UdpPorts>().unwrap().clone();
        let sink = main.graph().find("error-drop").unwrap();
        ports.register(main, 4739, sink).unwrap();
    });
    far.send("pg1", &[with([0, 0], 4739)]);
    assert_eq!(far.lab.error("ip6-udp-lookup", "no-checksum"), 1, "{:?}", far.reasons());
    adds_up(&far);
}
