//! Packet-generator interfaces: the device, and what its tx node and the main thread share.

use std::{
    mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
};

use vnet::{
    gro::Coalescer,
    interface::{Device, LinkState, NoWire, Offloads, SwIfIndex, Verbosity},
    wire::{ethernet::MacAddress, link::LinkType},
};

use super::Offload;
use crate::capture::{self, Precision, WriteError, Writer, WriterOptions};

/// What the packets of an interface begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 header.
    Ip4,
    /// An IPv6 header.
    Ip6,
}

impl Mode {
    /// The node that takes what is received, where a stream names none.
    #[must_use]
    pub fn input_node(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet-input",
            Self::Ip4 => "ip4-input",
            Self::Ip6 => "ip6-input",
        }
    }

    pub(super) fn link(self) -> LinkType {
        match self {
            Self::Ethernet => LinkType::Ethernet,
            Self::Ip4 | Self::Ip6 => LinkType::Raw,
        }
    }
}

/// The device behind an interface; its packets come from `pg-input`.
pub(super) struct PgDevice {
    pub(super) mode: Mode,
    pub(super) offload: Offload,
    pub(super) tx: Arc<TxState>,
}

impl Device for PgDevice {
    fn set_admin(&mut self, _up: bool) -> LinkState {
        NoWire::LINK
    }

    fn offloads(&self) -> Offloads {
        Offloads { takes: self.offload.is_gso(), brings: self.offload != Offload::None }
    }

    fn details(&self, _: Verbosity) -> Vec<String> {
        let coalesces = if self.tx.coalesces() { ", segments are coalesced" } else { "" };
        let offloads = match self.offload {
            Offload::None => None,
            Offload::Checksum => Some("offloads (checksum) on".to_owned()),
            Offload::Gso { size, .. } => {
                Some(format!("offloads (checksum, gso) on, gso size {size}{coalesces}"))
            }
        };
        let path = format!("packet generator, packets go to {}", self.mode.input_node());
        [path].into_iter().chain(offloads).collect()
    }
}

/// What `create packet-generator interface` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInterface {
    /// The number behind `pg` in its name.
    pub number: u32,
    /// Its MAC address; without one, `02:fe` and then the number in four bytes.
    pub mac: Option<MacAddress>,
    /// What its packets begin with.
    pub mode: Mode,
    /// What its packets leave to others.
    pub offload: Offload,
}

/// A packet-generator interface.
pub(super) struct Port {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) mode: Mode,
    pub(super) offload: Offload,
    /// `SwIfIndex::NONE` when it is deleted.
    pub(super) sw_if_index: SwIfIndex,
    pub(super) tx: Arc<TxState>,
}

impl Port {
    /// Whether it is not deleted.
    pub(super) fn is_there(&self) -> bool {
        self.sw_if_index != SwIfIndex::NONE
    }
}

/// Packets and bytes that left by an interface, a large packet as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What the tx node and the main thread share.
#[derive(Default)]
pub(super) struct TxState {
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// What packets begin with, by its number in captures.
    pub(super) link: AtomicU16,
    /// Whether `capture` has an output: what the node asks instead of taking the lock.
    pub(super) capturing: AtomicBool,
    capture: Mutex<Capture>,
    /// Whether there is a coalescer: what the node asks instead of taking the lock.
    coalescing: AtomicBool,
    /// Segments of all threads that send by the interface wait here.
    coalescer: Mutex<Option<Box<Coalescer>>>,
}

/// Where a capture goes.
pub(super) enum Output {
    /// Into a file that is made with the first packet.
    File(PathBuf, WriterOptions),
    /// Into what is open already.
    Open(Writer),
}

impl Output {
    /// The writer; makes the file if there is none yet. Whatever has come into its place since, be it a link, is left alone.
    pub(super) fn open(self) -> Result<Writer, WriteError> {
        match self {
            Self::File(path, options) => Writer::create_new(&path, options),
            Self::Open(writer) => Ok(writer),
        }
    }

    /// Ends the capture; how many packets it holds.
    fn finish(self) -> Result<u64, WriteError> {
        match self {
            Self::File(..) => Ok(0),
            Self::Open(writer) => writer.finish(),
        }
    }
}

/// A capture is on while there is an output.
#[derive(Default)]
pub(super) struct Capture {
    pub(super) output: Option<Output>,
    /// What the last capture ended with; none when it was ended by a command.
    pub(super) ended: Option<Result<u64, WriteError>>,
}

impl TxState {
    /// An interface that has sent nothing yet.
    pub(super) fn begin(&self, mode: Mode) {
        self.packets.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.link.store(mode.link().number(), Ordering::Relaxed);
    }

    /// Whether segments are put together.
    pub(super) fn coalesces(&self) -> bool {
        self.coalescing.load(Ordering::Relaxed)
    }

    /// Where segments wait.
    pub(super) fn coalescer(&self) -> MutexGuard<'_, Option<Box<Coalescer>>> {
        self.coalescer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has segments wait in `coalescer`, or no more; where they have waited so far.
    pub(super) fn set_coalescer(
        &self,
        coalescer: Option<Box<Coalescer>>,
    ) -> Option<Box<Coalescer>> {
        self.coalescing.store(coalescer.is_some(), Ordering::Relaxed);
        mem::replace(&mut *self.coalescer(), coalescer)
    }

    pub(super) fn sent(&self) -> Sent {
        Sent {
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Capture> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a capture into what `output` gives. One that is on already is ended.
    pub(super) fn start_capture(
        &self,
        mode: Mode,
        count: Option<u64>,
        output: impl FnOnce(WriterOptions) -> Output,
    ) -> Result<(), WriteError> {
        let options = WriterOptions {
            link: mode.link(),
            precision: Precision::Micros,
            snaplen: capture::MAX_CAPTURED,
            max_packets: count,
        };
        let output = Some(output(options));
        let mut capture = self.lock();
        let before = mem::replace(&mut *capture, Capture { output, ended: None });
        self.capturing.store(count != Some(0), Ordering::Relaxed);
        before.output.map_or(Ok(0), Output::finish)?;
        Ok(())
    }

    /// Ends the capture; how many packets it holds, or what went wrong with it. `None` when there was none.
    pub(super) fn stop_capture(&self) -> Option<Result<u64, WriteError>> {
        let mut capture = self.lock();
        self.capturing.store(false, Ordering::Relaxed);
        let Capture { output, ended } = mem::take(&mut *capture);
        ended.or_else(|| output.map(Output::finish))
    }

    /// Hands what was captured so far to the system. `None` when nothing is captured.
    pub(super) fn flush_capture(&self) -> Option<Result<(), WriteError>> {
        match self.lock().output.as_mut()? {
            Output::File(..) => Some(Ok(())),
            Output::Open(writer) => Some(writer.flush()),
        }
    }
}
