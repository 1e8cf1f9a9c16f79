//! Forwarding tables: where a packet with a given destination goes.
//!
//! [`Forwarding`] is the writer, owned by the main thread: tables, routes with their sources and paths, interfaces with
//! their addresses, neighbours. It turns what was ordered into what workers read, and keeps that right when anything
//! that it depends on changes. A [`ForwardingReader`] is what each worker holds. A lookup node goes this way:
//!
//! 1. [`ForwardingReader::fib_of`] or the packet names a table, [`Ip4Lpm::lookup`] or [`Ip6Lpm::lookup`] finds the
//!    routes of a frame of destinations;
//! 2. the route's number is the position of its counters, and [`LoadBalances::load`] its word, a [`Dpo`];
//! 3. a word of kind multi needs a flow hash and [`LoadBalances::bucket`];
//! 4. the [`DpoKind`] names the next node; for the rewrite nodes, [`Adjacencies::body`] has the bytes to prepend.
//!
//! Lines should be requested (`prefetch`) some 24 to 32 packets before they are read: a core cannot wait for more at a
//! time, and requests beyond that wait for each other. Where the frame's packets have the same route, counting them
//! once is cheaper than counting each.
//!
//! Everything that readers read is an atomic word, in memory that is never unmapped while a reader lives: there is no
//! lock, and nothing that a reader does is unsafe. What an edit replaces stays as it was until the owner has seen every
//! worker pass a quiescent point ([`Forwarding::seal`], [`Forwarding::reclaim`]). `docs/FIB.md` has the reasons and the
//! figures.
//!
//! [`Adjacencies::body`]: crate::adjacency::Adjacencies::body

pub mod api;
mod commands;
mod components;
mod deleted;
mod dpo;
mod edit;
mod error;
mod flow_hash;
mod forwarding;
mod index;
mod interfaces;
mod ip4;
mod ip6;
mod ip6_writer;
mod link_local;
mod load_balance;
mod lpm;
pub(crate) mod map;
mod memory;
mod neighbors;
mod order;
mod path;
mod path_list;
mod prefix;
mod reader;
mod redirect;
mod resolve;
mod rib;
mod room;
mod routes;
mod show;
pub(crate) mod slots;
mod stack;
mod tables;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use api::register_api;
pub use commands::PathArgs;
pub(crate) use commands::commands;
pub use dpo::{Dpo, DpoKind, Refusal};
pub use edit::RouteInfo;
pub use error::{FibError, TableUse};
pub use forwarding::{Forwarding, ForwardingCounts};
pub use index::{FibIndex, LoadBalanceIndex, TableId};
pub use ip4::Ip4Lpm;
pub use ip6::Ip6Lpm;
pub use link_local::{is_link_local, scoped};
pub use load_balance::{LoadBalances, MAX_BUCKETS, MAX_ROUTES};
pub use memory::{FamilyMemory, TableMemory};
pub use path::{MAX_PATHS, Path, PathTarget, Source};
pub(crate) use path_list::PathListId;
pub use prefix::{Family, IpPrefix, PrefixError};
pub use reader::{ForwardingReader, MAX_INTERFACES};
pub use redirect::{Redirect, RedirectError};
pub use show::ShowContext;
pub use stack::{Stack, Stacking};
pub use tables::MAX_TABLES;

/// How many destinations one lookup call takes at most: the size of a frame.
pub const FRAME: usize = 256;
