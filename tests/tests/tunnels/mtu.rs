//! Packets that are too long for what is below a tunnel.

use crate::{
    ENDS, KINDS, adds_up, end,
    packets::{Ip4, PG0, frame_to, ip6_udp},
};

/// Octets of outer headers by kind, over IPv4 and over IPv6.
const OVERHEADS: [[usize; 2]; 6] = [[50, 70], [50, 70], [24, 44], [28, 48], [38, 58], [20, 40]];

fn word(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

#[test]
fn senders_are_told_what_fits_into_a_tunnel() {
    for (n, (family, ends)) in ENDS.into_iter().enumerate() {
        for (kind, overhead) in KINDS.iter().zip(OVERHEADS).filter(|(kind, _)| !kind.bridged) {
            let what = format!("{} over {family}", kind.name);
            let near = end(kind, ends, 0);
            near.lab.script(
                "set interface mtu packet 1500 pg1
                 set ip icmp-error-limit rate 1000
                 set ip6 icmp-error-limit rate 1000",
            );
            let room = 1500 - overhead[n];
            let ip4 = |length: usize, fragment| {
                let packet = Ip4 {
                    fragment,
                    ..Ip4::flow("10.10.0.2", "10.11.0.2", 1, &vec![7; length - 28])
                };
                frame_to(PG0, &[], &packet.bytes())
            };
            let ip6 = |length: usize| {
                let packet = ip6_udp("2001:db8:10::2", "2001:db8:11::2", 64, length - 48);
                frame_to(PG0, &[], &packet)
            };
            near.capture("pg0");
            near.capture("pg1");
            let sent = [
                ip4(room, 0x4000),
                ip6(room),
                ip4(room + 1, 0x4000),
                ip6(room + 1),
                ip4(room + 1, 0),
            ];
            near.send("pg0", &sent);
            let (told, out) = (near.captured("pg0"), near.captured("pg1"));
            // Two that fit, and the fragments of the last.
            assert_eq!(out.frames.len(), 4, "{what}: {:?}", near.reasons());
            let longest = out.frames.iter().map(|frame| frame.len() - 14).max();
            assert_eq!(longest, Some(1500), "{what}");
            let mtus: Vec<usize> = told
                .frames
                .iter()
                .map(|frame| match frame[14] >> 4 {
                    4 => {
                        assert_eq!(frame[34..36], [3, 4], "{what}: fragmentation needed");
                        word(frame, 40)
                    }
                    _ => {
                        assert_eq!(frame[54..56], [2, 0], "{what}: packet too big");
                        word(frame, 60)
                    }
                })
                .collect();
            assert_eq!(mtus, [room, room], "{what}: {:?}", near.reasons());
            adds_up(&near);
        }
    }
}

#[test]
fn frames_that_do_not_fit_are_cut_outside() {
    for (n, (family, ends)) in ENDS.into_iter().enumerate() {
        for (kind, overhead) in KINDS.iter().zip(OVERHEADS).filter(|(kind, _)| kind.bridged) {
            let what = format!("{} over {family}", kind.name);
            let [near, far] = [0, 1].map(|side| end(kind, ends, side));
            near.lab.run("set interface mtu packet 1500 pg1");
            // What fits exactly, and one octet more.
            let most = 1500 - overhead[n] + 14;
            let frame = |length: usize| {
                [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5][..], &vec![7; length - 14]]
                    .concat()
            };
            near.capture("pg1");
            near.send("pg0", &[frame(most), frame(most + 1)]);
            let out = near.captured("pg1");
            // One whole packet, and two fragments that the far end puts together again.
            assert_eq!(out.frames.len(), 3, "{what}: {:?}", near.reasons());
            assert!(out.frames.iter().all(|frame| frame.len() - 14 <= 1500), "{what}");
            let node = if family == "ip" { "ip4-frag" } else { "ip6-frag" };
            assert_eq!(near.lab.error(node, "fragmented"), 1, "{what}: {:?}", near.reasons());
            far.capture("pg0");
            far.send("pg1", &out.frames);
            let arrived = far.captured("pg0").frames.clone();
            assert_eq!(arrived, [frame(most), frame(most + 1)], "{what}: {:?}", far.reasons());
            adds_up(&near);
        }
    }
}

#[test]
fn an_outer_packet_that_must_not_be_cut_is_counted() {
    let kind = crate::Kind {
        create: "create vxlan tunnel src LOCAL dst REMOTE vni 13 flags encap-set-df",
        ..KINDS[0]
    };
    let near = end(&kind, ENDS[0].1, 0);
    near.lab.run("set interface mtu packet 1500 pg1");
    let packet = Ip4::flow("10.10.0.2", "10.11.0.2", 1, &[7; 1440]);
    near.send("pg0", &[frame_to([2, 0, 0, 0, 0, 9], &[], &packet.bytes())]);
    assert_eq!(near.counter("pg1", "tx packets"), 0);
    let reasons = near.reasons();
    let counted = reasons.keys().any(|(node, _)| node == "ip4-rewrite");
    assert!(counted, "{reasons:?}");
    adds_up(&near);
}
