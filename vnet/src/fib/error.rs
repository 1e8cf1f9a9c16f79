//! Why an edit of the forwarding state was refused. Nothing is changed then.

use core::net::IpAddr;
use std::io;

use thiserror::Error;

use super::{
    Family, FibIndex, IpPrefix, MAX_PATHS, MAX_ROUTES, PrefixError, RedirectError, TableId,
};
use crate::adjacency::MAX_ADJACENCIES;
use crate::interface::{InterfaceAddress, SwIfIndex};

/// Why an edit of the forwarding state was refused. Nothing is changed then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FibError {
    /// The system grants no address space for a table.
    #[error("cannot reserve address space for forwarding tables: {0}")]
    Map(#[from] io::Error),
    /// No table has this number.
    #[error("no {0} table with FIB index {1}")]
    NoSuchFib(Family, FibIndex),
    /// The operator made no table of this id.
    #[error("no {0} table {1}: add it first")]
    NoSuchTable(Family, TableId),
    /// The operator made a table of this id before.
    #[error("{0} table {1} is there already")]
    TableExists(Family, TableId),
    /// Something refers to the table.
    #[error("{0} table {1} is in use by {2}")]
    TableInUse(Family, TableId, TableUse),
    /// There are as many tables as there can be.
    #[error("no room for another {0} table")]
    TablesFull(Family),
    /// The interface was not made known, or is deleted.
    #[error("no interface with index {0}")]
    NoSuchInterface(SwIfIndex),
    /// Interface indices this high have no place in the table of bindings.
    #[error("interface index {0} is too high for forwarding")]
    InterfaceIndex(SwIfIndex),
    /// Nothing can be sent by the interface.
    #[error(
        "interface {0} takes frames of several VLANs, and what it sends would have no certain tags"
    )]
    ReceiveOnly(SwIfIndex),
    /// The route is not there.
    #[error("no route {0} from this source")]
    NoSuchRoute(IpPrefix),
    /// The route has no such path.
    #[error("route {0} has no such path")]
    NoSuchPath(IpPrefix),
    /// A route needs one path at least.
    #[error("route {0} needs a path")]
    NoPaths(IpPrefix),
    /// The route would have too many paths.
    #[error("route {0} can have {MAX_PATHS} paths at most")]
    TooManyPaths(IpPrefix),
    /// A next hop or a table is of another family than the route.
    #[error("a path of route {0} is not {family}", family = .0.family())]
    FamilyMismatch(IpPrefix),
    /// There are as many routes as there can be, those among them that wait for a quiescent period.
    #[error("no room for another route: the limit is {}", MAX_ROUTES - 1)]
    RoutesFull,
    /// The lookup tables have no memory left for the route.
    #[error("no room for route {0} in the lookup tables")]
    LookupFull(IpPrefix),
    /// There are as many adjacencies as there can be, those among them that wait for a quiescent period.
    #[error("no room for another adjacency: the limit is {}", MAX_ADJACENCIES - 1)]
    AdjacenciesFull,
    /// No prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The interface has the address already.
    #[error("interface {0} has {1} already")]
    DuplicateAddress(SwIfIndex, InterfaceAddress),
    /// Another interface of the table has an overlapping prefix.
    #[error("{0} overlaps a prefix of interface {1} in the same table")]
    AddressInUse(InterfaceAddress, SwIfIndex),
    /// The interface does not have the address.
    #[error("interface {0} does not have {1}")]
    NoSuchAddress(SwIfIndex, InterfaceAddress),
    /// Bindings change only while the interface has no addresses of the family.
    #[error("interface {0} has {1} addresses: remove them before changing its table")]
    HasAddresses(SwIfIndex, Family),
    /// The neighbour is not there.
    #[error("interface {0} has no neighbor {1}")]
    NoSuchNeighbor(SwIfIndex, IpAddr),
    /// Punted packets cannot go there.
    #[error("{0} punt redirect: {1}")]
    Redirect(Family, RedirectError),
}

/// What keeps a table from being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TableUse {
    /// It is the table that everything uses by default.
    #[error("interfaces without a table of their own")]
    Default,
    /// An interface is bound to it.
    #[error("interface {0}")]
    Interface(SwIfIndex),
    /// A path looks its next hop or its destination up in it.
    #[error("the path of a route")]
    Path,
}
