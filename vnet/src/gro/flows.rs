//! What becomes of a segment: the streams of which segments wait, and whether it continues one of them.

use super::{
    SEGMENTS, SHORT, STREAMS, Segment, TIMEOUT, TOO_LONG,
    segment::{Common, HEADERS},
};
use crate::runtime::EngineTime;

/// The streams of which segments wait, each in its place.
pub(super) struct Flows([Option<Flow>; STREAMS]);

/// What waits of a stream: segments that will be one packet.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    /// The first of them.
    pub(super) first: Segment,
    /// Its headers, without what each has for itself.
    common: Common,
    /// How many there are.
    pub(super) segments: usize,
    /// Octets of their payload.
    pub(super) payload: usize,
    /// What the packet acknowledges, and whether the receiver is to have it at once.
    pub(super) last: Last,
    /// They wait no longer.
    due: EngineTime,
}

/// What a large packet has from the last of its segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) acknowledgment: u32,
    pub(super) window: u16,
    pub(super) push: bool,
}

impl Last {
    fn of(segment: &Segment) -> Self {
        let Segment { acknowledgment, window, push, .. } = *segment;
        Self { acknowledgment, window, push }
    }
}

/// What becomes of a segment, with the place of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes out.
    Pass,
    /// It waits, in a place where nothing does.
    Begin(usize),
    /// It waits with the others of its stream.
    Join(usize),
    /// It is the last of these, which go out with it.
    JoinLast(usize),
    /// They go out, and it behind them.
    FlushAndPass(usize),
    /// They go out, and it waits.
    FlushAndBegin(usize),
}

impl Flows {
    pub(super) const NONE: Self = Self([const { None }; STREAMS]);

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// What is to become of a segment with these headers, if its checksum is right. Nothing changes.
    pub(super) fn step(&self, segment: &Segment, common: &Common) -> Step {
        let waits = |flow: &Option<Flow>| flow.is_some_and(|f| f.first.stream == segment.stream);
        let begins = segment.is_plain && !segment.push && segment.length() > SHORT;
        let Some(place) = self.0.iter().position(waits) else {
            let free = self.0.iter().position(Option::is_none);
            return free.filter(|_| begins).map_or(Step::Pass, Step::Begin);
        };
        let Some(Some(flow)) = self.0.get(place) else { return Step::Pass };
        if !segment.is_plain || !flow.is_continued_by(segment, common) {
            return Step::FlushAndPass(place);
        }
        match flow.has_room_for(segment) {
            false if begins => Step::FlushAndBegin(place),
            false => Step::FlushAndPass(place),
            true if begins && segment.payload == flow.first.payload => Step::Join(place),
            true => Step::JoinLast(place),
        }
    }

    /// Notes a segment that waits from `now` on, alone of its stream.
    pub(super) fn begin(
        &mut self,
        place: usize,
        segment: &Segment,
        common: &Common,
        now: EngineTime,
    ) {
        if let Some(flow) = self.0.get_mut(place) {
            *flow = Some(Flow {
                first: *segment,
                common: *common,
                segments: 1,
                payload: segment.payload,
                last: Last::of(segment),
                due: now.after(TIMEOUT),
            });
        }
    }

    /// Notes a segment that waits with others of its stream.
    pub(super) fn join(&mut self, place: usize, segment: &Segment) {
        if let Some(Some(flow)) = self.0.get_mut(place) {
            flow.segments += 1;
            flow.payload += segment.payload;
            flow.last = Last::of(segment);
        }
    }

    /// Forgets a stream; what waits of it goes out.
    pub(super) fn end(&mut self, place: usize) -> Option<Flow> {
        self.0.get_mut(place)?.take()
    }

    /// A place whose segments wait no longer.
    pub(super) fn due(&self, now: EngineTime) -> Option<usize> {
        self.0.iter().position(|flow| flow.is_some_and(|flow| flow.due <= now))
    }

    /// A place in which segments wait.
    pub(super) fn any(&self) -> Option<usize> {
        self.0.iter().position(Option::is_some)
    }
}

impl Flow {
    /// Whether a plain segment begins where the last one ended, with the same headers, and has nothing to say that the large packet
    /// would hide.
    fn is_continued_by(&self, segment: &Segment, common: &Common) -> bool {
        let next = self.first.sequence.wrapping_add(self.payload as u32);
        let acknowledged = segment.acknowledgment.wrapping_sub(self.last.acknowledgment);
        // Who cuts the packet gives each part a number of its own, one after the other.
        let number = |first: u16| first.wrapping_add(self.segments as u16);
        segment.sequence == next
            && acknowledged as i32 >= 0
            && self.first.identification.map(number) == segment.identification
            && self.first.headers == segment.headers
            && self.common[..] == common[..]
    }

    fn has_room_for(&self, segment: &Segment) -> bool {
        segment.payload <= self.first.payload
            && self.segments < SEGMENTS
            && self.first.headers + self.payload + segment.payload < TOO_LONG
    }
}

const _: () = assert!(HEADERS <= 128, "a flow is a few cache lines");
