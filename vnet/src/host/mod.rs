//! What the host says of its network interfaces, for devices that stand on one: rtnetlink (RFC 3549), by its route family; what
//! they are asked to receive; and the memory of the rings by which such devices get their packets.
//!
//! [`Link::named`] asks once; a [`LinkMonitor`] is told of every change from when it was made. Both speak to the network namespace
//! of the calling thread, which [`Namespace::run`] has another one do. [`follow()`] is the process of a device class whose
//! interfaces are [`OnHost`].
//!
//! [`local_socket`] is how other programs of the same machine come to an engine.

mod follow;
mod link;
pub mod local_socket;
mod membership;
mod monitor;
mod namespace;
mod ring_memory;

pub use follow::{OnHost, follow, set_link};
pub use link::{Link, LinkLayer, request};
pub use membership::Memberships;
pub use monitor::{LinkEvent, LinkMonitor};
pub use namespace::Namespace;
pub use ring_memory::RingMemory;
