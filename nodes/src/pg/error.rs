//! What can be wrong with a stream and with what is asked of it.

use thiserror::Error;
use vnet::{graph::GraphError, interface::InterfaceError};

use super::{
    replay::MAX_CAPTURE,
    spec::{MAX_SIZE, RATES},
};
use crate::capture::{ReadError, WriteError};

/// Why a stream cannot be. The texts of the first eight begin as VPP's.
#[derive(Debug, Error)]
pub enum SpecError {
    /// A word that is no parameter, or a parameter with a value that it cannot have; the text from there on.
    #[error("unknown input `{0}'")]
    UnknownInput(String),
    /// Neither `data` nor `pcap`.
    #[error("no packet data given")]
    NoData,
    /// Neither a node nor an interface to send to.
    #[error("output interface or node not given")]
    NoOutput,
    /// The text inside `data { ... }` from where it cannot be understood.
    #[error("failed to parse packet data from `{0}'")]
    BadData(String),
    /// The range of sizes ends before it starts.
    #[error("max-size < min-size")]
    SizeOrder,
    /// The headers do not fit the smallest packet.
    #[error("min-size < total header size {0}")]
    SizeBelowHeaders(usize),
    /// Buffers of no bytes.
    #[error("buffer-size must be positive")]
    BufferSize,
    /// A rate below 0.
    #[error("negative rate `{0}': expected {RATES}")]
    NegativeRate(String),
    /// A number that is none, or that its parameter cannot have.
    #[error("{word} `{value}': expected {expected}")]
    BadNumber {
        /// The parameter.
        word: &'static str,
        /// What stands behind it.
        value: String,
        /// What would be one.
        expected: &'static str,
    },
    /// A packet that no length field can describe.
    #[error("max-size {0} > {MAX_SIZE}")]
    SizeAboveMax(usize),
    /// A packet without a byte.
    #[error("min-size must be positive")]
    SizeZero,
    /// Headers that leave the first buffer.
    #[error("total header size {0} > 2048")]
    HeadersTooLong(usize),
    /// A field whose value has more bits than the field.
    #[error("{0} does not fit its field of {1} bits")]
    ValueTooLarge(u128, usize),
    /// A range of IPv6 addresses that is not inside one /64.
    #[error("the ends of an IPv6 address range must share their first 64 bits")]
    RangeTooWide,
    /// The capture to replay cannot be read.
    #[error(transparent)]
    Capture(#[from] ReadError),
    /// The capture to replay holds no packet.
    #[error("pcap file '{0}' holds no packets")]
    CaptureEmpty(String),
    /// The capture to replay does not belong into memory.
    #[error("pcap file '{0}' has more than {MAX_CAPTURE} bytes")]
    CaptureTooLong(String),
}

/// Why an operation on streams or packet-generator interfaces is refused.
#[derive(Debug, Error)]
pub enum PgError {
    /// The stream cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no stream at all.
    #[error("no streams currently defined")]
    NoStreams,
    /// There is no stream of this name.
    #[error("expected stream name `{0}'")]
    UnknownStream(String),
    /// The interface exists already.
    #[error("interface `{0}' already exists")]
    InterfaceExists(String),
    /// There is no packet-generator interface of this name.
    #[error("Please specify packet-generator interface")]
    NotAnInterface(String),
    /// No large packets may leave by the interface.
    #[error("interface `{0}' was made without gso")]
    NoGso(String),
    /// The interface is not captured.
    #[error("interface `{0}' is not captured")]
    NotCaptured(String),
    /// The capture file is there already.
    #[error("pcap file '{0}' already exists.")]
    FileExists(String),
    /// The capture file cannot be made.
    #[error("can not open pcap file '{file}' for writing: {source}")]
    CannotOpen {
        /// Its name.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The capture could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The interface table refused.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The graph refused.
    #[error(transparent)]
    Graph(#[from] GraphError),
}
