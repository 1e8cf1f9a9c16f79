//! Layer 2: bridge domains, cross-connects, VLAN tag rewrites, the MAC table.
//!
//! [`L2`] is what commands and plugins change and what they look at; [`Layer2`] is what nodes read of it. A [`Port`] says where the
//! frames of an interface go. Those of a bridged one are switched by the MAC table ([`MacTables`]), which all threads read and
//! write while packets flow: a [`Lane`] learns the source address, [`MacTables::find_at`] finds the destination. Both want the
//! home bucket of an address, so that a node can ask for the cache lines of many before it looks at any.
//!
//! Configuration is changed under the barrier. Learning needs no lock, ageing and growth go in slices beside the packets. A flush is
//! a new [`Epoch`] of an interface: its entries are void from that moment, and swept later.

pub mod api;
mod commands;
mod domain;
mod entry;
mod error;
mod fib;
mod handle;
mod layer2;
mod mac_table;
mod mac_tables;
mod modes;
mod port;
mod rewrite;
mod scan;

pub use domain::{BdId, BdIndex, Domain, Member, Switching};
pub use entry::{Entry, EntryFlags, Epoch, MacKey, Minute};
pub use error::L2Error;
pub use fib::Flush;
pub use handle::{L2, NewDomain};
pub use layer2::{Lane, Layer2, Learned};
pub use mac_tables::{Known, MacTables};
pub use modes::{BVI_CLASS, LOOPBACK_CLASS};
pub use port::{Mode, Port, Role};
pub use rewrite::{EfpFilter, Rewrite, TagRewrite, Unfit};
