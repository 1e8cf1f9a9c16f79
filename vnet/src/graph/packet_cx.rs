//! What a node sees while it looks at one packet.

use core::marker::PhantomData;

use super::{
    ArcDoor, ArcIndex, ArcStart, FeatureTables, Gate, NextIndex, NextSet, NodeIndex, Slot,
};
use crate::{
    buffer::Buffer,
    classify::Asking,
    counter::{Counter, Element, ErrorIndex},
    error::ErrorSet,
    interface::{InterfaceViews, RxPlacement, RxQueueId, SwIfIndex},
    runtime::{Dispatching, EngineTime, Local, PacketTime, Shared, WorkerState},
    trace::{Seen, Start, Tap},
};

/// What a node sees of its thread while it looks at one packet.
pub struct PacketCx<'d, Next, Error> {
    pub(super) state: &'d mut WorkerState,
    pub(super) features: &'d FeatureTables,
    pub(super) next_nodes: &'d [NodeIndex],
    pub(super) token: Dispatching<'d>,
    pub(super) node: NodeIndex,
    pub(super) error_base: ErrorIndex,
    pub(super) of: PhantomData<fn(Next, Error)>,
}

impl<'d, Next: NextSet, Error: ErrorSet> PacketCx<'d, Next, Error> {
    /// Notes on the packet why it will be dropped; `error-drop` counts it.
    #[inline]
    pub fn error(&self, buffer: &mut Buffer, error: Error) {
        buffer.error = self.error_base.plus(error.code());
    }

    /// As [`Self::error`], where no node before has noted a reason.
    #[inline]
    pub fn error_if_none(&self, buffer: &mut Buffer, error: Error) {
        if buffer.error == ErrorIndex::NONE {
            self.error(buffer, error);
        }
    }

    /// Counts `n` times `counter` for this node, whatever becomes of the packet.
    #[inline]
    pub fn count(&mut self, counter: Error, n: u64) {
        self.state.errors.add(self.error_base.plus(counter.code()), n);
    }

    /// Adds `amount` to element `index` of a plugin's counter. An index beyond its elements is counted as lost, see
    /// [`Segment::lost`](crate::counter::Segment::lost).
    #[inline]
    pub fn add<E: Element>(&self, counter: &Counter<E>, index: u32, amount: E) {
        self.state.counters.add(counter, index, amount);
    }

    /// Asks for element `index` of a plugin's counter, to be there when it is added to. One that does not exist does no harm.
    #[inline]
    pub fn prefetch_count<E: Element>(&self, counter: &Counter<E>, index: u32) {
        self.state.counters.prefetch(counter, index);
    }

    /// Starts `arc` for a packet of interface `sw_if_index`: the first enabled feature, or `default` where there is none.
    #[inline]
    pub fn start_arc(
        &self,
        arc: ArcIndex,
        sw_if_index: SwIfIndex,
        buffer: &mut Buffer,
        default: impl Into<Slot<Next>>,
    ) -> Slot<Next> {
        self.enter(self.arc_start(arc, sw_if_index), buffer, default)
    }

    /// Where `arc` starts for packets of interface `sw_if_index`, to be found once for all of them in a row.
    #[inline]
    #[must_use]
    pub fn arc_start(&self, arc: ArcIndex, sw_if_index: SwIfIndex) -> ArcStart {
        self.features.start(arc, sw_if_index)
    }

    /// The gate by which packets may pass all features behind `start`, where there is one.
    #[inline]
    #[must_use]
    pub fn gate(&self, start: ArcStart) -> Option<Gate> {
        self.features.gate(start)
    }

    /// Whether any feature of `arc` is enabled on any interface.
    #[inline]
    #[must_use]
    pub fn is_arc_used(&self, arc: ArcIndex) -> bool {
        self.features.is_used(arc)
    }

    /// Sends a packet to the first feature behind `start`, or to `default` where there is none.
    #[inline]
    pub fn enter(
        &self,
        start: ArcStart,
        buffer: &mut Buffer,
        default: impl Into<Slot<Next>>,
    ) -> Slot<Next> {
        match start {
            ArcStart::NO_FEATURE => default.into(),
            ArcStart(position) => Slot::direct(self.features.at(position, buffer)),
        }
    }

    /// The first feature behind `start`, or `default` where there is none: where [`Self::enter`] sends packets, to be found once
    /// for all of them in a row.
    #[inline]
    #[must_use]
    pub fn arc_door(&self, start: ArcStart, default: impl Into<Slot<Next>>) -> ArcDoor<Next> {
        match start {
            ArcStart::NO_FEATURE => ArcDoor { position: 0, slot: default.into() },
            ArcStart(position) => {
                ArcDoor { position, slot: Slot::direct(self.features.node_at(position)) }
            }
        }
    }

    /// The next enabled feature of the arc that the packet is on, or the end of the arc.
    #[inline]
    pub fn next_feature(&self, buffer: &mut Buffer) -> Slot<Next> {
        Slot::direct(self.features.at(buffer.feature + 1, buffer))
    }

    /// The slot of this node that has this number, if there is one: for what operators choose by number.
    #[inline]
    #[must_use]
    pub fn slot(&self, number: u32) -> Option<Slot<Next>> {
        let is_there = (number as usize) < self.next_nodes.len();
        is_there.then(|| Slot::added(NextIndex(number as u16)))
    }

    /// What was given when the feature that the packet is at was enabled.
    #[inline]
    #[must_use]
    pub fn feature_config(&self, buffer: &Buffer) -> u32 {
        self.features.config(buffer)
    }

    /// Sends a copy of the packet by `next`, after `change` has had it; the packet itself goes on as it was. The copy shares the
    /// chain behind the head. `false` when there was no buffer for it.
    pub fn send_copy(
        &mut self,
        buffer: &Buffer,
        next: Slot<Next>,
        change: impl FnOnce(&mut Buffer),
    ) -> bool {
        let Some(node) = super::resolve(next.raw(), self.next_nodes) else { return false };
        self.state.send_copy(buffer, node, change)
    }

    /// Calls `f` with each run of bytes of the packet, from the current position on.
    pub fn for_each_segment(&self, buffer: &Buffer, f: impl FnMut(&[u8])) {
        self.state.magazine.for_each_segment(buffer, f);
    }

    /// Lets a tap see a packet that came or leaves by `interface`.
    pub fn show_tap(
        &self,
        tap: &dyn Tap,
        views: &InterfaceViews,
        buffer: &Buffer,
        start: Start,
        interface: SwIfIndex,
    ) {
        let WorkerState { magazine, wall, locals, now, .. } = &*self.state;
        let main = views.above(interface).unwrap_or(interface);
        let asking = Asking { token: self.token, locals, now: *now };
        tap.see(&Seen { buffer, start, interface, main, time: *wall, magazine, asking });
    }

    /// Proof that no configuration changes now; opens what is [`Shared`](crate::runtime::Shared).
    #[inline]
    #[must_use]
    pub fn token(&self) -> Dispatching<'d> {
        self.token
    }

    /// The receive queues that this node looks after on this thread, when they have changed since `version`.
    #[inline]
    #[must_use]
    pub fn new_rx_queues(
        &self,
        placement: &Shared<RxPlacement>,
        version: &mut u64,
    ) -> Option<Vec<RxQueueId>> {
        let placement = placement.read(self.token);
        if placement.version() == *version {
            return None;
        }
        *version = placement.version();
        Some(placement.of(self.state.thread, self.node).collect())
    }

    /// Engine time at the start of this loop.
    #[inline]
    #[must_use]
    pub fn now(&self) -> EngineTime {
        self.state.now
    }

    /// Wall-clock time at the start of this loop, to stamp packets with.
    #[inline]
    #[must_use]
    pub fn packet_time(&self) -> PacketTime {
        self.state.wall
    }

    /// The number of this thread.
    #[inline]
    #[must_use]
    pub fn thread(&self) -> usize {
        self.state.thread
    }

    /// The node that runs.
    #[inline]
    #[must_use]
    pub fn node(&self) -> NodeIndex {
        self.node
    }

    /// This thread's value of `key`, taken out until [`Self::put_local`] brings it back. `None` when it is out already.
    #[inline]
    #[must_use]
    pub fn take_local<T: Send + 'static>(&mut self, key: Local<T>) -> Option<Box<T>> {
        self.state.locals.take(key)
    }

    /// Brings a value back.
    #[inline]
    pub fn put_local<T: Send + 'static>(&mut self, key: Local<T>, value: Box<T>) {
        self.state.locals.put(key, value);
    }

    /// The per-thread state that nodes share, to look at; its counters need no more.
    #[inline]
    #[must_use]
    pub fn state_ref(&self) -> &WorkerState {
        self.state
    }

    /// The per-thread state that nodes share.
    #[inline]
    pub fn state(&mut self) -> &mut WorkerState {
        self.state
    }
}
