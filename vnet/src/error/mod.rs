//! Counted reasons, above all for drops.
//!
//! Each node declares its counters with [`node_errors!`](crate::node_errors). They lie in one heap ([`ErrorCounters`]); a packet
//! that is to be dropped carries the index of its reason to `error-drop`, which counts it. Index 0 is the reason of a packet that
//! was dropped without one.

mod commands;
mod drop;

pub(crate) use commands::commands;
pub(crate) use drop::{Drop as DropNode, Error as DropError};

pub use crate::counter::{ErrorCounters, ErrorIndex, ErrorReason, Severity};

/// One counter of a node.
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo {
    /// Short name: letters, digits and `-`; the last part of its name in the stats segment.
    pub name: &'static str,
    /// What `show errors` prints as the reason.
    pub description: &'static str,
    /// How bad it is.
    pub severity: Severity,
}

impl From<&ErrorInfo> for ErrorReason {
    fn from(info: &ErrorInfo) -> Self {
        Self::new(info.name, info.description, info.severity)
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

/// Declares the counters of a node: an enum with a variant for each, its name, its description and its severity.
///
/// ```
/// vnet::node_errors! {
///     /// Why a packet ends here.
///     pub enum Error {
///         /// The sum over the header is not zero.
///         BadChecksum => ("bad-checksum", "ip4 header checksum is wrong", Error),
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! node_errors {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident
            => ($short:literal, $text:literal, $severity:ident)),+ $(,)?
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
                }),+
            ];

            #[inline]
            fn code(self) -> u16 {
                self as u16
            }
        }
    };
}
