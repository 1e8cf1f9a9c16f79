//! Through a tunnel and out of it again.

use crate::{
    ENDS, KINDS, adds_up, end,
    packets::{Ip4, frame_to, ip6_udp},
};

/// A station behind the far end.
const FAR: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// Frames to stations at the other side, or packets that are routed to it.
fn frames(bridged: bool) -> Vec<Vec<u8>> {
    let packets = [
        Ip4::udp("10.10.0.2", "10.11.0.2").bytes(),
        Ip4::flow("10.10.0.2", "10.11.0.2", 3, &[9; 1300]).bytes(),
        ip6_udp("2001:db8:10::2", "2001:db8:11::2", 64, 40),
    ];
    let to = if bridged { FAR } else { crate::packets::PG0 };
    let mut frames: Vec<_> = packets.iter().map(|packet| frame_to(to, &[], packet)).collect();
    if bridged {
        // With a tag, and of no protocol that anybody knows.
        frames.push(frame_to(to, &[(0x8100, 7)], &packets[0]));
        frames.push([&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5][..], &[7; 46]].concat());
    }
    frames
}

/// What is behind the link header, with the TTL less `by`.
fn aged(frame: &[u8], by: u8) -> Vec<u8> {
    let mut packet = frame[14..].to_vec();
    if packet[0] >> 4 == 6 {
        packet[7] -= by;
        return packet;
    }
    packet[8] -= by;
    packet[10..12].fill(0);
    let checksum = crate::packets::checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

#[test]
fn what_goes_into_a_tunnel_comes_out_of_its_other_end() {
    for (family, ends) in ENDS {
        for kind in KINDS {
            let what = format!("{} over {family}", kind.name);
            let [near, far] = [0, 1].map(|side| end(&kind, ends, side));
            let sent = frames(kind.bridged);
            near.capture("pg1");
            near.send("pg0", &sent);
            let outside = near.captured("pg1");
            assert_eq!(outside.frames.len(), sent.len(), "{what}: {:?}", near.reasons());
            far.capture("pg0");
            far.send("pg1", &outside.frames);
            let arrived = far.captured("pg0");
            assert_eq!(arrived.frames.len(), sent.len(), "{what}: {:?}", far.reasons());
            for (sent, arrived) in sent.iter().zip(&arrived.frames) {
                if kind.bridged {
                    assert_eq!(arrived, sent, "{what}");
                } else {
                    assert_eq!(arrived[14..], aged(sent, 2), "{what}");
                }
            }
            let packets = sent.len() as u64;
            assert_eq!(near.counter(kind.interface, "tx packets"), packets, "{what}");
            assert_eq!(far.counter(kind.interface, "rx packets"), packets, "{what}");
            let octets =
                sent.iter().map(|f| f.len() - if kind.bridged { 0 } else { 14 }).sum::<usize>();
            assert_eq!(far.counter(kind.interface, "rx bytes"), octets as u64, "{what}");
            adds_up(&near);
            adds_up(&far);
            let fields = ["frame.protocols", "vxlan.vni", "geneve.vni", "gre.key"];
            let Some(rows) = outside.tshark(&what, &fields) else { continue };
            for row in rows {
                let stack =
                    if kind.stack.is_empty() { String::new() } else { format!("{}:", kind.stack) };
                let begins = format!("eth:ethertype:{family}:{stack}");
                assert!(row[0].starts_with(&begins), "{what}: {row:?}");
                let key = row[1..].concat();
                let expected = match kind.name {
                    "gre key" => "0x00000063",
                    "geneve" => "0x00000d",
                    "vxlan" => "13",
                    _ => "",
                };
                assert_eq!(key, expected, "{what}");
            }
        }
    }
}

#[test]
fn ip_packets_go_into_vxlan_without_ethernet_where_that_is_wanted() {
    let kind = crate::Kind {
        create: "create vxlan tunnel src LOCAL dst REMOTE vni 13 l3",
        bridged: false,
        ..KINDS[0]
    };
    let [near, far] = [0, 1].map(|side| end(&kind, ENDS[0].1, side));
    let sent = frames(false);
    near.capture("pg1");
    near.send("pg0", &sent);
    far.capture("pg0");
    far.send("pg1", &near.captured("pg1").frames);
    let arrived = far.captured("pg0");
    let packets: Vec<_> = arrived.frames.iter().map(|frame| frame[14..].to_vec()).collect();
    assert_eq!(packets, sent.iter().map(|frame| aged(frame, 2)).collect::<Vec<_>>());
}

#[test]
fn the_flows_inside_choose_the_ports_outside_and_the_way() {
    let kind = KINDS[0];
    let near = end(&kind, ["192.0.2.1", "203.0.113.9"], 0);
    near.lab.script(
        "set ip neighbor pg1 192.0.2.7 02:00:00:00:00:07
         set ip neighbor pg1 192.0.2.8 02:00:00:00:00:08
         ip route add 203.0.113.9/32 via 192.0.2.7 pg1 via 192.0.2.8 pg1",
    );
    let flow = |port: u16| {
        let packet = Ip4::flow("10.10.0.2", "10.11.0.2", port, &[7; 18]).bytes();
        frame_to(FAR, &[], &packet)
    };
    let sent: Vec<_> = (0..200).map(|n| flow(n / 2 + 1)).collect();
    near.capture("pg1");
    near.send("pg0", &sent);
    let outside = near.captured("pg1");
    let port = |frame: &[u8]| u16::from_be_bytes([frame[34], frame[35]]);
    let ports: Vec<u16> = outside.frames.iter().map(|frame| port(frame)).collect();
    assert!(ports.iter().all(|port| *port >= 49152), "{ports:?}");
    assert!(ports.chunks(2).all(|pair| pair[0] == pair[1]), "{ports:?}");
    let different: std::collections::BTreeSet<_> = ports.iter().collect();
    assert!(different.len() > 90, "{different:?}");
    let way = |last: u8| outside.frames.iter().filter(|frame| frame[5] == last).count();
    assert_eq!(way(7) + way(8), 200);
    assert!(way(7) > 60 && way(8) > 60, "{} {}", way(7), way(8));
}

#[test]
fn tunnels_follow_routes_and_wait_for_neighbours_as_other_packets_do() {
    let near = end(&KINDS[0], ["192.0.2.1", "203.0.113.9"], 0);
    let sent = [frame_to(FAR, &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes())];
    near.send("pg0", &sent);
    assert_eq!(near.lab.error("vxlan4-encap", "no-route"), 1);
    near.lab.run("ip route add 203.0.113.0/24 via 192.0.2.77 pg1");
    near.capture("pg1");
    near.send("pg0", &sent);
    near.lab.run("set ip neighbor pg1 192.0.2.77 02:00:00:00:00:77");
    near.lab.advance(1);
    let frames = near.captured("pg1").frames.clone();
    let to: Vec<_> = frames.iter().map(|frame| (frame[5], frame[12..14].to_vec())).collect();
    assert_eq!(to, [(0xff, vec![8, 6]), (0x77, vec![8, 0])], "first the question, then the packet");
}

#[test]
fn outer_packets_belong_to_the_table_that_the_tunnel_names() {
    for (side, name) in [("ip4", "192.0.2"), ("ip6", "2001:db8:f:")] {
        let (create, length) = (
            "create vxlan tunnel src A.1 dst A.2 vni 5 encap-vrf-id 7",
            if side == "ip4" { 24 } else { 64 },
        );
        let address =
            |n: u8| if side == "ip4" { format!("{name}.{n}") } else { format!("{name}:{n}") };
        let create = create.replace("A.1", &address(1)).replace("A.2", &address(2));
        let scene = crate::Scene::new(2, "");
        let word = if side == "ip4" { "ip" } else { "ip6" };
        assert_eq!(scene.lab.refused(&create), "create vxlan tunnel: nonexistent encap-vrf-id 7\n");
        scene.lab.script(&format!(
            "{word} table add 7
             set interface {word} table pg1 7
             set interface ip address pg1 {}/{length}
             set ip neighbor pg1 {} 02:00:00:00:00:02
             {create}
             set interface l2 xconnect pg0 vxlan_tunnel0
             set interface l2 xconnect vxlan_tunnel0 pg0",
            address(1),
            address(2),
        ));
        scene.capture("pg1");
        let inner = frame_to(FAR, &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes());
        scene.send("pg0", std::slice::from_ref(&inner));
        let mut outside = scene.captured("pg1").frames.clone();
        assert_eq!(outside.len(), 1);
        // Back, with the ends exchanged.
        let reply = &mut outside[0];
        reply[..6].copy_from_slice(&[2, 0xfe, 0, 0, 0, 1]);
        let (at, n) = if side == "ip4" { (26, 4) } else { (22, 16) };
        let (a, b) = reply[at..at + 2 * n].split_at_mut(n);
        a.swap_with_slice(b);
        scene.capture("pg0");
        scene.send("pg1", &outside);
        assert_eq!(scene.captured("pg0").frames, [inner], "{:?}", scene.reasons());
        adds_up(&scene);
    }
}
