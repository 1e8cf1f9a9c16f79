//! `ip4-sv-reassembly-feature`, `ip4-sv-reassembly-output-feature` and those of IPv6: fragments are told what their datagram begins
//! with ([`Layer4`]).
//!
//! The first fragment of a datagram tells, and those behind it get to know; such as came before it waited, and leave before it does, in
//! the order in which they came. Whole packets pass.

use core::{fmt, marker::PhantomData};

use vnet::{
    buffer::{Buffer, BufferFlags},
    command::{Cell, Record},
    counter::ErrorIndex,
    frame::{Frame, Waiting},
    graph::{Fate, Node, NodeCx, NodeSpec, Verdict},
    reassembly::Layer4,
    trace::{TraceCx, TraceRecord},
    wire::{fragment::Fragment, ip4::protocol},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    datagrams::{Datagrams, Entry, Table},
    errors::Error,
    family::{Place, Version, Way},
    settings::{Kind, Settings},
    show::Shown,
    store::{self, Cx, State, Store},
};

/// What is known of a datagram: what it begins with, when its first fragment was there.
#[derive(Default)]
pub(super) struct Begun(Option<Layer4>);

impl State for Begun {
    const KIND: Kind = Kind::ShallowVirtual;

    type Beside = ();

    fn beside(_: Settings) {}
}

impl Shown for Begun {
    fn show(entry: &Entry<Self>, waiting: usize, record: Record, head: String) -> Record {
        record
            .line(format!("{head} trace_op_counter: {}", entry.operations))
            .field("waiting", waiting)
            .field("first-seen", Cell::shown("", entry.of.0.is_some()))
    }
}

pub(super) fn spec<V: Version>(store: &Store<Begun>, place: Place) -> NodeSpec {
    let store = store.clone();
    NodeSpec::internal(V::nodes(place).0, move |_| Shallow::<V> {
        store: store.clone(),
        place,
        of: PhantomData,
    })
}

/// The node.
struct Shallow<V> {
    store: Store<Begun>,
    place: Place,
    of: PhantomData<fn() -> V>,
}

/// What becomes of a fragment, and what to say of it in its trace.
struct Outcome<V: Version> {
    fate: Fate<V::Next>,
    trace: Trace,
}

/// Octets of the smallest fragment that others follow (RFC 791, section 3.2).
const SHORTEST: usize = 8;

impl<V: Version> Shallow<V> {
    fn drop(cx: Cx<'_, '_, V>, buffer: &mut Buffer, error: Error) -> Outcome<V> {
        cx.error(buffer, error);
        Outcome { fate: Fate::Go(V::way(Way::Drop)), trace: Trace::of(Action::Refused) }
    }

    fn pass(cx: Cx<'_, '_, V>, buffer: &mut Buffer, trace: Trace) -> Outcome<V> {
        Outcome { fate: Fate::Go(cx.next_feature(buffer)), trace }
    }

    fn look(
        &self,
        cx: Cx<'_, '_, V>,
        table: (&mut Datagrams<Begun>, usize),
        waiting: &mut Waiting,
        buffer: &mut Buffer,
    ) -> Outcome<V> {
        let (datagrams, max_length) = table;
        let packet = buffer.from_offset(buffer.l3_offset);
        let fragment = match V::fragment(packet) {
            Ok(Some(fragment)) => fragment,
            Ok(None) => return Self::pass(cx, buffer, Trace::of(Action::Whole)),
            Err(_) => return Self::drop(cx, buffer, Error::Malformed),
        };
        if let Err(error) = check(&fragment) {
            return Self::drop(cx, buffer, error);
        }
        let Some(key) = self.store.key::<V>(buffer, packet, &fragment) else {
            return Self::drop(cx, buffer, Error::Malformed);
        };
        if let Some(thread) = self.store.other_thread::<V>(cx, &key) {
            let slot = store::hand_over::<V>(buffer, thread, self.place);
            let trace = Trace { id: thread, ..Trace::of(Action::HandedOver) };
            return Outcome { fate: Fate::Go(slot), trace };
        }
        let Some(place) = store::place_of::<V, Begun>(cx, datagrams, waiting, key) else {
            return Self::drop(cx, buffer, Error::Limit);
        };
        datagrams.touch(place, cx.now());
        let entry = datagrams.at(place);
        entry.operations += 1;
        let of_datagram = |action| Trace {
            id: entry.id as u32,
            operation: entry.operations - 1,
            ..Trace::of(action)
        };
        if fragment.is_first() {
            let Some(layer4) = Layer4::read(packet) else {
                return Self::drop(cx, buffer, Error::NoUpperLayer);
            };
            // Who sends two beginnings wants one of them to be judged and the other one to arrive.
            if entry.of.0.is_some_and(|known| known != layer4) {
                return Self::drop(cx, buffer, Error::Overlap);
            }
            let trace = of_datagram(Action::First).with(layer4);
            entry.of.0 = Some(layer4);
            layer4.note(buffer);
            release::<V>(cx, waiting, place, layer4);
            return Self::pass(cx, buffer, trace);
        }
        if let Some(layer4) = entry.of.0 {
            let trace = of_datagram(Action::Forward).with(layer4);
            Layer4 { is_later: true, ..layer4 }.note(buffer);
            return Self::pass(cx, buffer, trace);
        }
        let trace = of_datagram(Action::Cached);
        if waiting.len(place) >= max_length {
            store::give_up::<V, Begun>(cx, datagrams, waiting, place, Error::TooLong);
            return Self::drop(cx, buffer, Error::TooLong);
        }
        if !store::room_for::<V, Begun>(cx, datagrams, waiting, place) {
            return Self::drop(cx, buffer, Error::Limit);
        }
        // Should it wait in vain, it has its reason.
        cx.error(buffer, Error::Timeout);
        Outcome { fate: Fate::Wait(place), trace }
    }
}

/// What can be said of a fragment without the others.
fn check(fragment: &Fragment) -> Result<(), Error> {
    let is_short = fragment.length == 0 || fragment.more && fragment.length < SHORTEST;
    // Over the transport header that was judged in the first fragment (RFC 3128, section 3).
    let is_over_header = fragment.protocol == protocol::TCP && fragment.start == SHORTEST;
    match fragment {
        _ if is_short => Err(Error::Malformed),
        _ if is_over_header => Err(Error::Overlap),
        _ if fragment.end() > vnet::wire::fragment::MOST => Err(Error::TooBig),
        _ => Ok(()),
    }
}

/// Lets those go on that waited for the first fragment.
fn release<V: Version>(cx: Cx<'_, '_, V>, waiting: &mut Waiting, place: usize, first: Layer4) {
    cx.settle_waiting(waiting, place, |cx, buffer| {
        buffer.error = ErrorIndex::NONE;
        Layer4 { is_later: true, ..first }.note(buffer);
        if buffer.flags().contains(BufferFlags::TRACED) {
            cx.leave_trace(buffer, &Trace::of(Action::Forward).with(first));
        }
        Fate::Go(cx.next_feature(buffer))
    });
}

impl<V: Version> Node for Shallow<V> {
    type Error = Error;
    type Next = V::Next;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, V::Next, Error>,
        frame: &mut Frame,
    ) -> Verdict<V::Next> {
        let is_whole =
            |buffer: &mut Buffer| V::fragment(buffer.from_offset(buffer.l3_offset)) == Ok(None);
        if cx.buffers(frame).iter_mut().all(is_whole) {
            return cx.each(frame, |cx, buffer| cx.next_feature(buffer));
        }
        let Some(mut kept) = self.store.take::<V>(cx) else {
            return Verdict::All(V::way(Way::Drop));
        };
        let before = kept.table.datagrams.len();
        store::expire::<V, Begun>(cx, &mut kept.table);
        let Table { datagrams, waiting, settings } = &mut kept.table;
        let max_length = settings.max_length as usize;
        let verdict = cx.settle(frame, waiting, |cx, waiting, buffer| {
            let Outcome { fate, trace } = self.look(cx, (datagrams, max_length), waiting, buffer);
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
    First,
    Forward,
    Cached,
    HandedOver,
    Refused,
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    id: u32,
    operation: u32,
    source: u16,
    destination: u16,
    protocol: u8,
    action: u8,
    is_truncated: u8,
    pad: u8,
}

impl Trace {
    fn of(action: Action) -> Self {
        Self {
            id: 0,
            operation: 0,
            source: 0,
            destination: 0,
            protocol: 0,
            action: action as u8,
            is_truncated: 0,
            pad: 0,
        }
    }

    fn with(self, layer4: Layer4) -> Self {
        let Layer4 { protocol, source, destination, is_truncated, .. } = layer4;
        Self { protocol, source, destination, is_truncated: is_truncated.into(), ..self }
    }
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { id, operation, source, destination, protocol, action, is_truncated, .. } = self;
        let of = |action: Action| action as u8;
        let ports = format_args!("ip proto={protocol}, src_port={source}, dst_port={destination}");
        let datagram = format_args!("reass id: {id}, op id: {operation} ");
        match *action {
            a if a == of(Action::Whole) => write!(f, "[not-fragmented]"),
            a if a == of(Action::First) => write!(f, "{datagram}[first-frag-seen, {ports}]"),
            a if a == of(Action::Forward) => write!(f, "{datagram}[forward, {ports}]"),
            a if a == of(Action::Cached) => write!(f, "{datagram}[cached]"),
            a if a == of(Action::HandedOver) => write!(f, "[handoff, thread index: {id}]"),
            _ => write!(f, "[refused]"),
        }?;
        if *is_truncated == 1 { write!(f, " [l4-hdr-truncated]") } else { Ok(()) }
    }
}
