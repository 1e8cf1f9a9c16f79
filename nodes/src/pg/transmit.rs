//! `pg<N>-tx`: what leaves by an interface is counted, captured if somebody asked for it, and given back. Where the interface
//! coalesces, segments wait in between.

use std::sync::{Arc, atomic::Ordering};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, Verdict},
    gro::Counts,
    process::Bell,
    runtime::PacketTime,
};

use super::{
    port::{Output, TxState},
    trace::TxTrace,
};
use crate::{
    capture::{Stored, WriteError, Writer},
    segments::finish_checksum,
};

vnet::node_errors! {
    /// What is counted of packets that leave.
    pub(super) enum TxError {
        /// The file could not take it.
        NotCaptured => ("not-captured", "sent, but the capture file cannot be written", Error),
        /// It is captured as it is.
        BadOffload => ("bad-offload", "offload that contradicts its packet", Error),
        Large => ("large", "large packets made of segments", Info),
        Joined => ("joined", "segments that became part of large packets", Info),
        Apart => ("apart", "segments not put together for want of buffers", Info),
    }
}

/// What nodes that send see of their thread.
pub(super) type Cx<'d> = NodeCx<'d, NoNext, TxError>;

/// The node `pg<N>-tx`.
pub(super) struct Transmit {
    state: Arc<TxState>,
    /// Rung when segments begin to wait.
    timer: Bell,
    /// For packets in several buffers.
    joined: Vec<u8>,
}

impl Transmit {
    pub(super) fn new(state: Arc<TxState>, timer: Bell) -> Self {
        Self { state, timer, joined: Vec::new() }
    }

    /// Has segments wait; what is to be sent now is sent. Whether the interface coalesces still.
    fn coalesce(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> bool {
        let Self { state, timer, joined } = self;
        let mut held = state.coalescer();
        let Some(coalescer) = held.as_mut() else { return false };
        if frame.is_traced() {
            leave_traces(cx, state, frame);
        }
        let (waited, before) = (coalescer.waiting(), coalescer.counts());
        cx.coalesce(frame, coalescer, |cx, out| send(cx, state, out, joined));
        count(cx, before, coalescer.counts());
        if waited == 0 && coalescer.waiting() > 0 {
            timer.ring();
        }
        true
    }
}

/// Counts what coalescing has done since it had done `before`.
pub(super) fn count(cx: &mut Cx<'_>, before: Counts, now: Counts) {
    if now.sent != before.sent {
        cx.count(TxError::Large, now.large - before.large);
        cx.count(TxError::Joined, now.joined - before.joined);
        cx.count(TxError::Apart, now.apart - before.apart);
    }
}

#[cold]
fn leave_traces(cx: &mut Cx<'_>, state: &TxState, frame: &mut Frame) {
    let link = state.link.load(Ordering::Relaxed);
    for buffer in cx.buffers(frame).iter_mut() {
        if buffer.flags().contains(BufferFlags::TRACED) {
            cx.leave_trace(buffer, &TxTrace::new(buffer, link));
        }
    }
}

/// Sends the packets of `frame`, which stay there.
pub(super) fn send(cx: &mut Cx<'_>, state: &TxState, frame: &mut Frame, joined: &mut Vec<u8>) {
    let bytes = cx.buffers(frame).total_length();
    // Several workers may send by one interface.
    state.packets.fetch_add(frame.len() as u64, Ordering::Relaxed);
    state.bytes.fetch_add(bytes, Ordering::Relaxed);
    if state.capturing.load(Ordering::Relaxed) {
        capture(cx, state, frame, joined);
    }
}

#[cold]
fn capture(cx: &mut Cx<'_>, state: &TxState, frame: &mut Frame, joined: &mut Vec<u8>) {
    let now = cx.packet_time();
    let mut capture = state.lock();
    let Some(output) = capture.output.take() else { return };
    finish(cx, frame);
    match store(output, cx, frame, now, joined) {
        Ok(Ok(writer)) => capture.output = Some(Output::Open(writer)),
        Ok(Err(packets)) => capture.ended = Some(Ok(packets)),
        Err((error, lost)) => {
            cx.count(TxError::NotCaptured, lost);
            capture.ended = Some(Err(error));
        }
    }
    state.capturing.store(capture.output.is_some(), Ordering::Relaxed);
}

/// Makes the checksums that were left to the interface, as a device does on the way to its wire.
fn finish(cx: &mut Cx<'_>, frame: &mut Frame) {
    for buffer in cx.buffers(frame).iter_mut() {
        if buffer.offload().is_some() && finish_checksum(cx, buffer).is_none() {
            cx.count(TxError::BadOffload, 1);
        }
    }
}

/// Writes the packets of `frame`, so that they are in the file. The writer where there is to be more, or else how many packets the
/// capture holds in the end; with an error, how many packets of the frame it costs.
fn store(
    output: Output,
    cx: &Cx<'_>,
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
    cx: &Cx<'_>,
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

    fn process(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> Verdict<NoNext> {
        if self.state.coalesces() && self.coalesce(cx, frame) {
            return Verdict::Consumed;
        }
        send(cx, &self.state, frame, &mut self.joined);
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> TxTrace {
        TxTrace::new(buffer, self.state.link.load(Ordering::Relaxed))
    }
}
