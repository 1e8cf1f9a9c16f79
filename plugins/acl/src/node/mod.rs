//! The eight nodes: `acl-plugin-in-ip4-fa` and the others.
//!
//! A frame is looked at in steps, so that waits for memory overlap: the keys of all packets; their sessions, where the interface can have
//! any; the rules of those that belong to none; then each packet goes where that leads.

mod send;
mod sessions;
mod special;

use vnet::{
    action::{Choice, Performing},
    buffer::Buffer,
    counter::{Count, Counter},
    frame::{Buffers, FRAME_SIZE, Frame},
    graph::{Node, NodeCx, NodeSpec, Verdict as Way},
    interface::{SwIfIndex, Tags},
};

use crate::{
    compile::Compiled,
    direction::Direction,
    key::{IP4_WORDS, IP6_WORDS, Ip4, Ip6, Kind},
    place::Place,
    rule::Verdict,
    session::{Heard, SessionKey, table::Homes},
    space::{NONE, Pending},
    tables::{Context, Port, Reader, Tables},
    trace::{self, Note, Trace},
};
use send::Counts;

vnet::next_nodes! {
    /// Where packets go that are denied.
    pub(crate) enum Next {
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What nodes count. Checked packets are denied, permitted, those of sessions, or those that found no room for one.
    pub(crate) enum Error named by text {
        Deny => ("acl-drop", "ACL deny packets", Error, AclDeny),
        Permit => ("acl-permit", "ACL permit packets", Info),
        NewSession => ("acl-new-session", "new sessions added", Info),
        ExistSession => ("acl-exist-session", "existing session packets", Info),
        Check => ("acl-check", "checked packets", Info),
        TooManySessions => ("acl-too-many-sessions", "too many sessions to add new", Error, AclDrop),
        Stale => ("acl-stale-session", "sessions that changed lists do not let go on", Info),
        Over => ("acl-session-over", "sessions over when their next packet came", Info),
        Related => ("acl-icmp-error", "ICMP errors about packets of sessions", Info),
        Cut => ("acl-cut", "packets that end before their ports", Info),
        NoHeader => ("acl-no-header", "packets that end before their IP header does", Error, AclDrop),
    }
}

/// Found in place of a position: the packet belongs to a session.
const SESSION: u32 = NONE - 1;
/// Found in place of a position: there is no IP header.
const NO_HEADER: u32 = NONE - 2;

/// The node of a place.
pub(crate) fn spec(place: Place, reader: &Reader, performing: Performing) -> NodeSpec {
    let reader = reader.clone();
    match place.is_ip6 {
        false => NodeSpec::internal(place.node(), move |_| Check {
            reader: reader.clone(),
            work: Work::<Ip4, IP4_WORDS>::new(place, performing),
        }),
        true => NodeSpec::internal(place.node(), move |_| Check {
            reader: reader.clone(),
            work: Work::<Ip6, IP6_WORDS>::new(place, performing),
        }),
    }
}

struct Check<F, const N: usize> {
    reader: Reader,
    work: Work<F, N>,
}

/// What is known of the packets of a frame, by their positions.
struct Work<F, const N: usize> {
    place: Place,
    performing: Performing,
    keys: Box<[[u64; N]; FRAME_SIZE]>,
    kinds: Box<[Kind; FRAME_SIZE]>,
    found: Box<[u32; FRAME_SIZE]>,
    homes: Box<[(SessionKey, Homes); FRAME_SIZE]>,
    notes: Box<[Note; FRAME_SIZE]>,
    pending: Pending<N>,
    choices: Vec<Choice>,
    family: core::marker::PhantomData<F>,
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// What holds for packets of an interface.
#[derive(Clone, Copy)]
struct Scene<'a> {
    tables: &'a Tables,
    rules: &'a Counter<Count>,
    port: Option<&'a Port>,
    context: Option<&'a Context>,
    interface: SwIfIndex,
    direction: Direction,
    now: Heard,
}

impl<F: Compiled<N>, const N: usize> Work<F, N> {
    fn new(place: Place, performing: Performing) -> Self {
        Self {
            place,
            performing,
            keys: Box::new([[0; N]; FRAME_SIZE]),
            kinds: Box::new([Kind::Whole; FRAME_SIZE]),
            found: Box::new([NONE; FRAME_SIZE]),
            homes: Box::new([(SessionKey([0; 6]), Homes::default()); FRAME_SIZE]),
            notes: Box::new([Note::default(); FRAME_SIZE]),
            pending: Pending::new(),
            choices: Vec::with_capacity(FRAME_SIZE),
            family: core::marker::PhantomData,
        }
    }

    #[inline(always)]
    fn interface(&self, buffer: &Buffer) -> SwIfIndex {
        match self.place.direction {
            Direction::Input => buffer.rx,
            Direction::Output => buffer.tx,
        }
    }

    /// Reads the keys of all packets from the `start`-th on that go through the same interface; where they end, and whether any is
    /// unlike most.
    #[inline(always)]
    fn gather(
        &mut self,
        buffers: &mut Buffers<'_>,
        start: usize,
        interface: SwIfIndex,
    ) -> (usize, bool) {
        let (mut end, mut special) = (start, false);
        self.pending.clear();
        while let Some(buffer) = buffers.get(end)
            && self.interface(buffer) == interface
        {
            let (key, kind) = F::read(packet(self.place, buffer));
            self.keys[end % FRAME_SIZE] = key;
            self.kinds[end % FRAME_SIZE] = kind;
            special |= kind != Kind::Whole;
            self.pending.push(end);
            end += 1;
        }
        (end, special)
    }

    /// Looks at the pending packets, and leaves what was found of each.
    #[inline(always)]
    fn look(&mut self, cx: Cx<'_, '_>, buffers: &mut Buffers<'_>, scene: Scene<'_>, special: bool) {
        if special {
            self.look_at_special(cx, buffers, scene);
        }
        if scene.port.is_some_and(Port::reflects) {
            self.find_sessions(cx, scene);
        }
        if let Some(context) = scene.context {
            let space = &F::program(&context.lists).whole;
            space.look_up(&self.keys, &mut self.pending, &mut self.found);
        }
    }

    /// Notes on traced packets what their trace tells.
    #[cold]
    #[inline(never)]
    fn note(
        &mut self,
        buffers: &mut Buffers<'_>,
        packets: core::ops::Range<usize>,
        scene: Scene<'_>,
    ) {
        for packet in packets {
            if let Some(buffer) = buffers.get(packet) {
                buffer.opaque[0] = packet as u32;
            }
            let found = self.found[packet % FRAME_SIZE];
            let lists = scene.context.map(|context| &context.lists);
            let rule = lists.and_then(|lists| lists.matched(found));
            let (acl, number) =
                lists.and_then(|lists| lists.named(found)).unwrap_or((u32::MAX, u32::MAX));
            self.notes[packet % FRAME_SIZE] = Note {
                context: scene.context.map_or(u32::MAX, |context| context.index),
                interface: scene.interface.0,
                acl,
                rule: number,
                action: match (found, rule) {
                    (SESSION, _) => trace::OF_SESSION,
                    (_, Some(rule)) => rule.verdict as u32,
                    _ if scene.context.is_none() => Verdict::Permit as u32,
                    _ => Verdict::Deny as u32,
                },
            };
        }
    }
}

/// A packet from its IP header on.
#[inline(always)]
fn packet(place: Place, buffer: &Buffer) -> &[u8] {
    let bytes = buffer.current();
    let header = match (place.direction, place.is_l2) {
        (Direction::Input, false) => return bytes,
        (Direction::Output, false) => {
            usize::try_from(buffer.l3_offset.saturating_sub(buffer.current_data())).unwrap_or(0)
        }
        (_, true) => Tags::read(bytes).map_or(bytes.len(), |(_, _, length)| length),
    };
    bytes.get(header..).unwrap_or_default()
}

impl<F: Compiled<N>, const N: usize> Node for Check<F, N> {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Way<Next> {
        let Self { reader, work } = self;
        let (tables, rules) = (reader.read(cx.token()), &reader.rules);
        let now = Heard::at(cx.now());
        let direction = work.place.direction;
        let mut counts = Counts::default();
        work.choices.clear();
        let is_traced = frame.is_traced();
        let mut buffers = cx.buffers(frame);
        let mut start = 0;
        while let Some(first) = buffers.get(start) {
            let interface = work.interface(first);
            let port = tables.port(interface);
            let context = port.and_then(|port| port.context(direction));
            let scene = Scene { tables, rules, port, context, interface, direction, now };
            let (end, special) = work.gather(&mut buffers, start, interface);
            work.look(cx, &mut buffers, scene, special);
            if is_traced {
                work.note(&mut buffers, start..end, scene);
            }
            work.send(cx, &mut buffers, start..end, scene, &mut counts);
            start = end;
        }
        cx.count(Error::Check, frame.len() as u64);
        for (counter, n) in
            [(Error::Permit, counts.permitted), (Error::ExistSession, counts.sessions)]
        {
            if n > 0 {
                cx.count(counter, n);
            }
        }
        cx.perform(work.performing, frame, &work.choices);
        Way::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let at = buffer.opaque[0] as usize % FRAME_SIZE;
        Trace::new(&self.work.notes[at], &self.work.keys[at])
    }
}
