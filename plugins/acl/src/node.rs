//! The eight nodes: `acl-plugin-in-ip4-fa` and the others.
//!
//! A frame is looked at in steps, so that waits for memory overlap: the keys of all packets; their sessions, where the interface can have
//! any; the rules of those that belong to none; then each packet goes where that leads.

use vnet::{
    action::{Choice, Performing},
    buffer::{Buffer, BufferFlags},
    counter::{Count, Counter},
    flow::prefetch_in,
    frame::{Buffers, FRAME_SIZE, Frame},
    graph::{Node, NodeCx, NodeSpec, Slot, Verdict as Way},
    interface::{SwIfIndex, Tags},
    reassembly,
};

use crate::{
    compile::{Compiled, Matched},
    direction::Direction,
    key::{IP4_WORDS, IP6_WORDS, Ip4, Ip6, Kind, Layer4, VALID, layer4},
    place::Place,
    rule::Verdict,
    session::{Found, Heard, Insert, Seen, Session, SessionKey, key::begins_session, table::Homes},
    space::{NONE, Pending},
    tables::{Context, Port, Reader, Tables},
    trace::{self, Note, Trace},
};

vnet::next_nodes! {
    /// Where packets go that are denied.
    pub(crate) enum Next {
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What nodes count. Checked packets are denied, permitted, those of sessions, or those that found no room for one.
    pub(crate) enum Error {
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

/// What is counted of a frame.
#[derive(Default)]
struct Counts {
    permitted: u64,
    sessions: u64,
}

/// Packets in a row that one rule has matched.
#[derive(Default)]
struct Run {
    counter: u32,
    count: Count,
}

impl Run {
    /// Counts a packet of a rule.
    #[inline(always)]
    fn add(
        &mut self,
        cx: &NodeCx<'_, Next, Error>,
        rules: &Counter<Count>,
        counter: u32,
        bytes: u64,
    ) {
        if counter != self.counter {
            self.end(cx, rules);
            self.counter = counter;
        }
        self.count.packets += 1;
        self.count.bytes += bytes;
    }

    #[inline(always)]
    fn end(&mut self, cx: &NodeCx<'_, Next, Error>, rules: &Counter<Count>) {
        if self.count.packets > 0 {
            cx.add(rules, self.counter, core::mem::take(&mut self.count));
        }
    }
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

/// Packets that lie between asking for the words of their sessions' buckets, asking for the places of these, and looking at them.
const AHEAD: usize = 8;

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

    /// Finds the sessions of pending packets, which are then done.
    #[inline(never)]
    fn find_sessions(&mut self, cx: Cx<'_, '_>, scene: Scene<'_>) {
        let sessions = scene.tables.sessions.as_deref().filter(|sessions| sessions.live() > 0);
        let Some(sessions) = sessions else { return };
        let Self { pending, keys, homes, found, choices, .. } = self;
        let at = |packet: u16| usize::from(packet) % FRAME_SIZE;
        for &packet in pending.packets() {
            let key = SessionKey::new(&keys[at(packet)], scene.interface, scene.direction);
            homes[at(packet)] = (key, sessions.homes(&key));
        }
        let packets = pending.packets();
        let ask = |packet: &u16| sessions.prefetch(homes[at(*packet)].1);
        let ask_place = |packet: &u16| sessions.prefetch_place(homes[at(*packet)].1);
        packets.iter().take(2 * AHEAD).for_each(ask);
        packets.iter().take(AHEAD).for_each(ask_place);
        for (n, &packet) in packets.iter().enumerate() {
            packets.get(n + 2 * AHEAD).into_iter().for_each(ask);
            packets.get(n + AHEAD).into_iter().for_each(ask_place);
            let (key, of) = &homes[at(packet)];
            let session = sessions.find(*of, key);
            let goes_on = session.filter(|session| goes_on::<F, N>(cx, scene, key, session));
            found[at(packet)] = match goes_on {
                None => NONE,
                Some(session) => {
                    let flags = Layer4(keys[at(packet)][N - 1]).flags();
                    session.hear(scene.now, Seen::of(flags, scene.direction));
                    let action = session.action();
                    if action.is_some() {
                        choices.push(Choice { at: packet, action });
                    }
                    SESSION
                }
            };
        }
        pending.retain(|packet| found[packet % FRAME_SIZE] != SESSION);
    }

    /// Looks at those of the pending packets that are not as most are, some of which are then done.
    #[cold]
    #[inline(never)]
    fn look_at_special(&mut self, cx: Cx<'_, '_>, buffers: &mut Buffers<'_>, scene: Scene<'_>) {
        let Self { place, pending, keys, kinds, found, .. } = self;
        pending.retain(|packet| {
            let Some(buffer) = buffers.get(packet) else { return true };
            let packet = packet % FRAME_SIZE;
            let answer = match kinds[packet] {
                Kind::Whole => None,
                Kind::NoHeader => Some(NO_HEADER),
                Kind::Cut => {
                    cx.count(Error::Cut, 1);
                    None
                }
                Kind::Fragment => match noted(buffer) {
                    Some(word) => {
                        (keys[packet][N - 1], kinds[packet]) = (word, Kind::Whole);
                        None
                    }
                    None => scene.fragment::<F, N>(&keys[packet]),
                },
                Kind::IcmpError => {
                    let inner = F::inner(self::packet(*place, buffer));
                    scene.is_related::<F, N>(cx, inner).then_some(SESSION)
                }
            };
            if let Some(answer) = answer {
                found[packet] = answer;
            }
            answer.is_none()
        });
    }

    /// Sends packets where that leads what was found of them.
    #[inline(always)]
    fn send(
        &mut self,
        cx: Cx<'_, '_>,
        buffers: &mut Buffers<'_>,
        packets: core::ops::Range<usize>,
        scene: Scene<'_>,
        counts: &mut Counts,
    ) {
        let matched = scene.context.map_or(&[][..], |context| &context.lists.matched);
        if matched.len() > FEW {
            for packet in packets.clone() {
                prefetch_in(matched, self.found[packet % FRAME_SIZE] as usize);
            }
        }
        let mut run = Run::default();
        for packet in packets {
            let Some(buffer) = buffers.get(packet) else { break };
            let found = self.found[packet % FRAME_SIZE];
            let Some(rule) = matched.get(found as usize) else {
                let next = self.send_without_rule(cx, buffer, found, scene, counts);
                cx.set_next(packet, next);
                continue;
            };
            run.add(cx, scene.rules, rule.counter, buffer.length_in_chain() as u64);
            if rule.action.is_some() {
                self.choices.push(Choice { at: packet as u16, action: rule.action });
            }
            let next = match rule.verdict {
                Verdict::Permit => {
                    counts.permitted += 1;
                    cx.next_feature(buffer)
                }
                Verdict::Deny => refuse(cx, buffer, Error::Deny),
                Verdict::Reflect => self.reflect(cx, buffer, packet, rule, scene, counts),
            };
            cx.set_next(packet, next);
        }
        run.end(cx, scene.rules);
    }

    /// Of a packet that no rule has matched.
    #[inline(always)]
    fn send_without_rule(
        &self,
        cx: Cx<'_, '_>,
        buffer: &mut Buffer,
        found: u32,
        scene: Scene<'_>,
        counts: &mut Counts,
    ) -> Slot<Next> {
        match found {
            SESSION => {
                counts.sessions += 1;
                cx.next_feature(buffer)
            }
            NO_HEADER => refuse(cx, buffer, Error::NoHeader),
            _ if scene.context.is_none() => {
                counts.permitted += 1;
                cx.next_feature(buffer)
            }
            // What matches no list is denied.
            _ => refuse(cx, buffer, Error::Deny),
        }
    }

    /// Lets a packet begin a session, if it can.
    #[inline(never)]
    fn reflect(
        &self,
        cx: Cx<'_, '_>,
        buffer: &mut Buffer,
        packet: usize,
        rule: &Matched,
        scene: Scene<'_>,
        counts: &mut Counts,
    ) -> Slot<Next> {
        let key = &self.keys[packet % FRAME_SIZE];
        let word = Layer4(key[N - 1]);
        let (Some(sessions), Some(context)) = (&scene.tables.sessions, scene.context) else {
            counts.permitted += 1;
            return cx.next_feature(buffer);
        };
        if self.kinds[packet % FRAME_SIZE] != Kind::Whole || !begins_session(word) {
            counts.permitted += 1;
            return cx.next_feature(buffer);
        }
        let seen = Seen::of(word.flags(), scene.direction);
        let session = Session {
            key: SessionKey::new(key, scene.interface, scene.direction),
            began: scene.direction,
            first_flags: word.flags(),
            heard: scene.now,
            seen,
            epoch: context.epoch,
            action: rule.action,
        };
        let homes = sessions.homes(&session.key);
        // Others of this frame came after it was asked for sessions.
        if let Some(known) = sessions.find(homes, &session.key) {
            known.hear(scene.now, seen);
            counts.sessions += 1;
            return cx.next_feature(buffer);
        }
        match sessions.insert(homes, &session, &scene.tables.settings.timeouts, scene.now) {
            Insert::Done => {
                cx.count(Error::NewSession, 1);
                cx.next_feature(buffer)
            }
            Insert::Full => refuse(cx, buffer, Error::TooManySessions),
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
            let rule = scene.context.and_then(|context| context.lists.matched.get(found as usize));
            self.notes[packet % FRAME_SIZE] = Note {
                context: scene.context.map_or(u32::MAX, |context| context.index),
                interface: scene.interface.0,
                acl: rule.map_or(u32::MAX, |rule| rule.acl),
                rule: rule.map_or(u32::MAX, |rule| rule.rule),
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

/// Rules up to this are in the cache.
const FEW: usize = 512;

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

/// The word of layer 4 of the datagram of a later fragment, where somebody has noted that.
fn noted(buffer: &Buffer) -> Option<u64> {
    if !buffer.flags().contains(BufferFlags::LAYER4_NOTED) {
        return None;
    }
    let datagram = reassembly::Layer4::of(buffer).filter(|datagram| !datagram.is_truncated)?;
    let reassembly::Layer4 { source, destination, protocol, tcp_flags, .. } = datagram;
    Some(layer4(source, destination, protocol, tcp_flags) | VALID)
}

#[cold]
fn refuse(cx: Cx<'_, '_>, buffer: &mut Buffer, error: Error) -> Slot<Next> {
    cx.error(buffer, error);
    Next::Drop.into()
}

/// Whether a session is still one: not over, and let go on by the lists of the direction in which it began.
#[inline(always)]
fn goes_on<F: Compiled<N>, const N: usize>(
    cx: Cx<'_, '_>,
    scene: Scene<'_>,
    key: &SessionKey,
    session: &Found<'_>,
) -> bool {
    let timeouts = &scene.tables.settings.timeouts;
    let protocol = key.layer4().protocol();
    if timeouts.is_over(protocol, session.seen(), session.heard(), scene.now) {
        return end(cx, scene, session, Error::Over);
    }
    let context = scene.port.and_then(|port| port.context(session.began()));
    match context {
        Some(context) if context.epoch == session.epoch() => true,
        _ => renew::<F, N>(cx, scene, context, session),
    }
}

/// Asks lists that have changed about a session: about the packet with which it began.
#[cold]
#[inline(never)]
fn renew<F: Compiled<N>, const N: usize>(
    cx: Cx<'_, '_>,
    scene: Scene<'_>,
    context: Option<&Context>,
    found: &Found<'_>,
) -> bool {
    let session = found.session();
    let rule = context.and_then(|context| {
        let first: [u64; N] = session.key.packet(session.began, session.first_flags);
        let position = F::program(&context.lists).whole.look_up_one(&first);
        let rule = context.lists.matched(position)?;
        (rule.verdict == Verdict::Reflect).then_some((context.epoch, rule.action))
    });
    match rule {
        Some((epoch, action)) => {
            found.renew(epoch, action);
            true
        }
        None => end(cx, scene, found, Error::Stale),
    }
}

#[cold]
fn end(cx: Cx<'_, '_>, scene: Scene<'_>, session: &Found<'_>, why: Error) -> bool {
    if let Some(sessions) = &scene.tables.sessions
        && sessions.end(session)
    {
        cx.count(why, 1);
    }
    false
}

impl Scene<'_> {
    /// What was found of a fragment other than the first, where that is not looked up as others are.
    fn fragment<F: Compiled<N>, const N: usize>(&self, key: &[u64; N]) -> Option<u32> {
        let context = self.context?;
        let matches = self.tables.settings.l4_match_nonfirst_fragment;
        matches.then(|| F::program(&context.lists).fragments().look_up_one(key))
    }

    /// Whether an ICMP error is about a packet of a session, which went the other way.
    fn is_related<F: Compiled<N>, const N: usize>(&self, cx: Cx<'_, '_>, inner: &[u8]) -> bool {
        let Some(sessions) = self.tables.sessions.as_deref() else { return false };
        if !self.port.is_some_and(Port::reflects) {
            return false;
        }
        let (inner, kind) = F::read(inner);
        // RFC 792 promises eight octets behind the IP header: ports, but no flags.
        if !matches!(kind, Kind::Whole | Kind::Cut) {
            return false;
        }
        let key = SessionKey::new(&inner, self.interface, self.direction.other());
        let session = sessions.find(sessions.homes(&key), &key);
        let is_related = session.is_some_and(|found| goes_on::<F, N>(cx, *self, &key, &found));
        if is_related {
            cx.count(Error::Related, 1);
        }
        is_related
    }
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
