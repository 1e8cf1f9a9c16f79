//! Segments that wait, and the packets that become of them.

use core::ops::Range;

use super::{
    SEGMENTS, STREAMS, Segment,
    flows::{Flow, Flows, Step},
    join,
    segment::Common,
};
use crate::{
    buffer::{Buffer, BufferFlags, BufferIndex, Gso, Magazine},
    frame::{Frame, Waiting},
    runtime::EngineTime,
    wire::{checksum::Sum, link::LinkType},
};

/// Lets segments of TCP streams wait, and puts them together. What still waits when it is dropped goes back to the pool.
///
/// All memory is reserved beforehand.
pub struct Coalescer {
    link: LinkType,
    flows: Flows,
    /// A queue for each place of `flows`.
    waiting: Waiting,
    /// The packet that is looked at.
    one: Frame,
    /// The segments that are put together.
    parts: Frame,
    payload: Vec<u8>,
    counts: Counts,
}

/// What a coalescer has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments that have waited, or do so now.
    pub taken: u64,
    /// Packets that came of those that wait no more: large ones, and segments that went out alone.
    pub sent: u64,
    /// Large packets among them.
    pub large: u64,
    /// Segments that these stand for.
    pub joined: u64,
    /// Segments that could not be put together for want of buffers, and went out one by one.
    pub apart: u64,
}

/// Packets that one of them can send out: what waits of its stream, where there are no buffers to put that together, and itself.
pub(super) const AT_ONCE: usize = SEGMENTS + 1;

impl Coalescer {
    /// One for packets that begin with a header of `link`.
    #[must_use]
    pub fn new(link: LinkType) -> Self {
        Self {
            link,
            flows: Flows::NONE,
            waiting: Waiting::new(STREAMS, SEGMENTS, STREAMS * SEGMENTS),
            one: Frame::new(),
            parts: Frame::new(),
            payload: Vec::with_capacity(super::TOO_LONG),
            counts: Counts::default(),
        }
    }

    /// Streams of which segments wait.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.flows.len()
    }

    /// How many segments wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.held()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a packet, which the caller owns. What is to be sent now comes to the end of `out`, which has room for [`AT_ONCE`].
    pub(super) fn take(
        &mut self,
        magazine: &mut Magazine,
        packet: BufferIndex,
        now: EngineTime,
        out: &mut Frame,
    ) {
        let Some((segment, step, common)) = self.look(magazine, packet) else {
            out.append(&[packet], false);
            return;
        };
        if let Step::FlushAndPass(place) | Step::FlushAndBegin(place) = step {
            self.flush(magazine, place, out);
        }
        let has_room = self.waiting.held() < self.waiting.most(magazine.pool());
        let waits = match step {
            Step::Pass | Step::FlushAndPass(_) => None,
            Step::Begin(place) | Step::FlushAndBegin(place) if has_room => {
                self.flows.begin(place, &segment, &common, now);
                Some(place)
            }
            Step::Join(place) | Step::JoinLast(place) if has_room => {
                self.flows.join(place, &segment);
                Some(place)
            }
            Step::Begin(_) | Step::FlushAndBegin(_) => None,
            Step::Join(place) | Step::JoinLast(place) => {
                self.flush(magazine, place, out);
                None
            }
        };
        let Some(place) = waits else {
            out.append(&[packet], false);
            return;
        };
        self.counts.taken += 1;
        // There is room, so nothing comes back.
        if let Some(back) = self.waiting.push(magazine.pool(), place, packet) {
            out.append(&[back], false);
        }
        if let Step::JoinLast(place) = step {
            self.flush(magazine, place, out);
        }
    }

    /// What is to become of a packet; `None` when it has nothing to do with any stream.
    fn look(
        &mut self,
        magazine: &mut Magazine,
        packet: BufferIndex,
    ) -> Option<(Segment, Step, Common)> {
        self.one.clear();
        self.one.append(&[packet], false);
        let base = magazine.base();
        let mut buffers = self.one.buffers(base);
        let buffer = buffers.get(0)?;
        let head = buffer.current();
        let mut segment = Segment::of(head, buffer.length_in_chain(), self.link)?;
        segment.is_plain &= is_sound(magazine, buffer, &segment);
        let common = segment.common(head);
        let step = self.flows.step(&segment, &common);
        Some((segment, step, common))
    }

    /// Sends out what has waited long enough, of one stream. Whether there was any; `out` has room for [`SEGMENTS`].
    pub(super) fn flush_due(
        &mut self,
        magazine: &mut Magazine,
        now: EngineTime,
        out: &mut Frame,
    ) -> bool {
        let due = self.flows.due(now);
        due.map(|place| self.flush(magazine, place, out)).is_some()
    }

    /// The same of what waits, however long.
    pub(crate) fn flush_any(&mut self, magazine: &mut Magazine, out: &mut Frame) -> bool {
        let any = self.flows.any();
        any.map(|place| self.flush(magazine, place, out)).is_some()
    }

    fn flush(&mut self, magazine: &mut Magazine, place: usize, out: &mut Frame) {
        let Some(flow) = self.flows.end(place) else { return };
        self.parts.clear();
        self.waiting.pop(place, &mut self.parts, false);
        let segments = self.parts.len() as u64;
        if segments > 1 && self.put_together(magazine, &flow, out) {
            self.parts.free_from(magazine, 0);
            self.counts.large += 1;
            self.counts.joined += segments;
            self.counts.sent += 1;
            return;
        }
        out.append(self.parts.indices(), false);
        self.parts.clear();
        self.counts.sent += segments;
        self.counts.apart += if segments > 1 { segments } else { 0 };
    }

    /// Makes one packet of `parts` at the end of `out`; whether there were buffers for it.
    fn put_together(&mut self, magazine: &mut Magazine, flow: &Flow, out: &mut Frame) -> bool {
        let base = magazine.base();
        let headers = flow.first.headers;
        self.payload.clear();
        let mut parts = self.parts.buffers(base);
        for part in parts.iter_mut() {
            let left = flow.payload - self.payload.len();
            let octets = headers..headers + left.min(flow.first.payload);
            each_run(magazine, part, octets, |run| self.payload.extend_from_slice(run));
        }
        let Some(first) = parts.get(0) else { return false };
        let at = out.len();
        if out.fill_from(magazine, 1) == 0 {
            return false;
        }
        let mut buffers = out.buffers(base);
        let Some(new) = buffers.get(at) else { return false };
        let payload = &self.payload;
        let is_whole = new.append(&first.current()[..headers]) == headers
            && join::write(flow, new.current_mut()).is_some()
            && magazine.extend_chain(new, 0, payload.len(), |at, room| {
                room.copy_from_slice(&payload[at..at + room.len()]);
            });
        if !is_whole {
            out.free_from(magazine, at);
            return false;
        }
        new.describe_as(first);
        new.trace_as(first);
        join::note(flow, new);
        true
    }
}

/// Whether nothing was lost of the segment on its way, as its checksum has it, or its sender is this machine, which leaves that to
/// others. A large packet is none that waits for more.
fn is_sound(magazine: &Magazine, buffer: &Buffer, segment: &Segment) -> bool {
    match buffer.offload() {
        Some(offload) => offload.gso == Gso::None,
        None if !buffer.flags().contains(BufferFlags::NEXT_PRESENT) => {
            let octets = buffer.current().get(segment.transport..segment.length());
            octets.is_some_and(|octets| segment.pseudo(segment.payload).bytes(octets).is_intact())
        }
        None => {
            let mut whole = SumOfParts { sum: segment.pseudo(segment.payload), odd: None };
            each_run(magazine, buffer, segment.transport..segment.length(), |run| whole.add(run));
            whole.end().is_intact()
        }
    }
}

/// A sum of octets that come in runs, of which some have odd lengths.
struct SumOfParts {
    sum: Sum,
    odd: Option<u8>,
}

impl SumOfParts {
    fn add(&mut self, mut octets: &[u8]) {
        if let (Some(first), Some((second, rest))) = (self.odd, octets.split_first()) {
            self.sum = self.sum.bytes(&[first, *second]);
            (self.odd, octets) = (None, rest);
        }
        let (pairs, last) = octets.split_at(octets.len() & !1);
        self.sum = self.sum.bytes(pairs);
        self.odd = self.odd.or(last.first().copied());
    }

    fn end(self) -> Sum {
        self.odd.map_or(self.sum, |last| self.sum.bytes(&[last]))
    }
}

/// Calls `f` with the runs of the octets `of` of a packet.
fn each_run(magazine: &Magazine, buffer: &Buffer, of: Range<usize>, mut f: impl FnMut(&[u8])) {
    let mut at = 0;
    magazine.for_each_segment(buffer, |run| {
        let inside = |place: usize| place.saturating_sub(at).min(run.len());
        f(&run[inside(of.start)..inside(of.end)]);
        at += run.len();
    });
}
