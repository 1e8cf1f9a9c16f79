//! Checksums over packets of several buffers.

use vnet::{
    buffer::{Buffer, BufferFlags},
    error::ErrorSet,
    graph::{NextSet, NodeCx, PacketCx},
    wire::{checksum::Sum, udp},
};

/// Adds to `sum` the `length` bytes that begin `skip` bytes behind the packet's current position. `None` when the packet ends
/// before.
pub(crate) fn add_segments<N: NextSet, E: ErrorSet>(
    cx: &PacketCx<'_, N, E>,
    buffer: &Buffer,
    skip: usize,
    length: usize,
    sum: Sum,
) -> Option<Sum> {
    let (mut skip, mut left, mut sum) = (skip, length, sum);
    let mut odd: Option<u8> = None;
    cx.for_each_segment(buffer, |segment| {
        let mut bytes = segment.get(skip.min(segment.len())..).unwrap_or_default();
        skip = skip.saturating_sub(segment.len());
        bytes = &bytes[..bytes.len().min(left)];
        left -= bytes.len();
        // A segment of odd length leaves a byte that pairs with the next segment's first.
        if let (Some(first), Some((second, rest))) = (odd, bytes.split_first()) {
            sum = sum.bytes(&[first, *second]);
            odd = None;
            bytes = rest;
        }
        let (pairs, last) = bytes.split_at(bytes.len() & !1);
        sum = sum.bytes(pairs);
        odd = odd.or(last.first().copied());
    });
    if let Some(last) = odd {
        sum = sum.bytes(&[last]);
    }
    (left == 0).then_some(sum)
}

/// Makes a fragment of the packet `from` in an empty buffer: `headers`, and `payload` behind them. Its metadata are those of the packet.
/// `None` when the pool has not enough buffers.
pub(crate) fn fill_fragment<N: NextSet, E: ErrorSet>(
    cx: &mut NodeCx<'_, N, E>,
    new: &mut Buffer,
    from: &Buffer,
    headers: &[&[u8]],
    payload: &[u8],
) -> Option<()> {
    let header = headers.iter().map(|part| new.append(part)).sum::<usize>();
    let stored = new.append(payload);
    if !payload[stored..].is_empty() && !cx.append_chain(new, &payload[stored..]) {
        return None;
    }
    new.describe_as(from);
    new.clear_flags(BufferFlags::OFFLOAD);
    new.l3_offset = new.current_data();
    new.l4_offset = new.current_data() + header as i16;
    new.wire_length = new.length_in_chain() as u32;
    Some(())
}

/// Makes the checksum that is still to be made, of a packet that stands for itself; then nothing is left to do. `None` when what is
/// left to do contradicts the packet.
pub(crate) fn finish_checksum<N: NextSet, E: ErrorSet>(
    cx: &PacketCx<'_, N, E>,
    buffer: &mut Buffer,
) -> Option<()> {
    let Some(offload) = buffer.offload().copied() else { return Some(()) };
    let start = i32::from(offload.checksum_start) - i32::from(buffer.current_data());
    let start = usize::try_from(start).ok()?;
    let length = buffer.length_in_chain().checked_sub(start)?;
    let sum = add_segments(cx, buffer, start, length, Sum::EMPTY)?;
    let at = start + usize::from(offload.checksum_offset);
    let field = buffer.current_mut().get_mut(at..at + 2)?;
    // 0 would mean "none" in UDP; elsewhere both mean the same.
    field.copy_from_slice(&udp::checksum_field(sum.checksum()).to_be_bytes());
    buffer.clear_flags(BufferFlags::OFFLOAD);
    Some(())
}
