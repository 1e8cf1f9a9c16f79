//! Headers as bytes and bits: which of them are fixed, which vary, and which are filled in.

use core::ops::Range;

use vnet::wire::{
    ethernet::EtherType,
    ip4::{self, protocol},
    tcp,
};

use super::{
    Layer, SpecError, Value,
    packet::{Arp, Ethernet, Icmp, Ip4, Ip6, Mpls, Network, PacketSpec, Tcp, Udp},
};

/// A packet as bytes, its varying and filled-in bits zero.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Headers, then payload.
    pub(super) bytes: Vec<u8>,
    /// Fields whose value changes from packet to packet.
    pub(super) varying: Vec<Varying>,
    /// Fields that hold the length of the packet from somewhere on.
    pub(super) lengths: Vec<Length>,
    /// Checksum fields.
    pub(super) checksums: Vec<Checksum>,
    /// Offset and size of each header, and of the payload if there is one.
    pub(super) groups: Vec<(usize, usize)>,
    /// Size of all headers.
    headers: usize,
}

/// A run of at most 64 bits, counted from the first bit of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    pub(super) at: usize,
    pub(super) width: usize,
}

#[derive(Debug)]
pub(super) struct Varying {
    pub(super) bits: Bits,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) struct Length {
    /// A 16-bit field.
    pub(super) bits: Bits,
    /// It holds the packet's size less this.
    pub(super) less: usize,
}

#[derive(Debug)]
pub(super) struct Checksum {
    /// Offset of the field.
    pub(super) at: usize,
    /// Bytes that it covers; an end of `None` is that of the packet.
    pub(super) from: usize,
    pub(super) to: Option<usize>,
    pub(super) pseudo: Option<Pseudo>,
    /// UDP: 0 means that there is none.
    pub(super) never_zero: bool,
}

/// The pseudo header of a transport checksum.
#[derive(Debug)]
pub(super) struct Pseudo {
    /// Where both addresses lie.
    pub(super) addresses: Range<usize>,
    pub(super) protocol: u8,
    /// The 16-bit field that holds the length, where the header has one; otherwise it is that of the bytes covered.
    pub(super) length: Option<Bits>,
}

/// What a transport header needs of the IP header in front of it.
#[derive(Clone, Copy)]
struct Behind {
    network: Network,
    at: usize,
}

impl Layout {
    pub(super) fn new(packet: &PacketSpec) -> Result<Self, SpecError> {
        let mut layout = Self::default();
        let mut behind = None;
        for (i, layer) in packet.layers.iter().enumerate() {
            let at = layout.bytes.len();
            layout.bytes.resize(at + layer.size(), 0);
            layout.groups.push((at, layer.size()));
            match layer {
                Layer::Arp(header) => layout.arp(at, header)?,
                Layer::Ethernet(header) => layout.ethernet(at, header)?,
                Layer::Icmp(header) => layout.icmp(at, header, behind)?,
                Layer::Ip4(header) => layout.ip4(at, header)?,
                Layer::Ip6(header) => layout.ip6(at, header)?,
                Layer::Mpls(header) => {
                    let is_last = !matches!(packet.layers.get(i + 1), Some(Layer::Mpls(_)));
                    layout.mpls(at, header, is_last)?;
                }
                Layer::Tcp(header) => layout.tcp(at, header, behind)?,
                Layer::Udp(header) => layout.udp(at, header, behind)?,
            }
            behind = match layer {
                Layer::Ip4(_) => Some(Behind { network: Network::Ip4, at }),
                Layer::Ip6(_) => Some(Behind { network: Network::Ip6, at }),
                _ => None,
            };
        }
        let headers = layout.bytes.len();
        layout.headers = headers;
        if headers > vnet::buffer::DATA_SIZE {
            return Err(SpecError::HeadersTooLong(headers));
        }
        if !packet.payload.is_empty() {
            layout.groups.push((headers, packet.payload.len()));
            layout.bytes.extend_from_slice(&packet.payload);
        }
        Ok(layout)
    }

    /// Cuts the payload so that the packet has at most `size` bytes. Headers stay.
    pub(super) fn cut(&mut self, size: usize) {
        let size = size.max(self.headers);
        if self.bytes.len() <= size {
            return;
        }
        self.bytes.truncate(size);
        // What is longer than its headers has a payload, and that is the last group.
        if let Some((at, length)) = self.groups.last_mut() {
            *length = size - *at;
        }
    }

    /// Puts a value into `bits`: now when it is fixed, otherwise it is noted.
    fn put(&mut self, at: usize, width: usize, value: Value) -> Result<(), SpecError> {
        let bits = Bits { at, width };
        let high = match value {
            Value::Fixed(value) => value,
            Value::Increment { low, high } | Value::Random { low, high } => low.max(high),
        };
        if high.checked_shr(width as u32).is_some_and(|above| above != 0) {
            return Err(SpecError::ValueTooLarge(high, width));
        }
        match value {
            Value::Fixed(value) => self.set(bits, value),
            Value::Increment { .. } | Value::Random { .. } => {
                self.varying.push(Varying { bits, value });
            }
        }
        Ok(())
    }

    /// ORs a value into bits that are zero.
    pub(super) fn set(&mut self, bits: Bits, value: u128) {
        let end = bits.at + bits.width;
        for (i, byte) in self.bytes[bits.at / 8..end.div_ceil(8)].iter_mut().enumerate() {
            // Bits of the value that lie behind this byte.
            let behind = end as isize - ((bits.at / 8 + i + 1) * 8) as isize;
            *byte |= if behind >= 0 { value >> behind } else { value << -behind } as u8;
        }
    }

    fn put_bytes(&mut self, at: usize, width: usize, value: Value) -> Result<(), SpecError> {
        self.put(at * 8, width * 8, value)
    }

    fn ethernet(&mut self, at: usize, header: &Ethernet) -> Result<(), SpecError> {
        self.put_bytes(at, 6, header.destination)?;
        self.put_bytes(at + 6, 6, header.source)?;
        let mut type_at = at + 12;
        for tag in &header.tags {
            self.put_bytes(type_at, 2, EtherType::VLAN.0.into())?;
            let bits = (type_at + 2) * 8;
            self.put(bits, 3, tag.priority)?;
            self.put(bits + 3, 1, tag.cfi)?;
            self.put(bits + 4, 12, tag.id)?;
            type_at += 4;
        }
        self.put_bytes(type_at, 2, header.ethertype)
    }

    fn arp(&mut self, at: usize, header: &Arp) -> Result<(), SpecError> {
        self.put_bytes(at, 2, 1u8.into())?;
        self.put_bytes(at + 2, 2, EtherType::IP4.0.into())?;
        self.put_bytes(at + 4, 2, 0x0604u16.into())?;
        self.put_bytes(at + 6, 2, header.operation)?;
        self.put_bytes(at + 8, 6, header.sender_mac)?;
        self.put_bytes(at + 14, 4, header.sender_ip)?;
        self.put_bytes(at + 18, 6, header.target_mac)?;
        self.put_bytes(at + 24, 4, header.target_ip)
    }

    fn mpls(&mut self, at: usize, header: &Mpls, is_last: bool) -> Result<(), SpecError> {
        let bits = at * 8;
        self.put(bits, 20, header.label)?;
        self.put(bits + 20, 3, header.exp)?;
        self.put(bits + 23, 1, header.bottom.unwrap_or_else(|| u8::from(is_last).into()))?;
        self.put(bits + 24, 8, header.ttl)
    }

    fn ip4(&mut self, at: usize, header: &Ip4) -> Result<(), SpecError> {
        self.put(at * 8, 4, header.version)?;
        self.put(at * 8 + 4, 4, header.header_length)?;
        self.put_bytes(at + 1, 1, header.tos)?;
        self.put_length(at + 2, header.length, at)?;
        self.put_bytes(at + 4, 2, header.identification)?;
        let flags = [
            (ip4::Header::RESERVED, header.congestion),
            (ip4::Header::DONT_FRAGMENT, header.dont_fragment),
            (ip4::Header::MORE_FRAGMENTS, header.more_fragments),
        ];
        let flags = flags.iter().filter(|(_, set)| *set).fold(0, |sum, (flag, _)| sum | flag);
        self.put_bytes(at + 6, 2, flags.into())?;
        self.put((at + 6) * 8 + 3, 13, header.fragment_offset)?;
        self.put_bytes(at + 8, 1, header.ttl)?;
        self.put_bytes(at + 9, 1, header.protocol)?;
        self.put_bytes(at + 12, 4, header.source)?;
        self.put_bytes(at + 16, 4, header.destination)?;
        // Bytes behind the header that it claims as its options are covered as well.
        let words = header.header_length.fixed().unwrap_or(5).max(5) as usize;
        let covers = (at, Some(at + words * 4));
        self.put_checksum(at + 10, header.checksum, covers, None, false)
    }

    fn ip6(&mut self, at: usize, header: &Ip6) -> Result<(), SpecError> {
        self.put(at * 8, 4, header.version)?;
        self.put(at * 8 + 4, 8, header.traffic_class)?;
        self.put(at * 8 + 12, 20, header.flow_label)?;
        self.put_length(at + 4, header.length, at + 40)?;
        self.put_bytes(at + 6, 1, header.protocol)?;
        self.put_bytes(at + 7, 1, header.hop_limit)?;
        self.put_address6(at + 8, header.source)?;
        self.put_address6(at + 24, header.destination)
    }

    fn put_address6(&mut self, at: usize, value: Value) -> Result<(), SpecError> {
        let (low, high) = match value {
            Value::Fixed(_) => return self.put_bytes(at, 16, value),
            Value::Increment { low, high } | Value::Random { low, high } => {
                (low.min(high), low.max(high))
            }
        };
        if low >> 64 != high >> 64 {
            return Err(SpecError::RangeTooWide);
        }
        self.put_bytes(at, 8, Value::Fixed(low >> 64))?;
        let (low, high) = (u128::from(low as u64), u128::from(high as u64));
        let suffix = match value {
            Value::Random { .. } => Value::random(low, high),
            Value::Fixed(_) | Value::Increment { .. } => Value::increment(low, high),
        };
        self.put_bytes(at + 8, 8, suffix)
    }

    fn udp(&mut self, at: usize, header: &Udp, behind: Option<Behind>) -> Result<(), SpecError> {
        self.put_bytes(at, 2, header.source_port)?;
        self.put_bytes(at + 2, 2, header.destination_port)?;
        self.put_length(at + 4, header.length, at)?;
        let length = Some(Bits { at: (at + 4) * 8, width: 16 });
        let pseudo = behind.map(|b| b.pseudo(protocol::UDP, length));
        self.put_checksum(at + 6, header.checksum, (at, None), pseudo, true)
    }

    fn tcp(&mut self, at: usize, header: &Tcp, behind: Option<Behind>) -> Result<(), SpecError> {
        self.put_bytes(at, 2, header.source_port)?;
        self.put_bytes(at + 2, 2, header.destination_port)?;
        self.put_bytes(at + 4, 4, header.sequence)?;
        self.put_bytes(at + 8, 4, header.acknowledgment)?;
        let words = header.size() / 4;
        let offset_flags = (words as u16) << 12 | header.flags & tcp::flags::ALL;
        self.put_bytes(at + 12, 2, offset_flags.into())?;
        self.put_bytes(at + 14, 2, header.window)?;
        self.tcp_options(at + 20, header)?;
        let pseudo = behind.map(|b| b.pseudo(protocol::TCP, None));
        self.put_checksum(at + 16, header.checksum, (at, None), pseudo, false)
    }

    fn tcp_options(&mut self, mut at: usize, header: &Tcp) -> Result<(), SpecError> {
        let filled = at + header.size() - 20;
        for option in &header.options {
            self.put_bytes(at, 1, option.kind.into())?;
            self.put_bytes(at + 1, 1, (option.size() as u8).into())?;
            at += 2;
            for &value in &option.values {
                self.put_bytes(at, option.width, value)?;
                at += option.width;
            }
        }
        (at..filled).try_for_each(|at| self.put_bytes(at, 1, tcp::options::NO_OPERATION.into()))
    }

    fn icmp(&mut self, at: usize, header: &Icmp, behind: Option<Behind>) -> Result<(), SpecError> {
        self.put_bytes(at, 1, header.kind.into())?;
        self.put_bytes(at + 1, 1, header.code.into())?;
        let pseudo =
            behind.filter(|b| b.network == Network::Ip6).map(|b| b.pseudo(protocol::ICMP6, None));
        self.put_checksum(at + 2, header.checksum, (at, None), pseudo, false)
    }

    fn put_length(
        &mut self,
        at: usize,
        value: Option<Value>,
        less: usize,
    ) -> Result<(), SpecError> {
        match value {
            Some(value) => self.put_bytes(at, 2, value)?,
            None => self.lengths.push(Length { bits: Bits { at: at * 8, width: 16 }, less }),
        }
        Ok(())
    }

    fn put_checksum(
        &mut self,
        at: usize,
        value: Option<Value>,
        (from, to): (usize, Option<usize>),
        pseudo: Option<Pseudo>,
        never_zero: bool,
    ) -> Result<(), SpecError> {
        match value {
            Some(value) => self.put_bytes(at, 2, value)?,
            None => self.checksums.push(Checksum { at, from, to, pseudo, never_zero }),
        }
        Ok(())
    }
}

impl Behind {
    fn pseudo(self, protocol: u8, length: Option<Bits>) -> Pseudo {
        let addresses = match self.network {
            Network::Ip4 => self.at + 12..self.at + 20,
            Network::Ip6 => self.at + 8..self.at + 40,
        };
        Pseudo { addresses, protocol, length }
    }
}
