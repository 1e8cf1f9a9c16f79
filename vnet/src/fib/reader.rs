//! The readers' side: what every worker holds.

use core::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use super::flow_hash::FlowHashes;
use super::map::Zeroed;
use super::tables::SharedTables;
use super::{
    Dpo, DpoKind, Family, FibIndex, Ip4Lpm, Ip6Lpm, LoadBalanceIndex, LoadBalances, MAX_TABLES,
};
use crate::adjacency::{Adjacencies, AdjacencyBody, AdjacencyIndex, AdjacencyKind};
use crate::interface::SwIfIndex;

/// How many interfaces can be bound to tables.
pub const MAX_INTERFACES: usize = 1 << 16;

/// A handle on the forwarding state for a worker: cheap to clone, and free to read while the writer edits.
///
/// A reader needs no lock and never waits. In exchange, a number that it has read (a route, a bucket, an adjacency)
/// means the same only until its next *quiescent point*: it must not keep numbers from one frame to another across a
/// point at which it told the writer's owner that it keeps none. Reading an outdated number is harmless to memory; it
/// yields some other forwarding.
#[derive(Clone)]
pub struct ForwardingReader {
    shared: Arc<Shared>,
}

/// What writer and readers share.
pub(super) struct Shared {
    pub(super) ip4: SharedTables<u32>,
    pub(super) ip6: SharedTables<u128>,
    pub(super) load_balances: LoadBalances,
    pub(super) adjacencies: Adjacencies,
    pub(super) flow_hashes: FlowHashes,
    ip4_bindings: Zeroed<AtomicU32, MAX_INTERFACES>,
    ip6_bindings: Zeroed<AtomicU32, MAX_INTERFACES>,
    /// Numbers of the words of punted packets.
    ip4_redirects: Zeroed<AtomicU32, MAX_INTERFACES>,
    ip6_redirects: Zeroed<AtomicU32, MAX_INTERFACES>,
}

impl Shared {
    pub(super) fn new(
        ip4: SharedTables<u32>,
        ip6: SharedTables<u128>,
        adjacencies: Adjacencies,
    ) -> io::Result<Self> {
        Ok(Self {
            ip4,
            ip6,
            load_balances: LoadBalances::new()?,
            adjacencies,
            flow_hashes: FlowHashes::new()?,
            ip4_bindings: Zeroed::new()?,
            ip6_bindings: Zeroed::new()?,
            ip4_redirects: Zeroed::new()?,
            ip6_redirects: Zeroed::new()?,
        })
    }

    pub(super) fn binding(&self, interface: SwIfIndex, family: Family) -> Option<&AtomicU32> {
        let bindings = match family {
            Family::Ip4 => &self.ip4_bindings,
            Family::Ip6 => &self.ip6_bindings,
        };
        bindings.get(interface.0 as usize)
    }

    pub(super) fn redirect(&self, interface: SwIfIndex, family: Family) -> Option<&AtomicU32> {
        let redirects = match family {
            Family::Ip4 => &self.ip4_redirects,
            Family::Ip6 => &self.ip6_redirects,
        };
        redirects.get(interface.0 as usize)
    }

    #[inline]
    pub(super) fn fib_of(&self, interface: SwIfIndex, family: Family) -> FibIndex {
        self.binding(interface, family)
            .map_or(FibIndex::DEFAULT, |binding| FibIndex(binding.load(Ordering::Acquire)))
    }
}

impl ForwardingReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// An IPv4 table; `None` when there never was one of this number.
    #[must_use]
    #[inline]
    pub fn ip4_table(&self, fib: FibIndex) -> Option<&Ip4Lpm> {
        self.shared.ip4.get(fib)
    }

    /// An IPv6 table; `None` when there never was one of this number.
    #[must_use]
    #[inline]
    pub fn ip6_table(&self, fib: FibIndex) -> Option<&Ip6Lpm> {
        self.shared.ip6.get(fib)
    }

    /// The table in which packets from an interface are looked up; the default table for an interface bound to none.
    #[must_use]
    #[inline]
    pub fn fib_of(&self, interface: SwIfIndex, family: Family) -> FibIndex {
        self.shared.fib_of(interface, family)
    }

    /// The number of the word that says where punted packets go that came in by `rx`; none where nothing says so.
    #[must_use]
    #[inline]
    pub fn punt_redirect(&self, rx: SwIfIndex, family: Family) -> LoadBalanceIndex {
        let of = |interface| {
            let place = self.shared.redirect(interface, family);
            let word = place.map_or(0, |place| place.load(Ordering::Acquire));
            Some(LoadBalanceIndex(word)).filter(|&word| word != LoadBalanceIndex::NONE)
        };
        of(rx).or_else(|| of(SwIfIndex::LOCAL0)).unwrap_or(LoadBalanceIndex::NONE)
    }

    /// The words of all routes.
    #[must_use]
    #[inline]
    pub fn load_balances(&self) -> &LoadBalances {
        &self.shared.load_balances
    }

    /// A route's forwarding; of kind multi when a bucket must be chosen.
    #[must_use]
    #[inline]
    pub fn load_balance(&self, index: LoadBalanceIndex) -> Dpo {
        self.shared.load_balances.load(index)
    }

    /// The bucket of a word of kind multi that a flow belongs to.
    #[must_use]
    #[inline]
    pub fn bucket(&self, multi: Dpo, flow_hash: u32) -> Dpo {
        self.shared.load_balances.bucket(multi, flow_hash)
    }

    /// Whether table `fib` has a way to `address` over a link, and if `by` is given, one that leaves by that interface.
    #[must_use]
    pub fn reaches(&self, fib: FibIndex, address: IpAddr, by: Option<SwIfIndex>) -> bool {
        let Some(dpo) = self.forwarding(fib, address) else { return false };
        let by_that = |dpo: Dpo| {
            by.is_none_or(|by| self.adjacency(dpo.adjacency_index()).sw_if_index() == by)
        };
        let leaves = |dpo: Dpo| dpo.has_adjacency() && by_that(dpo);
        match dpo.kind() {
            DpoKind::Multi => (0..dpo.buckets()).any(|n| leaves(self.bucket(dpo, n))),
            _ => leaves(dpo),
        }
    }

    /// Whether the table of `interface` leads straight to `address` over it: it is its own next hop.
    #[must_use]
    pub fn is_attached(&self, interface: SwIfIndex, address: IpAddr) -> bool {
        let fib = self.fib_of(interface, Family::of(address));
        let Some(dpo) = self.forwarding(fib, address) else { return false };
        if !dpo.has_adjacency() {
            return false;
        }
        let adjacency = self.adjacency(dpo.adjacency_index());
        let itself = adjacency.next_hop() == address;
        adjacency.sw_if_index() == interface && (itself || adjacency.kind() == AdjacencyKind::Glean)
    }

    /// Whether `address` is this machine's on the link of `interface`: one of its own, or one that a route says is local there.
    #[must_use]
    pub fn is_local_at(&self, interface: SwIfIndex, address: IpAddr) -> bool {
        let fib = self.fib_of(interface, Family::of(address));
        let local = |dpo: Dpo| dpo.kind() == DpoKind::Local && dpo.interface() == interface;
        self.forwarding(fib, address).is_some_and(local)
    }

    /// What becomes of packets to `destination` that are looked up in table `fib`, followed through the tables that its route leads
    /// to; `None` where they lead in a circle.
    fn forwarding(&self, fib: FibIndex, destination: IpAddr) -> Option<Dpo> {
        let mut fib = fib;
        // A chain of tables that is longer leads in a circle.
        for _ in 0..MAX_TABLES {
            let route = match destination {
                IpAddr::V4(to) => self.ip4_table(fib)?.lookup_one(to.to_bits()),
                IpAddr::V6(to) => self.ip6_table(fib)?.lookup_one(to.to_bits()),
            };
            let dpo = self.load_balance(route);
            if dpo.kind() != DpoKind::Lookup {
                return Some(dpo);
            }
            fib = FibIndex(dpo.index());
        }
        None
    }

    /// Where a packet to `destination` would go that is looked up in table `fib`: what becomes of it, and the interface that it
    /// leaves by, or whose address it is for. Of several ways the first.
    #[must_use]
    pub fn egress(&self, fib: FibIndex, destination: IpAddr) -> (DpoKind, SwIfIndex) {
        let dpo = match self.forwarding(fib, destination).unwrap_or(Dpo::DROP) {
            multi if multi.kind() == DpoKind::Multi => self.bucket(multi, 0),
            dpo => dpo,
        };
        let interface = match dpo.kind() {
            _ if dpo.has_adjacency() => self.adjacency(dpo.adjacency_index()).sw_if_index(),
            DpoKind::Local => dpo.interface(),
            _ => SwIfIndex::NONE,
        };
        (dpo.kind(), interface)
    }

    /// All adjacencies.
    #[must_use]
    #[inline]
    pub fn adjacencies(&self) -> &Adjacencies {
        &self.shared.adjacencies
    }

    /// What to prepend for an adjacency and where to send.
    #[must_use]
    #[inline]
    pub fn adjacency(&self, index: AdjacencyIndex) -> &AdjacencyBody {
        self.shared.adjacencies.body(index)
    }
}
