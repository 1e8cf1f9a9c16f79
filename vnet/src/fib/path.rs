//! What the operator says about a route: its sources and its paths.

use core::net::IpAddr;

use super::{Dpo, Family, FibIndex, Refusal};
use crate::interface::SwIfIndex;

/// Most paths of one route.
pub const MAX_PATHS: usize = 64;

/// Who added a route. Where several did, the first in this order forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Source {
    /// The table itself: prefixes that are never routed.
    Special,
    /// An address of an interface.
    Interface,
    /// The binary API.
    Api,
    /// A command.
    Cli,
    /// A host for which others' neighbour solicitations are answered.
    NdProxy,
    /// A neighbour: the /32 or /128 of a complete adjacency.
    Adjacency,
    /// The table itself: the route that drops what no other route has.
    DefaultRoute,
}

impl Source {
    /// The word for it in `show ip fib`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Special => "special",
            Self::Interface => "interface",
            Self::Api => "API",
            Self::Cli => "CLI",
            Self::NdProxy => "IPv6-proxy-nd",
            Self::Adjacency => "adjacency",
            Self::DefaultRoute => "default-route",
        }
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathTarget {
    /// To a next hop on an interface.
    AttachedNextHop {
        /// Address of the next hop, of the route's family.
        next_hop: IpAddr,
        /// The interface that it is on.
        interface: SwIfIndex,
    },
    /// To whatever is on an interface: the destination is its own next hop.
    Attached {
        /// The interface.
        interface: SwIfIndex,
    },
    /// To a next hop that another route leads to.
    Recursive {
        /// Address of the next hop, of the route's family.
        next_hop: IpAddr,
        /// The table in which to find it.
        table: FibIndex,
    },
    /// Nowhere: it forwards nothing, so that packets are dropped where a route has no other path.
    Drop,
    /// Nowhere, and the senders of packets may know.
    Refuse(Refusal),
    /// To the punt path.
    Punt,
    /// To this machine.
    Local {
        /// The interface whose address it is; [`SwIfIndex::NONE`] for none in particular.
        interface: SwIfIndex,
    },
    /// To what another table of the family says about the destination. A chain of such routes may come back to its
    /// start, which only the lookup node can see: it limits the lookups of one packet.
    Lookup {
        /// The other table.
        table: FibIndex,
    },
}

impl PathTarget {
    /// The interface that the path depends on.
    #[must_use]
    pub fn interface(self) -> Option<SwIfIndex> {
        match self {
            Self::AttachedNextHop { interface, .. }
            | Self::Attached { interface }
            | Self::Local { interface } => Some(interface).filter(|&i| i != SwIfIndex::NONE),
            Self::Recursive { .. }
            | Self::Drop
            | Self::Refuse(_)
            | Self::Punt
            | Self::Lookup { .. } => None,
        }
    }

    /// The address that the path goes through.
    #[must_use]
    pub const fn next_hop(self) -> Option<IpAddr> {
        match self {
            Self::AttachedNextHop { next_hop, .. } | Self::Recursive { next_hop, .. } => {
                Some(next_hop)
            }
            _ => None,
        }
    }
}

/// One way of a route, and its share of the flows among the route's paths. Ordered by preference first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Its rank among the route's paths: those of the lowest number that lead anywhere forward, the others wait.
    pub preference: u8,
    /// Where it leads.
    pub target: PathTarget,
    /// Its share, relative to the other paths'. 0 counts as 1, as in VPP.
    pub weight: u8,
}

impl Path {
    /// Drop.
    pub const DROP: Self = Self::to(PathTarget::Drop);
    /// What a table has where it has no route.
    pub const NO_ROUTE: Self = Self::to(PathTarget::Refuse(Refusal::NoRoute));
    /// Punt.
    pub const PUNT: Self = Self::to(PathTarget::Punt);

    /// A path of weight 1 and preference 0.
    #[must_use]
    pub const fn to(target: PathTarget) -> Self {
        Self { preference: 0, target, weight: 1 }
    }

    /// Via a next hop on an interface.
    #[must_use]
    pub const fn via(next_hop: IpAddr, interface: SwIfIndex) -> Self {
        Self::to(PathTarget::AttachedNextHop { next_hop, interface })
    }

    /// Via whatever is on an interface.
    #[must_use]
    pub const fn attached(interface: SwIfIndex) -> Self {
        Self::to(PathTarget::Attached { interface })
    }

    /// Via a next hop that a route of `table` leads to.
    #[must_use]
    pub const fn recursive(next_hop: IpAddr, table: FibIndex) -> Self {
        Self::to(PathTarget::Recursive { next_hop, table })
    }

    /// To this machine, as an address of `interface`.
    #[must_use]
    pub const fn local(interface: SwIfIndex) -> Self {
        Self::to(PathTarget::Local { interface })
    }

    /// The same path with another preference.
    #[must_use]
    pub const fn preferred(self, preference: u8) -> Self {
        Self { preference, ..self }
    }

    /// The same path with another weight.
    #[must_use]
    pub const fn weighted(self, weight: u8) -> Self {
        Self { weight, ..self }
    }
}

/// The paths of a route, in the one order and form that makes equal sets equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PathSet {
    pub(super) family: Family,
    pub(super) paths: smallvec::SmallVec<[Path; 1]>,
}

impl PathSet {
    /// Of several paths with the same target, the last one counts.
    pub(super) fn new(family: Family, paths: &[Path]) -> Self {
        let mut set = Self { family, paths: smallvec::SmallVec::new() };
        for path in paths {
            let path = path.weighted(path.weight.max(1));
            match set.paths.iter_mut().find(|other| other.target == path.target) {
                Some(other) => *other = path,
                None => set.paths.push(path),
            }
        }
        set.paths.sort_unstable();
        set
    }

    /// What becomes of packets as long as no path leads anywhere: what the first says that leads nowhere by intention, or else that
    /// there is no route.
    pub(super) fn nowhere(&self) -> Dpo {
        let intended = self.paths.iter().find_map(|path| match path.target {
            PathTarget::Drop => Some(Dpo::DROP),
            PathTarget::Refuse(why) => Some(Dpo::refused(why)),
            _ => None,
        });
        intended.unwrap_or(Dpo::refused(Refusal::NoRoute))
    }
}
