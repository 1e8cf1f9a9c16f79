//! What routers on the way to a far end say of outer packets.

use serde_json::Value as Json;

use crate::{
    ENDS, KINDS, Kind, adds_up, end,
    packets::{Ip4, PG0, checksum, frame_to, icmp6, ip6, ip6_udp},
    scene::Scene,
};

/// `pg1`, as the packet generator numbers addresses.
const PG1: [u8; 6] = [2, 0xfe, 0, 0, 0, 1];

/// A tunnel of packets whose outer packets are not cut, or of frames.
fn near(kind: &Kind, ends: [&str; 2]) -> Scene {
    let create = format!("{} flags encap-set-df", kind.create);
    let kind = Kind { create: Box::leak(create.into_boxed_str()), ..*kind };
    let near = end(&kind, ends, 0);
    told(&near);
    near
}

/// Has senders be told of what does not pass.
fn told(scene: &Scene) {
    scene.lab.script("set ip icmp-error-limit rate 1000\nset ip6 icmp-error-limit rate 1000");
}

/// A packet of so many octets that goes into the tunnel, and must not be cut.
fn inner(length: usize) -> Vec<u8> {
    let data = vec![7; length - 28];
    let packet = Ip4 { fragment: 0x4000, ..Ip4::flow("10.10.0.2", "10.11.0.2", 1, &data) };
    frame_to(PG0, &[], &packet.bytes())
}

/// A message of a router on the way about a packet, from its IP header on, which says that no more than `mtu` octets pass.
fn too_big(local: &str, outer: &[u8], mtu: u32) -> Vec<u8> {
    let mut message = if outer[0] >> 4 == 4 { vec![3, 4, 0, 0] } else { vec![2, 0, 0, 0] };
    message.extend(mtu.to_be_bytes());
    if outer[0] >> 4 == 4 {
        message.extend(&outer[..28]);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let ip = Ip4 { protocol: 1, payload: message, ..Ip4::udp("192.0.2.99", local) };
        return frame_to(PG1, &[], &ip.bytes());
    }
    message.extend(&outer[..outer.len().min(1232)]);
    let from = "2001:db8:f::99";
    frame_to(PG1, &[], &ip6(from, local, (58, 64), &icmp6(from, local, &message)))
}

/// What is known of the way, as `show ... tunnel` tells it.
fn known(scene: &Scene, kind: &Kind) -> Option<u64> {
    let word = kind.name.split(' ').next().unwrap();
    let shown: Json =
        serde_json::from_str(&scene.lab.run(&format!("show {word} tunnel json"))).unwrap();
    shown[0]["path_mtu"].as_u64()
}

/// Sends frames in by `pg0`; what comes back to the sender, and what leaves by `pg1`.
fn send(scene: &Scene, frames: &[Vec<u8>]) -> [Vec<Vec<u8>>; 2] {
    scene.capture("pg0");
    scene.capture("pg1");
    scene.send("pg0", frames);
    ["pg0", "pg1"].map(|name| scene.captured(name).frames.clone())
}

#[test]
fn senders_inside_are_told_what_routers_say_of_outer_packets_for_ten_minutes() {
    for (n, (family, ends)) in ENDS.into_iter().enumerate() {
        for kind in KINDS.iter().filter(|kind| !kind.bridged) {
            let what = format!("{} over {family}", kind.name);
            let near = near(kind, ends);
            let [told, out] = send(&near, &[inner(1500)]);
            assert_eq!((told.len(), out.len()), (0, 1), "{what}: {:?}", near.reasons());
            let overhead = out[0].len() - 14 - 1500;
            near.send("pg1", &[too_big(ends[0], &out[0][14..], 1400)]);
            assert_eq!(known(&near, kind), Some(1400), "{what}: {:?}", near.reasons());
            let node = ["ip4-icmp-input", "ip6-icmp-input"][n];
            assert_eq!(near.lab.error(node, "path-mtu"), 1, "{what}");
            let room = 1400 - overhead;
            let [told, out] = send(&near, &[inner(1500), inner(room)]);
            assert_eq!((told.len(), out.len()), (1, 1), "{what}: {:?}", near.reasons());
            assert_eq!(told[0][34..36], [3, 4], "{what}");
            let mtu = u16::from_be_bytes([told[0][40], told[0][41]]);
            assert_eq!(usize::from(mtu), room, "{what}");
            // What makes the way wider again is time, and nothing that anybody says.
            near.send("pg1", &[too_big(ends[0], &out[0][14..], 1399)]);
            assert_eq!(known(&near, kind), Some(1399), "{what}");
            near.lab.advance(599);
            assert_eq!(known(&near, kind), Some(1399), "{what}");
            near.lab.advance(2);
            assert_eq!(known(&near, kind), None, "{what}");
            let [told, out] = send(&near, &[inner(1500)]);
            assert_eq!((told.len(), out.len()), (0, 1), "{what}: {:?}", near.reasons());
            adds_up(&near);
        }
    }
}

#[test]
fn nobody_is_believed_who_cannot_be_right() {
    for (n, (family, ends)) in ENDS.into_iter().enumerate() {
        let kind = KINDS.iter().find(|kind| kind.name == "gre").unwrap();
        let near = near(kind, ends);
        let outer = send(&near, &[inner(1500)])[1][0][14..].to_vec();
        let (source, destination, protocol) = [(12, 16, 9), (8, 24, 6)][n];
        let with = |at: usize, octet: u8| {
            let mut other = outer.clone();
            other[at] = octet;
            other
        };
        let other_source = with(source + 3, 0x77);
        let other_destination = with(destination + 3, 0x77);
        let other_kind = with(protocol, 4);
        let mut messages = vec![
            too_big(ends[0], &other_source, 1400),
            too_big(ends[0], &other_destination, 1400),
            too_big(ends[0], &other_kind, 1400),
            // It would have passed.
            too_big(ends[0], &outer, outer.len() as u32),
            too_big(ends[0], &outer, 65_536 + 1400),
        ];
        if family == "ip" {
            // A packet that may be cut is not refused for its length.
            messages.push(too_big(ends[0], &with(6, 0), 1400));
            messages.remove(4);
        } else {
            messages.push(too_big(ends[0], &outer, 1279));
        }
        near.send("pg1", &messages);
        assert_eq!(known(&near, kind), None, "{family}: {:?}", near.reasons());
        adds_up(&near);
    }
}

#[test]
fn a_router_that_does_not_say_what_passes_is_helped_and_none_is_believed_to_pass_next_to_nothing() {
    let (_, ends) = ENDS[0];
    let kind = KINDS.iter().find(|kind| kind.name == "ipip").unwrap();
    let near = near(kind, ends);
    let outer = send(&near, &[inner(1500)])[1][0][14..].to_vec();
    near.send("pg1", &[too_big(ends[0], &outer, 0)]);
    assert_eq!(known(&near, kind), Some(1492), "the next plateau of RFC 1191");
    near.send("pg1", &[too_big(ends[0], &outer, 68)]);
    assert_eq!(known(&near, kind), Some(552));
    // What is said later is not believed to be wider.
    near.send("pg1", &[too_big(ends[0], &outer, 1400)]);
    assert_eq!(known(&near, kind), Some(552));
}

#[test]
fn outer_packets_of_frames_are_cut_for_their_way_or_counted() {
    for (family, ends) in ENDS {
        for kind in KINDS.iter().filter(|kind| kind.bridged) {
            let what = format!("{} over {family}", kind.name);
            let near = near(kind, ends);
            let frame = frame_to([2, 0, 0, 0, 0, 9], &[], &inner(1500)[14..]);
            let outer = send(&near, core::slice::from_ref(&frame))[1][0][14..].to_vec();
            near.send("pg1", &[too_big(ends[0], &outer, 1400)]);
            assert_eq!(known(&near, kind), Some(1400), "{what}: {:?}", near.reasons());
            let [_, out] = send(&near, &[frame]);
            if family == "ip" {
                assert!(out.is_empty(), "{what}");
                let counted: u64 = near
                    .reasons()
                    .into_iter()
                    .filter(|((node, reason), _)| !node.contains("icmp") && reason == "path-mtu")
                    .map(|(_, count)| count)
                    .sum();
                assert_eq!(counted, 1, "{what}: {:?}", near.reasons());
            } else {
                assert_eq!(out.len(), 2, "{what}: {:?}", near.reasons());
                assert!(out.iter().all(|frame| frame.len() - 14 <= 1400), "{what}");
            }
            adds_up(&near);
        }
    }
}

#[test]
fn packets_on_sub_interfaces_of_a_tunnel_of_frames_fit_into_it_with_their_tags() {
    for (family, ends) in ENDS {
        for kind in KINDS.iter().filter(|kind| kind.bridged) {
            let what = format!("{} over {family}", kind.name);
            let local = ends[0];
            let length = if local.contains(':') { 64 } else { 24 };
            let name = kind.interface;
            let scene = Scene::new(
                2,
                &format!(
                    "set interface ip address pg1 {local}/{length}
                     set ip neighbor pg1 {} 02:fe:00:00:00:01 no-fib-entry
                     set interface ip address pg0 10.10.0.1/24
                     set ip neighbor pg0 10.10.0.2 02:00:00:00:00:01
                     {}
                     set interface state {name} up
                     create sub-interfaces {name} 7
                     set interface state {name}.7 up
                     set interface ip address {name}.7 10.11.0.1/24
                     set ip neighbor {name}.7 10.11.0.2 02:00:00:00:00:09",
                    ends[1],
                    kind.between(local, ends[1]),
                ),
            );
            told(&scene);
            let out = send(&scene, &[inner(100)])[1].clone();
            assert_eq!(out.len(), 1, "{what}: {:?}", scene.reasons());
            let overhead = out[0].len() - 14 - 100;
            scene.lab.run("set interface mtu packet 1500 pg1");
            let room = 1500 - overhead;
            let [told, out] = send(&scene, &[inner(room), inner(room + 1)]);
            assert_eq!((told.len(), out.len()), (1, 1), "{what}: {:?}", scene.reasons());
            assert_eq!(out[0].len() - 14, 1500, "{what}");
            let mtu = u16::from_be_bytes([told[0][40], told[0][41]]);
            assert_eq!(usize::from(mtu), room, "{what}");
            adds_up(&scene);
        }
    }
}

#[test]
fn what_is_learnt_is_shown() {
    let (_, ends) = ENDS[1];
    let kind = KINDS.iter().find(|kind| kind.name == "ipip").unwrap();
    let near = near(kind, ends);
    let packet = ip6_udp("2001:db8:10::2", "2001:db8:11::2", 64, 1500 - 48);
    let outer = send(&near, &[frame_to(PG0, &[], &packet)])[1][0][14..].to_vec();
    near.send("pg1", &[too_big(ends[0], &outer, 1320)]);
    let shown: Json = serde_json::from_str(&near.lab.run("show ipip tunnel json")).unwrap();
    assert_eq!((&shown[0]["path_mtu"], &shown[0]["max_packet"]), (&1320.into(), &1280.into()));
    let [told, _] = send(&near, &[frame_to(PG0, &[], &packet)]);
    assert_eq!(told[0][54..56], [2, 0], "packet too big");
    assert_eq!(told[0][60..62], [5, 0], "1280 octets");
}
