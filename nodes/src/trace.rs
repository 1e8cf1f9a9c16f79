//! Trace records that several nodes share.

use core::fmt;

use vnet::{
    buffer::Buffer,
    trace::{TraceCx, TraceRecord},
    wire::trace::{Ip4, Ip6},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of the packet that a record keeps.
const SNAP: usize = 80;

/// The first bytes of a packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Snap {
    len: u32,
    bytes: [u8; SNAP],
}

impl Snap {
    /// The bytes from the current position on.
    pub(crate) fn current(buffer: &Buffer) -> Self {
        Self::of(buffer.current())
    }

    /// The bytes from `offset` on, counted as the buffer's `current_data` is.
    pub(crate) fn from_offset(buffer: &Buffer, offset: i16) -> Self {
        Self::of(buffer.from_offset(offset))
    }

    fn of(from: &[u8]) -> Self {
        let len = from.len().min(SNAP);
        let mut bytes = [0; SNAP];
        bytes[..len].copy_from_slice(&from[..len]);
        Self { len: len as u32, bytes }
    }

    /// Writes the header block of an IPv4 or an IPv6 packet.
    pub(crate) fn write_ip(&self, f: &mut fmt::Formatter<'_>, is_ip6: bool) -> fmt::Result {
        let bytes = self.bytes();
        if is_ip6 {
            write!(f, "{}", Ip6 { bytes, indent: 0 })
        } else {
            write!(f, "{}", Ip4 { bytes, indent: 0 })
        }
    }

    /// Writes the first bytes as VPP does after a rewrite: 32 hexadecimal digits a line.
    pub(crate) fn write_hex(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.bytes().chunks(32).take(2).enumerate() {
            write!(f, "{}{:02}: ", if i > 0 { "\n" } else { "" }, i * 32)?;
            line.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..(self.len as usize).min(SNAP)]
    }
}

/// The IPv4 header block of a packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Ip4Trace(pub(crate) Snap);

impl TraceRecord for Ip4Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        self.0.write_ip(f, false)
    }
}

/// The IPv6 header block of a packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Ip6Trace(pub(crate) Snap);

impl TraceRecord for Ip6Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        self.0.write_ip(f, true)
    }
}
