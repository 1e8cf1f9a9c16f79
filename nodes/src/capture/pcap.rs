//! Classic pcap: a file header of 24 bytes, then records of a 16-byte header and the packet.

use vnet::runtime::PacketTime;
use vnet::wire::link::LinkType;

use super::link;
use super::packet::{Decode, InterfaceId, Packet, Step};
use super::{Defect, MAX_CAPTURED};

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// Bytes of a record header.
pub(super) const RECORD_HEADER: usize = 16;
/// The record header of Kuznetzov's patched libpcap: interface, protocol and packet type follow the usual fields.
const MODIFIED_RECORD_HEADER: usize = 24;

/// Microseconds.
pub(super) const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
pub(super) const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
/// Microseconds, with the longer record header.
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

/// Decodes records once the file header is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    swapped: bool,
    nanos_per_tick: u32,
    record_header: usize,
    digits: u8,
    link: LinkType,
}

impl Pcap {
    /// Whether a file that begins with `magic` is of this format.
    pub(super) fn recognises(magic: [u8; 4]) -> bool {
        let value = u32::from_le_bytes(magic);
        [value, value.swap_bytes()]
            .iter()
            .any(|v| [MAGIC_MICROS, MAGIC_NANOS, MAGIC_MODIFIED].contains(v))
    }

    /// Reads the file header; its magic is one that [`Self::recognises`] accepts.
    pub(super) fn from_file_header(header: &[u8; FILE_HEADER]) -> Result<Self, Defect> {
        let raw = u32_at(header, 0, false);
        let swapped = ![MAGIC_MICROS, MAGIC_NANOS, MAGIC_MODIFIED].contains(&raw);
        let magic = u32_at(header, 0, swapped);
        let (major, minor) = (u16_at(header, 4, swapped), u16_at(header, 6, swapped));
        if (major, minor) != (2, 4) {
            return Err(Defect::Version { format: "pcap", major, minor, expected: "2.4" });
        }
        // The top six bits say whether and how long a frame check sequence is.
        let number = u32_at(header, 20, swapped) & 0x03ff_ffff;
        let link = link::from_number(number).map_err(Defect::LinkType)?;
        let nanos = magic == MAGIC_NANOS;
        Ok(Self {
            swapped,
            nanos_per_tick: if nanos { 1 } else { 1000 },
            record_header: if magic == MAGIC_MODIFIED {
                MODIFIED_RECORD_HEADER
            } else {
                RECORD_HEADER
            },
            digits: if nanos { 9 } else { 6 },
            link,
        })
    }

    fn captured(&self, header: &[u8; RECORD_HEADER]) -> u32 {
        u32_at(header, 8, self.swapped)
    }

    /// Inlined once for each byte order, so that the fields are read without asking for it.
    #[inline(always)]
    fn record<'a>(&self, bytes: &'a [u8], swapped: bool) -> Option<(Packet<'a>, usize)> {
        let header = bytes.first_chunk::<RECORD_HEADER>()?;
        let captured = u32_at(header, 8, swapped);
        if captured > MAX_CAPTURED {
            return None;
        }
        let used = self.record_header + captured as usize;
        let seconds = u64::from(u32_at(header, 0, swapped));
        let ticks = u64::from(u32_at(header, 4, swapped));
        let packet = Packet {
            data: bytes.get(self.record_header..used)?,
            wire_len: u32_at(header, 12, swapped).max(captured),
            time: PacketTime(seconds * 1_000_000_000 + ticks * u64::from(self.nanos_per_tick)),
            digits: self.digits,
            link: self.link,
            interface: InterfaceId(0),
        };
        Some((packet, used))
    }
}

impl Decode for Pcap {
    #[inline(always)]
    fn packet<'a>(&mut self, bytes: &'a [u8]) -> Option<(Packet<'a>, usize)> {
        if self.swapped { self.record(bytes, true) } else { self.record(bytes, false) }
    }

    #[cold]
    fn other<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        match bytes.first_chunk().map(|header| self.captured(header)) {
            None => Step::Need(self.record_header),
            Some(captured) if captured > MAX_CAPTURED => {
                Step::Defect(Defect::PacketTooLong(captured))
            }
            Some(captured) => Step::Need(self.record_header + captured as usize),
        }
    }

    fn cut(&self, bytes: &[u8]) -> Defect {
        match bytes.first_chunk() {
            Some(header) if bytes.len() >= self.record_header => Defect::CutPacket {
                promised: self.captured(header),
                remain: (bytes.len() - self.record_header) as u64,
            },
            _ => Defect::CutHeader {
                expected: self.record_header as u32,
                remain: bytes.len() as u64,
            },
        }
    }
}

/// The four bytes at `at`, which lie within `bytes`, as little endian or, when `swapped`, big endian.
#[inline]
pub(super) fn u32_at<const N: usize>(bytes: &[u8; N], at: usize, swapped: bool) -> u32 {
    let value = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if swapped { value.swap_bytes() } else { value }
}

/// The two bytes at `at`, likewise.
#[inline]
pub(super) fn u16_at<const N: usize>(bytes: &[u8; N], at: usize, swapped: bool) -> u16 {
    let value = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    if swapped { value.swap_bytes() } else { value }
}
