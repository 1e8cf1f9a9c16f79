//! Tunnels: packets in packets, judged by tshark, scapy and the kernel's own.

mod captures;
mod commands;
mod faults;
mod headers;
mod linux;
mod loops;
mod mtu;
#[path = "../forwarding/packets.rs"]
#[allow(dead_code, reason = "some are for those who route")]
mod packets;
mod passage;
mod path_mtu;
#[path = "../forwarding/scene.rs"]
#[allow(dead_code, reason = "some are for those who route")]
mod scene;

use scene::Scene;

/// A kind of tunnel, and what its outer packets are.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// What makes one, with `LOCAL` and `REMOTE` for its ends.
    create: &'static str,
    interface: &'static str,
    bridged: bool,
    /// What tshark finds in a packet, from the outer IP header to the inner one.
    stack: &'static str,
}

impl Kind {
    const fn new(
        name: &'static str,
        create: &'static str,
        interface: &'static str,
        bridged: bool,
        stack: &'static str,
    ) -> Self {
        Self { name, create, interface, bridged, stack }
    }

    /// The command between two ends.
    fn between(&self, local: &str, remote: &str) -> String {
        self.create.replace("LOCAL", local).replace("REMOTE", remote)
    }
}

/// All kinds, without their outer headers.
const KINDS: [Kind; 6] = [
    Kind::new(
        "vxlan",
        "create vxlan tunnel src LOCAL dst REMOTE vni 13",
        "vxlan_tunnel0",
        true,
        "udp:vxlan:eth:ethertype",
    ),
    Kind::new(
        "geneve",
        "create geneve tunnel local LOCAL remote REMOTE vni 13",
        "geneve_tunnel0",
        true,
        "udp:geneve:eth:ethertype",
    ),
    Kind::new("gre", "create gre tunnel src LOCAL dst REMOTE", "gre0", false, "gre"),
    Kind::new("gre key", "create gre tunnel src LOCAL dst REMOTE key 99", "gre0", false, "gre"),
    Kind::new(
        "gre teb",
        "create gre tunnel src LOCAL dst REMOTE teb",
        "gre0",
        true,
        "gre:eth:ethertype",
    ),
    Kind::new("ipip", "create ipip tunnel src LOCAL dst REMOTE", "ipip0", false, ""),
];

/// The ends of tunnels by the family of outer packets, with the names of their headers.
const ENDS: [(&str, [&str; 2]); 2] =
    [("ip", ["192.0.2.1", "192.0.2.2"]), ("ipv6", ["2001:db8:f::1", "2001:db8:f::2"])];

/// A machine with a tunnel: `pg1` leads to the far end, `pg0` is what the tunnel is for. `side` is 0 or 1.
fn end(kind: &Kind, ends: [&str; 2], side: usize) -> Scene {
    let (local, remote) = (ends[side], ends[1 - side]);
    let length = if local.contains(':') { 64 } else { 24 };
    let scene = Scene::new(
        2,
        &format!(
            "set interface ip address pg1 {local}/{length}
             set ip neighbor pg1 {remote} 02:fe:00:00:00:01 no-fib-entry
             {}
             set interface state {} up",
            kind.between(local, remote),
            kind.interface
        ),
    );
    let name = kind.interface;
    scene.lab.script(&if kind.bridged {
        format!("set interface l2 bridge pg0 1\nset interface l2 bridge {name} 1")
    } else {
        // Hosts behind the other side are behind the tunnel, those of this one behind pg0.
        let (own, other) = (10 + side, 11 - side);
        format!(
            "set interface ip address pg0 10.{own}.0.1/24
             set interface ip address pg0 2001:db8:{own}::1/64
             set ip neighbor pg0 10.{own}.0.2 02:00:00:00:00:01
             set ip neighbor pg0 2001:db8:{own}::2 02:00:00:00:00:01
             set interface unnumbered {name} use pg0
             ip route add 10.{other}.0.0/24 via {name}
             ip route add 2001:db8:{other}::/64 via {name}"
        )
    });
    scene
}

/// What came by wires left by wires, was dropped for a reason, or punted; no buffer is left over. What passed through a tunnel counts
/// on its interface, too.
fn adds_up(scene: &Scene) {
    scene.lab.advance(4);
    let (came, ended) = scene.lab.engine.with(|main| {
        assert_eq!(main.pool().owned(), 0, "buffers that nobody gave back");
        let counters = main.interface_counters();
        let all: Vec<_> = main.interfaces().hardware_interfaces().collect();
        let wires = all.iter().filter(|hardware| hardware.name.starts_with("pg"));
        let (mut came, mut ended) = (0, 0);
        for wire in wires {
            came += counters.rx.sum(wire.sw_if_index.0).packets;
            ended += counters.tx.sum(wire.sw_if_index.0).packets;
        }
        for any in &all {
            ended += counters.drops.sum(any.sw_if_index.0) + counters.punt.sum(any.sw_if_index.0);
        }
        (came, ended)
    });
    let requests = ["ip4-arp", "ip4-glean", "ip6-discover-neighbor", "ip6-glean"];
    let asked: u64 = requests.iter().map(|node| scene.lab.error(node, "request-sent")).sum();
    let copies = scene.lab.error("l2-flood", "copies");
    let own: u64 = scene
        .reasons()
        .iter()
        .filter(|((_, reason), _)| reason == "originated")
        .map(|(_, count)| count)
        .sum();
    assert_eq!(came + scene.told() + asked + copies + own, ended, "{:?}", scene.reasons());
}
