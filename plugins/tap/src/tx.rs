//! `tap<N>-tx`: packets to the host.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, Verdict},
    process::Bell,
    runtime::Shared,
};

use crate::port::{MAX_FRAME, Port, Ports};

vnet::node_errors! {
    /// Why packets are not sent.
    pub(crate) enum Error {
        Full => ("queue-full", "the host takes no more packets at present", Error),
        HostDown => ("host-down", "the host's interface is down", Error),
        HostGone => ("host-gone", "the host's interface was deleted", Error),
        Refused => ("refused", "the host does not take such a packet", Error),
        Deleted => ("deleted", "interface is deleted", Error),
    }
}

impl Error {
    fn of(error: &io::Error) -> Self {
        match (error.kind(), error.raw_os_error()) {
            (ErrorKind::WouldBlock, _) | (_, Some(libc::ENOBUFS | libc::ENOMEM)) => Self::Full,
            (_, Some(libc::EIO)) => Self::HostDown,
            (_, Some(libc::EBADFD)) => Self::HostGone,
            _ => Self::Refused,
        }
    }
}

vnet::trace_record! {
    /// What a packet leaves.
    pub(crate) struct Trace { sw_if_index: u32, bytes: u32 } => "sw_if_index {sw_if_index}, {bytes} bytes"
}

/// The node. Packets lost here were counted as handed to the device; `tx-error` counts them as well.
pub(crate) struct Transmit {
    ports: Shared<Ports>,
    gone: Bell,
    /// For packets in several buffers.
    joined: Vec<u8>,
}

impl Transmit {
    pub(crate) fn new(ports: Shared<Ports>, gone: Bell) -> Self {
        Self { ports, gone, joined: Vec::new() }
    }
}

impl Node for Transmit {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let port = self.ports.read(cx.token()).get(&cx.node());
        // Threads may share a queue: each write is a packet of its own to the kernel.
        let at = |port: &Port| cx.thread() % port.host.queues.len().max(1);
        let Some((port, file)) = port.and_then(|p| Some((p, p.host.queues.get(at(p))?))) else {
            cx.count(Error::Deleted, frame.len() as u64);
            return Verdict::Free;
        };
        let mut lost = 0;
        for buffer in cx.buffers(frame).iter_mut() {
            let Err(error) = send(cx, file, buffer, &mut self.joined) else { continue };
            let reason = Error::of(&error);
            cx.count(reason, 1);
            lost += 1;
            if reason == Error::HostGone && port.host.note_gone() {
                self.gone.ring();
            }
        }
        if lost > 0 {
            cx.state_ref().interfaces.tx_error.add(port.sw_if_index.0, lost);
        }
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { sw_if_index: buffer.tx.0, bytes: buffer.length_in_chain() as u32 }
    }
}

/// The kernel takes a packet whole or not at all.
fn send(
    cx: &NodeCx<'_, NoNext, Error>,
    mut file: &File,
    buffer: &Buffer,
    joined: &mut Vec<u8>,
) -> io::Result<usize> {
    if !buffer.flags().contains(BufferFlags::NEXT_PRESENT) {
        return file.write(buffer.current());
    }
    joined.clear();
    joined.reserve(MAX_FRAME as usize);
    cx.for_each_segment(buffer, |bytes| joined.extend_from_slice(bytes));
    file.write(joined)
}
