//! What `pg-input` and the tx nodes leave of a traced packet.

use core::fmt::{self, Display};

use vnet::{
    buffer::Buffer,
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
    wire::{
        ethernet::{self, EtherType, VlanTag},
        link::LinkType,
        trace,
    },
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::stream::Label;

/// Bytes of names that a record keeps.
const NAME: usize = 20;
/// Bytes of a packet that a record keeps.
const HEAD: usize = 54;

/// What `pg-input` leaves.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    sw_if_index: u32,
    stream: [u8; NAME],
    next_node: [u8; NAME],
    packet: Head,
}

impl Trace {
    /// Of a packet that belongs to the stream `label`, as long as that is known.
    pub(super) fn new(buffer: &Buffer, label: Option<&Label>) -> Self {
        Self {
            sw_if_index: buffer.rx.0,
            stream: name_bytes(label.map_or("", |l| &l.name)),
            next_node: name_bytes(label.map_or("", |l| &l.next_node)),
            packet: Head::new(buffer, buffer.link_type),
        }
    }
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        write!(
            f,
            "stream {}, {} bytes, sw_if_index {}, next_node {}\n  {}",
            name_of(&self.stream),
            self.packet.length,
            SwIfIndex(self.sw_if_index),
            name_of(&self.next_node),
            self.packet
        )
    }
}

/// What the tx node of an interface leaves.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct TxTrace {
    packet: Head,
}

impl TxTrace {
    /// Of a packet that begins with a header of the type `link`.
    pub(super) fn new(buffer: &Buffer, link: u16) -> Self {
        Self { packet: Head::new(buffer, link) }
    }
}

impl TraceRecord for TxTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        self.packet.fmt(f)
    }
}

/// Where a packet lies in its buffer, and its first bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Head {
    length: u32,
    current_data: i16,
    current_length: u16,
    link: u16,
    kept: u16,
    bytes: [u8; HEAD],
    padding: [u8; 2],
}

impl Head {
    fn new(buffer: &Buffer, link: u16) -> Self {
        let mut bytes = [0; HEAD];
        let kept = buffer.len().min(HEAD);
        bytes[..kept].copy_from_slice(&buffer.current()[..kept]);
        Self {
            length: u32::try_from(buffer.length_in_chain()).unwrap_or(u32::MAX),
            current_data: buffer.current_data(),
            current_length: buffer.len() as u16,
            link,
            kept: kept as u16,
            bytes,
            padding: [0; 2],
        }
    }
}

/// The first line stands where the formatter is, the others are indented by two.
impl Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "current data {}, length {}", self.current_data, self.current_length)?;
        let bytes = &self.bytes[..usize::from(self.kept).min(HEAD)];
        if LinkType::from_number(self.link) == Some(LinkType::Ethernet) {
            write!(f, "\n  {}", trace::Ethernet(bytes))?;
            return match behind_ethernet(bytes) {
                Some((ethertype, at)) => internet(f, &bytes[at..], ethertype),
                None => Ok(()),
            };
        }
        match bytes.first().map(|byte| byte >> 4) {
            Some(4) => internet(f, bytes, EtherType::IP4),
            Some(6) => internet(f, bytes, EtherType::IP6),
            _ => Ok(()),
        }
    }
}

fn internet(f: &mut fmt::Formatter<'_>, bytes: &[u8], ethertype: EtherType) -> fmt::Result {
    match ethertype {
        EtherType::IP4 => write!(f, "\n  {}", trace::Ip4 { bytes, indent: 2 }),
        EtherType::IP6 => write!(f, "\n  {}", trace::Ip6 { bytes, indent: 2 }),
        _ => Ok(()),
    }
}

/// What follows an Ethernet header and its tags, and where.
fn behind_ethernet(bytes: &[u8]) -> Option<(EtherType, usize)> {
    let (header, mut rest) = ethernet::Header::ref_from_prefix(bytes).ok()?;
    let mut ethertype = EtherType(header.ethertype.get());
    while ethertype.is_vlan() {
        let (tag, behind) = VlanTag::ref_from_prefix(rest).ok()?;
        ethertype = EtherType(tag.ethertype.get());
        rest = behind;
    }
    Some((ethertype, bytes.len() - rest.len()))
}

/// The beginning of a name, as a record keeps it.
fn name_bytes(name: &str) -> [u8; NAME] {
    let mut bytes = [0; NAME];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

fn name_of(bytes: &[u8; NAME]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(NAME);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
