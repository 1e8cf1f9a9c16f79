//! Packet-generator interfaces: what leaves by one is counted, captured if somebody asked for it, and given back.

use std::{
    mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, Verdict},
    interface::{Device, LinkState, NoWire, SwIfIndex, Verbosity},
    runtime::PacketTime,
    wire::{ethernet::MacAddress, link::LinkType},
};

use super::trace::TxTrace;
use crate::capture::{self, Precision, Stored, WriteError, Writer, WriterOptions};

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
pub(super) struct PgDevice(pub(super) Mode);

impl Device for PgDevice {
    fn set_admin(&mut self, _up: bool) -> LinkState {
        NoWire::LINK
    }

    fn details(&self, _: Verbosity) -> Vec<String> {
        vec![format!("packet generator, packets go to {}", self.0.input_node())]
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
}

/// A packet-generator interface.
pub(super) struct Port {
    pub(super) name: String,
    pub(super) mode: Mode,
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

/// Packets and bytes that left by an interface.
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
    packets: AtomicU64,
    bytes: AtomicU64,
    /// What packets begin with, by its number in captures.
    link: AtomicU16,
    /// Whether `capture` has an output: what the node asks instead of taking the lock.
    capturing: AtomicBool,
    capture: Mutex<Capture>,
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
    fn open(self) -> Result<Writer, WriteError> {
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
struct Capture {
    output: Option<Output>,
    /// What the last capture ended with; none when it was ended by a command.
    ended: Option<Result<u64, WriteError>>,
}

impl TxState {
    /// An interface that has sent nothing yet.
    pub(super) fn begin(&self, mode: Mode) {
        self.packets.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.link.store(mode.link().number(), Ordering::Relaxed);
    }

    pub(super) fn sent(&self) -> Sent {
        Sent {
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Capture> {
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

vnet::node_errors! {
    /// What a tx node counts.
    pub(super) enum TxError {
        /// The file could not take it.
        NotCaptured => ("not-captured", "sent, but the capture file cannot be written", Error),
    }
}

/// The node `pg<N>-tx`.
pub(super) struct Transmit {
    state: Arc<TxState>,
    /// For packets in several buffers.
    joined: Vec<u8>,
}

impl Transmit {
    pub(super) fn new(state: Arc<TxState>) -> Self {
        Self { state, joined: Vec::new() }
    }

    #[cold]
    fn capture(&mut self, cx: &mut NodeCx<'_, NoNext, TxError>, frame: &mut Frame) {
        let now = cx.packet_time();
        let mut capture = self.state.lock();
        let Some(output) = capture.output.take() else { return };
        match store(output, cx, frame, now, &mut self.joined) {
            Ok(Ok(writer)) => capture.output = Some(Output::Open(writer)),
            Ok(Err(packets)) => capture.ended = Some(Ok(packets)),
            Err((error, lost)) => {
                cx.count(TxError::NotCaptured, lost);
                capture.ended = Some(Err(error));
            }
        }
        self.state.capturing.store(capture.output.is_some(), Ordering::Relaxed);
    }
}

/// Writes the packets of `frame`, so that they are in the file. The writer where there is to be more, or else how many packets the
/// capture holds in the end; with an error, how many packets of the frame it costs.
fn store(
    output: Output,
    cx: &NodeCx<'_, NoNext, TxError>,
    frame: &mut Frame,
    now: PacketTime,
    joined: &mut Vec<u8>,
) -> Result<Result<Writer, u64>, (WriteError, u64)> {
    let packets = frame.len() as u64;
    let mut writer = output.open().map_err(|error| (error, packets))?;
    for (i, buffer) in cx.buffers(frame).iter_mut().enumerate() {
        let lost = packets - i as u64;
        match write(&mut writer, cx, buffer, now, joined).map_err(|error| (error, lost))? {
            Stored::Yes => {}
            Stored::Full => return writer.finish().map(Err).map_err(|error| (error, lost)),
        }
    }
    writer.flush().map_err(|error| (error, packets))?;
    if writer.is_full() {
        return writer.finish().map(Err).map_err(|error| (error, packets));
    }
    Ok(Ok(writer))
}

fn write(
    writer: &mut Writer,
    cx: &NodeCx<'_, NoNext, TxError>,
    buffer: &Buffer,
    now: PacketTime,
    joined: &mut Vec<u8>,
) -> Result<Stored, WriteError> {
    let length = buffer.length_in_chain() as u32;
    if !buffer.flags().contains(BufferFlags::NEXT_PRESENT) {
        return writer.write(now, length, [buffer.current()]);
    }
    joined.clear();
    cx.for_each_segment(buffer, |bytes| joined.extend_from_slice(bytes));
    writer.write(now, length, [joined.as_slice()])
}

impl Node for Transmit {
    type Error = TxError;
    type Next = NoNext;
    type Trace = TxTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, TxError>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let bytes = cx.buffers(frame).total_length();
        // Several workers may send by one interface.
        self.state.packets.fetch_add(frame.len() as u64, Ordering::Relaxed);
        self.state.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.state.capturing.load(Ordering::Relaxed) {
            self.capture(cx, frame);
        }
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> TxTrace {
        TxTrace::new(buffer, self.state.link.load(Ordering::Relaxed))
    }
}
