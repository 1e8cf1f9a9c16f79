//! `ip4-lookup`, `ip6-lookup`: destination to route to adjacency, a frame at a time.
//!
//! Each pass touches one kind of memory for the whole frame, so that the waits for it overlap: packets, then the table, then
//! the routes' words and counters.

use core::fmt;

use vnet::{
    buffer::Buffer,
    counter::CombinedWriter,
    fib::{Dpo, DpoKind, FibIndex, ForwardingReader, LoadBalanceIndex},
    frame::{FRAME_SIZE, Frame},
    graph::{Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Decision, Family, Fault};
use crate::trace::Snap;

/// Tables that one packet may be sent through by routes that say "look it up there".
const MAX_TABLES: usize = 8;

/// The node.
pub(crate) struct Lookup<F: Family> {
    reader: ForwardingReader,
    destinations: Box<[F::Address; FRAME_SIZE]>,
    routes: Box<[LoadBalanceIndex; FRAME_SIZE]>,
}

impl<F: Family> Lookup<F> {
    pub(crate) fn spec(reader: ForwardingReader) -> NodeSpec {
        NodeSpec::internal(F::LOOKUP, move |_| Self {
            reader: reader.clone(),
            destinations: Box::new([F::Address::default(); FRAME_SIZE]),
            routes: Box::new([LoadBalanceIndex::NONE; FRAME_SIZE]),
        })
    }

    /// First pass: destinations, and the table when all packets have the same one.
    #[inline]
    fn gather(
        &mut self,
        cx: &mut NodeCx<'_, F::LookupNext, F::Error>,
        frame: &mut Frame,
    ) -> Option<FibIndex> {
        // Both interfaces at once.
        let origin = |buffer: &Buffer| u64::from(buffer.rx.0) | u64::from(buffer.tx.0) << 32;
        let mut buffers = cx.buffers(frame);
        let destinations = &mut self.destinations[..buffers.len()];
        let (mut table, mut same, mut i) = (None, true, 0);
        while let Some(first) = buffers.get(i) {
            let from = origin(first);
            let of = table_of::<F>(&self.reader, first);
            same &= table.is_none_or(|table| table == of);
            table = Some(of);
            while let Some(buffer) = buffers.get(i)
                && origin(buffer) == from
            {
                // A packet without a header is looked up as address 0 and dropped by the next node.
                destinations[i] = F::destination(buffer).unwrap_or_default();
                i += 1;
            }
        }
        table.filter(|_| same)
    }

    /// Second pass where packets belong to different tables.
    #[cold]
    fn look_up_singly(&mut self, cx: &mut NodeCx<'_, F::LookupNext, F::Error>, frame: &mut Frame) {
        let mut buffers = cx.buffers(frame);
        for (i, buffer) in buffers.iter_mut().enumerate() {
            let found = F::lookup_one(
                &self.reader,
                table_of::<F>(&self.reader, buffer),
                self.destinations[i],
            );
            self.routes[i] = found.unwrap_or(LoadBalanceIndex::NONE);
        }
    }

    /// The hash of a packet's flow by what was chosen for its table: that which it came to last, or began with.
    #[cold]
    fn chosen_hash(&self, buffer: &Buffer, table: Option<FibIndex>) -> u32 {
        let table = table.unwrap_or_else(|| table_of::<F>(&self.reader, buffer));
        let (fields, router) = self.reader.flow_hash(F::FAMILY, table);
        F::flow(buffer).hash_of(fields, router)
    }

    /// Where a packet goes after a choice among the paths of its route and through the tables that it leads to.
    #[inline(never)]
    fn follow(
        &self,
        cx: &PacketCx<'_, F::LookupNext, F::Error>,
        buffer: &mut Buffer,
        dpo: Dpo,
    ) -> Slot<F::LookupNext> {
        let (mut dpo, mut table) = (dpo, None);
        for _ in 0..2 * MAX_TABLES {
            dpo = match dpo.kind() {
                DpoKind::Multi => {
                    buffer.flow_hash = match self.reader.has_flow_hashes() {
                        false => F::flow(buffer).hash(),
                        true => self.chosen_hash(buffer, table),
                    };
                    self.reader.bucket(dpo, buffer.flow_hash)
                }
                DpoKind::Lookup => {
                    let destination = F::destination(buffer).unwrap_or_default();
                    let fib = FibIndex(dpo.index());
                    table = Some(fib);
                    match F::lookup_one(&self.reader, fib, destination) {
                        Some(route) => self.reader.load_balance(route),
                        None => break,
                    }
                }
                _ => {
                    buffer.adjacency = dpo.index();
                    if let Some(why) = dpo.refusal() {
                        F::refusal(why).note(buffer);
                        buffer.adjacency = Dpo::DROP.index();
                    }
                    return F::lookup_next(decision(dpo));
                }
            };
        }
        cx.error(buffer, F::error(Fault::TableLoop));
        F::lookup_next(Decision::Drop)
    }
}

/// Packets that lie between asking for the word and the counters of a route and using them.
const AHEAD: usize = 24;

/// What the packets of a run have in common, which go by one route.
#[derive(Clone, Copy)]
struct Way<F: Family> {
    dpo: Dpo,
    adjacency: u32,
    /// Whether more is to be asked before it is known where a packet goes.
    is_far: bool,
    next: Slot<F::LookupNext>,
}

impl<F: Family> Way<F> {
    #[inline]
    fn new(dpo: Dpo) -> Self {
        let is_far =
            matches!(dpo.kind(), DpoKind::Multi | DpoKind::Lookup) || dpo.refusal().is_some();
        Self { dpo, adjacency: dpo.index(), is_far, next: F::lookup_next(decision(dpo)) }
    }
}

/// The table of a packet: what it was sent here with, or that of the interface it came from.
#[inline(never)]
fn table_of<F: Family>(reader: &ForwardingReader, buffer: &Buffer) -> FibIndex {
    if buffer.tx == SwIfIndex::NONE {
        reader.fib_of(buffer.rx, F::FAMILY)
    } else {
        FibIndex(buffer.tx.0)
    }
}

/// What a word means for a packet.
#[inline]
pub(crate) fn decision(dpo: Dpo) -> Decision {
    match dpo.kind() {
        DpoKind::Drop if dpo.refusal().is_some() => Decision::Refuse,
        DpoKind::Adjacency => Decision::Rewrite,
        DpoKind::Midchain => Decision::Midchain,
        DpoKind::Local => Decision::Local,
        DpoKind::Incomplete => Decision::Unresolved,
        DpoKind::Glean => Decision::Glean,
        DpoKind::Punt => Decision::Punt,
        DpoKind::Drop | DpoKind::Lookup | DpoKind::Multi => Decision::Drop,
    }
}

type Cx<'a, 'd, F> = &'a mut PacketCx<'d, <F as Family>::LookupNext, <F as Family>::Error>;

impl<F: Family> Node for Lookup<F> {
    type Error = F::Error;
    type Next = F::LookupNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, F::LookupNext, F::Error>,
        frame: &mut Frame,
    ) -> Verdict<F::LookupNext> {
        let n = frame.len();
        let table = self.gather(cx, frame);
        let found = table.is_some_and(|table| {
            F::lookup(&self.reader, table, &self.destinations, n, &mut self.routes)
        });
        if !found {
            self.look_up_singly(cx, frame);
        }
        let words = self.reader.load_balances();
        let begin = |_: Cx<'_, '_, F>, route| (Way::<F>::new(words.load(route)), 0);
        let send = |cx: Cx<'_, '_, F>, (way, bytes): &mut (Way<F>, u64), buffer: &mut Buffer| {
            *bytes += buffer.length_in_chain() as u64;
            if way.is_far {
                return self.follow(cx, buffer, way.dpo);
            }
            buffer.adjacency = way.adjacency;
            way.next
        };
        let count = |cx: Cx<'_, '_, F>, route: LoadBalanceIndex, (_, bytes), packets| {
            cx.state().routes.add(route.0, packets as u64, bytes);
        };
        let routes = &self.routes[..n];
        let [first, ..] = *self.routes;
        if routes.iter().fold(0, |differ, route| differ | (route.0 ^ first.0)) == 0 {
            return cx.each_run(frame, |_, _| first, begin, send, count);
        }
        let ask = |counters: &CombinedWriter, route: LoadBalanceIndex| {
            words.prefetch(route);
            counters.prefetch(route.0);
        };
        let (near, far) = routes.split_at(n.min(AHEAD));
        near.iter().for_each(|&route| ask(&cx.state_ref().routes, route));
        let mut far = far.iter();
        let count = |cx: Cx<'_, '_, F>, route, way, packets| {
            count(cx, route, way, packets);
            for &ahead in far.by_ref().take(packets) {
                ask(&cx.state_ref().routes, ahead);
            }
        };
        cx.each_run(frame, |i, _| self.routes[i % FRAME_SIZE], begin, send, count)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace {
            version: F::FAMILY.max_len(),
            pad: [0; 3],
            table: table_of::<F>(&self.reader, buffer).0,
            dpo: buffer.adjacency,
            flow_hash: buffer.flow_hash,
            header: Snap::current(buffer),
        }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    /// Bits of an address: 32 or 128.
    version: u8,
    pad: [u8; 3],
    table: u32,
    dpo: u32,
    flow_hash: u32,
    header: Snap,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { version, table, dpo, flow_hash, header, .. } = self;
        writeln!(f, "fib {table} dpo-idx {dpo} flow hash: 0x{flow_hash:08x}")?;
        header.write_ip(f, *version == 128)
    }
}
