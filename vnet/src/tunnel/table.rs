//! The tunnels of an engine, as nodes find them.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::{Ends, Flags, Key, Kind, Outer, Payload, Selector, Tunnel, key::ByKey};
use crate::{
    fib::{Family, FibIndex, LoadBalanceIndex},
    interface::SwIfIndex,
};

/// What a node needs that sends by a tunnel.
#[derive(Debug)]
pub struct Sender {
    /// What its outer headers begin as.
    pub outer: Outer,
    /// Their family.
    pub family: Family,
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: Payload,
    /// What goes over from inner to outer headers.
    pub flags: Flags,
    /// The number of the word that says what becomes of outer packets.
    pub word: LoadBalanceIndex,
    /// The longest outer packets that pass all the way, as far as it was learnt; else `u16::MAX`.
    pub path_mtu: u16,
}

/// What tells whose an outer packet is that was sent, as far as it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Its kind; `None` of datagrams, which are of the kind that their port says.
    pub kind: Option<Kind>,
    /// Its source.
    pub local: IpAddr,
    /// Its destination.
    pub remote: IpAddr,
    /// The port that it was for.
    pub port: Option<u16>,
}

impl Way {
    fn of(tunnel: &Tunnel) -> Self {
        let Tunnel { kind, local, remote, ports, .. } = *tunnel;
        let port = ports.map(|ports| ports.remote);
        Self { kind: port.is_none().then_some(kind), local, remote, port }
    }
}

/// All tunnels.
#[derive(Debug, Default)]
pub struct Table {
    tunnels: BTreeMap<(Kind, u32), SwIfIndex>,
    /// By interface.
    slots: Vec<Option<Box<(Tunnel, Sender)>>>,
    ip4: ByKey<u32>,
    ip6: ByKey<u128>,
    /// How many tunnels go which way, in which table.
    ways: BTreeMap<(FibIndex, Way), usize>,
}

impl Table {
    /// The tunnel of an interface, if it is one's.
    #[inline]
    #[must_use]
    pub fn of(&self, interface: SwIfIndex) -> Option<&Tunnel> {
        self.slot(interface).map(|(tunnel, _)| tunnel)
    }

    /// What leaves by an interface goes into.
    #[inline]
    #[must_use]
    pub fn sender(&self, interface: SwIfIndex) -> Option<&Sender> {
        self.slot(interface).map(|(_, sender)| sender)
    }

    #[inline]
    fn slot(&self, interface: SwIfIndex) -> Option<&(Tunnel, Sender)> {
        self.slots.get(interface.0 as usize)?.as_deref()
    }

    /// The interface of the tunnel of an IPv4 packet that came.
    #[inline]
    #[must_use]
    pub fn receiver4(&self, key: &Key<u32>) -> Option<SwIfIndex> {
        self.ip4.get(key).copied()
    }

    /// The interface of the tunnel of an IPv6 packet that came.
    #[inline]
    #[must_use]
    pub fn receiver6(&self, key: &Key<u128>) -> Option<SwIfIndex> {
        self.ip6.get(key).copied()
    }

    /// Whether there is a tunnel whose packets go a way.
    #[must_use]
    pub fn has_way(&self, table: FibIndex, way: Way) -> bool {
        self.ways.contains_key(&(table, way))
    }

    /// Whether there is one of any kind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tunnels.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tunnels.len()
    }

    /// The tunnels of a kind, by their index.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Tunnel> {
        let of_kind = self.tunnels.range((kind, 0)..=(kind, u32::MAX));
        of_kind.filter_map(|(_, interface)| self.of(*interface))
    }

    /// The lowest index that no tunnel of a kind has.
    pub(super) fn free_index(&self, kind: Kind) -> u32 {
        let taken = self.tunnels.range((kind, 0)..=(kind, u32::MAX));
        let gap = { taken }.zip(0..).find(|(((_, taken), _), free)| taken != free);
        gap.map_or_else(|| self.of_kind(kind).count() as u32, |(_, free)| free)
    }

    /// The tunnel that would take the same packets.
    pub(super) fn rival(&self, tunnel: &Tunnel) -> Option<SwIfIndex> {
        match ends(tunnel) {
            Either::Ip4(key) => self.receiver4(&key),
            Either::Ip6(key) => self.receiver6(&key),
        }
    }

    pub(super) fn insert(&mut self, tunnel: Tunnel, word: LoadBalanceIndex, path_mtu: Option<u16>) {
        let interface = tunnel.interface;
        *self.ways.entry((tunnel.table, Way::of(&tunnel))).or_default() += 1;
        match ends(&tunnel) {
            Either::Ip4(key) => drop(self.ip4.insert(key, interface)),
            Either::Ip6(key) => drop(self.ip6.insert(key, interface)),
        }
        self.tunnels.insert((tunnel.kind, tunnel.index), interface);
        let at = interface.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        let sender = Sender {
            outer: Outer::of(&tunnel),
            family: tunnel.family(),
            kind: tunnel.kind,
            payload: tunnel.payload,
            flags: tunnel.flags,
            word,
            path_mtu: path_mtu.unwrap_or(u16::MAX),
        };
        self.slots[at] = Some(Box::new((tunnel, sender)));
    }

    /// Says how long packets may be that go to a far end.
    pub(super) fn set_path_mtu(&mut self, of: (FibIndex, IpAddr), mtu: Option<u16>) {
        for slot in self.slots.iter_mut().flatten() {
            let (tunnel, sender) = &mut **slot;
            if (tunnel.table, tunnel.remote) == of {
                sender.path_mtu = mtu.unwrap_or(u16::MAX);
            }
        }
    }

    pub(super) fn remove(&mut self, interface: SwIfIndex) -> Option<Tunnel> {
        let (tunnel, _) = *self.slots.get_mut(interface.0 as usize)?.take()?;
        let way = (tunnel.table, Way::of(&tunnel));
        if let Some(tunnels) = self.ways.get_mut(&way) {
            *tunnels -= 1;
            if *tunnels == 0 {
                self.ways.remove(&way);
            }
        }
        match ends(&tunnel) {
            Either::Ip4(key) => drop(self.ip4.remove(&key)),
            Either::Ip6(key) => drop(self.ip6.remove(&key)),
        }
        self.tunnels.remove(&(tunnel.kind, tunnel.index));
        Some(tunnel)
    }
}

enum Either {
    Ip4(Key<u32>),
    Ip6(Key<u128>),
}

fn ends(tunnel: &Tunnel) -> Either {
    let Tunnel { kind, payload, table, key, ports, .. } = *tunnel;
    // The payload of VXLAN and Geneve is not said by their packets.
    let payload = if kind.has_ports() { Payload::Ethernet } else { payload };
    let selector = Selector::new(kind, payload, table, key, ports.map_or(0, |p| p.local));
    match (tunnel.local, tunnel.remote) {
        (IpAddr::V4(local), IpAddr::V4(remote)) => {
            let word = |address: core::net::Ipv4Addr| u32::from_ne_bytes(address.octets());
            Either::Ip4(Key { ends: Ends { local: word(local), remote: word(remote) }, selector })
        }
        (local, remote) => {
            let word = |address| match address {
                IpAddr::V4(address) => u128::from_ne_bytes(address.to_ipv6_mapped().octets()),
                IpAddr::V6(address) => u128::from_ne_bytes(address.octets()),
            };
            Either::Ip6(Key { ends: Ends { local: word(local), remote: word(remote) }, selector })
        }
    }
}
