//! What nodes have to say of neighbours to the main thread.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use vnet::{
    error::ErrorSet,
    graph::{NextSet, PacketCx},
    interface::SwIfIndex,
    neighbor::NeighborKey,
    process::Mailbox,
    runtime::EngineTime,
    wire::ethernet::MacAddress,
};

/// One thing that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A neighbour has said what its MAC address is.
    Heard { key: NeighborKey, mac: MacAddress, whom: Whom },
    /// A thread asks for a neighbour.
    Asked(NeighborKey),
    /// Somebody else has an address that is about to be ours.
    Duplicate { interface: SwIfIndex, target: Ipv6Addr },
    /// A host looks for a router.
    RouterWanted { interface: SwIfIndex, host: Ipv6Addr, mac: MacAddress },
    /// Somebody asks for listeners to a group, or to all, to answer within a time.
    ListenersWanted { interface: SwIfIndex, group: Ipv6Addr, within: Duration, is_v2: bool },
}

/// Whom to believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Anybody.
    Anybody,
    /// Those that are known.
    Known,
    /// Those that are known, unless they would have another MAC address and the message does not override, and those that were asked
    /// for.
    Asked { overrides: bool },
}

/// Letters that wait for the process at most.
const ROOM: usize = 1024;
/// What was said is not said again within this time, in nanoseconds.
const QUIET: u64 = 1_000_000_000;
/// Places for what was said last.
const PLACES: usize = 256;

/// What was said may be news again: the main thread has forgotten a neighbour, or believes what it did not before. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Era(Arc<AtomicU32>);

impl Era {
    /// Begins another one.
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// What was said last in a place.
#[derive(Clone, Copy)]
struct Said {
    news: News,
    at: EngineTime,
    era: u32,
}

/// One thread's way to the process. It says the same once a second at most, but for a new [`Era`].
#[derive(Clone)]
pub(crate) struct Reporter {
    news: Mailbox<News>,
    era: Era,
    said: Box<[Option<Said>; PLACES]>,
}

impl Reporter {
    pub(crate) fn new(news: Mailbox<News>, era: Era) -> Self {
        Self { news, era, said: Box::new([None; PLACES]) }
    }

    /// Which what is said is news of.
    pub(crate) fn era(&self) -> Era {
        self.era.clone()
    }

    /// Says that the neighbour `address` has the MAC address `mac`; counts `full` when the process has no room for it.
    pub(crate) fn heard<N: NextSet, E: ErrorSet>(
        &mut self,
        cx: &mut PacketCx<'_, N, E>,
        (interface, address): (SwIfIndex, IpAddr),
        mac: MacAddress,
        whom: Whom,
        full: E,
    ) {
        let key = NeighborKey { interface, address };
        self.say(cx, News::Heard { key, mac, whom }, full);
    }

    /// Says something; counts `full` when the process has no room for it.
    pub(crate) fn say<N: NextSet, E: ErrorSet>(
        &mut self,
        cx: &mut PacketCx<'_, N, E>,
        news: News,
        full: E,
    ) {
        let place = &mut self.said[place_of(news)];
        let (now, era) = (cx.now(), self.era.0.load(Ordering::Acquire));
        let is_fresh = |said: &Said| said.era == era && now.0.saturating_sub(said.at.0) < QUIET;
        if place.filter(is_fresh).is_some_and(|said| said.news == news) {
            return;
        }
        if self.news.put(news) {
            *place = Some(Said { news, at: now, era });
        } else {
            cx.count(full, 1);
        }
    }
}

/// Neighbours of a link differ in the last octets of their addresses.
fn place_of(news: News) -> usize {
    let (interface, address) = match news {
        News::Heard { key, .. } | News::Asked(key) => (key.interface, key.address),
        News::Duplicate { interface, target } => (interface, target.into()),
        News::RouterWanted { interface, host, .. } => (interface, host.into()),
        News::ListenersWanted { interface, group, .. } => (interface, group.into()),
    };
    let low = match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => address.to_bits() as u32,
    };
    (low.wrapping_add(interface.0.wrapping_mul(31)) as usize) % PLACES
}

/// The process's mailbox.
pub(crate) fn mailbox() -> Mailbox<News> {
    Mailbox::new(ROOM)
}
