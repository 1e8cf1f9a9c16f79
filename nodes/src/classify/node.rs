//! The nodes.

use core::fmt;

use vnet::{
    buffer::Buffer,
    classify::{Classifier, Lookup, OnMiss, Outcome, Shard, TableIndex, Window},
    frame::{FRAME_SIZE, Frame},
    graph::{NoNext, Node, NodeCx, NodeSpec, Onward, Verdict},
    trace::{TraceCx, TraceRecord},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

vnet::node_errors! {
    /// What a node counts: hits, chain hits and misses are all packets; a miss made a session or found the table full.
    pub(super) enum Error named by text {
        Miss => ("misses", "Flow classify misses", Info),
        Hit => ("hits", "Flow classify hits", Info),
        ChainHit => ("chain-hits", "Flow classify hits after chain walk", Info),
        Created => ("created", "Flow classify sessions created", Info),
        TableFull => ("table-full", "Flow classify table full", Error),
    }
}

/// Counts packets by the table of their interface, which is the configuration of the feature.
pub(super) struct FlowClassify {
    classifier: Classifier,
    outcomes: Box<[Kind; FRAME_SIZE]>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Hit,
    ChainHit,
    Created,
    TableFull,
    Miss,
}

impl Kind {
    const WORDS: [&'static str; 5] = ["hit", "chain hit", "created", "table full", "miss"];

    #[inline(always)]
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Hit(_) => Self::Hit,
            Outcome::ChainHit(_) => Self::ChainHit,
            Outcome::Created => Self::Created,
            Outcome::TableFull(_) => Self::TableFull,
            Outcome::Miss(_) => Self::Miss,
        }
    }
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, NoNext, Error>;

impl FlowClassify {
    pub(super) fn spec(name: &str, classifier: Classifier) -> NodeSpec {
        NodeSpec::internal(name, move |_| Self {
            classifier: classifier.clone(),
            outcomes: Box::new([Kind::Miss; FRAME_SIZE]),
        })
    }

    /// Counts the packets of a frame, and shows each to what sends it on.
    #[inline]
    fn classify(&mut self, cx: Cx<'_, '_>, frame: &mut Frame, shard: &mut Shard) -> Onward {
        let (tables, now) = (self.classifier.read(cx.token()), cx.now());
        let mut outcomes = self.outcomes.iter_mut();
        let mut counts = [0; Kind::WORDS.len()];
        let mut buffers = cx.buffers(frame);
        let mut onward = Onward::new(buffers.get(0));
        let lookup = Lookup::new(tables, shard, now, OnMiss::Create, |outcome| {
            let kind = Kind::of(outcome);
            if kind != Kind::Hit {
                counts[kind as usize] += 1;
            }
            if let Some(place) = outcomes.next() {
                *place = kind;
            }
        });
        lookup.run(buffers.iter_mut().map(|buffer| {
            let table = TableIndex(cx.feature_config(buffer));
            onward.step(buffer);
            (table, Window::ip(buffer))
        }));
        // Hits are what is left, so that they cost nothing.
        counts[Kind::Hit as usize] = frame.len() as u64 - counts.iter().sum::<u64>();
        count(cx, counts);
        onward
    }

    /// Notes on traced packets what their trace tells.
    #[cold]
    fn note(&self, cx: Cx<'_, '_>, frame: &mut Frame, tables: &[u32; FRAME_SIZE]) {
        let mut buffers = cx.buffers(frame);
        let noted = tables.iter().zip(self.outcomes.iter());
        for (buffer, (table, kind)) in buffers.iter_mut().zip(noted) {
            buffer.opaque = [*table, *kind as u32];
        }
    }
}

#[inline]
fn count(cx: Cx<'_, '_>, [hits, chain_hits, created, full, missed]: [u64; 5]) {
    let counted = [
        (Error::Hit, hits),
        (Error::ChainHit, chain_hits),
        (Error::Miss, created + full + missed),
        (Error::Created, created),
        (Error::TableFull, full),
    ];
    for (error, n) in counted {
        if n > 0 {
            cx.count(error, n);
        }
    }
}

impl Node for FlowClassify {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<NoNext> {
        let key = self.classifier.shard();
        let Some(mut shard) = cx.take_local(key) else {
            return cx.each(frame, |cx, buffer| cx.next_feature(buffer));
        };
        let mut tables = [0; FRAME_SIZE];
        if frame.is_traced() {
            let mut buffers = cx.buffers(frame);
            let configs = buffers.iter_mut().map(|buffer| cx.feature_config(buffer));
            tables.iter_mut().zip(configs).for_each(|(table, config)| *table = config);
        }
        let onward = self.classify(cx, frame, &mut shard);
        cx.put_local(key, shard);
        if frame.is_traced() {
            self.note(cx, frame, &tables);
        }
        cx.go_on(frame, onward)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let [table, kind] = buffer.opaque;
        Trace { rx: buffer.rx.0, table, kind }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    rx: u32,
    table: u32,
    kind: u32,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { rx, table, kind } = *self;
        let word = Kind::WORDS.get(kind as usize).unwrap_or(&"");
        write!(f, "FLOW_CLASSIFY: sw_if_index {rx} table {table} {word}")
    }
}
