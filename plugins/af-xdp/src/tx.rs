//! The sending side of a queue: buffers go to the kernel with packets in them and come back by the completion ring.

use std::{io, sync::Arc};

use vnet::buffer::{BufferPool, Ledger, Lent, Part};

use crate::{
    abi::{Descriptor, OFFSET_SHIFT},
    ring::{Consumer, Producer},
    socket::{Kind, XdpSocket},
};

/// Octets that may be on their way in the device.
const SEND_BUFFER: i32 = 64 << 20;
/// How often the kernel is asked to send packets of which it takes none.
const TRIES: u32 = 4;

/// The sending side.
pub(crate) struct TxSide {
    socket: Arc<XdpSocket>,
    transmit: Producer<Descriptor>,
    completed: Consumer<u64>,
    /// The device takes packets out of the ring on its own time.
    zero_copy: bool,
    ledger: Ledger,
}

impl TxSide {
    /// Makes the rings of a socket that is not yet bound.
    pub(crate) fn new(
        socket: &Arc<XdpSocket>,
        entries: u32,
        zero_copy: bool,
        pool: &BufferPool,
    ) -> io::Result<Self> {
        socket.make_ring(Kind::Transmit, entries)?;
        socket.make_ring(Kind::Completion, entries)?;
        socket.set_send_buffer(SEND_BUFFER)?;
        // Kernels before 6.17 send 32 packets each time they are asked.
        let _: io::Result<()> = socket.set_budget(entries);
        let at = socket.offsets()?;
        Ok(Self {
            transmit: Producer::map(&**socket, libc::XDP_PGOFF_TX_RING as u64, at.tx, entries)?,
            completed: Consumer::map(
                &**socket,
                libc::XDP_UMEM_PGOFF_COMPLETION_RING,
                at.cr,
                entries,
            )?,
            socket: socket.clone(),
            zero_copy,
            ledger: Ledger::new(pool),
        })
    }

    /// Takes back the buffers that were sent.
    #[inline]
    pub(crate) fn reap(&mut self, mut give: impl FnMut(Lent)) {
        if self.completed.seek() == 0 {
            return;
        }
        while let Some(address) = self.completed.pop() {
            let buffer = address & ((1 << OFFSET_SHIFT) - 1);
            if let Some(lent) = self.ledger.strike(buffer) {
                give(lent);
            }
        }
        self.completed.release();
    }

    /// Whether there is room for a packet of that many buffers. Of those that the kernel has, each has a place in the completion
    /// ring.
    #[inline]
    pub(crate) fn has_room(&mut self, buffers: usize) -> bool {
        let most = self.transmit.size() as usize;
        self.ledger.count() + buffers <= most
            && self.transmit.room(buffers as u32) as usize >= buffers
    }

    /// Puts in a part of a packet, for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, part: Part) {
        let Part { lent, start, length, more } = part;
        self.transmit.push(Descriptor {
            address: self.ledger.enter(lent) | (start as u64) << OFFSET_SHIFT,
            length: length as u32,
            options: if more { libc::XDP_PKT_CONTD } else { 0 },
        });
    }

    /// Has the kernel send what was put in; returns how many packets it did not take.
    pub(crate) fn send(&mut self) -> u64 {
        self.transmit.publish();
        if !self.transmit.needs_wakeup() {
            return 0;
        }
        let (mut refused, mut idle, mut before) = (0, 0, self.transmit.waiting());
        while before > 0 && idle < TRIES {
            match self.socket.kick() {
                Ok(()) if self.zero_copy => break,
                Ok(()) => {}
                // The device has dropped one packet, and the others are still to be sent.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => refused += 1,
                Err(error) if is_temporary(&error) => {}
                // The interface is down or gone: what is in the ring stays there.
                Err(_) => break,
            }
            let now = self.transmit.waiting();
            idle = if now < before { 0 } else { idle + 1 };
            before = now;
        }
        refused
    }

    /// Asks the kernel again to send what it has left in the ring; how many packets it did not take.
    pub(crate) fn send_rest(&mut self) -> u64 {
        if self.transmit.waiting() > 0 { self.send() } else { 0 }
    }

    /// Buffers that the kernel has.
    pub(crate) fn count(&self) -> usize {
        self.ledger.count()
    }

    /// Closes the rings; all buffers that the kernel had.
    pub(crate) fn close(mut self) -> Vec<Lent> {
        self.ledger.strike_all()
    }

    pub(crate) fn describe(&mut self) -> String {
        let waiting = self.transmit.waiting();
        let (size, held) = (self.transmit.size(), self.ledger.count());
        format!("{size} entries, {waiting} to send, {held} buffers held")
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR))
}
