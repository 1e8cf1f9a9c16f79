//! What the host says of its network interfaces, for devices that stand on one: rtnetlink (RFC 3549), by its route family.
//!
//! [`Link::named`] asks once; a [`LinkMonitor`] is told of every change from when it was made.

mod link;
mod monitor;

pub use link::{Link, LinkLayer, request};
pub use monitor::{LinkEvent, LinkMonitor};
