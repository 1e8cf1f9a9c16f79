//! Receive queues of devices: who looks after them, and how.

use super::Main;
use crate::{
    graph::{InputMode, NodeIndex},
    interface::{
        HwIfIndex, InterfaceError, NewRxQueue, RxError, RxPlacement, RxQueueId, RxQueues, SwIfIndex,
    },
};

impl Main {
    /// The receive queues of all interfaces.
    #[must_use]
    pub fn rx_queues(&self) -> &RxQueues {
        &self.rx_queues
    }

    /// Adds receive queues to an interface whose device has just been added; they are numbered in their order. Workers take turns
    /// to get one; without workers the main thread looks after all.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn add_rx_queues(
        &mut self,
        interface: SwIfIndex,
        queues: impl IntoIterator<Item = NewRxQueue>,
    ) -> Result<(), InterfaceError> {
        let hw_if_index = self.interfaces.hardware_of(interface)?.index;
        let workers = self.threads() - 1;
        queues.into_iter().for_each(|new| self.rx_queues.add(hw_if_index, new, workers));
        self.place_rx_queues();
        if let Some(mode) = self.rx_queues.first_mode {
            let told = self.rx_queues.of(hw_if_index).filter(|queue| queue.fd.is_some());
            for queue in told.map(|queue| queue.id.queue).collect::<Vec<_>>() {
                // A device that cannot is read as it says.
                let _: Result<(), RxError> = self.set_rx_mode(hw_if_index, Some(queue), mode);
            }
        }
        Ok(())
    }

    /// How receive queues of new interfaces are read.
    #[must_use]
    pub fn first_rx_mode(&self) -> InputMode {
        self.rx_queues.first_mode.unwrap_or(InputMode::Interrupt)
    }

    /// Chooses how receive queues of new interfaces are read, where their devices can tell of packets.
    pub fn set_first_rx_mode(&mut self, mode: InputMode) {
        self.rx_queues.first_mode = Some(mode);
    }

    /// Has `thread` look after a queue from now on.
    ///
    /// # Errors
    /// When there is no such queue or no such thread.
    pub fn set_rx_thread(&mut self, id: RxQueueId, thread: usize) -> Result<(), RxError> {
        if thread >= self.threads() {
            return Err(RxError::NoSuchThread(thread));
        }
        let queue = self.rx_queues.get_mut(id).ok_or(RxError::NoSuchQueue(id.queue))?;
        let (fd, before) = (queue.fd, core::mem::replace(&mut queue.thread, thread));
        if let Some(fd) = fd {
            self.unwatch(before, fd);
        }
        self.place_rx_queues();
        Ok(())
    }

    /// Changes how the threads of an interface's queues, or of one of them, learn of packets. Queues that are disabled are left
    /// alone: for a device that will bring nothing any more, but stays.
    ///
    /// # Errors
    /// When there is no such queue, its device cannot tell of packets, or refuses.
    pub fn set_rx_mode(
        &mut self,
        hw_if_index: HwIfIndex,
        queue: Option<u16>,
        mode: InputMode,
    ) -> Result<(), RxError> {
        let chosen: Vec<_> = self
            .rx_queues
            .of(hw_if_index)
            .filter(|known| queue.is_none_or(|queue| known.id.queue == queue))
            .copied()
            .collect();
        if chosen.is_empty() {
            return Err(RxError::NoSuchQueue(queue.unwrap_or(0)));
        }
        if mode != InputMode::Polling && chosen.iter().any(|queue| queue.fd.is_none()) {
            return Err(RxError::NoInterrupts);
        }
        // What a device does about it may touch what its node reads.
        self.workers.hold();
        for queue in chosen {
            self.devices.set_rx_mode(queue.id, mode).map_err(RxError::Device)?;
            if let Some(queue) = self.rx_queues.get_mut(queue.id) {
                queue.mode = mode;
            }
        }
        self.place_rx_queues();
        Ok(())
    }

    /// An interface went up or down.
    pub(super) fn activate_rx_queues(&mut self, interface: SwIfIndex, up: bool) {
        let Ok(hardware) = self.interfaces.hardware_of(interface) else { return };
        // Sub-interfaces go up and down by themselves.
        if hardware.sw_if_index == interface {
            self.rx_queues.of_mut(hardware.index).for_each(|queue| queue.active = up);
            self.place_rx_queues();
        }
    }

    /// An interface is gone: so are queues of hardware that there is not.
    pub(super) fn forget_rx_queues(&mut self) {
        let gone: Vec<_> = self
            .rx_queues
            .iter()
            .filter(|queue| self.interfaces.hardware_interface(queue.id.hw_if_index).is_none())
            .copied()
            .collect();
        for queue in &gone {
            if let Some(fd) = queue.fd {
                self.unwatch(queue.thread, fd);
            }
            self.rx_queues.remove(queue.id.hw_if_index);
            self.run_input(queue.node);
        }
        if !gone.is_empty() {
            self.place_rx_queues();
        }
    }

    /// Tells input nodes, and those who wake them.
    fn place_rx_queues(&mut self) {
        self.rx_version += 1;
        let placement = RxPlacement::new(self.rx_version, &self.rx_queues);
        *self.rx_placement.clone().write(self.held_mut()) = placement;
        let queues: Vec<_> = self.rx_queues.iter().copied().collect();
        for queue in &queues {
            let Some(fd) = queue.fd else { continue };
            let waits = matches!(queue.mode, InputMode::Interrupt | InputMode::Adaptive);
            if queue.active && waits {
                self.watch(queue.thread, fd, queue.node);
            } else {
                self.unwatch(queue.thread, fd);
            }
        }
        let mut nodes: Vec<_> = queues.iter().map(|queue| queue.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.into_iter().for_each(|node| self.run_input(node));
    }

    /// Has an input node run as its queues want.
    fn run_input(&mut self, node: NodeIndex) {
        for thread in 0..self.threads() {
            let mode = self.rx_queues.mode(thread, node);
            self.set_input_mode_on(thread, node, mode);
        }
    }
}
