//! Ports of bridge domains that are ends of tunnels, so that records tell of the outer headers of their frames.

use core::net::IpAddr;

use vnet::{
    flow::{Direction, Outer, TunnelKind},
    interface::SwIfIndex,
    runtime::Main,
    tunnel::{self, SourcePorts, Tunnels},
};

use crate::IpfixBridge;

/// A tunnel over IPv4. For one over IPv6 there are no elements: its frames are told of without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// What carries the frames.
    pub kind: TunnelKind,
    /// This end, in network byte order.
    pub local: [u8; 4],
    /// The other end, likewise.
    pub remote: [u8; 4],
    /// UDP ports where each end receives, this one's first; 0 where there are none.
    pub ports: [u16; 2],
    /// VNI, GRE key and the like.
    pub key: u64,
}

impl Tunnel {
    /// What there is to tell of a tunnel of the engine.
    fn of(tunnel: &tunnel::Tunnel) -> Option<Self> {
        let kind = match tunnel.kind {
            tunnel::Kind::Vxlan => TunnelKind::Vxlan,
            tunnel::Kind::Geneve => TunnelKind::Geneve,
            tunnel::Kind::Gre => TunnelKind::Gre,
            tunnel::Kind::Ipip => return None,
        };
        let (IpAddr::V4(local), IpAddr::V4(remote)) = (tunnel.local, tunnel.remote) else {
            return None;
        };
        let ports = tunnel.ports.map_or([0; 2], |ports| [ports.local, ports.remote]);
        let key = tunnel.key.unwrap_or(0).into();
        Some(Self { kind, local: local.octets(), remote: remote.octets(), ports, key })
    }

    /// The outer header of frames that come, or of those that leave. Source ports differ from frame to frame: see
    /// [`IpfixBridge::source_ports_at`].
    pub(crate) fn outer(&self, direction: Direction) -> Outer {
        let Self { kind, local, remote, ports: [here, there], key } = *self;
        let (source, destination, destination_port) = match direction {
            Direction::Ingress => (remote, local, here),
            Direction::Egress => (local, remote, there),
        };
        Outer { kind, source, destination, source_port: 0, destination_port, key }
    }
}

impl IpfixBridge {
    /// The tunnel that an interface is the end of.
    pub(crate) fn tunnel_at(&self, main: &Main, interface: SwIfIndex) -> Option<Tunnel> {
        let said = self.look().tunnels.get(&interface).copied();
        said.or_else(|| Tunnel::of(main.provided::<Tunnels>()?.view(main).of(interface)?))
    }

    /// How source ports are found of the datagrams of a tunnel of the engine's; of those of others they are not known.
    pub(crate) fn source_ports_at(&self, main: &Main, interface: SwIfIndex) -> Option<SourcePorts> {
        if self.look().tunnels.contains_key(&interface) {
            return None;
        }
        main.provided::<Tunnels>()?.view(main).of(interface)?.source_ports()
    }

    /// Says that an interface is the end of a tunnel that is none of the engine's ([`Tunnels`]), or is the end of none of those. That
    /// goes with the interface.
    pub fn set_tunnel(&self, main: &mut Main, interface: SwIfIndex, tunnel: Option<Tunnel>) {
        match tunnel {
            Some(tunnel) => self.state().tunnels.insert(interface, tunnel),
            None => self.state().tunnels.remove(&interface),
        };
        self.follow_ports(main);
    }
}
