//! The headers of the packet that segments become.

use core::mem::offset_of;

use super::flows::Flow;
use crate::{
    buffer::{Buffer, BufferFlags, Gso, Offload},
    wire::{checksum, ip4, ip6, tcp},
};

/// Writes into `headers`, those of the first segment, what they are of the packet of all of them. The checksum field is left with
/// the sum of the pseudo header.
pub(super) fn write(flow: &Flow, headers: &mut [u8]) -> Option<()> {
    let Flow { first, payload, last, .. } = flow;
    let octets = first.headers - first.network + payload;
    let ip = headers.get_mut(first.network..first.transport)?;
    if first.is_ip6() {
        let length = u16::try_from(octets - size_of::<ip6::Header>()).ok()?;
        put(ip, offset_of!(ip6::Header, payload_length), &length.to_be_bytes())?;
    } else {
        let length = u16::try_from(octets).ok()?;
        put(ip, offset_of!(ip4::Header, total_length), &length.to_be_bytes())?;
        put(ip, offset_of!(ip4::Header, checksum), &[0; 2])?;
        let sum = checksum::of(ip);
        put(ip, offset_of!(ip4::Header, checksum), &sum.to_be_bytes())?;
    }
    let header = headers.get_mut(first.transport..first.headers)?;
    put(header, offset_of!(tcp::Header, acknowledgment), &last.acknowledgment.to_be_bytes())?;
    put(header, offset_of!(tcp::Header, window), &last.window.to_be_bytes())?;
    let pseudo = !first.pseudo(*payload).checksum();
    put(header, offset_of!(tcp::Header, checksum), &pseudo.to_be_bytes())?;
    if last.push {
        *header.get_mut(offset_of!(tcp::Header, offset_flags) + 1)? |= tcp::flags::PSH as u8;
    }
    Some(())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..at + value.len())?.copy_from_slice(value);
    Some(())
}

/// Notes on `buffer`, which begins with the written headers, what is still to be done to it.
pub(super) fn note(flow: &Flow, buffer: &mut Buffer) {
    const OF_SEGMENTS: BufferFlags =
        BufferFlags::L4_CHECKSUM_COMPUTED.union(BufferFlags::L4_CHECKSUM_CORRECT);
    let first = &flow.first;
    buffer.clear_flags(OF_SEGMENTS);
    buffer.offload = Offload {
        checksum_start: buffer.current_data().saturating_add(first.transport as i16),
        checksum_offset: offset_of!(tcp::Header, checksum) as u16,
        gso_size: first.payload as u16,
        header_length: (first.headers - first.transport) as u16,
        gso: if first.is_ip6() { Gso::Tcp6 } else { Gso::Tcp4 },
        ecn: false,
    };
    buffer.set_flags(BufferFlags::OFFLOAD);
    buffer.wire_length = buffer.length_in_chain() as u32;
}
