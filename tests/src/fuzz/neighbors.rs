//! ARP, neighbour discovery and multicast listener discovery: messages with anything in them.

use std::time::Duration;

use nodes::pg;
use vnet::{
    buffer::Buffer,
    graph::NodeIndex,
    interface::SwIfIndex,
    plugin::Engine,
    runtime::{Clock, Main, PacketTime},
    wire::checksum::Sum,
};

use super::input::Input;

/// Frames of one input.
const FRAMES: usize = 32;
/// Neighbours that are learnt of each family.
const LIMIT: usize = 20;

/// Whatever comes to `ethernet-input`: each frame is sent back, dropped or punted under one reason, no more neighbours are known than
/// the limit says, packets to strangers find their end, and no buffer is left behind.
///
/// Frames begin as sound messages of each kind; the input says which, and what of them is something else, and checksums are put
/// right after that.
pub fn neighbors(data: &[u8]) {
    LAB.with(|lab| lab.run(data));
}

thread_local! {
    static LAB: Lab = Lab::new();
}

struct Lab {
    engine: Engine,
    input: NodeIndex,
    interface: SwIfIndex,
}

const SCRIPT: &str = "set ip icmp-error-limit rate 0
set ip6 icmp-error-limit rate 0
create packet-generator interface pg0
set interface state pg0 up
set interface ip address pg0 10.0.0.1/24
set interface ip address pg0 2001:db8::1/64
set ip neighbor-config ip4 limit 20 recycle
set ip neighbor-config ip6 limit 20
set arp proxy start 10.0.0.64 end 10.0.0.127
set interface proxy-arp pg0 enable
ip6 nd pg0 prefix 2001:db8::/64
set ip6 dad enable
set interface ip address pg0 2001:db8::5/64";

const ROUTER: [u8; 6] = [2, 0xfe, 0, 0, 0, 0];
const HOST: [u8; 6] = [2, 0, 0, 0, 0, 9];

impl Lab {
    fn new() -> Self {
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(1024);
        let engine = builder.plugin(nodes::plugin()).plugin(pg::plugin()).build();
        let engine = engine.expect("the plugins fit together");
        for line in SCRIPT.lines() {
            engine.command(line).expect("the set-up is sound");
        }
        // The addresses are ours when nobody has said otherwise.
        engine.advance(Duration::from_secs(5));
        let (input, interface) = engine.with(|main| {
            let input = main.graph().find("ethernet-input").expect("every engine has it");
            (input, main.interfaces().find("pg0").expect("it was made"))
        });
        Self { engine, input, interface }
    }

    fn run(&self, data: &[u8]) {
        let mut input = Input::new(data);
        let before = self.engine.with(counts);
        let mut sent = 0;
        while sent < FRAMES && !input.is_empty() {
            let kind = input.byte();
            let frame = frame(kind, &mut input);
            let seconds = u64::from(kind >> 6);
            self.engine.with(|main| {
                let mut to = main.frame_to(self.input);
                let interface = self.interface;
                let pushed = to.push(|buffer: &mut Buffer| {
                    buffer.rx = interface;
                    buffer.append(&frame)
                });
                assert!(pushed.is_some(), "there are buffers");
            });
            sent += 1;
            self.engine.advance(Duration::from_secs(seconds));
        }
        // Those that are asked for do not answer, and what was planned is done.
        self.engine.advance(Duration::from_secs(4));
        let after = self.engine.with(counts);
        let grown = |of: fn(&Counts) -> u64| of(&after) - of(&before);
        let begun = sent as u64 + grown(|c| c.originated);
        assert_eq!(begun, grown(|c| c.ended), "{before:?} {after:?}");
        self.engine.with(|main| {
            #[cfg(debug_assertions)]
            assert_eq!(main.pool().owned(), 0, "buffers are left");
            for family in [vnet::fib::Family::Ip4, vnet::fib::Family::Ip6] {
                assert!(main.forwarding().neighbors(family).count() <= LIMIT);
            }
        });
    }
}

/// Counts that only grow.
#[derive(Clone, Copy, Debug)]
struct Counts {
    originated: u64,
    ended: u64,
}

fn counts(main: &mut Main) -> Counts {
    let own = main.errors().rows();
    let own = own.filter(|row| ["request-sent", "originated"].contains(&&*row.reason.name));
    let originated = own.map(|row| row.count).sum();
    let vectors = |main: &Main, name| {
        let node = main.graph().find(name).expect("every engine has it");
        main.worker().stats(node).vectors
    };
    let ended = ["pg0-tx", "error-drop", "error-punt"].map(|name| vectors(main, name));
    Counts { originated, ended: ended.iter().sum() }
}

/// A message of a kind, with some of its octets changed.
fn frame(kind: u8, input: &mut Input<'_>) -> Vec<u8> {
    let mut payload = match kind % 10 {
        0 => arp(1),
        1 => arp(2),
        2 => message(&[135, 0, 0, 0, 0, 0, 0, 0], &[&TARGET, &option(1)], &GROUP, 255),
        3 => message(&[136, 0, 0, 0, 0x60, 0, 0, 0], &[&PEER, &option(2)], &TARGET, 255),
        4 => message(&[133, 0, 0, 0, 0, 0, 0, 0], &[&option(1)], &ROUTERS, 255),
        5 => message(
            &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0],
            &[&option(1)],
            &NODES,
            255,
        ),
        6 => message(&[130, 0, 0, 0, 0, 100, 0, 0], &[&[0; 16], &[2, 125, 0, 0]], &NODES, 1),
        7 => message(&[143, 0, 0, 0, 0, 0, 0, 1], &[&[4, 0, 0, 0], &GROUP], &NODES, 1),
        8 => {
            let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2];
            packet.extend([10, 0, 0, 99, 0, 1, 0, 2, 0, 8, 0, 0]);
            packet
        }
        _ => packet(&[17, 64], &[0, 1, 0, 2, 0, 8, 0, 0], &STRANGER),
    };
    // How many octets are something else, and which.
    for _ in 0..input.byte() % 8 {
        let at = usize::from(input.byte()) % payload.len();
        payload[at] = input.byte();
    }
    let tail = input.byte();
    match tail % 4 {
        1 => payload.truncate(payload.len() - usize::from(tail) % payload.len()),
        2 => payload.extend((0..tail / 4).map(|_| input.byte())),
        _ => {}
    }
    let is_ip6 = kind % 10 != 8 && kind % 10 > 1;
    if is_ip6 && kind & 0x20 == 0 {
        mend(&mut payload);
    }
    let (to, ethertype) = match kind % 10 {
        0 | 1 => ([0xff; 6], [8, 6]),
        8 => {
            mend_header(&mut payload);
            (ROUTER, [8, 0])
        }
        _ => ([0x33, 0x33, 0, 0, 0, 1], [0x86, 0xdd]),
    };
    [&to[..], &HOST, &ethertype, &payload].concat()
}

const PEER: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const TARGET: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const STRANGER: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77];
const LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const GROUP: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1];
const NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const ROUTERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn arp(operation: u8) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4, 0, operation];
    [&fixed[..], &HOST, &[10, 0, 0, 2], &[0; 6], &[10, 0, 0, 1]].concat()
}

fn option(kind: u8) -> [u8; 8] {
    let [a, b, c, d, e, f] = HOST;
    [kind, 1, a, b, c, d, e, f]
}

fn message(fixed: &[u8], parts: &[&[u8]], to: &[u8; 16], hop_limit: u8) -> Vec<u8> {
    let bytes = [fixed, &parts.concat()].concat();
    match hop_limit {
        1 => packet(&[0, 1], &[&[58, 0, 5, 2, 0, 0, 1, 0][..], &bytes].concat(), to),
        _ => packet(&[58, hop_limit], &bytes, to),
    }
}

fn packet(next_and_hops: &[u8; 2], payload: &[u8], to: &[u8; 16]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0][..], &length, next_and_hops, &LOCAL, to, payload].concat()
}

/// Puts length and checksum of an IPv6 packet right, where it still is one with ICMPv6.
fn mend(packet: &mut [u8]) {
    let Some(payload) = packet.len().checked_sub(40) else { return };
    packet[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
    let at = if packet[6] == 0 { 48 } else { 40 };
    if packet.len() < at + 4 {
        return;
    }
    let [source, destination] = [8, 24].map(|i| packet[i..i + 16].try_into().unwrap_or_default());
    packet[at + 2..at + 4].fill(0);
    let sum = Sum::EMPTY.pseudo6(source, destination, 58, (packet.len() - at) as u32);
    let sum = sum.bytes(&packet[at..]).checksum();
    packet[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
}

/// Puts the checksum of an IPv4 header right.
fn mend_header(packet: &mut [u8]) {
    if packet.len() >= 20 {
        packet[10..12].fill(0);
        let sum = vnet::wire::checksum::of(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}
