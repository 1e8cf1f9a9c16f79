//! A queue as nodes see it, and how it is read.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSliceMut, Read},
    sync::Arc,
};

use vnet::{
    buffer::{Buffer, BufferFlags, DATA_SIZE},
    graph::NodeCx,
    interface::SwIfIndex,
    wire::virtio_net::{Malformed, VirtioNetHeader},
    zerocopy::IntoBytes,
};

use crate::{
    host::{Host, Offload},
    rx::{Error, Next},
};

/// Octets of the longest packet of a queue: 64 KiB of IP with an Ethernet header and a VLAN tag in front, as large packets have it.
pub(crate) const LONGEST: usize = 65535 + 18;

/// A queue. Nodes keep none for themselves: it has to be closed when its interface goes, whether its thread has something to do or
/// not.
pub(crate) struct Queue {
    pub(crate) interface: SwIfIndex,
    pub(crate) host: Arc<Host>,
    pub(crate) number: usize,
}

impl Queue {
    /// What is read and written, while the host has its end.
    pub(crate) fn file(&self) -> Option<&File> {
        self.host.queues.get(self.number)
    }
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// What a read has brought.
pub(crate) enum Received {
    /// A packet.
    Packet,
    /// A packet that says of itself what cannot be.
    Bad,
    /// Nothing; there may be more another time.
    Nothing,
}

/// Reads packets into buffers. A thread has one.
#[derive(Default)]
pub(crate) struct Reader {
    /// For what does not fit into the first buffer of a packet.
    rest: Box<[u8]>,
    /// For packets of which a header says how they lie in buffers, and which so are read before.
    whole: Box<[u8]>,
}

impl Reader {
    /// Reads one packet into an empty buffer, which stays empty where there is none.
    pub(crate) fn read(&mut self, cx: Cx<'_, '_>, queue: &Queue, buffer: &mut Buffer) -> Received {
        let Some(file) = queue.file() else { return Received::Nothing };
        let read = match queue.host.offload {
            Offload::None => self.read_plain(cx, file, buffer),
            Offload::Checksum | Offload::Gso => self.read_with_header(cx, file, buffer),
        };
        match read {
            Ok(Some(received)) => received,
            Ok(None) => {
                // The kernel has given the packet away. Others stay with it until there are buffers again.
                cx.count(Error::NoBuffers, 1);
                cx.state_ref().interfaces.rx_no_buf.add(queue.interface.0, 1);
                Received::Nothing
            }
            Err(error) => {
                note(cx, queue, &error);
                Received::Nothing
            }
        }
    }

    /// `None` when there are no buffers for a packet.
    fn read_plain(
        &mut self,
        cx: Cx<'_, '_>,
        mut file: &File,
        buffer: &mut Buffer,
    ) -> io::Result<Option<Received>> {
        let rest = room(&mut self.rest, LONGEST - DATA_SIZE);
        let Some(space) = buffer.extend(DATA_SIZE) else { return Ok(Some(Received::Nothing)) };
        let read = file.read_vectored(&mut [IoSliceMut::new(space), IoSliceMut::new(rest)]);
        let n = *read.as_ref().unwrap_or(&0);
        buffer.truncate(n.min(DATA_SIZE));
        match read? {
            0 => Ok(Some(Received::Nothing)),
            n if n <= DATA_SIZE => Ok(Some(Received::Packet)),
            n if cx.append_chain(buffer, rest.get(..n - DATA_SIZE).unwrap_or_default()) => {
                Ok(Some(Received::Packet))
            }
            _ => {
                buffer.truncate(0);
                Ok(None)
            }
        }
    }

    /// The same where a header in front says what is still to be done to the packet.
    fn read_with_header(
        &mut self,
        cx: Cx<'_, '_>,
        mut file: &File,
        buffer: &mut Buffer,
    ) -> io::Result<Option<Received>> {
        let whole = room(&mut self.whole, LONGEST);
        let mut header = VirtioNetHeader::default();
        let mut into = [IoSliceMut::new(header.as_mut_bytes()), IoSliceMut::new(whole)];
        let read = file.read_vectored(&mut into)?;
        let length = read.saturating_sub(size_of::<VirtioNetHeader>());
        let Some(packet @ [_, ..]) = whole.get(..length) else {
            return Ok(Some(Received::Nothing));
        };
        let own = header.octets_in_front(length, DATA_SIZE);
        let fill = |at: usize, room: &mut [u8]| {
            if let Some(octets) = packet.get(at..at + room.len()) {
                room.copy_from_slice(octets);
            }
        };
        if !cx.extend_chain(buffer, own, length - own, fill) {
            return Ok(None);
        }
        if header.is_checksum_valid() {
            buffer.set_flags(BufferFlags::L4_CHECKSUM_COMPUTED | BufferFlags::L4_CHECKSUM_CORRECT);
        }
        match header.note(buffer, 0) {
            Ok(()) => Ok(Some(Received::Packet)),
            Err(Malformed) => Ok(Some(Received::Bad)),
        }
    }
}

/// Memory of that many octets, which is there from its first use on.
fn room(memory: &mut Box<[u8]>, octets: usize) -> &mut [u8] {
    if memory.len() < octets {
        *memory = vec![0; octets].into_boxed_slice();
    }
    memory
}

/// Why nothing was read, if that is worth knowing.
fn note(cx: Cx<'_, '_>, queue: &Queue, error: &io::Error) {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
        _ if error.raw_os_error() == Some(libc::EBADFD) => queue.host.note_gone(),
        _ => cx.count(Error::Read, 1),
    }
}
