//! What forwarding changes in a packet, and what it leaves as it was.

use crate::{
    packets::{Ip4, Tag, checksum, frame, ip6_flow, udp},
    scene::{Captured, Scene},
};

/// Sends frames through a router; what comes out.
fn forwarded(frames: &[Vec<u8>]) -> Captured {
    let scene = Scene::router();
    scene.capture("pg1");
    scene.send("pg0", frames);
    let captured = scene.captured("pg1");
    scene.assert_nothing_is_lost();
    assert_eq!(captured.frames.len(), frames.len(), "{:?}", scene.reasons());
    captured
}

/// An IPv4 packet one hop on: its TTL is one less and its checksum right, and nothing else has changed.
fn assert_one_hop_on(before: &[u8], after: &[u8]) {
    let header = usize::from(before[0] & 15) * 4;
    assert_eq!(checksum(&after[..header]), 0, "{:02x?}", &after[..header]);
    let mut expected = before.to_vec();
    expected[8] -= 1;
    expected[10..12].copy_from_slice(&after[10..12]);
    assert_eq!(after, expected);
}

#[test]
fn the_checksum_is_right_after_the_ttl_whatever_both_were() {
    // Every identification gives another checksum, so that all of them are met; and every TTL.
    let packet = |id, ttl| Ip4 { id, ttl, ..Ip4::udp("192.168.0.2", "10.0.0.1") }.bytes();
    let mut packets: Vec<Vec<u8>> = (0..=u16::MAX).map(|id| packet(id, 64)).collect();
    packets
        .extend((2..=255).flat_map(|ttl| [0, 1, 0x7fff, 0xfffe, 0xffff].map(|id| packet(id, ttl))));
    let sums: std::collections::BTreeSet<_> = packets.iter().map(|p| [p[10], p[11]]).collect();
    assert!(sums.len() >= 65_535, "{} different checksums", sums.len());
    let frames: Vec<_> = packets.iter().map(|packet| frame(&[], packet)).collect();
    let captured = forwarded(&frames);
    for (before, after) in packets.iter().zip(&captured.frames) {
        assert_one_hop_on(before, &after[14..]);
    }
    let fields = ["ip.ttl", "ip.checksum.status"];
    let Some(rows) = captured.tshark("checksums after the TTL read by tshark", &fields) else {
        return;
    };
    for (before, row) in packets.iter().zip(rows) {
        assert_eq!(row, [(before[8] - 1).to_string(), "1".to_owned()]);
    }
}

#[test]
fn ip4_options_are_kept() {
    // Record route with room for nine.
    const LONGEST: [u8; 40] = {
        let mut option = [0; 40];
        (option[0], option[1], option[2]) = (7, 39, 4);
        option
    };
    let options: [&[u8]; 5] = [
        // No operation, end of list.
        &[1, 1, 1, 0],
        // Router alert (RFC 2113).
        &[0x94, 4, 0, 0],
        // Record route with room for three.
        &[7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // Timestamp with room for one.
        &[0x44, 8, 5, 0, 0, 0, 0, 0],
        &LONGEST,
    ];
    let packets = options.map(|options| {
        Ip4 { options: options.to_vec(), ..Ip4::udp("192.168.0.2", "10.0.0.1") }.bytes()
    });
    let captured = forwarded(&packets.clone().map(|packet| frame(&[], &packet)));
    for (before, after) in packets.iter().zip(&captured.frames) {
        assert_one_hop_on(before, &after[14..]);
    }
    let fields = ["ip.hdr_len", "ip.checksum.status", "udp.checksum.status"];
    let Some(rows) = captured.tshark("forwarded options read by tshark", &fields) else { return };
    let lengths = options.map(|options| (20 + options.len()).to_string());
    for (row, length) in rows.iter().zip(lengths) {
        assert_eq!(*row, [&length, "1", "1"]);
    }
}

#[test]
fn fragments_are_forwarded_as_they_are_and_fit_together_at_the_end() {
    let whole = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 3000]);
    let pieces = [(0, 1480), (1480, 2960), (2960, whole.payload.len())];
    let packets: Vec<_> = pieces
        .iter()
        .map(|&(from, to)| {
            let more = if to < whole.payload.len() { 0x2000 } else { 0 };
            let fragment = more | (from / 8) as u16;
            Ip4 { fragment, payload: whole.payload[from..to].to_vec(), ..whole.clone() }.bytes()
        })
        .collect();
    let captured = forwarded(&packets.iter().map(|p| frame(&[], p)).collect::<Vec<_>>());
    for (before, after) in packets.iter().zip(&captured.frames) {
        assert_one_hop_on(before, &after[14..]);
    }
    let fields = ["ip.checksum.status", "udp.length", "udp.checksum.status"];
    let Some(rows) = captured.tshark("forwarded fragments read by tshark", &fields) else { return };
    // The last one completes the datagram.
    assert_eq!(rows, [["1", "", ""], ["1", "", ""], ["1", "3008", "1"]]);
}

#[test]
fn packets_of_several_buffers_are_forwarded_whole() {
    let data: Vec<u8> = (0..8950_u32).map(|i| (i * 7 % 251) as u8).collect();
    // Around the ends of buffers, and the largest that the MTU allows.
    let lengths = [1990, 2006, 2007, 2048, 4054, 4055, 6200, 8950];
    let ip4 = |length: usize| Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &data[..length]).bytes();
    let ip6 = |length: usize| ip6_flow("2001:db8::2", "2001:db8:10::1", 9, 1000, &data[..length]);
    let packets: Vec<_> = lengths.iter().flat_map(|&length| [ip4(length), ip6(length)]).collect();
    let captured = forwarded(&packets.iter().map(|p| frame(&[], p)).collect::<Vec<_>>());
    // Packets of one family keep their order.
    let family = |version: u8| {
        let of = |bytes: &&[u8]| bytes[0] >> 4 == version;
        let before: Vec<&[u8]> = packets.iter().map(Vec::as_slice).filter(of).collect();
        let after: Vec<&[u8]> = captured.frames.iter().map(|f| &f[14..]).filter(of).collect();
        (before, after)
    };
    let (before, after) = family(4);
    before.iter().zip(&after).for_each(|(before, after)| assert_one_hop_on(before, after));
    let (before, after) = family(6);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((after[7], &after[8..]), (8, &before[8..]));
    }
    let Some(rows) = captured.tshark("forwarded chains read by tshark", &["udp.checksum.status"])
    else {
        return;
    };
    assert!(rows.iter().all(|row| *row == ["1"]), "{rows:?}");
}

#[test]
fn tags_are_put_on_and_taken_off_packets_of_several_buffers() {
    const TAGS: [Tag; 2] = [(0x88a8, 30), (0x8100, 40)];
    let scene = Scene::router();
    scene.lab.script(
        "create sub-interfaces pg0 3 dot1ad 30 inner-dot1q 40 exact-match
         create sub-interfaces pg1 5
         set interface state pg0.3 up
         set interface state pg1.5 up
         set interface ip address pg0.3 192.168.3.1/24
         set interface ip address pg1.5 192.168.5.1/24
         set ip neighbor pg0.3 192.168.3.2 02:00:00:00:00:01
         set ip neighbor pg1.5 192.168.5.2 02:00:00:00:00:05",
    );
    let data: Vec<u8> = (0..8900_u32).map(|i| (i % 253) as u8).collect();
    let there = Ip4::flow("192.168.3.2", "192.168.5.2", 1000, &data).bytes();
    let out = Ip4::flow("192.168.3.2", "10.0.0.1", 1000, &data).bytes();
    let back = Ip4::flow("192.168.0.2", "192.168.3.2", 1000, &data).bytes();
    scene.capture("pg0");
    scene.capture("pg1");
    scene.send("pg0", &[frame(&TAGS, &there), frame(&TAGS, &out), frame(&[], &back)]);
    let (to_host, to_net) = (scene.captured("pg0"), scene.captured("pg1"));
    assert_eq!((to_host.frames.len(), to_net.frames.len()), (1, 2));
    assert_eq!(to_host.frames[0][12..22], [0x88, 0xa8, 0, 30, 0x81, 0, 0, 40, 8, 0]);
    assert_one_hop_on(&back, &to_host.frames[0][22..]);
    assert_eq!(to_net.frames[0][12..18], [0x81, 0, 0, 5, 8, 0]);
    assert_one_hop_on(&there, &to_net.frames[0][18..]);
    assert_one_hop_on(&out, &to_net.frames[1][14..]);
    scene.assert_nothing_is_lost();
}

#[test]
fn ip6_extension_headers_are_kept() {
    // Hop-by-hop, routing and destination options in front of UDP.
    let addresses =
        ["2001:db8::2", "2001:db8:10::1"].map(|a| a.parse::<std::net::Ipv6Addr>().unwrap());
    let pseudo = addresses.map(|a| a.octets()).concat();
    let datagram = udp(&pseudo, (1000, 2000), &[7; 20]);
    // The routing header is one of segments (RFC 8754), of which the destination is the last.
    let segments = [&[60, 2, 4, 0, 0, 0, 0, 0][..], &pseudo[16..]].concat();
    let extensions =
        [&[43, 0, 1, 4, 0, 0, 0, 0], &segments[..], &[17, 0, 1, 4, 0, 0, 0, 0]].concat();
    let mut packet = vec![0x6a, 0xbc, 0xde, 0xf0];
    packet.extend(((extensions.len() + datagram.len()) as u16).to_be_bytes());
    packet.extend([0, 9]);
    packet.extend(pseudo);
    packet.extend([extensions, datagram].concat());
    let captured = forwarded(&[frame(&[], &packet)]);
    let after = &captured.frames[0][14..];
    assert_eq!((&after[..7], after[7], &after[8..]), (&packet[..7], 8, &packet[8..]));
    let fields = ["ipv6.flow", "ipv6.hlim", "udp.checksum.status"];
    let Some(rows) = captured.tshark("extension headers read by tshark", &fields) else { return };
    assert_eq!(rows, [["0x0cdef0", "8", "1"]]);
}
