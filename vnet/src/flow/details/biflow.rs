//! Records of both directions of a flow (RFC 5103): the initiator's first, and beside it the reverse one.
//!
//! The keys of both directions are made the same: that whose source is the lesser endpoint is kept, the other one is *turned*.
//! Each packet says on which side it was. Timers and ends are those of both together.

use zerocopy::FromZeros;

use super::{DetailMeters, Seen};
use crate::{
    flow::{Addresses, Direction, FlowRecord},
    runtime::PacketTime,
    wire::{ip4::protocol, tcp},
};

/// One direction of a record that has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
pub struct Side {
    /// Packets of the record in this direction.
    pub packets: u64,
    /// Their IP octets.
    pub octets: u64,
    /// Octets of their frames.
    pub layer2_octets: u64,
    /// When the first of them was seen, nanoseconds since 1970; 0 without packets.
    pub start: u64,
    /// Latest time of them; 0 without packets.
    pub end: u64,
    /// OR of their TCP flags.
    pub tcp_flags: u16,
}

impl Side {
    /// Without packets.
    pub const NONE: Self =
        Self { packets: 0, octets: 0, layer2_octets: 0, start: 0, end: 0, tcp_flags: 0 };

    fn add(&mut self, seen: &Seen) {
        if self.packets == 0 {
            self.start = seen.time;
        }
        self.packets += 1;
        self.octets += u64::from(seen.octets);
        self.layer2_octets += u64::from(seen.layer2_octets);
        self.end = self.end.max(seen.time);
        self.tcp_flags |= seen.tcp_flags;
    }
}

impl DetailMeters {
    /// Counts a packet for its direction. Whoever sent the first one is the initiator, or else who opens the connection.
    pub(super) fn add_to_side(&mut self, seen: &Seen) {
        let Some(side) = self.sides.get_mut(usize::from(seen.side).wrapping_sub(1)) else { return };
        side.add(seen);
        let is_open = seen.tcp_flags & (tcp::flags::SYN | tcp::flags::ACK) == tcp::flags::SYN;
        if self.initiator == 0 || (is_open && !self.is_opened) {
            (self.initiator, self.is_sent) = (seen.side, seen.is_sent);
        }
        self.is_opened |= is_open;
    }
}

/// Makes a record of both directions that of its initiator, with the other one beside it, seen as its packets are. One without packets has the times
/// of the whole record where it is the initiator's.
pub(in crate::flow) fn orient(record: &mut FlowRecord) {
    let Some(details) = &mut record.details else { return };
    let DetailMeters { sides: [kept, turned], initiator, is_sent, .. } = details.meters;
    let (forward, reverse) = match initiator {
        1 => (kept, turned),
        2 => (turned, kept),
        _ => return,
    };
    details.reverse = Some(reverse);
    record.direction = if is_sent { Direction::Egress } else { Direction::Ingress };
    record.packets = forward.packets;
    record.octets = forward.octets;
    record.layer2_octets = forward.layer2_octets;
    record.tcp_flags = forward.tcp_flags;
    if forward.packets > 0 {
        (record.start, record.end) = (PacketTime(forward.start), PacketTime(forward.end));
    }
    if initiator == 2 {
        details.meters.anomalies.swap(0, 1);
        turn(record);
    }
}

fn turn(record: &mut FlowRecord) {
    core::mem::swap(&mut record.source_mac, &mut record.destination_mac);
    record.addresses = match record.addresses {
        Addresses::None => Addresses::None,
        Addresses::V4(source, destination) => Addresses::V4(destination, source),
        Addresses::V6(source, destination) => Addresses::V6(destination, source),
    };
    if !matches!(record.protocol, protocol::ICMP | protocol::ICMP6) {
        core::mem::swap(&mut record.source_port, &mut record.destination_port);
    }
}
