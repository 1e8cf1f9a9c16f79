//! Packet traces: what became of a few packets, node by node.
//!
//! An input marks packets while somebody asked for traces of it; each node then leaves a record of every marked packet.
//! Records are plain bytes in a preallocated buffer; they are put into words on the main thread, when somebody looks.

pub mod api;
mod buffer;
mod commands;
mod show;
mod tap;

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(crate) use api::register_api;
pub use buffer::{TraceFilter, TraceWanted, Tracer};
pub(crate) use commands::commands;
pub(crate) use show::texts;
pub use show::{TraceTime, show};
pub use tap::{Seen, Start, Tap, Taps};

use crate::{
    adjacency::AdjacencyIndex,
    counter::ErrorCounters,
    interface::{HwIfIndex, SwIfIndex},
};

/// Bytes that a record may have.
pub const RECORD_SIZE: usize = 112;

/// What a node leaves of a traced packet. Plain bytes, at most [`RECORD_SIZE`] of them.
pub trait TraceRecord: IntoBytes + FromBytes + Immutable + KnownLayout + 'static {
    /// Puts the record into words, as VPP does. Lines after the first are indented by the framework.
    ///
    /// # Errors
    /// When the formatter fails.
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result;
}

/// Declares a trace record: a struct of numbers and octets without gaps, and the text that it is put into. What needs names
/// of interfaces or more than a format string implements [`TraceRecord`] itself.
///
/// ```
/// vnet::trace_record! {
///     /// What a packet leaves.
///     struct Trace { port: u16, ttl: u8, hops: u8 } => "port {port}, ttl {ttl} after {hops} hops"
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! trace_record {
    ($(#[$attr:meta])* $vis:vis struct $name:ident { $($field:ident : $type:ty),+ $(,)? } => $text:literal) => {
        $(#[$attr])*
        #[derive(
            Clone, Copy,
            $crate::zerocopy::FromBytes, $crate::zerocopy::IntoBytes,
            $crate::zerocopy::Immutable, $crate::zerocopy::KnownLayout,
        )]
        #[zerocopy(crate = "::vnet::zerocopy")]
        #[repr(C)]
        $vis struct $name {
            $($field: $type),+
        }

        impl $crate::trace::TraceRecord for $name {
            fn format(
                &self,
                f: &mut ::core::fmt::Formatter<'_>,
                _: &$crate::trace::TraceCx<'_>,
            ) -> ::core::fmt::Result {
                let Self { $($field),+ } = self;
                ::core::write!(f, $text)
            }
        }
    };
}

/// Names for the numbers in records.
pub struct TraceCx<'a> {
    /// The error counters.
    pub errors: &'a ErrorCounters,
    /// The name of an interface.
    pub interface: &'a dyn Fn(SwIfIndex) -> String,
    /// The number of the hardware interface under an interface.
    pub hardware: &'a dyn Fn(SwIfIndex) -> Option<HwIfIndex>,
    /// An adjacency in the words of `show ip fib`.
    pub adjacency: &'a dyn Fn(AdjacencyIndex) -> String,
}

/// For nodes that leave no record.
#[derive(Clone, Copy, IntoBytes, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NoTrace;

impl TraceRecord for NoTrace {
    fn format(&self, _: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Puts the bytes of a record of a certain node into words.
pub(crate) type FormatTrace = fn(&[u8], &mut fmt::Formatter<'_>, &TraceCx<'_>) -> fmt::Result;

pub(crate) fn formatter<T: TraceRecord>() -> FormatTrace {
    const { assert!(size_of::<T>() <= RECORD_SIZE) };
    |bytes, f, cx| match T::read_from_bytes(bytes) {
        Ok(record) => record.format(f, cx),
        Err(_) => f.write_str("record of another size"),
    }
}
