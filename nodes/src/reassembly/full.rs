//! `ip4-local-full-reassembly`, `ip4-full-reassembly-feature` and those of IPv6: fragments become the datagram that they were.
//!
//! Fragments wait as the packets that they are. When the last one is there the payloads are put behind the headers of the first fragment,
//! in its buffer and as many more as they need: what reads headers finds them in one piece, however small the fragments were.

use core::{fmt, marker::PhantomData};

use vnet::{
    buffer::{Buffer, BufferFlags},
    command::Record,
    counter::ErrorIndex,
    frame::{Frame, Waiting},
    graph::{Fate, Node, NodeCx, NodeSpec, Slot, Verdict},
    reassembly::Layer4,
    trace::{TraceCx, TraceRecord},
    wire::fragment::{Fragment, MOST, UNIT},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    datagrams::{Datagrams, Entry, Table},
    errors::Error,
    family::{Place, Version, Way},
    holes::{Added, Parts, Range},
    settings::{Kind, Settings},
    show::Shown,
    store::{self, Cx, Kept, State, Store},
};
use crate::icmp::Report;

/// What is known of a datagram.
#[derive(Default)]
pub(super) struct Whole {
    parts: Parts,
    /// A bit for each congestion notification that a fragment had.
    ecn: u8,
    /// Why it is refused, with all that still comes of it (RFC 5722, section 4).
    refused: Option<Error>,
}

impl State for Whole {
    const KIND: Kind = Kind::Full;

    /// Places for the ranges of each datagram, one after the other.
    type Beside = Box<[Range]>;

    fn beside(settings: Settings) -> Box<[Range]> {
        let n = settings.max_reassemblies as usize * settings.max_length as usize;
        vec![Range::default(); n].into()
    }
}

impl Shown for Whole {
    fn show(entry: &Entry<Self>, waiting: usize, record: Record, head: String) -> Record {
        let Self { parts, .. } = &entry.of;
        let last = parts.last_octet().map_or(u32::MAX, |octet| octet as u32);
        record
            .line(head)
            .line(format!(
                "  data_len: {}, last_packet_octet: {last}, trace_op_counter: {}",
                parts.have(),
                entry.operations
            ))
            .field("waiting", waiting)
            .field("data-len", parts.have())
            .field("last-packet-octet", last)
    }
}

pub(super) fn spec<V: Version>(store: &Store<Whole>, place: Place) -> NodeSpec {
    let store = store.clone();
    NodeSpec::internal(V::nodes(place).0, move |_| Full::<V> {
        store: store.clone(),
        place,
        payload: vec![0; MOST],
        of: PhantomData,
    })
}

/// The node.
struct Full<V> {
    store: Store<Whole>,
    place: Place,
    /// The payload of the datagram that is put together.
    payload: Vec<u8>,
    of: PhantomData<fn() -> V>,
}

/// What becomes of a fragment, and what to say of it in its trace.
struct Outcome<V: Version> {
    fate: Fate<V::Next>,
    trace: Trace,
}

/// A thread's datagrams, and their ranges.
struct Known<'a> {
    datagrams: &'a mut Datagrams<Whole>,
    ranges: &'a mut [Range],
    max_length: usize,
}

impl<V: Version> Full<V> {
    fn drop(cx: Cx<'_, '_, V>, buffer: &mut Buffer, error: Error, trace: Trace) -> Outcome<V> {
        cx.error(buffer, error);
        Outcome { fate: Fate::Go(V::way(Way::Drop)), trace }
    }

    /// Where whole packets go.
    fn onward(&self, cx: Cx<'_, '_, V>, buffer: &mut Buffer) -> Slot<V::Next> {
        match self.place {
            Place::FullLocal => V::way(Way::Local),
            _ => cx.next_feature(buffer),
        }
    }

    /// Drops a fragment that says of itself that it is none, and tells its sender where the standard wants that.
    fn refuse(cx: Cx<'_, '_, V>, buffer: &mut Buffer, why: Refusal, trace: Trace) -> Outcome<V> {
        let Refusal { error, report } = why;
        cx.error(buffer, error);
        let way = match report {
            Some(report) => {
                report.note(buffer);
                Way::IcmpError
            }
            None => Way::Drop,
        };
        Outcome { fate: Fate::Go(V::way(way)), trace }
    }

    fn look(
        &mut self,
        cx: Cx<'_, '_, V>,
        known: &mut Known<'_>,
        waiting: &mut Waiting,
        buffer: &mut Buffer,
    ) -> Outcome<V> {
        let packet = buffer.current();
        let fragment = match V::fragment(packet) {
            Ok(Some(fragment)) => fragment,
            Ok(None) => {
                let fate = Fate::Go(self.onward(cx, buffer));
                return Outcome { fate, trace: Trace::of(Action::Whole) };
            }
            Err(_) => {
                let trace = Trace::of(Action::Discard);
                return Self::drop(cx, buffer, Error::Malformed, trace);
            }
        };
        let trace = Trace { first: fragment.start as u32, ..Trace::of(Action::Discard) };
        let trace = Trace { last: (fragment.end().max(1) - 1) as u32, ..trace };
        if let Err(why) = check::<V>(packet, &fragment) {
            return Self::refuse(cx, buffer, why, trace);
        }
        let Some(key) = self.store.key::<V>(buffer, packet, &fragment) else {
            return Self::drop(cx, buffer, Error::Malformed, trace);
        };
        if let Some(thread) = self.store.other_thread::<V>(cx, &key) {
            let slot = store::hand_over::<V>(buffer, thread, self.place);
            let trace = Trace { id: thread, action: Action::HandedOver as u32, ..trace };
            return Outcome { fate: Fate::Go(slot), trace };
        }
        let ecn = V::ecn(packet);
        let Some(place) = store::place_of::<V, Whole>(cx, known.datagrams, waiting, key) else {
            return Self::drop(cx, buffer, Error::Limit, trace);
        };
        let entry = known.datagrams.at(place);
        let trace = Trace { id: entry.id as u32, operation: entry.operations, ..trace };
        entry.operations += 1;
        if let Some(error) = entry.of.refused {
            return Self::drop(cx, buffer, error, trace);
        }
        entry.of.ecn |= 1 << ecn;
        let ranges = &mut known.ranges[place * known.max_length..][..known.max_length];
        let added = entry.of.parts.add(ranges, &fragment);
        let trace = Trace { length: entry.of.parts.have() as u32, ..trace };
        match added {
            Ok(Added::Waits)
                if store::room_for::<V, Whole>(cx, known.datagrams, waiting, place) =>
            {
                // Should it wait in vain, it has its reason.
                cx.error(buffer, Error::Timeout);
                let trace = Trace { action: Action::New as u32, ..trace };
                Outcome { fate: Fate::Wait(place), trace }
            }
            Ok(Added::Waits) => {
                store::give_up::<V, Whole>(cx, known.datagrams, waiting, place, Error::Limit);
                Self::drop(cx, buffer, Error::Limit, trace)
            }
            Ok(Added::Whole) => {
                let trace = Trace { action: Action::Finalize as u32, ..trace };
                let fate = self.finish(cx, known, waiting, place, (buffer, &fragment));
                Outcome { fate, trace }
            }
            Err(Error::Duplicate) => Self::drop(cx, buffer, Error::Duplicate, trace),
            Err(error) => {
                known.datagrams.at(place).of.refused = Some(error);
                store::drop_waiting::<V, Whole>(cx, waiting, place, error);
                Self::drop(cx, buffer, error, trace)
            }
        }
    }

    /// Puts the datagram together of which `last` is the last fragment to come. What becomes of that one.
    fn finish(
        &mut self,
        cx: Cx<'_, '_, V>,
        known: &mut Known<'_>,
        waiting: &mut Waiting,
        place: usize,
        (buffer, fragment): (&mut Buffer, &Fragment),
    ) -> Fate<V::Next> {
        let whole = &known.datagrams.at(place).of;
        let is = (whole.parts.have(), congestion(whole.ecn));
        let fragments = waiting.len(place) as u64 + 1;
        self.copy(cx, buffer, fragment);
        cx.settle_waiting(waiting, place, |cx, other| {
            if let Ok(Some(fragment)) = V::fragment(other.current()) {
                self.copy(cx, other, &fragment);
            }
            Fate::Wait(place)
        });
        let mut built = Err(Error::Malformed);
        if fragment.is_first() {
            built = self.build(cx, buffer, fragment, is);
        } else {
            cx.settle_waiting(waiting, place, |cx, head| match V::fragment(head.current()) {
                Ok(Some(first)) if first.is_first() => {
                    built = self.build(cx, head, &first, is);
                    match built {
                        Ok(()) => Fate::Go(self.onward(cx, head)),
                        Err(error) => {
                            cx.error(head, error);
                            Fate::Go(V::way(Way::Drop))
                        }
                    }
                }
                _ => Fate::Wait(place),
            });
        }
        match built {
            Ok(()) => {
                cx.count(Error::Success, 1);
                cx.count(Error::Reassembled, fragments);
                cx.settle_waiting(waiting, place, |_, _| Fate::Free);
            }
            Err(error) => store::drop_waiting::<V, Whole>(cx, waiting, place, error),
        }
        known.datagrams.end(place);
        match built {
            Ok(()) if fragment.is_first() => Fate::Go(self.onward(cx, buffer)),
            Ok(()) => Fate::Free,
            Err(error) => {
                cx.error(buffer, error);
                Fate::Go(V::way(Way::Drop))
            }
        }
    }

    /// Takes the payload of a fragment.
    fn copy(&mut self, cx: &NodeCx<'_, V::Next, Error>, buffer: &Buffer, fragment: &Fragment) {
        let (mut skip, mut at) = (fragment.header, fragment.start);
        cx.for_each_segment(buffer, |segment| {
            let bytes = segment.get(skip.min(segment.len())..).unwrap_or_default();
            skip = skip.saturating_sub(segment.len());
            let bytes = &bytes[..bytes.len().min(fragment.end() - at)];
            if let Some(room) = self.payload.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
            at += bytes.len();
        });
    }

    /// Makes the first fragment the datagram.
    fn build(
        &self,
        cx: Cx<'_, '_, V>,
        head: &mut Buffer,
        first: &Fragment,
        (length, ecn): (usize, Option<u8>),
    ) -> Result<(), Error> {
        let ecn = ecn.ok_or(Error::Overlap)?;
        let payload = self.payload.get(..length).ok_or(Error::TooBig)?;
        V::close(head, first, length, ecn).ok_or(Error::TooBig)?;
        cx.cut(head, V::kept(first));
        if !cx.append_chain(head, payload) {
            return Err(Error::NoBuffer);
        }
        const OF_FRAGMENTS: BufferFlags = BufferFlags::OFFLOAD
            .union(BufferFlags::LAYER4_NOTED)
            .union(BufferFlags::L4_CHECKSUM_COMPUTED)
            .union(BufferFlags::L4_CHECKSUM_CORRECT);
        head.clear_flags(OF_FRAGMENTS);
        head.error = ErrorIndex::NONE;
        head.wire_length = head.length_in_chain() as u32;
        Ok(())
    }
}

/// Why a fragment is refused, and what its sender is told.
struct Refusal {
    error: Error,
    report: Option<Report>,
}

impl Refusal {
    fn of(error: Error) -> Self {
        Self { error, report: None }
    }
}

/// What can be said of a fragment without the others. Senders of IPv6 are told (RFC 8200, section 4.5; RFC 7112, section 5).
fn check<V: Version>(packet: &[u8], fragment: &Fragment) -> Result<(), Refusal> {
    /// Where IPv6 says how long a packet is.
    const PAYLOAD_LENGTH: u32 = 4;
    let told = |error, report| Err(Refusal { error, report: V::told(report) });
    if fragment.length == 0 {
        return Err(Refusal::of(Error::Malformed));
    }
    if fragment.more && !fragment.length.is_multiple_of(UNIT) {
        return told(Error::InvalidLength, Report::erroneous6(PAYLOAD_LENGTH));
    }
    if fragment.end() > MOST {
        return told(Error::TooBig, Report::erroneous6(fragment.header as u32 - 6));
    }
    if fragment.is_first() && Layer4::read(packet).is_none_or(|l4| l4.is_truncated && V::IS_STRICT)
    {
        return told(Error::NoUpperLayer, Report::INCOMPLETE6);
    }
    Ok(())
}

/// The congestion notification of a datagram, `seen` having a bit for each that its fragments had (RFC 3168, section 5.3). `None` when
/// they contradict each other: then somebody has marked a datagram that was not to be marked.
const fn congestion(seen: u8) -> Option<u8> {
    const NONE: u8 = 1 << 0;
    const EXPERIENCED: u8 = 1 << 3;
    match seen {
        _ if seen & EXPERIENCED != 0 && seen & NONE != 0 => None,
        _ if seen & EXPERIENCED != 0 => Some(3),
        _ => Some(seen.trailing_zeros() as u8 & 3),
    }
}

impl<V: Version> Node for Full<V> {
    type Error = Error;
    type Next = V::Next;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, V::Next, Error>,
        frame: &mut Frame,
    ) -> Verdict<V::Next> {
        let is_whole = |buffer: &mut Buffer| V::fragment(buffer.current()) == Ok(None);
        if self.place == Place::FullFeature && cx.buffers(frame).iter_mut().all(is_whole) {
            return cx.each(frame, |cx, buffer| cx.next_feature(buffer));
        }
        let Some(mut kept) = self.store.take::<V>(cx) else {
            return Verdict::All(V::way(Way::Drop));
        };
        let before = kept.table.datagrams.len();
        store::expire::<V, Whole>(cx, &mut kept.table);
        let Kept { table: Table { datagrams, waiting, settings }, beside } = &mut *kept;
        let max_length = settings.max_length as usize;
        let mut known = Known { datagrams, ranges: beside, max_length };
        let verdict = cx.settle(frame, waiting, |cx, waiting, buffer| {
            let Outcome { fate, trace } = self.look(cx, &mut known, waiting, buffer);
            if buffer.flags().contains(BufferFlags::TRACED) {
                cx.leave_trace(buffer, &trace);
            }
            fate
        });
        self.store.put::<V>(cx, kept, before);
        verdict
    }

    fn trace(&self, _: &Buffer) -> Trace {
        Trace::of(Action::Whole)
    }
}

/// What happened to a packet; the number of each is in its trace.
#[derive(Clone, Copy)]
enum Action {
    Whole,
    New,
    Discard,
    Finalize,
    HandedOver,
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    id: u32,
    operation: u32,
    /// Octets of the datagram that were there.
    length: u32,
    /// The octets of the fragment.
    first: u32,
    last: u32,
    action: u32,
}

impl Trace {
    fn of(action: Action) -> Self {
        Self { id: 0, operation: 0, length: 0, first: 0, last: 0, action: action as u32 }
    }
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { id, operation, length, first, last, action } = self;
        let of = |action: Action| action as u32;
        let word = match *action {
            a if a == of(Action::Whole) => return write!(f, "passthrough - not a fragment"),
            a if a == of(Action::HandedOver) => return write!(f, "handoff to thread #{id}"),
            a if a == of(Action::New) => "new range",
            a if a == of(Action::Finalize) => "finalize reassembly",
            _ => "discard",
        };
        write!(
            f,
            "reass id: {id}, op id: {operation}, data len: {length}, ip/fragment[{first}, {last}]\n{word}"
        )
    }
}
