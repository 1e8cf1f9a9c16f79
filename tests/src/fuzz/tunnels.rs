//! Tunnels: outer packets of any bytes, received by tunnels of every kind.

use nodes::pg::{self, Generator};
use vnet::{
    interface::SwIfIndex,
    plugin::Engine,
    runtime::{Clock, PacketTime},
    wire::{checksum, gre, ip4::protocol, tunnel, udp},
};

/// Few, so that there are none for copies now and then.
const BUFFERS: u32 = 64;
/// Packets of a run.
const MOST: usize = 32;

/// Two machines in one: what the tunnels of the one end bring is bridged and routed into those of others, and back again.
const SCRIPT: &str = "
create packet-generator interface pg0
create packet-generator interface pg1
set interface state pg0 up
set interface state pg1 up
set interface ip address pg0 192.0.2.1/24
set interface ip address pg0 2001:db8:f::1/64
set ip neighbor pg0 192.0.2.2 02:00:00:00:00:02
set ip neighbor pg0 2001:db8:f::2 02:00:00:00:00:02
set interface ip address pg1 10.0.0.1/24
set interface ip address pg1 2001:db8::1/64
set ip neighbor pg1 10.0.0.2 02:00:00:00:00:03
set ip neighbor pg1 2001:db8::2 02:00:00:00:00:03
create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 1
create vxlan tunnel src 2001:db8:f::1 dst 2001:db8:f::2 vni 1
create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 2 l3
create geneve tunnel local 192.0.2.1 remote 192.0.2.2 vni 1
create geneve tunnel local 2001:db8:f::1 remote 2001:db8:f::2 vni 1
create gre tunnel src 192.0.2.1 dst 192.0.2.2
create gre tunnel src 2001:db8:f::1 dst 2001:db8:f::2
create gre tunnel src 192.0.2.1 dst 192.0.2.2 teb
create gre tunnel src 192.0.2.1 dst 192.0.2.2 key 1
create ipip tunnel src 192.0.2.1 dst 192.0.2.2 flags encap-copy-df
create ipip tunnel src 2001:db8:f::1 dst 2001:db8:f::2
set interface state gre0 up
set interface state gre1 up
set interface state gre2 up
set interface state gre3 up
set interface state ipip0 up
set interface state ipip1 up
set interface l2 bridge vxlan_tunnel0 1
set interface l2 bridge vxlan_tunnel1 1
set interface l2 bridge geneve_tunnel0 1
set interface l2 bridge geneve_tunnel1 1
set interface l2 bridge gre2 1
set interface unnumbered vxlan_tunnel2 use pg1
set interface unnumbered gre0 use pg1
set interface unnumbered gre1 use pg1
set interface unnumbered gre3 use pg1
set interface unnumbered ipip0 use pg1
set interface unnumbered ipip1 use pg1
ip route add 10.1.0.0/16 via gre0
ip route add 10.2.0.0/16 via gre1
ip route add 10.3.0.0/16 via ipip0
ip route add 10.4.0.0/16 via ipip1
ip route add 2001:db8:1::/48 via gre3
ip route add 2001:db8:2::/48 via ipip0
set ip icmp-error-limit rate 0
set ip6 icmp-error-limit rate 0
set ip neighbor-announce all disable
";

/// Every packet, and every copy that was made of one, leaves by a wire, is dropped or is punted; no buffer is left behind.
///
/// An octet says by which header a packet begins that is right, the next how long the rest is; or that it is about a packet of a tunnel,
/// which a router on the way found too big.
pub fn tunnels(data: &[u8]) {
    LAB.with(|lab| lab.run(data));
}

thread_local! {
    static LAB: Lab = Lab::new();
}

struct Lab {
    engine: Engine,
    generator: Generator,
    rx: SwIfIndex,
}

/// Headers that are right up to what a tunnel's own header says, in front of `bytes`: IPv4 or IPv6, and UDP, GRE or nothing.
fn packet(choice: u8, bytes: &[u8]) -> Vec<u8> {
    let (protocol, port) = match choice >> 1 & 7 {
        0 | 1 => (17, Some(4789_u16)),
        2 | 3 => (17, Some(6081)),
        4 | 5 => (gre::PROTOCOL, None),
        6 => (tunnel::IP4_IN_IP, None),
        _ => (tunnel::IP6_IN_IP, None),
    };
    let mut behind = Vec::new();
    if let Some(port) = port {
        behind.extend(50_000_u16.to_be_bytes());
        behind.extend(port.to_be_bytes());
        behind.extend((8 + bytes.len() as u16).to_be_bytes());
        behind.extend([0, 0]);
    }
    behind.extend(bytes);
    ip(choice, protocol, behind, port.map(|_| 6))
}

/// An IP packet from the other end. A checksum of IPv6, where there is one, covers addresses, too; it lies `sum` octets behind the header.
fn ip(choice: u8, next: u8, mut behind: Vec<u8>, sum: Option<usize>) -> Vec<u8> {
    let length = behind.len() as u16;
    if choice & 1 == 0 {
        if let Some(at) = sum.filter(|_| next == protocol::ICMP) {
            let sum = checksum::of(&behind).to_be_bytes();
            behind[at..at + 2].copy_from_slice(&sum);
        }
        let mut packet = vec![0x45, choice >> 4 & 3];
        packet.extend((20 + length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, next, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1]);
        let sum = checksum::of(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet.extend(behind);
        return packet;
    }
    let mut packet = vec![0x60, choice & 0x30, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([next, 64]);
    for last in [2, 1] {
        packet.extend([0x20, 1, 0x0d, 0xb8, 0, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    if let Some(at) = sum {
        let mut covered = packet[8..40].to_vec();
        covered.extend([0, next]);
        covered.extend(length.to_be_bytes());
        covered.extend(&behind);
        let sum = udp::checksum_field(checksum::of(&covered)).to_be_bytes();
        behind[at..at + 2].copy_from_slice(&sum);
    }
    packet.extend(behind);
    packet
}

/// Set where a message is about a packet that a tunnel sent.
const ABOUT: u8 = 0x40;

/// What a router says of such a packet: how long it may be, in the first octets of `bytes`, and whatever else is quoted of it.
fn too_big(choice: u8, bytes: &[u8]) -> Vec<u8> {
    let (limit, quoted) = bytes.split_at(bytes.len().min(2));
    let limit: Vec<u8> = [0, 0].iter().chain(limit).copied().collect();
    // Sent by this end to the other one, and not to be cut.
    let mut about = packet(choice, quoted);
    if choice & 1 == 0 {
        about[2..4].copy_from_slice(&1500_u16.to_be_bytes());
        about[6] = 0x40;
        about[12..20].rotate_left(4);
    } else {
        about[4..6].copy_from_slice(&1460_u16.to_be_bytes());
        about[8..40].rotate_left(16);
    }
    let mut message = if choice & 1 == 0 { vec![3, 4, 0, 0] } else { vec![2, 0, 0, 0] };
    message.extend(limit.iter().chain(&[0; 2]).take(4));
    message.extend(about);
    ip(choice, if choice & 1 == 0 { protocol::ICMP } else { protocol::ICMP6 }, message, Some(2))
}

impl Lab {
    fn new() -> Self {
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(BUFFERS);
        let engine = builder.plugin(nodes::plugin()).plugin(pg::plugin()).build();
        let engine = engine.expect("the plugins fit together");
        let generator: Generator = engine.provided().expect("its plugin was registered");
        for line in SCRIPT.lines().filter(|line| !line.is_empty()) {
            engine.command(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        let rx = engine.with(|main| main.interfaces().find("pg0")).expect("it was made");
        Self { engine, generator, rx }
    }

    fn run(&self, mut data: &[u8]) {
        let before = self.counts();
        let mut pushed = 0;
        self.engine.with(|main| {
            let node = main.graph().find("ethernet-input").expect("every engine has it");
            let mut frame = main.frame_to(node);
            while let [choice, length, rest @ ..] = data
                && pushed < MOST as u64
            {
                let (bytes, behind) = rest.split_at(rest.len().min(usize::from(*length)));
                let ethertype = if choice & 1 == 0 { [8, 0] } else { [0x86, 0xdd] };
                let link = [&[2, 0xfe, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2][..], &ethertype].concat();
                let packet = if choice & ABOUT == 0 {
                    packet(*choice, bytes)
                } else {
                    too_big(*choice, bytes)
                };
                let done = frame.push(|buffer| {
                    buffer.rx = self.rx;
                    buffer.append(&link);
                    buffer.append(&packet);
                });
                if done.is_none() {
                    break;
                }
                pushed += 1;
                data = behind;
            }
        });
        self.engine.run_until_idle();
        // What waits for a MAC address waits in vain.
        self.engine.advance(std::time::Duration::from_secs(10));
        let after = self.counts();
        let grown = |i: usize| after[i] - before[i];
        let [sent, dropped, punted, copies, own] = core::array::from_fn(grown);
        assert_eq!(pushed + copies + own, sent + dropped + punted, "{before:?} {after:?}");
        self.engine.with(|main| {
            #[cfg(debug_assertions)]
            assert_eq!(main.pool().owned(), 0, "buffers are left");
            let unexplained = main.errors().rows().filter(|row| row.node == "error-drop");
            assert_eq!(
                unexplained.map(|row| row.count).sum::<u64>(),
                0,
                "dropped without a reason"
            );
        });
    }

    /// What was sent, dropped and punted, and what was made: copies of flooded frames and fragments, what is said to neighbours.
    fn counts(&self) -> [u64; 5] {
        let sent = |n| self.generator.sent(&format!("pg{n}")).map_or(0, |sent| sent.packets);
        self.engine.with(|main| {
            let vectors = |name| {
                let node = main.graph().find(name).expect("every engine has it");
                main.worker().stats(node).vectors
            };
            let error = |node: &str, reason: &str| {
                let mut rows = main.errors().rows();
                rows.find(|r| r.node == node && r.reason.name == reason).map_or(0, |r| r.count)
            };
            let own = main.errors().rows();
            let own = own.filter(|row| ["request-sent", "originated"].contains(&&*row.reason.name));
            let fragments = error("ip4-frag", "fragment-sent") - error("ip4-frag", "fragmented");
            [
                (0..2).map(sent).sum(),
                vectors("error-drop"),
                vectors("error-punt"),
                error("l2-flood", "copies") + fragments,
                own.map(|row| row.count).sum(),
            ]
        })
    }
}
