//! What an engine knows of a packet that is not among its octets.

use super::{Outer, Site};
use crate::interface::TableIds;

bitflags::bitflags! {
    /// Parts of a [`Context`] that an observation point fills in.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Known: u8 {
        /// What became of packets.
        const STATUS = 1;
        /// That packets are dropped.
        const DROPS = 1 << 1;
        /// The tables of the interfaces by which packets came.
        const INGRESS_VRF = 1 << 2;
        /// The tables of the interfaces by which they leave.
        const EGRESS_VRF = 1 << 3;
        /// Next hops.
        const NEXT_HOP = 1 << 4;
        /// By which selector packets were selected.
        const SELECTOR = 1 << 5;
    }
}

impl Known {
    /// Where that is known, for people.
    #[must_use]
    pub fn place(self) -> &'static str {
        if self.contains(Self::DROPS) {
            "of drops alone"
        } else if self.contains(Self::STATUS) {
            "when packets are sent (tx) or dropped"
        } else if self.contains(Self::NEXT_HOP) {
            "when routed packets are sent (ip4 tx, ip6 tx)"
        } else if self.contains(Self::EGRESS_VRF) {
            "when packets are sent (tx)"
        } else {
            "at interfaces of an engine"
        }
    }
}

/// What is known of a packet where it is observed; what is not known there is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// forwardingStatus (IANA element 89), see [`ForwardingStatus`](crate::error::ForwardingStatus).
    pub status: u8,
    /// selectorId (IANA element 302) of who selected it, below 2^56; 0 where all packets are measured.
    pub selector: u64,
    /// Tables of the interface by which it came.
    pub ingress: TableIds,
    /// Tables of the interface by which it leaves.
    pub egress: TableIds,
    /// Address of the next hop, in network byte order; of IPv4 the first four octets.
    pub next_hop: [u8; 16],
    /// Whose packet it is, where an observer samples for several.
    pub site: Site,
    /// The tunnel that it came in, or will leave in.
    pub outer: Option<Outer>,
}

impl Context {
    /// With nothing known.
    pub const NONE: Self = Self {
        status: 0,
        selector: 0,
        ingress: TableIds { ip4: 0, ip6: 0 },
        egress: TableIds { ip4: 0, ip6: 0 },
        next_hop: [0; 16],
        site: Site::NONE,
        outer: None,
    };
}

/// The same of a flow record, where it tells flows apart; 0 where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowContext {
    /// As [`Context::status`].
    pub status: u8,
    /// As [`Context::selector`].
    pub selector: u64,
    /// Table of the interface by which packets came, of the family of the flow.
    pub ingress_vrf: u32,
    /// Table of the interface by which they left, likewise.
    pub egress_vrf: u32,
    /// As [`Context::next_hop`].
    pub next_hop: [u8; 16],
}
