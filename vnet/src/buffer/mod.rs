//! Packet buffers: the arena, the pool, and the metadata of a packet.
//!
//! All buffers of an engine lie in one mapping, the [`Arena`]. A [`BufferIndex`] names a buffer and opens nothing: it is
//! plain data. What it names is *owned* by exactly one place: a [`Frame`](crate::frame::Frame), a pool magazine, a device
//! ring, or a holder. Only the framework moves indices between owners, and only an owned frame yields `&mut Buffer`.
//!
//! Buffers are taken and given back in bulk through a [`Magazine`], one a thread. A packet larger than
//! [`DATA_SIZE`] is a chain of buffers; the links are private, and the tails of a replicated packet are shared, counted and
//! read-only.
//!
//! Debug builds keep a map of who owns what and panic on a double free, a leak or a stale index.

mod arena;
mod chain;
mod commands;
mod flags;
mod index;
mod lent;
mod metadata;
mod offload;
mod pool;
mod template;

pub use arena::{Arena, ArenaError, PageKind};
pub(crate) use commands::commands;
pub use flags::BufferFlags;
pub use index::BufferIndex;
pub use lent::{DATA_OFFSET, Ledger, Lent, Part};
pub use metadata::{Buffer, DATA_SIZE, HEADROOM};
pub use offload::{Gso, Offload, OnWire};
pub use pool::{BufferPool, Magazine, PoolUsage};
pub use template::{Notes, Template};

/// The name of an engine's pool, as in VPP.
pub const POOL_NAME: &str = "default-numa-0";

/// How the frame and dispatch modules reach the buffers whose indices they own.
pub(crate) mod access {
    pub(crate) use super::pool::{buffer_mut, prefetch};
}
