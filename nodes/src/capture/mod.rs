//! Capture files: a reader of pcap and pcapng, a writer of pcap.
//!
//! [`Reader`] takes a file or a pipe in large blocks into one buffer that it allocates once, and lends each packet out
//! of that buffer. It never maps the file: a mapped file that somebody truncates ends the process with SIGBUS, a read
//! one merely ends. The formats themselves are decoders over a slice of bytes with no input of
//! their own, so that a fuzzer and a test can feed them anything.
//!
//! Whatever a file says, reading it ends: every length is checked before it is used, memory is bounded by the buffer,
//! and the first defect is reported once with its file offset, after all packets before it were delivered.

mod error;
mod input;
mod link;
mod packet;
mod pcap;
mod pcapng;
mod reader;
mod time;
pub(crate) mod trace;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub use input::{Captures, Progress};
use std::sync::Arc;

use vnet::plugin::{Plugin, Registrar};

pub use error::{Defect, ReadError, WriteError};
pub use link::UnsupportedLinkType;
pub use packet::{InterfaceId, Packet};
pub use reader::{Batch, Reader};
pub use writer::{Precision, Stored, Writer, WriterOptions};

/// The plugin that brings the packets of `captures` into the graph by `pcap-input`, an input that its owner sets polling.
#[must_use]
pub fn plugin(captures: Arc<Captures>) -> Plugin {
    let register = move |r: &mut Registrar| {
        r.node(input::Input::spec(captures));
        Ok(())
    };
    Plugin::new("capture", env!("CARGO_PKG_VERSION"), "Packets of capture files", register)
        .load_after("nodes")
}

/// The longest captured length that a packet may have, in bytes: libpcap's and Wireshark's limit as well.
pub const MAX_CAPTURED: u32 = 256 * 1024;
