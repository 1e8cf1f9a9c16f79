//! What can be wrong with a capture file.

use std::io;

use super::MAX_CAPTURED;
use super::link::UnsupportedLinkType;

/// Why reading a capture ended before its end. The text begins with the file's name.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened.
    #[error("{file}: {source}")]
    Open {
        /// The name as given.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system failed to read on.
    #[error("{file}: offset {offset}: {source}")]
    Read {
        /// The name as given.
        file: String,
        /// How many bytes of the file were read before.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not those of a capture.
    #[error("{file}: offset {offset}: {defect}")]
    Malformed {
        /// The name as given.
        file: String,
        /// Where the header, record or block with the defect begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong there.
        defect: Defect,
    },
}

impl ReadError {
    /// Whether the capture merely ends in the middle of a record, as one does whose writer was stopped or is still at
    /// work. All whole packets were delivered, so a caller may treat this as a warning.
    #[must_use]
    pub const fn is_cut_tail(&self) -> bool {
        matches!(
            self,
            Self::Malformed {
                defect: Defect::CutHeader { .. }
                    | Defect::CutPacket { .. }
                    | Defect::CutBlock { .. },
                ..
            }
        )
    }
}

/// A place where a capture departs from its format. Reading cannot go on behind it, because the place of the next
/// record is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// There is not one byte.
    #[error("the file is empty, a pcap or pcapng header was expected")]
    Empty,
    /// The first bytes belong to no format that is known.
    #[error("the file begins with {0:02x?}, which is neither pcap nor pcapng")]
    NotACapture([u8; 4]),
    /// The file may hold a capture, but is packed.
    #[error("the file is packed with {0}; unpack it first")]
    Packed(&'static str),
    /// The file ends within its first header.
    #[error("the file header takes {expected} bytes, {remain} remain")]
    CutFileHeader {
        /// Bytes of a whole header.
        expected: u32,
        /// Bytes there are.
        remain: u64,
    },
    /// A version of the format that nobody writes any more, or none.
    #[error("{format} version {major}.{minor} is not read, {expected} is")]
    Version {
        /// The format's name.
        format: &'static str,
        /// The file's major version.
        major: u16,
        /// The file's minor version.
        minor: u16,
        /// The version that is read.
        expected: &'static str,
    },
    /// The packets' link layer is not one that is read.
    #[error("{0}")]
    LinkType(UnsupportedLinkType),
    /// The file ends within a record's header.
    #[error("a packet or block header takes {expected} bytes, {remain} remain")]
    CutHeader {
        /// Bytes of a whole header.
        expected: u32,
        /// Bytes there are.
        remain: u64,
    },
    /// The file ends within a packet.
    #[error("packet header promises {promised} bytes, {remain} remain")]
    CutPacket {
        /// The captured length that the header gives.
        promised: u32,
        /// Bytes after the header.
        remain: u64,
    },
    /// The file ends within a pcapng block.
    #[error("block header promises {promised} bytes, {remain} remain")]
    CutBlock {
        /// The block's total length, its header included.
        promised: u32,
        /// Bytes there are, the block's header included.
        remain: u64,
    },
    /// A captured length that no capture program writes.
    #[error(
        "packet header promises {0} bytes, more than the {MAX_CAPTURED} that a packet may have"
    )]
    PacketTooLong(u32),
    /// A pcapng packet that does not fit into the block that holds it.
    #[error("packet header promises {promised} bytes, its block has room for {room}")]
    PacketBeyondBlock {
        /// The captured length that the packet's header gives.
        promised: u32,
        /// The bytes of the block that are left for it.
        room: u32,
    },
    /// A pcapng block whose total length cannot be.
    #[error(
        "block of type {kind:#x} has a total length of {length}, expected a multiple of 4 from {least} to {most}"
    )]
    BlockLength {
        /// The block's type.
        kind: u32,
        /// The total length that it gives.
        length: u32,
        /// The least that its type needs.
        least: u32,
        /// The most that is read.
        most: u32,
    },
    /// A pcapng block that gives two lengths.
    #[error("block gives its total length as {first} in front and as {last} at its end")]
    BlockTrailer {
        /// The length in front of the block.
        first: u32,
        /// The length at its end.
        last: u32,
    },
    /// A pcapng section whose byte order cannot be told.
    #[error("byte-order magic of the section is {0:#010x}, expected 0x1a2b3c4d in either order")]
    ByteOrder(u32),
    /// A pcapng packet of an interface that its section does not describe.
    #[error("packet of interface {id}, but the section has described {known} so far")]
    UnknownInterface {
        /// The interface that the packet names.
        id: u32,
        /// The interfaces described before it.
        known: u32,
    },
    /// More interfaces than a capture can have for good reason.
    #[error("the section describes more than {0} interfaces")]
    TooManyInterfaces(u32),
    /// A pcapng option that does not fit.
    #[error("option {code} has {length} bytes, expected {expected}")]
    OptionLength {
        /// The option's code.
        code: u16,
        /// The length that it gives.
        length: u16,
        /// What was expected of it.
        expected: &'static str,
    },
}

/// Why a capture could not be written. The text begins with the file's name.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {action}: {source}")]
pub struct WriteError {
    /// The name as given.
    pub file: String,
    /// What was being done.
    pub action: &'static str,
    /// What the system said: a full disk, a closed pipe, a missing folder.
    pub source: io::Error,
}
