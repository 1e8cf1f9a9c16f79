//! The receiving side of a queue: buffers go to the kernel by the fill ring and come back, with packets in them, by the other.

use std::{io, sync::Arc};

use vnet::buffer::{BufferPool, Ledger, Lent};

use crate::{
    abi::{Descriptor, OFFSET_SHIFT},
    ring::{Consumer, Producer},
    socket::{Kind, XdpSocket},
};

/// A packet that waits, or a part of one.
pub(crate) struct Received {
    /// Its buffer; `None` when it is none that the kernel has.
    pub(crate) lent: Option<Lent>,
    /// Octets from the beginning of the buffer.
    pub(crate) start: usize,
    pub(crate) length: usize,
    /// The packet goes on in the next one.
    pub(crate) more: bool,
}

/// The receiving side.
pub(crate) struct RxSide {
    socket: Arc<XdpSocket>,
    fill: Producer<u64>,
    received: Consumer<Descriptor>,
    ledger: Ledger,
}

impl RxSide {
    /// Makes the rings of a socket that is not yet bound.
    pub(crate) fn new(
        socket: &Arc<XdpSocket>,
        entries: u32,
        pool: &BufferPool,
    ) -> io::Result<Self> {
        socket.make_ring(Kind::Fill, entries)?;
        socket.make_ring(Kind::Receive, entries)?;
        let at = socket.offsets()?;
        Ok(Self {
            fill: Producer::map(&**socket, libc::XDP_UMEM_PGOFF_FILL_RING, at.fr, entries)?,
            received: Consumer::map(&**socket, libc::XDP_PGOFF_RX_RING as u64, at.rx, entries)?,
            socket: socket.clone(),
            ledger: Ledger::new(pool),
        })
    }

    /// Looks whether packets wait; whether they do.
    #[inline]
    pub(crate) fn seek(&mut self) -> bool {
        self.received.seek() > 0
    }

    /// Whether all of the packet waits that is the next one.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        let continues = |i| self.received.peek(i).map(|d| d.options & libc::XDP_PKT_CONTD != 0);
        match continues(0) {
            None => false,
            Some(false) => true,
            Some(true) => (1..).map_while(continues).any(|more| !more),
        }
    }

    /// Takes what waits next.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Received> {
        let Descriptor { address, length, options } = self.received.pop()?;
        let buffer = address & ((1 << OFFSET_SHIFT) - 1);
        Some(Received {
            lent: self.ledger.strike(buffer),
            start: (address >> OFFSET_SHIFT) as usize,
            length: length as usize,
            more: options & libc::XDP_PKT_CONTD != 0,
        })
    }

    /// Tells the kernel what was taken.
    #[inline]
    pub(crate) fn release(&self) {
        self.received.release();
    }

    /// How many buffers there is room for in the fill ring.
    #[inline]
    pub(crate) fn room(&mut self) -> usize {
        self.fill.room(self.fill.size()) as usize
    }

    /// Puts a buffer into the fill ring, which has room for it.
    #[inline]
    pub(crate) fn fill(&mut self, lent: Lent) {
        self.fill.push(self.ledger.enter(lent));
    }

    /// Shows the kernel the buffers that were put into the fill ring.
    #[inline]
    pub(crate) fn publish(&self) {
        self.fill.publish();
        if self.fill.needs_wakeup() {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // It says nothing that the descriptor does not say later.
        let _: io::Result<()> = self.socket.wake();
    }

    /// Buffers that the kernel has.
    pub(crate) fn count(&self) -> usize {
        self.ledger.count()
    }

    /// Closes the rings; the packets that waited are lost. How many they were, and all buffers that the kernel had.
    pub(crate) fn close(mut self) -> (u64, Vec<Lent>) {
        self.received.seek();
        let mut lost = 0;
        while let Some(Descriptor { options, .. }) = self.received.pop() {
            lost += u64::from(options & libc::XDP_PKT_CONTD == 0);
        }
        (lost, self.ledger.strike_all())
    }

    pub(crate) fn describe(&mut self) -> String {
        let waiting = self.fill.waiting();
        let (size, held) = (self.received.size(), self.ledger.count());
        format!("{size} entries, {waiting} in the fill ring, {held} buffers held")
    }
}
