//! pcapng (draft-ietf-opsawg-pcapng): blocks of a type, a total length, a body, and the total length again.

use vnet::runtime::PacketTime;
use vnet::wire::link::LinkType;

use super::link::{self, UnsupportedLinkType};
use super::packet::{Decode, InterfaceId, Packet, Step};
use super::pcap::{u16_at, u32_at};
use super::time::TimeScale;
use super::window::WINDOW;
use super::{Defect, MAX_CAPTURED};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

const END_OF_OPTIONS: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// The `if_tsresol` of an interface that says nothing.
const MICROSECONDS: u8 = 6;

/// The total length behind every block.
const TRAILER: usize = 4;
/// A block without a body.
const LEAST_BLOCK: usize = 12;
/// Type, total length and byte-order magic: what it takes to know a section's byte order.
const SECTION_START: usize = 12;
/// The smallest blocks of each type, framing included.
const LEAST_SECTION: usize = 28;
const LEAST_INTERFACE: usize = 20;
const LEAST_SIMPLE: usize = 16;
const LEAST_PACKET: usize = 32;

/// Where the packet begins in an Enhanced (or obsolete) Packet Block and in a Simple one.
const PACKET_DATA: usize = 28;
const SIMPLE_DATA: usize = 12;
const INTERFACE_OPTIONS: usize = 16;

/// The most interfaces of a section, so that a file cannot make us keep an endless list.
const MAX_INTERFACES: usize = 65_536;

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Result<LinkType, UnsupportedLinkType>,
    /// 0 is no limit.
    snaplen: u32,
    scale: TimeScale,
}

/// Decodes blocks; knows the current section's byte order and interfaces.
#[derive(Clone, Debug)]
pub(super) struct PcapNg {
    swapped: bool,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before this one.
    interfaces_before: u32,
    last_time: PacketTime,
}

impl PcapNg {
    /// Whether a file that begins with `magic` is of this format.
    pub(super) fn recognises(magic: [u8; 4]) -> bool {
        u32::from_le_bytes(magic) == SECTION_HEADER
    }

    /// Before the first section header, which is the first block of every file.
    pub(super) const fn new() -> Self {
        Self {
            swapped: false,
            interfaces: Vec::new(),
            interfaces_before: 0,
            last_time: PacketTime(0),
        }
    }

    fn begin_section(&mut self, block: &[u8]) -> Result<(), Defect> {
        let header = front::<LEAST_SECTION>(block)?;
        let (major, minor) = (u16_at(header, 12, self.swapped), u16_at(header, 14, self.swapped));
        // 1.2 was never defined, but is written by some programs and means 1.0.
        if major != 1 || !matches!(minor, 0 | 2) {
            return Err(Defect::Version { format: "pcapng", major, minor, expected: "1.0" });
        }
        self.interfaces_before =
            self.interfaces_before.saturating_add(self.interfaces.len() as u32);
        self.interfaces.clear();
        Ok(())
    }

    fn add_interface(&mut self, block: &[u8]) -> Result<(), Defect> {
        let header = front::<LEAST_INTERFACE>(block)?;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Defect::TooManyInterfaces(MAX_INTERFACES as u32));
        }
        let options = &block[INTERFACE_OPTIONS..block.len() - TRAILER];
        self.interfaces.push(Interface {
            link: link::from_number(u32::from(u16_at(header, 8, self.swapped))),
            snaplen: u32_at(header, 12, self.swapped),
            scale: self.scale_of(options)?,
        });
        Ok(())
    }

    fn scale_of(&self, mut options: &[u8]) -> Result<TimeScale, Defect> {
        let (mut resolution, mut offset) = (MICROSECONDS, 0);
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let (code, length) = (u16_at(head, 0, self.swapped), u16_at(head, 2, self.swapped));
            if code == END_OF_OPTIONS {
                break;
            }
            let wrong = |expected| Defect::OptionLength { code, length, expected };
            let value = rest
                .get(..usize::from(length))
                .ok_or_else(|| wrong("no more than its block has"))?;
            match code {
                IF_TSRESOL => resolution = *value.first().ok_or_else(|| wrong("1"))?,
                IF_TSOFFSET => {
                    let value = *value.first_chunk::<8>().ok_or_else(|| wrong("8"))?;
                    offset = if self.swapped {
                        i64::from_be_bytes(value)
                    } else {
                        i64::from_le_bytes(value)
                    };
                }
                _ => {}
            }
            options = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(TimeScale::from_resolution(resolution, offset))
    }

    /// The packet of a whole Enhanced Packet Block, which nearly all blocks are. Inlined once for each byte order, so
    /// that the fields are read without asking for it.
    #[inline(always)]
    fn enhanced<'a>(&mut self, bytes: &'a [u8], swapped: bool) -> Option<(Packet<'a>, usize)> {
        let header = bytes.first_chunk::<PACKET_DATA>()?;
        let length = u32_at(header, 4, swapped) as usize;
        let block = bytes.get(..length)?;
        let sound = u32_at(header, 0, swapped) == ENHANCED_PACKET
            && length >= LEAST_PACKET
            && length.is_multiple_of(4)
            && trailer(block, swapped) == length as u32;
        if !sound {
            return None;
        }
        let id = u32_at(header, 8, swapped);
        Some((self.packet_of(header, block, id, swapped)?, length))
    }

    /// The packet of an Enhanced or obsolete Packet Block of interface `id`, unless something is wrong with it.
    #[inline(always)]
    fn packet_of<'a>(
        &mut self,
        header: &[u8; PACKET_DATA],
        block: &'a [u8],
        id: u32,
        swapped: bool,
    ) -> Option<Packet<'a>> {
        let interface = self.interfaces.get(id as usize)?;
        let high = u64::from(u32_at(header, 12, swapped));
        let low = u64::from(u32_at(header, 16, swapped));
        let captured = u32_at(header, 20, swapped);
        let data = block.get(PACKET_DATA..block.len() - TRAILER)?.get(..captured as usize)?;
        let link = interface.link.ok()?;
        if captured > MAX_CAPTURED {
            return None;
        }
        self.last_time = interface.scale.time(high << 32 | low);
        Some(Packet {
            data,
            wire_len: u32_at(header, 24, swapped).max(captured),
            time: self.last_time,
            digits: interface.scale.digits(),
            link,
            interface: InterfaceId(self.interfaces_before.saturating_add(id)),
        })
    }

    /// What made [`Self::packet_of`] refuse.
    fn packet_defect(&self, header: &[u8; PACKET_DATA], block: &[u8], id: u32) -> Defect {
        let promised = u32_at(header, 20, self.swapped);
        match self.link_of(id) {
            Err(defect) => defect,
            Ok(_) if promised > MAX_CAPTURED => Defect::PacketTooLong(promised),
            Ok(_) => {
                let room = block.len().saturating_sub(LEAST_PACKET) as u32;
                Defect::PacketBeyondBlock { promised, room }
            }
        }
    }

    fn link_of(&self, id: u32) -> Result<LinkType, Defect> {
        let known = self.interfaces.len() as u32;
        let interface =
            self.interfaces.get(id as usize).ok_or(Defect::UnknownInterface { id, known })?;
        interface.link.map_err(Defect::LinkType)
    }

    fn simple<'a>(&self, block: &'a [u8]) -> Result<Packet<'a>, Defect> {
        let header = front::<SIMPLE_DATA>(block)?;
        let link = self.link_of(0)?;
        let Interface { snaplen, scale, .. } = self.interfaces[0];
        let wire_len = u32_at(header, 8, self.swapped);
        let limit = if snaplen == 0 { u32::MAX } else { snaplen };
        // The block does not say how much was captured; it is padded to a multiple of 4.
        let room = (block.len() - LEAST_SIMPLE) as u32;
        let captured = wire_len.min(limit).min(room);
        if captured > MAX_CAPTURED {
            return Err(Defect::PacketTooLong(captured));
        }
        Ok(Packet {
            data: &block[SIMPLE_DATA..SIMPLE_DATA + captured as usize],
            wire_len,
            time: self.last_time,
            digits: scale.digits(),
            link,
            interface: InterfaceId(self.interfaces_before),
        })
    }

    /// The byte order of a section that begins here.
    fn section_order(start: &[u8; SECTION_START]) -> Result<bool, Defect> {
        match u32_at(start, 8, false) {
            BYTE_ORDER_MAGIC => Ok(false),
            swapped if swapped.swap_bytes() == BYTE_ORDER_MAGIC => Ok(true),
            other => Err(Defect::ByteOrder(other)),
        }
    }

    /// Whatever the bytes begin with.
    fn block<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Defect> {
        let Some(start) = bytes.first_chunk::<SECTION_START>() else {
            return Ok(Step::Need(SECTION_START));
        };
        // A section header's type reads the same in both orders.
        let kind = u32_at(start, 0, self.swapped);
        if kind == SECTION_HEADER {
            self.swapped = Self::section_order(start)?;
        }
        let length = u32_at(start, 4, self.swapped);
        let (least, most) = match kind {
            SECTION_HEADER => (LEAST_SECTION, WINDOW as u32),
            INTERFACE_DESCRIPTION => (LEAST_INTERFACE, WINDOW as u32),
            SIMPLE_PACKET => (LEAST_SIMPLE, WINDOW as u32),
            ENHANCED_PACKET | OBSOLETE_PACKET => (LEAST_PACKET, WINDOW as u32),
            _ => (LEAST_BLOCK, u32::MAX),
        };
        if !length.is_multiple_of(4) || (length as usize) < least || length > most {
            return Err(Defect::BlockLength { kind, length, least: least as u32, most });
        }
        if least == LEAST_BLOCK {
            return Ok(Step::Skip(u64::from(length)));
        }
        bytes
            .get(..length as usize)
            .map_or(Ok(Step::Need(length as usize)), |block| self.known(kind, block))
    }

    /// A block of a known type that is whole in memory.
    fn known<'a>(&mut self, kind: u32, block: &'a [u8]) -> Result<Step<'a>, Defect> {
        let (first, last) = (block.len() as u32, trailer(block, self.swapped));
        if first != last {
            return Err(Defect::BlockTrailer { first, last });
        }
        let packet = match kind {
            SECTION_HEADER => {
                self.begin_section(block)?;
                return Ok(Step::Skip(u64::from(first)));
            }
            INTERFACE_DESCRIPTION => {
                self.add_interface(block)?;
                return Ok(Step::Skip(u64::from(first)));
            }
            SIMPLE_PACKET => self.simple(block)?,
            _ => {
                let header = front(block)?;
                let id = match kind {
                    OBSOLETE_PACKET => u32::from(u16_at(header, 8, self.swapped)),
                    _ => u32_at(header, 8, self.swapped),
                };
                self.packet_of(header, block, id, self.swapped)
                    .ok_or_else(|| self.packet_defect(header, block, id))?
            }
        };
        Ok(Step::Packet(packet, block.len()))
    }
}

impl Decode for PcapNg {
    #[inline(always)]
    fn packet<'a>(&mut self, bytes: &'a [u8]) -> Option<(Packet<'a>, usize)> {
        if self.swapped { self.enhanced(bytes, true) } else { self.enhanced(bytes, false) }
    }

    #[cold]
    fn other<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        self.block(bytes).unwrap_or_else(Step::Defect)
    }

    fn cut(&self, bytes: &[u8]) -> Defect {
        let remain = bytes.len() as u64;
        match bytes.first_chunk::<SECTION_START>() {
            Some(start) => Defect::CutBlock { promised: u32_at(start, 4, self.swapped), remain },
            None => Defect::CutHeader { expected: SECTION_START as u32, remain },
        }
    }
}

/// The first `N` bytes of a block, which [`PcapNg::block`] saw to.
fn front<const N: usize>(block: &[u8]) -> Result<&[u8; N], Defect> {
    block.first_chunk().ok_or(Defect::CutHeader { expected: N as u32, remain: block.len() as u64 })
}

/// The total length at a block's end.
#[inline(always)]
fn trailer(block: &[u8], swapped: bool) -> u32 {
    block.last_chunk::<TRAILER>().map_or(0, |last| u32_at(last, 0, swapped))
}
