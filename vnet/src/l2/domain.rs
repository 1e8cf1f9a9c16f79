//! Bridge domains: interfaces between which frames are switched by their MAC addresses.

use core::net::IpAddr;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use bitflags::bitflags;

use crate::interface::SwIfIndex;

/// The number by which operators name a bridge domain, 1 to [`BdId::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BdId(pub u32);

impl BdId {
    /// The largest number: those of VXLAN networks fit.
    pub const MAX: u32 = (1 << 24) - 1;
}

impl core::fmt::Display for BdId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// The number by which nodes know a bridge domain: 1 and up, used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BdIndex(pub u16);

bitflags! {
    /// What is done to the frames of a domain, or of one interface of it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Switching: u8 {
        /// Source addresses are learned.
        const LEARN = 1 << 0;
        /// Frames to known stations are forwarded.
        const FORWARD = 1 << 1;
        /// Frames to groups and to all are flooded.
        const FLOOD = 1 << 2;
        /// Frames to unknown stations are flooded.
        const UU_FLOOD = 1 << 3;
        /// Questions for addresses that the domain knows are answered by itself.
        const ARP_TERM = 1 << 4;
        /// Such questions for other addresses go where frames to unknown stations go.
        const ARP_UFWD = 1 << 5;
    }
}

impl Switching {
    /// What a new domain does, as in VPP.
    pub const DEFAULT: Self =
        Self::LEARN.union(Self::FORWARD).union(Self::FLOOD).union(Self::UU_FLOOD);
}

/// An interface of a domain, to which frames are flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The interface.
    pub interface: SwIfIndex,
    /// Its split-horizon group: between interfaces of one group other than 0 nothing goes.
    pub shg: u8,
}

/// A bridge domain.
#[derive(Debug)]
pub struct Domain {
    /// Its number.
    pub id: BdId,
    /// What it does.
    pub switching: Switching,
    /// Minutes after which a station of which nothing was heard is forgotten; 0 for never.
    pub mac_age: u8,
    /// Most addresses that are learned.
    pub learn_limit: u32,
    /// The operator's note.
    pub tag: String,
    /// How often all of its entries were flushed, as far as VPP counts.
    pub sequence: u8,
    /// Who gets flooded frames: all of its interfaces but that for frames to unknown stations.
    pub members: Vec<Member>,
    /// The interface that routes for it.
    pub bvi: Option<SwIfIndex>,
    /// Where frames to unknown stations go instead of everywhere.
    pub uu_fwd: Option<SwIfIndex>,
    /// MAC addresses that it tells who asks.
    pub arp: BTreeMap<IpAddr, [u8; 6]>,
    /// Addresses that are learned.
    learned: AtomicU32,
}

impl Domain {
    /// Most addresses that a domain learns unless told otherwise, as in VPP: 256 Ki buckets of 64.
    pub const LEARN_LIMIT: u32 = 256 * 1024 * 64;

    pub(super) fn new(id: BdId, learn_limit: u32) -> Self {
        Self {
            id,
            switching: Switching::DEFAULT,
            mac_age: 0,
            learn_limit,
            tag: String::new(),
            sequence: 0,
            members: Vec::new(),
            bvi: None,
            uu_fwd: None,
            arp: BTreeMap::new(),
            learned: AtomicU32::new(0),
        }
    }

    /// Addresses that are learned.
    #[must_use]
    pub fn learned(&self) -> u32 {
        self.learned.load(Ordering::Relaxed)
    }

    /// Whether another address may be learned. Each thread may go one beyond the limit.
    pub(super) fn may_learn(&self) -> bool {
        self.learned() < self.learn_limit
    }

    pub(super) fn count_learned(&self) {
        self.learned.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_gone(&self) {
        self.learned.fetch_sub(1, Ordering::Relaxed);
    }

    /// All interfaces of the domain.
    pub fn interfaces(&self) -> impl Iterator<Item = SwIfIndex> {
        self.members.iter().map(|member| member.interface).chain(self.uu_fwd)
    }
}
