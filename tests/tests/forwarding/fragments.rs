//! Packets that are longer than their way carries, and may be cut.

use crate::{
    packets::{Ip4, frame, ip6},
    scene::{Scene, write_pcap},
};

/// A router whose second link carries 300 octets.
fn narrow() -> Scene {
    let scene = Scene::router();
    scene.lab.run("set interface mtu packet 300 pg1");
    scene
}

/// Length of a packet, its offset in octets, and whether more follow.
fn place(packet: &[u8]) -> (usize, usize, bool) {
    let word = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    (word(2), (word(6) & 0x1fff) * 8, word(6) & 0x2000 != 0)
}

#[test]
fn long_packets_become_fragments_that_fit_together_at_the_end() {
    // One octet more than passes, whole fragments, an odd rest, several buffers.
    let lengths = [273, 272 + 276, 1000, 4001, 8900];
    let packet = |n: usize| {
        Ip4::flow("192.168.0.2", "10.0.0.1", 1000 + n as u16, &vec![n as u8; lengths[n]])
    };
    let packets: Vec<_> =
        (0..lengths.len()).map(|n| Ip4 { id: n as u16 + 1, ..packet(n) }).collect();
    let scene = narrow();
    scene.capture("pg1");
    scene.send("pg0", &packets.iter().map(|p| frame(&[], &p.bytes())).collect::<Vec<_>>());
    let captured = scene.captured("pg1");
    let mut frames = captured.frames.iter();
    for packet in &packets {
        let mut together: Vec<u8> = Vec::new();
        loop {
            let fragment = &frames.next().expect("more follow")[14..];
            let (length, offset, more) = place(fragment);
            assert!(length <= 300 && (!more || length == 20 + 280), "{length}");
            assert_eq!((fragment[8], offset), (63, together.len()));
            together.extend(&fragment[20..length]);
            if !more {
                break;
            }
        }
        assert_eq!(together, packet.payload);
    }
    assert_eq!(scene.lab.error("ip4-frag", "fragmented"), packets.len() as u64);
    scene.assert_nothing_is_lost();
    let fields = ["ip.checksum.status", "udp.length", "udp.checksum.status"];
    let Some(rows) = captured.tshark("fragments read by tshark", &fields) else { return };
    assert!(rows.iter().all(|row| row[0] == "1"), "{rows:?}");
    let whole: Vec<_> = rows.iter().filter(|row| !row[1].is_empty()).collect();
    let expected: Vec<_> = lengths.iter().map(|n| (n + 8).to_string()).collect();
    assert_eq!(
        whole.iter().map(|row| &row[1]).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert!(whole.iter().all(|row| row[2] == "1"), "{whole:?}");
}

#[test]
fn fragments_are_cut_again_and_options_copied_that_ask_for_it() {
    // Record route, which the first fragment alone has, and security.
    let options = vec![7, 4, 4, 0, 130, 4, 4, 0];
    let whole = Ip4 { options, ..Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 792]) };
    let later = Ip4 { fragment: 0x2000 | 100, ..whole.clone() };
    let scene = narrow();
    scene.capture("pg1");
    scene.send("pg0", &[frame(&[], &whole.bytes()), frame(&[], &later.bytes())]);
    let captured = scene.captured("pg1");
    let places: Vec<_> = captured.frames.iter().map(|f| (f[14] & 15, place(&f[14..]))).collect();
    let expected = |offset: usize, last_more: bool| {
        [
            (7, (300, offset, true)),
            (6, (296, offset + 272, true)),
            (6, (24 + 800 - 272 - 272, offset + 544, last_more)),
        ]
    };
    assert_eq!(places, [expected(0, false), expected(800, true)].concat());
    for (n, frame) in captured.frames.iter().enumerate() {
        let options: &[u8] = if n % 3 == 0 { &whole.options } else { &[130, 4, 4, 0] };
        assert_eq!(frame[34..34 + options.len()], *options);
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn a_fragment_that_would_end_beyond_the_longest_packet_is_not_cut() {
    let scene = narrow();
    let beyond = Ip4 { fragment: 8180, ..Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 500]) };
    scene.send("pg0", &[frame(&[], &beyond.bytes())]);
    assert_eq!(scene.lab.error("ip4-frag", "malformed"), 1, "{:?}", scene.reasons());
    scene.assert_nothing_is_lost();
}

#[test]
fn headers_that_nodes_on_the_way_read_are_in_front_of_each_fragment_of_our_own_packets() {
    let scene = Scene::router();
    scene.lab.run("set interface mtu packet 1300 pg1");
    let router_alert = [43_u8, 0, 5, 2, 0, 0, 1, 0];
    let routing: Vec<u8> = [[60_u8, 2, 4, 0, 0, 0, 0, 0], [0x20; 8], [0x21; 8]].concat();
    let options = [17_u8, 0, 1, 4, 0, 0, 0, 0];
    let rest = [&options[..], &[7_u8; 3001]].concat();
    let payload = [&router_alert[..], &routing, &rest].concat();
    let packet = ip6("2001:db8:1::1", "2001:db8:10::1", (0, 64), &payload);
    let path = scene.path("own.pcap");
    write_pcap(&path, &[packet]);
    scene.capture("pg1");
    scene.lab.run(&format!(
        "packet-generator new {{ name own interface pg0 node ip6-lookup buffer-flags local pcap {} }}",
        path.display()
    ));
    scene.lab.run("packet-generator enable-stream own");
    scene.lab.engine.run_until_idle();
    let captured = scene.captured("pg1");
    assert_eq!(captured.frames.len(), 3, "{:?}", scene.reasons());
    let mut together = Vec::new();
    for (n, frame) in captured.frames.iter().enumerate() {
        let fragment = &frame[14..];
        assert!(fragment.len() <= 1300 && (n == 2 || fragment.len() > 1290));
        assert_eq!(usize::from(fragment[4]) * 256 + usize::from(fragment[5]), fragment.len() - 40);
        // Hop-by-hop options, a routing header, a fragment header: whose next one are the options of the end.
        assert_eq!((fragment[6], fragment[40], fragment[48]), (0, 43, 44));
        assert_eq!((&fragment[41..48], &fragment[49..72]), (&router_alert[1..], &routing[1..]));
        let header = &fragment[72..80];
        assert_eq!(header[0], 60);
        let word = usize::from(header[2]) * 256 + usize::from(header[3]);
        assert_eq!((word & !7, word & 1), (together.len(), usize::from(n < 2)));
        together.extend_from_slice(&fragment[80..]);
    }
    assert_eq!(together, rest);
    assert_eq!(scene.lab.error("ip6-frag", "fragmented"), 1);
}
