//! What actions do to packets, on each thread.

use super::{ActionId, Performing};
use crate::{
    buffer::Buffer,
    counter::{Counter, Element},
    error::ErrorSet,
    frame::{Buffers, Frame},
    graph::{NextSet, NodeCx},
    runtime::{Dispatching, EngineTime, Local, PacketTime, WorkerState},
};

/// A thread's own part of an action.
pub trait Perform: Send + 'static {
    /// Looks at the packets of a frame that rules have chosen. They go on where their rules send them.
    fn perform(&mut self, cx: &mut PerformCx<'_>, packets: &mut Packets<'_>);
}

/// Makes a thread's own part of an action.
pub(crate) type MakePerform = Box<dyn Fn(usize) -> Box<dyn Perform>>;

/// Those of all actions.
pub(crate) struct Performers(pub(crate) Vec<Box<dyn Perform>>);

/// A packet of a frame that a rule has chosen for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its position in the frame.
    pub at: u16,
    /// The action of its rule.
    pub action: ActionId,
}

/// The packets that rules have chosen for one action.
pub struct Packets<'a> {
    buffers: Buffers<'a>,
    choices: &'a [Choice],
    kind: usize,
}

impl Packets<'_> {
    /// Shows each packet to `f`, in the order of the frame, with the configuration of its rule.
    #[inline]
    pub fn each(&mut self, mut f: impl FnMut(&mut Buffer, u32)) {
        let kind = self.kind;
        for choice in self.choices.iter().filter(|choice| choice.action.kind() == kind) {
            if let Some(buffer) = self.buffers.get(choice.at.into()) {
                f(buffer, choice.action.config());
            }
        }
    }
}

/// What an action sees of its thread.
pub struct PerformCx<'d> {
    state: &'d mut WorkerState,
    token: Dispatching<'d>,
}

impl<'d> PerformCx<'d> {
    /// Proof that no configuration changes now; opens what is [`Shared`](crate::runtime::Shared).
    #[inline]
    #[must_use]
    pub fn token(&self) -> Dispatching<'d> {
        self.token
    }

    /// Engine time at the start of this loop.
    #[inline]
    #[must_use]
    pub fn now(&self) -> EngineTime {
        self.state.now
    }

    /// Wall-clock time at the start of this loop.
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

    /// Adds `amount` to element `index` of a plugin's counter.
    #[inline]
    pub fn add<E: Element>(&self, counter: &Counter<E>, index: u32, amount: E) {
        self.state.counters.add(counter, index, amount);
    }

    /// This thread's value of `key`, taken out until [`Self::put_local`] brings it back.
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

    /// The per-thread state that nodes share.
    #[inline]
    pub fn state(&mut self) -> &mut WorkerState {
        self.state
    }
}

impl<Next: NextSet, Error: ErrorSet> NodeCx<'_, Next, Error> {
    /// Shows the packets of `frame` that `choices` name to their actions, in the order of the frame for each of these.
    #[inline]
    pub fn perform(&mut self, by: Performing, frame: &mut Frame, choices: &[Choice]) {
        if !choices.is_empty() {
            self.perform_some(by, frame, choices);
        }
    }

    #[inline(never)]
    fn perform_some(&mut self, Performing(key): Performing, frame: &mut Frame, choices: &[Choice]) {
        let Some(mut performers) = self.take_local(key) else { return };
        let token = self.token();
        let base = self.state().base();
        let mut cx = PerformCx { state: self.state(), token };
        for (kind, performer) in performers.0.iter_mut().enumerate() {
            if choices.iter().any(|choice| choice.action.kind() == kind) {
                let mut packets = Packets { buffers: frame.buffers(base), choices, kind };
                performer.perform(&mut cx, &mut packets);
            }
        }
        self.put_local(key, performers);
    }
}
