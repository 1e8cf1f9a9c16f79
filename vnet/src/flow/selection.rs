//! What tells flows apart, field by field: finer than a record set, for templates that users define.

use super::{Families, RecordSet};

bitflags::bitflags! {
    /// Fields of flow keys.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Keys: u32 {
        /// Interface on which packets came in.
        const INGRESS = 1;
        /// Interface by which they leave.
        const EGRESS = 1 << 1;
        /// On receipt or on sending.
        const DIRECTION = 1 << 2;
        /// Source MAC address.
        const SOURCE_MAC = 1 << 3;
        /// Destination MAC address.
        const DESTINATION_MAC = 1 << 4;
        /// Ethernet type behind all tags.
        const ETHERTYPE = 1 << 5;
        /// Identifier of the outermost VLAN tag.
        const VLAN = 1 << 6;
        /// Source address.
        const SOURCE_ADDRESS = 1 << 7;
        /// Destination address.
        const DESTINATION_ADDRESS = 1 << 8;
        /// Protocol.
        const PROTOCOL = 1 << 9;
        /// Source port, where the protocol has one.
        const SOURCE_PORT = 1 << 10;
        /// Destination port, likewise.
        const DESTINATION_PORT = 1 << 11;
        /// Type of ICMP over IPv4 and of ICMPv6 over IPv6.
        const ICMP_TYPE = 1 << 12;
        /// Code, likewise.
        const ICMP_CODE = 1 << 13;
        /// The upper three bits of the differentiated services code point, once the precedence.
        const PRECEDENCE = 1 << 14;
        /// The lower three.
        const DROP_PRECEDENCE = 1 << 15;
        /// Explicit congestion notification.
        const ECN = 1 << 16;
        /// Priority of the outermost VLAN tag.
        const PRIORITY = 1 << 17;
        /// Identifier of the VLAN tag behind that.
        const CUSTOMER_VLAN = 1 << 18;
        /// Its priority.
        const CUSTOMER_PRIORITY = 1 << 19;
        /// Top MPLS label.
        const TOP_LABEL = 1 << 20;
        /// Its traffic class.
        const TOP_LABEL_CLASS = 1 << 21;
        /// IPv6 flow label.
        const FLOW_LABEL = 1 << 22;
        /// Forwarding status.
        const STATUS = 1 << 23;
        /// Table of the interface on which packets came in.
        const INGRESS_VRF = 1 << 24;
        /// Table of the interface by which they leave.
        const EGRESS_VRF = 1 << 25;
        /// Next hop.
        const NEXT_HOP = 1 << 26;
        /// Selector by which they were selected.
        const SELECTOR = 1 << 27;
    }
}

impl Keys {
    /// Where a packet was seen.
    pub const POINT: Self = Self::INGRESS.union(Self::EGRESS).union(Self::DIRECTION);
    /// What is in the link header but the VLAN.
    pub const LINK: Self = Self::MACS.union(Self::ETHERTYPE);
    /// Both MAC addresses.
    pub const MACS: Self = Self::SOURCE_MAC.union(Self::DESTINATION_MAC);
    /// Both addresses.
    pub const ADDRESSES: Self = Self::SOURCE_ADDRESS.union(Self::DESTINATION_ADDRESS);
    /// Both ports.
    pub const PORTS: Self = Self::SOURCE_PORT.union(Self::DESTINATION_PORT);
    /// ICMP type and code.
    pub const ICMP: Self = Self::ICMP_TYPE.union(Self::ICMP_CODE);

    /// Differentiated services code point.
    pub const DSCP: Self = Self::PRECEDENCE.union(Self::DROP_PRECEDENCE);
    /// Type of service, traffic class.
    pub const CLASS: Self = Self::DSCP.union(Self::ECN);

    /// What an entry of an MPLS label stack has but its TTL.
    pub const LABEL: Self = Self::TOP_LABEL.union(Self::TOP_LABEL_CLASS);

    /// Those that are in keys with details alone.
    const DETAILS: Self = Self::CLASS
        .union(Self::PRIORITY)
        .union(Self::CUSTOMER_VLAN)
        .union(Self::CUSTOMER_PRIORITY)
        .union(Self::LABEL)
        .union(Self::FLOW_LABEL);

    /// Those that are in keys with context alone: what is not in packets.
    const CONTEXT: Self = Self::STATUS
        .union(Self::INGRESS_VRF)
        .union(Self::EGRESS_VRF)
        .union(Self::NEXT_HOP)
        .union(Self::SELECTOR);

    /// Whether flows are connections, so that a FIN ends them.
    pub(super) const fn is_connection(self) -> bool {
        self.contains(Self::PORTS.union(Self::PROTOCOL))
    }
}

/// What a template asks of a meter in place of a record set. Each family has keys of its own, since each has fields of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Keys of IPv4 flows.
    pub ip4: Keys,
    /// Keys of IPv6 flows.
    pub ip6: Keys,
    /// Keys of other flows.
    pub other: Keys,
    /// Whether records have TCP flags.
    pub tcp_flags: bool,
    /// Whether records have details, see [`FlowRecord::details`](super::FlowRecord::details).
    pub details: bool,
    /// Whether records have both directions of a flow (RFC 5103), the initiator's first.
    pub biflow: bool,
    /// Whether TCP's sequence numbers are followed, see [`Anomalies`](super::Anomalies).
    pub sequence: bool,
}

impl Selection {
    /// Whether details are looked for in packets.
    pub(super) fn needs_details(&self) -> bool {
        self.details || self.biflow || self.sequence || self.all_keys().intersects(Keys::DETAILS)
    }

    /// Whether packets are told apart by what is not in them, so that each is shown with its [`Context`](super::Context).
    #[must_use]
    pub fn needs_context(&self) -> bool {
        self.all_keys().intersects(Keys::CONTEXT)
    }

    /// Of one family.
    #[must_use]
    pub fn keys(&self, family: Families) -> Keys {
        match family {
            Families::IP4 => self.ip4,
            Families::IP6 => self.ip6,
            _ => self.other,
        }
    }

    /// Of all families.
    #[must_use]
    pub fn all_keys(&self) -> Keys {
        self.ip4 | self.ip6 | self.other
    }

    /// The layers of which flows have something, for people.
    #[must_use]
    pub fn layers(&self) -> RecordSet {
        let keys = self.all_keys();
        let mut set = RecordSet::empty();
        set.set(RecordSet::L2, keys.intersects(Keys::LINK));
        set.set(RecordSet::L3, keys.intersects(Keys::ADDRESSES));
        set.set(RecordSet::L4, keys.intersects(Keys::PORTS | Keys::ICMP));
        set.set(RecordSet::VLAN, keys.contains(Keys::VLAN));
        set
    }
}

/// Frames without IP are told apart by their link header whatever is recorded.
impl From<RecordSet> for Selection {
    fn from(record: RecordSet) -> Self {
        let mut keys = Keys::POINT;
        keys.set(Keys::LINK, record.contains(RecordSet::L2));
        keys.set(Keys::VLAN, record.contains(RecordSet::VLAN));
        keys.set(Keys::ADDRESSES, record.contains(RecordSet::L3));
        keys.set(Keys::PORTS | Keys::ICMP, record.contains(RecordSet::L4));
        keys.set(Keys::PROTOCOL, record.intersects(RecordSet::L3 | RecordSet::L4));
        let tcp_flags = record.contains(RecordSet::L4);
        Self {
            ip4: keys,
            ip6: keys,
            other: keys | Keys::LINK,
            tcp_flags,
            details: false,
            biflow: false,
            sequence: false,
        }
    }
}
