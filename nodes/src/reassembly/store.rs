//! What a kind of reassembly keeps on each thread, and how datagrams are given up.

use core::hash::{Hash, Hasher};
use std::{
    hash::DefaultHasher,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use vnet::{
    buffer::Buffer,
    fib::{Family, ForwardingReader},
    frame::Waiting,
    graph::{Fate, NodeCx, Slot},
    plugin::Registrar,
    process::Bell,
    runtime::Local,
};

use super::{
    datagrams::{Datagrams, Key, Table},
    errors::Error,
    family::{Place, Version, Way},
    settings::{InForce, Kind, Settings},
};
use crate::icmp::Report;

/// What is known of a datagram.
pub(super) trait State: Default + Send + 'static {
    const KIND: Kind;

    /// Makes a thread's table of such datagrams; what they are known by beside may be kept in `Self::Beside`.
    type Beside: Send + 'static;

    fn beside(settings: Settings) -> Self::Beside;
}

/// A thread's table, and what belongs to it.
pub(super) struct Kept<T: State> {
    pub(super) table: Table<T>,
    pub(super) beside: T::Beside,
}

impl<T: State> Kept<T> {
    fn new(settings: Settings) -> Self {
        Self { table: Table::new(settings), beside: T::beside(settings) }
    }
}

/// The way to the tables of all threads. Clones are the same.
pub(super) struct Store<T: State> {
    pub(super) family: Family,
    pub(super) in_force: InForce,
    pub(super) reader: ForwardingReader,
    pub(super) local: Local<Kept<T>>,
    /// Threads that have seen fragments and may have to give up a datagram.
    pub(super) busy: Arc<AtomicUsize>,
    /// Rung when there is one.
    pub(super) bell: Bell,
}

impl<T: State> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self {
            family: self.family,
            in_force: self.in_force.clone(),
            reader: self.reader.clone(),
            local: self.local,
            busy: self.busy.clone(),
            bell: self.bell.clone(),
        }
    }
}

/// What a node of the family sees of its thread.
pub(super) type Cx<'a, 'd, V> = &'a mut NodeCx<'d, <V as Version>::Next, Error>;

impl<T: State> Store<T> {
    pub(super) fn new(r: &mut Registrar, family: Family, in_force: &InForce) -> Self {
        let local = r.local(|_| Kept::<T>::new(Settings::of(T::KIND)));
        r.on_drain(move |main| main.drop_waiting(local, |kept| &mut kept.table.waiting));
        Self {
            family,
            in_force: in_force.clone(),
            reader: r.forwarding(),
            local,
            busy: Arc::default(),
            bell: Bell::new(),
        }
    }

    /// Takes the thread's table out, with the settings of now. To be given back by [`Self::put`].
    pub(super) fn take<V: Version>(&self, cx: Cx<'_, '_, V>) -> Option<Box<Kept<T>>> {
        let settings = self.in_force.read(cx.token(), T::KIND, self.family);
        let mut kept = cx.take_local(self.local)?;
        if kept.table.settings != settings {
            self.reset::<V>(cx, &mut kept, settings);
        }
        Some(kept)
    }

    /// Gives up all that there is.
    #[cold]
    fn reset<V: Version>(&self, cx: Cx<'_, '_, V>, kept: &mut Kept<T>, settings: Settings) {
        let Table { datagrams, waiting, .. } = &mut kept.table;
        let before = datagrams.len();
        while let Some(oldest) = datagrams.oldest() {
            give_up::<V, T>(cx, datagrams, waiting, oldest, Error::Reset);
        }
        self.follow(before, 0);
        *kept = Kept::new(settings);
    }

    /// Gives the table back, which had `before` datagrams when it was taken.
    pub(super) fn put<V: Version>(&self, cx: Cx<'_, '_, V>, kept: Box<Kept<T>>, before: usize) {
        self.follow(before, kept.table.datagrams.len());
        cx.put_local(self.local, kept);
    }

    /// Notes whether the thread has anything.
    fn follow(&self, before: usize, now: usize) {
        if before == 0 && now > 0 {
            self.busy.fetch_add(1, Ordering::AcqRel);
            self.bell.ring();
        } else if before > 0 && now == 0 {
            self.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// What names the datagram of a fragment, the table of its interface included.
    pub(super) fn key<V: Version>(
        &self,
        buffer: &Buffer,
        packet: &[u8],
        fragment: &vnet::wire::fragment::Fragment,
    ) -> Option<Key> {
        V::key(packet, fragment, self.reader.fib_of(buffer.rx, self.family))
    }

    /// The thread that looks after a datagram, if that is another one: with workers one of these, by a hash that all threads agree on.
    /// So none has to ask the others who has seen its fragments.
    pub(super) fn other_thread<V: Version>(&self, cx: Cx<'_, '_, V>, key: &Key) -> Option<u32> {
        let workers = self.in_force.threads(cx.token()).saturating_sub(1);
        if workers == 0 {
            return None;
        }
        // Without a secret: whoever chooses identifications so that one worker has all of them has that worker's limits against him.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let owner = 1 + (hasher.finish() % workers as u64) as u32;
        (owner as usize != cx.thread()).then_some(owner)
    }
}

/// Sends a packet to the thread `thread`.
pub(super) fn hand_over<V: Version>(
    buffer: &mut Buffer,
    thread: u32,
    place: Place,
) -> Slot<V::Next> {
    buffer.opaque[0] = thread;
    V::way(Way::Handoff(place))
}

/// Gives up a datagram: what waits of it is dropped.
pub(super) fn give_up<V: Version, T: State>(
    cx: Cx<'_, '_, V>,
    datagrams: &mut Datagrams<T>,
    waiting: &mut Waiting,
    place: usize,
    error: Error,
) {
    drop_waiting::<V, T>(cx, waiting, place, error);
    datagrams.end(place);
}

/// Drops what waits of a datagram. Of full reassembly whose time is over the sender is told, if the first fragment came (RFC 792;
/// RFC 8200, section 4.5).
pub(super) fn drop_waiting<V: Version, T: State>(
    cx: Cx<'_, '_, V>,
    waiting: &mut Waiting,
    place: usize,
    error: Error,
) {
    let tells = T::KIND == Kind::Full && error == Error::Timeout;
    cx.settle_waiting(waiting, place, |cx, buffer| {
        cx.error(buffer, error);
        let is_first =
            || V::fragment(buffer.current()).is_ok_and(|f| f.is_some_and(|f| f.is_first()));
        if tells && is_first() {
            Report::reassembly_expired(V::FAMILY).note(buffer);
            return Fate::Go(V::way(Way::IcmpError));
        }
        Fate::Go(V::way(Way::Drop))
    });
}

/// Gives up the datagrams whose time is over.
pub(super) fn expire<V: Version, T: State>(cx: Cx<'_, '_, V>, table: &mut Table<T>) {
    let now = cx.now();
    while let Some(place) = table.datagrams.overdue(now) {
        give_up::<V, T>(cx, &mut table.datagrams, &mut table.waiting, place, Error::Timeout);
    }
}

/// The place of a datagram; where there is none left the oldest one makes room.
pub(super) fn place_of<V: Version, T: State>(
    cx: Cx<'_, '_, V>,
    datagrams: &mut Datagrams<T>,
    waiting: &mut Waiting,
    key: Key,
) -> Option<usize> {
    if let Some(place) = datagrams.find(&key) {
        return Some(place);
    }
    if datagrams.is_full()
        && let Some(oldest) = datagrams.oldest()
    {
        give_up::<V, T>(cx, datagrams, waiting, oldest, Error::Limit);
    }
    datagrams.begin(key, cx.now(), T::default())
}

/// Has the oldest datagrams make room for one more fragment that waits, of the datagram in `place`. Whether there is any.
pub(super) fn room_for<V: Version, T: State>(
    cx: Cx<'_, '_, V>,
    datagrams: &mut Datagrams<T>,
    waiting: &mut Waiting,
    place: usize,
) -> bool {
    while cx.waiting_room(waiting) == 0 {
        match datagrams.oldest() {
            Some(oldest) if oldest != place => {
                give_up::<V, T>(cx, datagrams, waiting, oldest, Error::Limit);
            }
            _ => return false,
        }
    }
    true
}
