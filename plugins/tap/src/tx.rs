//! `tap<N>-tx`: packets to the host.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice, Write},
};

use nodes::interface::Outlet;
use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Verdict},
    runtime::Shared,
    wire::virtio_net::VirtioNetHeader,
    zerocopy::IntoBytes,
};

use crate::{
    host::Offload,
    queue::{LONGEST, Queue},
};

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
struct Transmit {
    outlet: Shared<Outlet<Queue>>,
    /// For packets in several buffers.
    joined: Vec<u8>,
}

/// Registration of the node of an interface.
pub(crate) fn spec(name: &str, outlet: Shared<Outlet<Queue>>) -> NodeSpec {
    NodeSpec::internal(name, move |_| Transmit { outlet: outlet.clone(), joined: Vec::new() })
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
        // Threads may share a queue: each write is a packet of its own to the kernel.
        let outlet = self.outlet.read(cx.token());
        let queue = outlet.queue(cx.thread());
        let Some((queue, file)) = queue.and_then(|queue| Some((queue, queue.file()?))) else {
            cx.count(Error::Deleted, frame.len() as u64);
            return Verdict::Free;
        };
        let (mut lost, has_headers) = (0, queue.host.offload != Offload::None);
        for buffer in cx.buffers(frame).iter_mut() {
            let header = has_headers.then(|| VirtioNetHeader::of(buffer));
            let Err(error) = send(cx, file, header, buffer, &mut self.joined) else { continue };
            let (reason, packets) = (Error::of(&error), u64::from(buffer.on_wire().packets));
            cx.count(reason, packets);
            lost += packets;
            if reason == Error::HostGone {
                queue.host.note_gone();
            }
        }
        outlet.count_lost(cx, lost);
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
    header: Option<VirtioNetHeader>,
    buffer: &Buffer,
    joined: &mut Vec<u8>,
) -> io::Result<usize> {
    let front = header.as_ref().map_or(&[][..], IntoBytes::as_bytes);
    if !buffer.flags().contains(BufferFlags::NEXT_PRESENT) {
        return match front {
            [] => file.write(buffer.current()),
            front => file.write_vectored(&[IoSlice::new(front), IoSlice::new(buffer.current())]),
        };
    }
    joined.clear();
    joined.reserve(LONGEST);
    cx.for_each_segment(buffer, |bytes| joined.extend_from_slice(bytes));
    match front {
        [] => file.write(joined),
        front => file.write_vectored(&[IoSlice::new(front), IoSlice::new(joined)]),
    }
}
