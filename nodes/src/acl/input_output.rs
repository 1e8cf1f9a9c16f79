//! The six nodes: `ip4-inacl`, `ip6-inacl`, `l2-input-acl`, and those of what is sent.

use core::fmt;

use vnet::{
    action::{Actions, Choice, Performing},
    buffer::Buffer,
    classify::{
        Action, Classifier, Effect, Lookup, NextSlot, OnMiss, Outcome, Shard, TableIndex, Window,
    },
    error::ErrorSet,
    frame::{FRAME_SIZE, Frame},
    graph::{Node, NodeCx, NodeSpec, Slot, Verdict},
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::place::{Direction, Kind, Place};
use crate::classify::attach::Place as _;

vnet::next_nodes! {
    /// Where packets go that are denied: this is [`NextSlot::DENY`].
    pub(super) enum Next {
        Deny => "error-drop",
    }
}

vnet::node_errors! {
    /// What nodes of received packets count: hits and misses are all of them, chain hits are some of the hits.
    pub(super) enum InputError named by text {
        Miss => ("miss", "input ACL misses", Info),
        Hit => ("hit", "input ACL hits", Info),
        ChainHit => ("chain-hit", "input ACL hits after chain walk", Info),
        TableMiss => ("table-miss", "input ACL table-miss drops", Error, AclDeny),
        SessionDeny => ("session-deny", "input ACL session deny drops", Error, AclDeny),
        Advance => ("advance", "input ACL advance leads out of the packet", Error, AclDrop),
    }
}

vnet::node_errors! {
    /// As [`InputError`], of packets that leave.
    pub(super) enum OutputError named by text {
        Miss => ("miss", "output ACL misses", Info),
        Hit => ("hit", "output ACL hits", Info),
        ChainHit => ("chain-hit", "output ACL hits after chain walk", Info),
        TableMiss => ("table-miss", "output ACL table-miss drops", Error, AclDeny),
        SessionDeny => ("session-deny", "output ACL session deny drops", Error, AclDeny),
        Advance => ("advance", "output ACL advance leads out of the packet", Error, AclDrop),
    }
}

/// What both count, by the direction's own words.
trait Counted: ErrorSet {
    const MISS: Self;
    const HIT: Self;
    const CHAIN_HIT: Self;
    const TABLE_MISS: Self;
    const SESSION_DENY: Self;
    const ADVANCE: Self;
}

macro_rules! counted {
    ($name:ident) => {
        impl Counted for $name {
            const ADVANCE: Self = Self::Advance;
            const CHAIN_HIT: Self = Self::ChainHit;
            const HIT: Self = Self::Hit;
            const MISS: Self = Self::Miss;
            const SESSION_DENY: Self = Self::SessionDeny;
            const TABLE_MISS: Self = Self::TableMiss;
        }
    };
}

counted!(InputError);
counted!(OutputError);

/// The node of a place.
pub(super) fn spec(place: Place, classifier: &Classifier, actions: &Actions) -> NodeSpec {
    let (classifier, performing) = (classifier.clone(), actions.performers());
    match place.direction {
        Direction::Input => NodeSpec::internal(place.node(), move |_| {
            Acl::<InputError>::new(place, classifier.clone(), performing)
        }),
        Direction::Output => NodeSpec::internal(place.node(), move |_| {
            Acl::<OutputError>::new(place, classifier.clone(), performing)
        }),
    }
}

/// Sends packets where the table of their interface, which is the configuration of the feature, says.
struct Acl<E> {
    place: Place,
    classifier: Classifier,
    performing: Performing,
    outcomes: Box<[Outcome; FRAME_SIZE]>,
    choices: Vec<Choice>,
    counted: core::marker::PhantomData<E>,
}

/// Packets of a frame that hit and that missed.
#[derive(Default)]
struct Counts {
    hits: u64,
    chain_hits: u64,
    misses: u64,
}

type Cx<'a, 'd, E> = &'a mut NodeCx<'d, Next, E>;

impl<E: Counted> Acl<E> {
    fn new(place: Place, classifier: Classifier, performing: Performing) -> Self {
        Self {
            place,
            classifier,
            performing,
            outcomes: Box::new([Outcome::Miss(NextSlot::NONE); FRAME_SIZE]),
            choices: Vec::with_capacity(FRAME_SIZE),
            counted: core::marker::PhantomData,
        }
    }

    fn classify(&mut self, cx: Cx<'_, '_, E>, frame: &mut Frame, shard: &mut Shard) {
        let (tables, now) = (self.classifier.read(cx.token()), cx.now());
        let mut outcomes = self.outcomes.iter_mut();
        let lookup = Lookup::new(tables, shard, now, OnMiss::Pass, |outcome| {
            if let Some(place) = outcomes.next() {
                *place = outcome;
            }
        });
        let Place { direction, kind } = self.place;
        lookup.run(cx.buffers(frame).iter_mut().map(|buffer| {
            let table = TableIndex(cx.feature_config(buffer));
            let window = match (kind, direction) {
                (Kind::L2, _) => Window::frame(buffer),
                (_, Direction::Input) => Window::ip(buffer),
                (_, Direction::Output) => Window::ip_output(buffer),
            };
            (table, window)
        }));
    }

    /// Applies what a session asks for, and says where the packet goes.
    #[inline]
    fn apply(&self, cx: Cx<'_, '_, E>, buffer: &mut Buffer, action: &Action) -> Slot<Next> {
        if *action == Action::NONE {
            return cx.next_feature(buffer);
        }
        if action.advance != 0 {
            let bytes = usize::from(action.advance.unsigned_abs());
            let moved = if action.advance > 0 { buffer.advance(bytes) } else { buffer.push(bytes) };
            if !moved {
                return deny(cx, buffer, E::ADVANCE);
            }
        }
        if action.opaque != u32::MAX {
            buffer.opaque[0] = action.opaque;
        }
        if self.place.direction == Direction::Input {
            match (action.effect, self.place.kind) {
                (Effect::SetIp4Fib(fib), Kind::Ip4) | (Effect::SetIp6Fib(fib), Kind::Ip6) => {
                    buffer.tx = SwIfIndex(fib.0);
                }
                _ => {}
            }
        }
        match action.next {
            NextSlot::DENY => deny(cx, buffer, E::SESSION_DENY),
            NextSlot(number) => cx.slot(number).unwrap_or_else(|| cx.next_feature(buffer)),
        }
    }

    /// Sends each packet of a frame on.
    fn send(&mut self, cx: Cx<'_, '_, E>, frame: &mut Frame) {
        let mut counts = Counts::default();
        self.choices.clear();
        let is_traced = frame.is_traced();
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let outcome = self.outcomes[i % FRAME_SIZE];
            if is_traced {
                note(cx, buffer, &outcome);
            }
            let next = match outcome {
                Outcome::Hit(action) | Outcome::ChainHit(action) => {
                    counts.hits += 1;
                    counts.chain_hits += u64::from(matches!(outcome, Outcome::ChainHit(_)));
                    if action.named.is_some() {
                        self.choices.push(Choice { at: i as u16, action: action.named });
                    }
                    self.apply(cx, buffer, &action)
                }
                Outcome::Miss(next) | Outcome::TableFull(next) => {
                    counts.misses += 1;
                    match next {
                        NextSlot::DENY => deny(cx, buffer, E::TABLE_MISS),
                        NextSlot(slot) => cx.slot(slot).unwrap_or_else(|| cx.next_feature(buffer)),
                    }
                }
                Outcome::Created => cx.next_feature(buffer),
            };
            cx.set_next(i, next);
        }
        let Counts { hits, chain_hits, misses } = counts;
        for (counter, n) in [(E::HIT, hits), (E::CHAIN_HIT, chain_hits), (E::MISS, misses)] {
            if n > 0 {
                cx.count(counter, n);
            }
        }
    }
}

#[cold]
fn deny<E: Counted>(cx: Cx<'_, '_, E>, buffer: &mut Buffer, error: E) -> Slot<Next> {
    cx.error(buffer, error);
    Next::Deny.into()
}

/// Notes on a traced packet what its trace tells.
#[cold]
fn note<E: Counted>(cx: Cx<'_, '_, E>, buffer: &mut Buffer, outcome: &Outcome) {
    let (kind, next) = match outcome {
        Outcome::Hit(action) => (0, action.next),
        Outcome::ChainHit(action) => (1, action.next),
        Outcome::Miss(next) | Outcome::TableFull(next) => (2, *next),
        Outcome::Created => (2, NextSlot::NONE),
    };
    let table = cx.feature_config(buffer);
    let NextSlot(next) = next;
    buffer.opaque = [u32::MAX, table << 16 | (next & 0xff) << 8 | kind];
}

impl<E: Counted + Send> Node for Acl<E> {
    type Error = E;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: Cx<'_, '_, E>, frame: &mut Frame) -> Verdict<Next> {
        let key = self.classifier.shard();
        let Some(mut shard) = cx.take_local(key) else {
            return cx.each(frame, |cx, buffer| cx.next_feature(buffer));
        };
        self.classify(cx, frame, &mut shard);
        cx.put_local(key, shard);
        self.send(cx, frame);
        cx.perform(self.performing, frame, &self.choices);
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let interface = match self.place.direction {
            Direction::Input => buffer.rx,
            Direction::Output => buffer.tx,
        };
        let is_output = u32::from(self.place.direction == Direction::Output);
        Trace { interface: interface.0, is_output, noted: buffer.opaque[1] }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    interface: u32,
    is_output: u32,
    noted: u32,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { interface, is_output, noted } = *self;
        let name = if is_output == 0 { "INACL" } else { "OUTACL" };
        let (table, next) = (noted >> 16, (noted >> 8) as u8 as i8);
        let outcome = ["hit", "chain hit", "miss"].get((noted & 0xff) as usize).unwrap_or(&"");
        write!(
            f,
            "{name}: sw_if_index {interface}, next_index {next}, table_index {table}, {outcome}"
        )
    }
}
