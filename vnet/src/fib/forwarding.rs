//! The writer's side: one object on the main thread that holds all forwarding state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::deleted::Deleted;
use super::interfaces::Interface;
use super::load_balance::BucketPool;
use super::neighbors::NeighborHook;
use super::path_list::PathLists;
use super::reader::Shared;
use super::redirect::Redirects;
use super::routes::Routes;
use super::stack::{PathMtus, Stacks};
use super::tables::Tables;
use super::{Family, FibError, FibIndex, ForwardingReader, IpPrefix, Path, Source, TableId};
use crate::adjacency::AdjacencyTable;
use crate::counter::{Combined, CounterError};
use crate::interface::SwIfIndex;
use crate::neighbor::NeighborTable;

/// All forwarding state, with the operations that edit it.
///
/// There is one, owned by the main thread; workers hold [`ForwardingReader`]s. Each edit is visible to readers as soon
/// as it returns, and an edit that fails changes nothing.
///
/// What an edit gives up is kept as it was for readers that are still looking at it. The owner ends that: it calls
/// [`Forwarding::seal`], lets every worker pass a quiescent point, and calls [`Forwarding::reclaim`]. Without that,
/// numbers and memory are never used again.
///
/// [`MAX_ROUTES`]: super::MAX_ROUTES
///
/// ```
/// use vnet::adjacency::{Link, LinkKind, MaxPacket};
/// use vnet::fib::{DpoKind, FibIndex, Forwarding, Path, Source};
/// use vnet::interface::SwIfIndex;
/// # use vnet::neighbor::NeighborFlags;
/// # use vnet::runtime::EngineTime;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut forwarding = Forwarding::new()?;
/// let reader = forwarding.reader();
///
/// let pg0 = SwIfIndex(1);
/// let kind = LinkKind::ethernet([2, 0, 0, 0, 0, 1]);
/// let max_l3_bytes = MaxPacket::both(9000);
/// forwarding.set_interface(pg0, Link { kind, max_l3_bytes, next: 3, up: true })?;
/// let peer = "10.0.0.2".parse()?;
/// forwarding.set_neighbor(pg0, peer, [2, 0, 0, 0, 0, 2], NeighborFlags::STATIC, EngineTime(0))?;
/// let fib = FibIndex::DEFAULT;
/// let route = forwarding.set_route(fib, "192.0.2.0/24".parse()?, Source::Cli, &[Path::via(peer, pg0)])?;
///
/// let table = reader.ip4_table(fib).ok_or("the default table is always there")?;
/// assert_eq!(table.lookup_one(u32::from_be_bytes([192, 0, 2, 9])), route);
/// let dpo = reader.load_balance(route);
/// assert_eq!(dpo.kind(), DpoKind::Adjacency);
/// assert_eq!(reader.adjacency(dpo.adjacency_index()).sw_if_index(), pg0);
/// # Ok(())
/// # }
/// ```
pub struct Forwarding {
    pub(super) shared: Arc<Shared>,
    pub(super) ip4: Tables<u32>,
    pub(super) ip6: Tables<u128>,
    pub(super) deleted: Deleted,
    pub(super) routes: Routes,
    pub(super) lists: PathLists,
    pub(super) buckets: BucketPool,
    pub(super) adjacencies: AdjacencyTable,
    pub(super) neighbors: NeighborTable,
    pub(super) neighbor_hooks: Vec<NeighborHook>,
    pub(super) interfaces: BTreeMap<SwIfIndex, Interface>,
    pub(super) redirects: Redirects,
    pub(super) stacks: Stacks,
    pub(super) path_mtus: PathMtus,
    /// Packets and bytes by route number, where lookup nodes count.
    pub(super) counters: Option<Combined>,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardingCounts {
    /// Adjacencies in use.
    pub adjacencies: usize,
    /// Different sets of paths in use.
    pub path_lists: usize,
}

impl Forwarding {
    /// The default tables of both families, with the prefixes that are never routed, and nothing else.
    pub fn new() -> Result<Self, FibError> {
        let (ip4, shared_ip4) = Tables::new()?;
        let (ip6, shared_ip6) = Tables::new()?;
        let (adjacencies, shared_adjacencies) = AdjacencyTable::new()?;
        let shared = Arc::new(Shared::new(shared_ip4, shared_ip6, shared_adjacencies)?);
        let mut forwarding = Self {
            shared,
            ip4,
            ip6,
            deleted: Deleted::new(),
            routes: Routes::new(),
            lists: PathLists::new(),
            buckets: BucketPool::new(),
            adjacencies,
            neighbors: NeighborTable::new(),
            neighbor_hooks: Vec::new(),
            interfaces: BTreeMap::new(),
            redirects: Redirects::new(),
            stacks: Stacks::new(),
            path_mtus: PathMtus::new(),
            counters: None,
        };
        for family in [Family::Ip4, Family::Ip6] {
            let fib = forwarding.add_table(family, TableId(0))?;
            debug_assert_eq!(fib, FibIndex::DEFAULT);
        }
        forwarding.add_link_local_table()?;
        Ok(forwarding)
    }

    /// Keeps the counters of routes in step with the routes: a number that is given out is visible and starts at 0.
    /// There must be an element for each number, [`MAX_ROUTES`](crate::fib::MAX_ROUTES) of them.
    ///
    /// # Errors
    /// When there are fewer elements than routes.
    pub fn count_by(&mut self, counters: Combined) -> Result<(), CounterError> {
        counters.validate(self.routes.numbers())?;
        self.counters = Some(counters);
        Ok(())
    }

    /// A handle for a worker.
    #[must_use]
    pub fn reader(&self) -> ForwardingReader {
        ForwardingReader::new(Arc::clone(&self.shared))
    }

    /// Begins a quiescent period for all that was given up so far. To be followed by [`Forwarding::reclaim`].
    pub fn seal(&mut self) {
        self.ip4.seal();
        self.ip6.seal();
        self.routes.seal();
        self.buckets.seal();
        self.adjacencies.seal();
    }

    /// Ends the quiescent period that [`Forwarding::seal`] began: every worker has passed a quiescent point since
    /// then. What was given up before it may be used again.
    pub fn reclaim(&mut self) {
        self.ip4.reclaim();
        self.ip6.reclaim();
        self.routes.reclaim();
        self.buckets.reclaim();
        self.adjacencies.reclaim();
    }

    /// Both at once, for an owner that knows that no worker holds anything: all stand still, or each has passed a
    /// quiescent point since the last edit.
    pub fn quiescent(&mut self) {
        self.seal();
        self.reclaim();
    }

    /// How much there is of what routes share.
    #[must_use]
    pub fn counts(&self) -> ForwardingCounts {
        ForwardingCounts { adjacencies: self.adjacencies.len(), path_lists: self.lists.len() }
    }

    /// Makes a table: `ip table add`. It has the routes that every table has.
    pub fn add_table(&mut self, family: Family, id: TableId) -> Result<FibIndex, FibError> {
        let fib = match family {
            Family::Ip4 => self.ip4.add(&self.shared.ip4, id)?,
            Family::Ip6 => self.ip6.add(&self.shared.ip6, id)?,
        };
        for (prefix, source, path) in specials(family) {
            if let Err(error) = self.set_route(fib, prefix, source, &[path]) {
                self.give_up_table(family, fib);
                return Err(error);
            }
        }
        Ok(fib)
    }

    /// The table that the operator calls `id`.
    pub fn table(&self, family: Family, id: TableId) -> Result<FibIndex, FibError> {
        match family {
            Family::Ip4 => self.ip4.find(id),
            Family::Ip6 => self.ip6.find(id),
        }
        .ok_or(FibError::NoSuchTable(family, id))
    }

    /// What the operator calls a table.
    pub fn table_id(&self, family: Family, fib: FibIndex) -> Result<TableId, FibError> {
        match family {
            Family::Ip4 => self.ip4.id(fib),
            Family::Ip6 => self.ip6.id(fib),
        }
        .ok_or(FibError::NoSuchFib(family, fib))
    }

    /// What a table is called: the operator's name for it, or one made of its id.
    pub fn table_name(&self, family: Family, fib: FibIndex) -> Result<String, FibError> {
        let id = self.table_id(family, fib)?;
        let (name, long) = match family {
            Family::Ip4 => (self.ip4.name(fib), "ipv4"),
            Family::Ip6 => (self.ip6.name(fib), "ipv6"),
        };
        Ok(name.map_or_else(|| format!("{long}-VRF:{id}"), str::to_owned))
    }

    /// Gives a table a name, or with an empty one takes it away.
    pub fn name_table(
        &mut self,
        family: Family,
        fib: FibIndex,
        name: &str,
    ) -> Result<(), FibError> {
        match family {
            Family::Ip4 => self.ip4.set_name(fib, name),
            Family::Ip6 => self.ip6.set_name(fib, name),
        }
    }

    /// All tables of a family, by id.
    #[must_use]
    pub fn tables(&self, family: Family) -> Vec<(TableId, FibIndex)> {
        match family {
            Family::Ip4 => self.ip4.iter().collect(),
            Family::Ip6 => self.ip6.iter().collect(),
        }
    }
}

/// The routes of a new table.
fn specials(family: Family) -> Vec<(IpPrefix, Source, Path)> {
    let special = |octets: [u8; 4], len| {
        let prefix = IpPrefix::new(octets.into(), len);
        prefix.ok().map(|prefix| (prefix, Source::Special, Path::DROP))
    };
    let default = (IpPrefix::default_route(family), Source::DefaultRoute, Path::NO_ROUTE);
    let others: Vec<_> = match family {
        Family::Ip4 => [
            special([0; 4], 32),
            special([224, 0, 0, 0], 4),
            special([240, 0, 0, 0], 4),
            special([255; 4], 32),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Family::Ip6 => {
            // Link-local addresses, and groups of a link, which is as far as their packets go.
            let local = |(first, len): (u16, u8)| {
                let prefix = IpPrefix::new([first, 0, 0, 0, 0, 0, 0, 0].into(), len).ok()?;
                Some((prefix, Source::Special, Path::local(SwIfIndex::NONE)))
            };
            [(0xfe80, 10), (0xff02, 16)].into_iter().filter_map(local).collect()
        }
    };
    core::iter::once(default).chain(others).collect()
}
