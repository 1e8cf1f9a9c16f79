//! Packets of a frame that are still to be looked up.

use super::{levels::Step, prune::Walk, table::Table};

/// The most packets that are looked up together.
pub(crate) const FRAME: usize = vnet::frame::FRAME_SIZE;

/// Packets of a frame that are still to be looked up, by their positions.
pub(crate) struct Pending<const N: usize> {
    packets: [u16; FRAME],
    len: usize,
    /// Of each of them, the table that is asked next.
    probes: Box<[Probe<N>; FRAME]>,
    /// How far the search of each of them in a field is.
    steps: Box<[Step; FRAME]>,
    /// By positions in the frame.
    walks: Box<[Walk; FRAME]>,
}

/// A look into a table.
#[derive(Clone, Copy)]
pub(super) struct Probe<const N: usize> {
    pub(super) masked: [u64; N],
    pub(super) hash: u32,
    pub(super) table: Table,
}

impl<const N: usize> Pending<N> {
    pub(crate) fn new() -> Self {
        let probe = Probe { masked: [0; N], hash: 0, table: Table::NONE };
        Self {
            packets: [0; FRAME],
            len: 0,
            probes: Box::new([probe; FRAME]),
            steps: Box::new([Step::NONE; FRAME]),
            walks: Box::new([Walk::OVER; FRAME]),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds the packet at `position` of the frame.
    #[inline(always)]
    pub(crate) fn push(&mut self, position: usize) {
        if let Some(place) = self.packets.get_mut(self.len) {
            *place = position as u16;
            self.len += 1;
        }
    }

    /// Their positions.
    #[inline(always)]
    pub(crate) fn packets(&self) -> &[u16] {
        &self.packets[..self.len.min(FRAME)]
    }

    /// Keeps those for which `stays`.
    #[inline(always)]
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(usize) -> bool) {
        let mut kept = 0;
        for at in 0..self.len.min(FRAME) {
            let packet = self.packets[at];
            self.packets[kept] = packet;
            kept += usize::from(stays(packet.into()));
        }
        self.len = kept;
    }

    /// Their positions, and the looks into tables for them.
    #[inline(always)]
    pub(super) fn probes(&mut self) -> (&[u16], &mut [Probe<N>]) {
        let len = self.len.min(FRAME);
        (&self.packets[..len], &mut self.probes[..len])
    }

    /// Their positions, how far their searches are, and by positions where they are on their lists.
    #[inline(always)]
    pub(super) fn steps(&mut self) -> (&[u16], &mut [Step], &mut [Walk; FRAME]) {
        let len = self.len.min(FRAME);
        (&self.packets[..len], &mut self.steps[..len], &mut self.walks)
    }

    /// Keeps those for which there is a next look.
    #[inline(always)]
    pub(super) fn advance(
        &mut self,
        mut next: impl FnMut(usize, &mut Walk, &mut Probe<N>) -> bool,
    ) {
        let mut kept = 0;
        for at in 0..self.len.min(FRAME) {
            let packet = self.packets[at];
            self.packets[kept] = packet;
            let position = usize::from(packet) % FRAME;
            let stays = next(position, &mut self.walks[position], &mut self.probes[kept]);
            kept += usize::from(stays);
        }
        self.len = kept;
    }
}
