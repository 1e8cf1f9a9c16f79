//! Buffers of devices, where the main thread has to do with them.

use super::Main;
use crate::buffer::Lent;

impl Main {
    /// Takes up to `n` buffers from the pool for a device to fill, one after the other to `give`; returns how many there were.
    pub fn lend_buffers(&mut self, n: usize, give: impl FnMut(Lent)) -> usize {
        self.worker.state.magazine.lend(n, give)
    }

    /// Gives a buffer back to the pool that a device has done with.
    pub fn take_back(&mut self, lent: Lent) {
        self.worker.state.magazine.take_back(lent);
    }
}
