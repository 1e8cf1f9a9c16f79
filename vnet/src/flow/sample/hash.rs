//! Hash-based selection (RFC 5475 section 6.2): by what routers leave alone in a packet.

use core::ops::{Range, RangeInclusive};

use super::{Packets, Selection, bob};
use crate::{
    flow::{Observed, Start},
    wire::{
        ip4, ip6,
        walk::{self, Version},
    },
};

/// Octets of the IP payload that are hashed, from its first on; those that are not there are 0.
pub(super) const PAYLOAD: usize = 20;
/// Octets of addresses and of other fields of the IP header.
const HEADER: usize = 32 + 8;
const INPUT: usize = HEADER + PAYLOAD;

/// Selects packets whose hash is within a range.
#[derive(Clone, Debug)]
pub(super) struct Hashed {
    selected: RangeInclusive<u32>,
    initial: u32,
}

impl Hashed {
    pub(super) fn new(selected: RangeInclusive<u32>, seed: u64) -> Self {
        Self { selected, initial: seed as u32 }
    }

    #[inline]
    pub(super) fn select(
        &mut self,
        run: Range<usize>,
        packets: &mut impl Packets,
        selection: &mut Selection,
    ) -> usize {
        let mut selected = 0;
        for at in run {
            if self.selected.contains(&hash(&packets.packet(at), self.initial)) {
                selection.add(at);
                selected += 1;
            }
        }
        selected
    }
}

/// The hash of a packet. Frames without IP are hashed from their link header on.
fn hash(packet: &Observed<'_>, initial: u32) -> u32 {
    let (input, len) = match network(packet) {
        Some((Version::V4, bytes)) => input4(bytes),
        Some((Version::V6, bytes)) => input6(bytes),
        None => None,
    }
    .unwrap_or_else(|| {
        let mut input = [0; INPUT];
        let len = packet.bytes.len().min(INPUT);
        input[..len].copy_from_slice(&packet.bytes[..len]);
        (input, len)
    });
    bob::hash(&input[..len], initial)
}

/// The IP header and what follows it.
fn network<'a>(packet: &Observed<'a>) -> Option<(Version, &'a [u8])> {
    let (version, offset) = match packet.start {
        Start::Network(offset) => {
            let offset = usize::from(offset);
            let version = match packet.bytes.get(offset)? >> 4 {
                4 => Version::V4,
                6 => Version::V6,
                _ => return None,
            };
            (version, offset)
        }
        Start::Link(link_type) => {
            let link = walk::link(packet.bytes, link_type).ok()?;
            walk::network(packet.bytes, &link).ok()?
        }
    };
    Some((version, packet.bytes.get(offset..)?))
}

type Input = ([u8; INPUT], usize);

/// Addresses; total length, identification, protocol; payload. TTL, checksum, DSCP and ECN change on the way, and fragments are
/// packets of their own.
fn input4(bytes: &[u8]) -> Option<Input> {
    let header = bytes.first_chunk::<{ size_of::<ip4::Header>() }>()?;
    let mut input = [0; INPUT];
    input[..8].copy_from_slice(&header[12..20]);
    input[8..10].copy_from_slice(&header[2..4]);
    input[10..12].copy_from_slice(&header[4..6]);
    input[12] = header[9];
    let (start, end) =
        (usize::from(header[0] & 15) * 4, u16::from_be_bytes([header[2], header[3]]));
    Some(with_payload(input, 13, within(bytes, start, end.into())))
}

/// Addresses; payload length, next header; payload. Hop limit and traffic class change on the way.
fn input6(bytes: &[u8]) -> Option<Input> {
    const FIXED: usize = size_of::<ip6::Header>();
    let header = bytes.first_chunk::<FIXED>()?;
    let mut input = [0; INPUT];
    input[..32].copy_from_slice(&header[8..40]);
    input[32..35].copy_from_slice(&header[4..7]);
    let end = match u16::from_be_bytes([header[4], header[5]]) {
        0 => 0,
        length => FIXED + usize::from(length),
    };
    Some(with_payload(input, 35, within(bytes, FIXED, end)))
}

/// The payload, without the padding of a short frame. A length of 0 says that the packet is too long for its field.
fn within(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    let end = if end == 0 { bytes.len() } else { end.min(bytes.len()) };
    bytes.get(start..end).unwrap_or_default()
}

fn with_payload(mut input: [u8; INPUT], at: usize, payload: &[u8]) -> Input {
    let len = payload.len().min(PAYLOAD);
    input[at..at + len].copy_from_slice(&payload[..len]);
    (input, at + PAYLOAD)
}
