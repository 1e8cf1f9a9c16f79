//! What records have beyond VPP's fields, kept only where a template asks for it.
//!
//! Tables of flows whose template asks for no detail are of kinds whose [`Extra`] is `()`: nothing is looked for in packets, and
//! nothing is kept. For the others the details of each flow lie in an array beside the slots, so that those stay as they are.

mod biflow;
#[cfg(test)]
mod biflow_tests;
mod extra;
mod seen;
mod sequence;
mod sizes;
#[cfg(test)]
mod tests;

use zerocopy::FromZeros;

pub use biflow::Side;
pub(super) use biflow::orient;
pub(super) use extra::{Extra, Sequenced};
pub use seen::Seen;
pub use sequence::{Anomalies, REORDERING};
pub(super) use sizes::{Framed, Sizes};

use super::{FlowContext, Outer, Site};

/// Labels of an MPLS stack that are kept, from the top.
pub const LABELS: usize = 4;

/// The details of a flow record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// Those that tell flows apart; 0 where they are not asked for.
    pub keys: DetailKeys,
    /// Those that are put together from the packets of both directions, where records have both.
    pub meters: DetailMeters,
    /// The other direction, of records that have both: the counters of the record are those of its initiator alone.
    pub reverse: Option<Side>,
}

/// Parts of flow keys beyond those of VPP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetailKeys {
    /// Type of service, or traffic class.
    pub class: u8,
    /// Priority of the outermost VLAN tag, 0 to 7; 0 without a tag.
    pub priority: u8,
    /// Identifier of the VLAN tag behind that.
    pub customer_vlan: u16,
    /// Its priority.
    pub customer_priority: u8,
    /// Label, traffic class and bottom-of-stack bit of the top label; zeros without one.
    pub top_label: [u8; 3],
    /// IPv6 flow label.
    pub flow_label: u32,
    /// What is not in packets.
    pub context: FlowContext,
    /// TTL or hop limit, where it tells flows apart.
    pub ttl: u8,
    /// Whose packets they are, likewise.
    pub site: Site,
    /// The tunnel that they came or left in, likewise.
    pub outer: Option<Outer>,
}

/// What is put together from the packets of a flow. All but the totals begin anew with each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
pub struct DetailMeters {
    /// Of the first packet.
    pub first: Seen,
    /// Packets in this.
    packets: u32,
    /// Lowest TTL or hop limit.
    pub min_ttl: u8,
    /// Highest.
    pub max_ttl: u8,
    /// Fragment flags of all packets, ORed: reserved, DF, MF from the top bit on.
    pub fragment_flags: u8,
    /// Shortest IP packet.
    pub min_octets: u32,
    /// Longest.
    pub max_octets: u32,
    /// Sum of the squares of their octets; 0 where nobody asks for it.
    pub squares: u64,
    /// Shortest frame.
    pub min_layer2: u32,
    /// Longest.
    pub max_layer2: u32,
    /// Bits of ipv6ExtensionHeadersFull, ORed.
    pub extension_headers: u32,
    /// Bits of tcpOptionsFull, ORed; the lowest word first.
    pub tcp_options: [u64; 4],
    /// What TCP's sequence numbers tell, where a template asks for it: of the record's direction, and of the reverse one where records
    /// have both.
    pub anomalies: [Anomalies; 2],
    /// Both directions, where records have both: that of the key as it is stored, and the other one.
    sides: [Side; 2],
    /// Which of them began, counted from 1; 0 where records have one direction.
    initiator: u8,
    /// The packet that said so was seen on sending.
    is_sent: bool,
    /// A SYN without ACK was seen, which decides that.
    is_opened: bool,
    /// Packets of the flow so far, those of earlier records included.
    pub total_packets: u64,
    /// Their IP octets.
    pub total_octets: u64,
    /// Those with FIN, SYN, RST, PSH, ACK, URG.
    pub total_flags: [u32; 6],
}

impl Details {
    /// Of a record without any.
    pub const NONE: Self =
        Self { keys: DetailKeys::NONE, meters: DetailMeters::NONE, reverse: None };
}

impl DetailKeys {
    /// Of none.
    pub const NONE: Self = Self {
        class: 0,
        priority: 0,
        customer_vlan: 0,
        customer_priority: 0,
        top_label: [0; 3],
        flow_label: 0,
        context: FlowContext {
            status: 0,
            selector: 0,
            ingress_vrf: 0,
            egress_vrf: 0,
            next_hop: [0; 16],
        },
        ttl: 0,
        site: Site::NONE,
        outer: None,
    };
}

/// What `docs/FLOWS.md` says.
const _: () = assert!(size_of::<DetailMeters>() <= 352 && size_of::<Sequenced>() <= 464);

impl DetailMeters {
    const NONE: Self = Self {
        first: Seen::NONE,
        packets: 0,
        min_ttl: 0,
        max_ttl: 0,
        fragment_flags: 0,
        min_octets: 0,
        max_octets: 0,
        squares: 0,
        min_layer2: 0,
        max_layer2: 0,
        extension_headers: 0,
        tcp_options: [0; 4],
        anomalies: [Anomalies { retransmitted: 0, out_of_order: 0, losses: 0 }; 2],
        sides: [Side::NONE; 2],
        initiator: 0,
        is_sent: false,
        is_opened: false,
        total_packets: 0,
        total_octets: 0,
        total_flags: [0; 6],
    };

    /// Adds a packet.
    fn add(&mut self, seen: &Seen) {
        if self.packets == 0 {
            let Self { total_packets, total_octets, total_flags, .. } = *self;
            let Self { initiator, is_sent, is_opened, .. } = *self;
            let of_flow = Self {
                total_packets,
                total_octets,
                total_flags,
                initiator,
                is_sent,
                is_opened,
                ..Self::NONE
            };
            *self = of_flow.with_first(seen);
        }
        self.packets = self.packets.saturating_add(1);
        self.min_ttl = self.min_ttl.min(seen.ttl);
        self.max_ttl = self.max_ttl.max(seen.ttl);
        self.fragment_flags |= seen.fragment_flags;
        self.min_octets = self.min_octets.min(seen.octets);
        self.max_octets = self.max_octets.max(seen.octets);
        self.min_layer2 = self.min_layer2.min(seen.layer2_octets);
        self.max_layer2 = self.max_layer2.max(seen.layer2_octets);
        self.extension_headers |= seen.extension_headers;
        for (all, seen) in self.tcp_options.iter_mut().zip(seen.tcp_options) {
            *all |= seen;
        }
        self.add_to_side(seen);
        self.total_packets += 1;
        self.total_octets += u64::from(seen.octets);
        for (bit, total) in self.total_flags.iter_mut().enumerate() {
            *total = total.saturating_add(u32::from(seen.tcp_flags >> bit & 1));
        }
    }

    fn with_first(self, seen: &Seen) -> Self {
        Self { first: *seen, min_ttl: u8::MAX, min_octets: u32::MAX, min_layer2: u32::MAX, ..self }
    }
}
