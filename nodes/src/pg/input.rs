//! `pg-input`: sends the packets of all enabled streams of its thread.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{Poll, Waker},
};

use vnet::{
    buffer::Buffer,
    error::NoError,
    frame::Frame,
    graph::{ArcIndex, Instance, NoNext, Node, NodeCx, Slot, Verdict},
    runtime::Shared,
};

use super::{
    Offload,
    stream::{Label, Running, Sender},
    trace::Trace,
};

/// The enabled streams, written under the barrier.
#[derive(Default)]
pub(super) struct Table {
    /// Goes up with every change.
    pub(super) version: u64,
    pub(super) streams: Vec<Running>,
}

/// Tells the main thread that streams are done.
#[derive(Default)]
pub(super) struct Finished(Mutex<(bool, Option<Waker>)>);

impl Finished {
    fn announce(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    /// Waits until something is announced.
    pub(super) async fn wait(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if mem::take(&mut state.0) {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The node.
pub(super) struct Input {
    thread: usize,
    table: Shared<Table>,
    finished: Arc<Finished>,
    device_input: ArcIndex,
    version: u64,
    senders: Vec<Sender>,
    /// Which stream is asked first.
    first: usize,
    /// Packets of its turn that the frame before had no room for; 0 when its turn begins.
    left: usize,
    labels: Vec<Label>,
    /// Runs of packets of the frame, and where they go.
    runs: Vec<(usize, usize, Slot<NoNext>)>,
}

impl Input {
    pub(super) fn new(at: &Instance<'_>, table: Shared<Table>, finished: Arc<Finished>) -> Self {
        Self {
            thread: at.thread,
            table,
            finished,
            device_input: at.arc("device-input"),
            version: 0,
            senders: Vec::new(),
            first: 0,
            left: 0,
            labels: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Takes over what the main thread has changed. A stream that goes on keeps its place.
    #[cold]
    fn follow(&mut self, cx: &NodeCx<'_, NoNext, NoError>) {
        let table = self.table.read(cx.token());
        self.version = table.version;
        self.labels = table.streams.iter().map(|s| s.label.clone()).collect();
        let mut old = mem::take(&mut self.senders);
        for stream in table.streams.iter().filter(|stream| stream.thread == self.thread) {
            if stream.progress.done.load(Ordering::Relaxed) {
                continue;
            }
            let is_same =
                |s: &Sender| s.of.label.id == stream.label.id && s.of.epoch == stream.epoch;
            self.senders.push(match old.iter().position(is_same) {
                Some(i) => old.swap_remove(i),
                None => Sender::new(stream.clone()),
            });
        }
        (self.first, self.left) = (0, 0);
        self.runs.reserve(self.senders.len());
    }

    /// Takes out streams that have made all their packets.
    #[cold]
    fn retire(&mut self) {
        self.senders.retain(|sender| {
            let done = sender.is_done();
            sender.of.progress.done.store(done, Ordering::Relaxed);
            !done
        });
        (self.first, self.left) = (0, 0);
        self.finished.announce();
    }
}

impl Node for Input {
    type Error = NoError;
    type Next = NoNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, NoError>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        if self.table.read(cx.token()).version != self.version {
            self.follow(cx);
        }
        let now = cx.now();
        let mut any_done = false;
        self.runs.clear();
        let count = self.senders.len();
        let mut at = self.first;
        let mut left = mem::take(&mut self.left);
        for _ in 0..count {
            if at >= count {
                at = 0;
            }
            let Some(sender) = self.senders.get_mut(at) else { break };
            let due = match mem::take(&mut left) {
                0 => sender.due(now),
                left => sender.due(now).min(left),
            };
            let n = due.min(frame.room());
            at += 1;
            if n == 0 {
                continue;
            }
            let start = frame.len();
            let made = sender.make(cx, frame, n);
            if made.packets > 0 {
                let (packets, bytes) = match sender.of.offload {
                    Offload::None => (made.packets as u64, made.bytes),
                    offload => offload.leave(&mut cx.buffers(frame).behind(start)),
                };
                let slot = route(cx, frame, start, &sender.of, self.device_input);
                self.runs.push((start, made.packets, slot));
                let counters = &cx.state_ref().interfaces;
                counters.rx.add(sender.of.rx.0, packets, bytes);
                any_done |= sender.is_done();
            }
            if n < due {
                // Its turn goes on in the next frame, so that all get the same.
                self.left = due - n;
                at -= 1;
            }
            // The pool is exhausted, or the frame is full.
            if made.packets < n || frame.room() == 0 {
                break;
            }
        }
        self.first = at;
        if any_done {
            self.retire();
        }
        match self.runs.as_slice() {
            [] => Verdict::Consumed,
            [(_, _, slot), rest @ ..] if rest.iter().all(|(_, _, other)| other == slot) => {
                Verdict::All(*slot)
            }
            runs => {
                for &(start, packets, slot) in runs {
                    (start..start + packets).for_each(|i| cx.set_next(i, slot));
                }
                Verdict::PerPacket
            }
        }
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let label = self.labels.iter().find(|l| l.id.0 == buffer.opaque[0]);
        Trace::new(buffer, label)
    }
}

/// Where the packets of `frame` behind the first `start`, all of one stream, go: to the first feature of their interface,
/// otherwise to the stream's own next node.
#[inline]
fn route(
    cx: &NodeCx<'_, NoNext, NoError>,
    frame: &mut Frame,
    start: usize,
    stream: &Running,
    device_input: ArcIndex,
) -> Slot<NoNext> {
    let default = Slot::added(stream.next);
    let mut buffers = cx.buffers(frame);
    let mut slot = default;
    for buffer in buffers.iter_mut().skip(start) {
        slot = cx.start_arc(device_input, stream.rx, buffer, default);
        if slot == default {
            break;
        }
    }
    slot
}
