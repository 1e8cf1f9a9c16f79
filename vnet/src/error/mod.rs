//! Counted reasons, above all for drops.
//!
//! Each node declares its counters with [`node_errors!`](crate::node_errors). They lie in one heap ([`ErrorCounters`]); a packet
//! that is to be dropped carries the index of its reason to `error-drop`, which counts it. Index 0 is the reason of a packet that
//! was dropped without one.

mod commands;
mod drop;
mod forwarding;

pub(crate) use commands::commands;
pub(crate) use drop::{Drop as DropNode, Error as DropError, register_arc};
pub use forwarding::ForwardingStatus;
pub(crate) use forwarding::Statuses;

pub use crate::counter::{EntryName, ErrorCounters, ErrorIndex, ErrorReason, Severity};

/// One counter of a node.
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo {
    /// Short name: letters, digits and `-`.
    pub name: &'static str,
    /// What `show errors` prints as the reason.
    pub description: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What became of a packet that was dropped for it.
    pub status: ForwardingStatus,
    /// Which of the two is the last part of its name in the stats segment.
    pub entry: EntryName,
}

impl From<&ErrorInfo> for ErrorReason {
    fn from(info: &ErrorInfo) -> Self {
        let reason = Self::new(info.name, info.description, info.severity);
        Self { status: info.status, entry: info.entry, ..reason }
    }
}

/// The counters of a node, as an enum. Made by [`node_errors!`](crate::node_errors).
pub trait ErrorSet: Copy + 'static {
    /// All of them, in the order of their codes.
    const COUNTERS: &'static [ErrorInfo];

    /// Which one this is.
    fn code(self) -> u16;
}

/// For nodes that count nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoError {}

impl ErrorSet for NoError {
    const COUNTERS: &'static [ErrorInfo] = &[];

    fn code(self) -> u16 {
        match self {}
    }
}

/// Declares the counters of a node: an enum with a variant for each, its name, its description and its severity; and, where
/// collectors have a word for why packets are dropped so, the [`ForwardingStatus`] behind that. The stats segment has them by
/// their names, or, after `named by text`, by their descriptions, see [`EntryName`].
///
/// ```
/// vnet::node_errors! {
///     /// Why a packet ends here.
///     pub enum Error {
///         /// The sum over the header is not zero.
///         BadChecksum => ("bad-checksum", "ip4 header checksum is wrong", Error, BadHeaderChecksum),
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! node_errors {
    ($(#[$meta:meta])* $vis:vis enum $name:ident named by text { $($counters:tt)* }) => {
        $crate::node_errors! { @declare Text $(#[$meta])* $vis enum $name { $($counters)* } }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($counters:tt)* }) => {
        $crate::node_errors! { @declare Name $(#[$meta])* $vis enum $name { $($counters)* } }
    };
    (@declare $entry:ident $(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident
            => ($short:literal, $text:literal, $severity:ident $(, $status:ident)?)),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $crate::error::ErrorSet for $name {
            const COUNTERS: &'static [$crate::error::ErrorInfo] = &[
                $($crate::error::ErrorInfo {
                    name: $short,
                    description: $text,
                    severity: $crate::error::Severity::$severity,
                    status: $crate::node_errors!(@status $($status)?),
                    entry: $crate::error::EntryName::$entry,
                }),+
            ];

            #[inline]
            fn code(self) -> u16 {
                self as u16
            }
        }
    };
    (@status) => { $crate::error::ForwardingStatus::Dropped };
    (@status $status:ident) => { $crate::error::ForwardingStatus::$status };
}
