//! Sessions: packets that belong to one, and those that begin one.

use vnet::{action::Choice, buffer::Buffer, frame::FRAME_SIZE, graph::Slot};

use super::{
    Cx, Error, NONE, Next, SESSION, Scene, Work,
    send::{Counts, refuse},
};
use crate::{
    compile::{Compiled, Matched},
    key::{Kind, Layer4},
    rule::Verdict,
    session::{Found, Insert, Seen, Session, SessionKey, key::begins_session},
    tables::{Context, Port},
};

/// Packets that lie between asking for the words of their sessions' buckets, asking for the places of these, and looking at them.
const AHEAD: usize = 8;

impl<F: Compiled<N>, const N: usize> Work<F, N> {
    /// Finds the sessions of pending packets, which are then done.
    #[inline(never)]
    pub(super) fn find_sessions(&mut self, cx: Cx<'_, '_>, scene: Scene<'_>) {
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

    /// Lets a packet begin a session, if it can.
    #[inline(never)]
    pub(super) fn reflect(
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
    /// Whether an ICMP error is about a packet of a session, which went the other way.
    pub(super) fn is_related<F: Compiled<N>, const N: usize>(
        &self,
        cx: Cx<'_, '_>,
        inner: &[u8],
    ) -> bool {
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
