//! When messages are sent, as their headers have it.

use crate::{ipfix::profile::Framing, runtime::PacketTime};

const SECOND: u64 = 1_000_000_000;

/// The wall-clock time of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportTime(PacketTime);

impl ExportTime {
    /// What the header of a message has, seconds since 1970 modulo 2^32: as long as records tell times by the header, it is not
    /// before any of them.
    #[must_use]
    pub const fn seconds(self, framing: Framing) -> u32 {
        let Self(PacketTime(nanoseconds)) = self;
        if framing.is_relative {
            nanoseconds.div_ceil(SECOND) as u32
        } else {
            (nanoseconds / SECOND) as u32
        }
    }
}

impl From<PacketTime> for ExportTime {
    fn from(wall: PacketTime) -> Self {
        Self(wall)
    }
}

/// Whole seconds since 1970.
impl From<u32> for ExportTime {
    fn from(seconds: u32) -> Self {
        Self(PacketTime(u64::from(seconds) * SECOND))
    }
}
