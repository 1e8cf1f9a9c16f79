//! Transports that deliver everything, in order: TCP, TLS over TCP, and IPFIX Files.
//!
//! The exporter hands over messages, templates and withdrawals ([`Item`]); a thread of each transport's own ([`Sender`])
//! takes them to the collector, so that a slow collector, a slow disk or a handshake holds up nobody else. What is on the way
//! belongs to no session yet: sequence number and export time are stamped when a message is written, since only then it is
//! known which session that is.
//!
//! ```text
//! exporter -> Queue (memory, then Spool) -> Session (stamps, remembers what is unacknowledged) -> Link (TCP, TLS, file)
//!                 ^------------------------ what a lost session had not delivered
//! ```
//!
//! - A message counts as delivered when the collector's host has acknowledged it, for a file when it is written. What was not
//!   when a session ended goes to the front of the queue: a collector gets everything at least once.
//! - Each session begins with the templates of what is still to be delivered, and with sequence number 0 (RFC 7011 sections
//!   8.1 and 10.4).
//! - What finds no room in memory goes to the spool, and what finds none there either is not accepted: the exporter counts it as
//!   not sent.
//!
//! | file | idea |
//! |---|---|
//! | `item` | what is handed over |
//! | `queue`, `spool` | waiting, in memory and on disk |
//! | `session` | what the collector knows and has: no input or output |
//! | `link`, `tcp`, `tls`, `file` | the ways there |
//! | `sender` | the thread, and how others see it |

mod file;
mod item;
mod link;
mod queue;
mod sender;
mod session;
mod spool;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod unsent;

pub use file::{Rotation, set_aside};
pub use item::Item;
pub use link::{Link, Target};
pub use queue::{Limits, Loss, Queue};
pub use sender::{Phase, Sender, Status};
pub use session::Session;
pub use spool::Spool;
pub use tls::{TlsError, TlsFiles, TlsIdentity};
