//! The congestion bits of a packet that was inside another one (RFC 6040, section 4.2).

use vnet::{
    buffer::Buffer,
    tunnel::Payload,
    wire::{
        checksum,
        ethernet::EtherType,
        ip4, ip6,
        link::LinkType,
        walk::{self, Version},
    },
};
use zerocopy::FromBytes;

const NOT_ECT: u8 = 0;
const ECT1: u8 = 1;
const ECT0: u8 = 2;
const CE: u8 = ip4::Header::CONGESTION_EXPERIENCED;

/// What the bits inside become, given those outside; `None` for a packet that must be dropped: it met congestion, and its receiver
/// would not understand being told.
const fn decapsulated(inner: u8, outer: u8) -> Option<u8> {
    match (inner, outer) {
        (NOT_ECT, CE) => None,
        (NOT_ECT, _) => Some(NOT_ECT),
        (_, CE) => Some(CE),
        (ECT0, ECT1) => Some(ECT1),
        (inner, _) => Some(inner),
    }
}

/// Marks the packet that begins at the current position as its outer header, of whose congestion bits some are set, says. Whether it
/// may go on. A frame without IP has no bits to be marked.
#[cold]
pub(super) fn mark(buffer: &mut Buffer, payload: Payload, outer: u8) -> bool {
    let link = if payload == Payload::Ethernet { LinkType::Ethernet } else { LinkType::Raw };
    let Ok(link) = walk::link(buffer.current(), link) else { return true };
    let version = match link.ethertype {
        EtherType::IP4 => Version::V4,
        EtherType::IP6 => Version::V6,
        _ => return outer != CE,
    };
    let Some(packet) = buffer.current_mut().get_mut(link.payload..) else { return true };
    match version {
        Version::V4 => {
            let Ok((ip, _)) = ip4::Header::mut_from_prefix(packet) else { return true };
            let Some(ecn) = decapsulated(ip.ecn(), outer) else { return false };
            let [before, after] = [ip.tos, ip.tos & !CE | ecn].map(|tos| 0x4500 | u16::from(tos));
            ip.tos = after as u8;
            ip.checksum.set(checksum::update16(ip.checksum.get(), before, after));
        }
        Version::V6 => {
            let Ok((ip, _)) = ip6::Header::mut_from_prefix(packet) else { return true };
            let Some(ecn) = decapsulated(ip.traffic_class() & CE, outer) else { return false };
            const MASK: u32 = (CE as u32) << 20;
            let word = ip.version_class_flow.get() & !MASK | u32::from(ecn) << 20;
            ip.version_class_flow.set(word);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_rfc_6040() {
        // Figure 4: a row for each inner header, a column for each outer one: Not-ECT, ECT(0), ECT(1), CE.
        let outer = [NOT_ECT, ECT0, ECT1, CE];
        let rows = [
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT0, [Some(ECT0), Some(ECT0), Some(ECT1), Some(CE)]),
            (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
            (CE, [Some(CE); 4]),
        ];
        for (inner, expected) in rows {
            assert_eq!(outer.map(|outer| decapsulated(inner, outer)), expected);
        }
    }
}
