//! The law: packets in are packets out and packets dropped, punted or received, each of these under one reason.

use crate::{
    packets::{Ip4, PG0, Tag, frame_to, ip6_flow},
    scene::Scene,
};

/// Numbers that look random and are the same in each run (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A router with all kinds of routes, sub-interfaces and an interface that loops back.
fn everything() -> Scene {
    let scene = Scene::router();
    scene.lab.script(
        "create loopback interface
         set interface state loop0 up
         set interface ip address loop0 192.168.9.1/24
         set ip neighbor loop0 192.168.9.2 de:ad:00:00:00:00
         create sub-interfaces pg0 100
         create sub-interfaces pg0 200 dot1ad 200 inner-dot1q 7 exact-match
         create sub-interfaces pg1 300
         create sub-interfaces pg1 1 default
         set interface state pg0.100 up
         set interface state pg0.200 up
         set interface state pg1.300 up
         set interface state pg1.1 up
         set interface ip address pg0.100 192.168.100.1/24
         set interface ip address pg0.200 2001:db8:200::1/64
         set interface ip address pg1.300 192.168.30.1/24
         set interface ip address pg1.300 2001:db8:300::1/64
         set ip neighbor pg1.300 192.168.30.2 02:00:00:00:00:0c
         set ip neighbor pg1.300 2001:db8:300::2 02:00:00:00:00:0c
         set interface mtu packet 1500 pg1.300
         ip route add 10.1.0.0/16 via 192.168.9.2 loop0
         ip route add 10.2.0.0/16 via drop
         ip route add 10.3.0.0/16 via punt
         ip route add 10.4.0.0/16 via local
         ip route add 10.5.0.0/16 via 192.168.30.2 pg1.300 via 192.168.1.2 pg1 weight 3
         ip route add 10.6.0.0/16 via 192.168.1.77 pg1
         ip table add 5
         ip route add 10.7.0.0/16 via ip4-lookup-in-table 5
         ip route add 10.7.0.0/17 table 5 via ip4-lookup-in-table 0
         ip route add 2001:db8:50::/48 via 2001:db8:300::2 pg1.300 via 2001:db8:1::2 pg1",
    );
    scene
}

fn packet(dice: &mut Dice) -> Vec<u8> {
    let sources = ["192.168.0.2", "192.168.0.1", "172.16.0.1", "192.168.100.2"];
    let data = vec![7; dice.pick(&[0, 18, 18, 100, 100, 1473, 1500, 5000, 8950])];
    let port = dice.below(65_536) as u16;
    if dice.one_in(3) {
        let to =
            ["2001:db8:10::1", "2001:db8:50::1", "2001:db8::1", "fe80::1", "ff02::1", "3fff::1"];
        let hops = dice.pick(&[0, 1, 2, 64]);
        return ip6_flow("2001:db8::2", dice.pick(&to), hops, port, &data);
    }
    let (third, last) = (dice.below(256), dice.below(256));
    let second = dice.below(9);
    let to = match dice.below(8) {
        0 => (dice.pick(&["192.168.0.1", "192.168.1.2", "192.168.30.2", "192.168.9.1"])).to_owned(),
        1 => dice.pick(&["224.0.0.1", "255.255.255.255", "0.0.0.0", "172.16.0.1"]).to_owned(),
        _ => format!("10.{second}.{third}.{last}"),
    };
    let mut packet = Ip4::flow(dice.pick(&sources), &to, port, &data);
    packet.ttl = dice.pick(&[0, 1, 2, 64, 64, 64, 64, 64, 255]);
    packet.fragment = dice.pick(&[0, 0, 0, 0x4000, 0x2000, 1, 185]);
    packet.protocol = dice.pick(&[17, 17, 17, 6, 1, 253]);
    packet.options = vec![1; dice.pick(&[0, 0, 0, 0, 4, 40])];
    packet.bytes()
}

/// A frame of any kind to an interface's address, one in four with something wrong in it.
fn any_frame(dice: &mut Dice, mac: [u8; 6]) -> Vec<u8> {
    let tags: [&[Tag]; 7] = [
        &[],
        &[],
        &[(0x8100, 100)],
        &[(0x88a8, 200), (0x8100, 7)],
        &[(0x8100, 300)],
        &[(0x8100, 9)],
        &[(0x8100, 0), (0x8100, 0), (0x8100, 0)],
    ];
    let to = if dice.one_in(10) { dice.pick(&[[0xff; 6], [2, 0, 0, 0, 0, 0x77]]) } else { mac };
    let mut frame = frame_to(to, dice.pick(&tags), &packet(dice));
    match dice.below(12) {
        0 => frame.truncate(dice.below(60)),
        1 => {
            let at = dice.below(frame.len());
            frame[at] = dice.below(256) as u8;
        }
        2 => frame.extend(vec![0; dice.below(50)]),
        _ => {}
    }
    // A capture has no frames without a byte.
    if frame.is_empty() { vec![0] } else { frame }
}

#[test]
fn packets_in_are_packets_out_and_drops_by_reason() {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let scene = everything();
        for (interface, mac) in [("pg0", PG0), ("pg1", [2, 0xfe, 0, 0, 0, 1])] {
            let frames: Vec<_> = (0..1500).map(|_| any_frame(&mut dice, mac)).collect();
            scene.send(interface, &frames);
            assert_eq!(scene.counter(interface, "rx packets"), 1500);
        }
        scene.assert_nothing_is_lost();
        let reasons = scene.reasons();
        assert!(reasons.len() > 25, "seed {seed} met few of the reasons: {reasons:?}");
        assert!(scene.counter("pg1", "tx packets") > 100, "{}", scene.lab.run("show interface"));
    }
}

#[test]
fn the_law_holds_while_interfaces_and_routes_come_and_go() {
    let scene = everything();
    let mut dice = Dice(99);
    for (undo, redo) in [
        ("set interface state pg1 down", "set interface state pg1 up"),
        ("set interface state pg0.100 punt", "set interface state pg0.100 up"),
        ("ip route del 10.0.0.0/8", "ip route add 10.0.0.0/8 via 192.168.1.2 pg1"),
        (
            "set interface ip address del pg0 192.168.0.1/24",
            "set interface ip address pg0 192.168.0.1/24",
        ),
        (
            "set ip neighbor del pg1 192.168.1.2",
            "set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09",
        ),
        ("delete sub-interface pg1.300", "create sub-interfaces pg1 300"),
        ("set interface mtu 600 pg1", "set interface mtu 9000 pg1"),
    ] {
        for line in [undo, redo] {
            scene.lab.run(line);
            let frames: Vec<_> = (0..300).map(|_| any_frame(&mut dice, PG0)).collect();
            scene.send("pg0", &frames);
            scene.assert_nothing_is_lost();
        }
    }
}
