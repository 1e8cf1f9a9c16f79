//! What a packet says of itself as a part of a TCP stream.

use zerocopy::FromBytes;

use crate::wire::{
    checksum, checksum::Sum, ethernet::EtherType, ip4, ip6, link::LinkType, tcp, walk,
};

/// Names a stream in one direction: addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    addresses: [[u8; 16]; 2],
    ports: [u16; 2],
    is_ip6: bool,
}

/// A TCP segment. Places are octets from the start of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The stream that it belongs to.
    pub stream: Stream,
    /// Where the IP header is.
    pub network: usize,
    /// Where the TCP header is.
    pub transport: usize,
    /// Where the payload is.
    pub headers: usize,
    /// Octets of payload, by the IP header. What is behind them only fills up a short frame.
    pub payload: usize,
    /// Sequence number of the first of them.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// Receive window.
    pub window: u16,
    /// Whether the receiver is to have it at once.
    pub push: bool,
    /// Identification, where it is of meaning: not of IPv6, and not of a packet that nobody may cut (RFC 6864).
    pub identification: Option<u16>,
    /// Whether it may be a part of a large packet: nothing but payload, and no headers that only one packet can have.
    pub is_plain: bool,
}

/// Octets of the headers of a plain segment, at most: Ethernet with two tags, IPv6, TCP with options.
pub(super) const HEADERS: usize = 22 + 40 + tcp::MAX_HEADER;

/// The headers of a plain segment without what each has for itself, zeros behind them.
pub(super) type Common = [u8; HEADERS];

impl Segment {
    /// The TCP segment in a packet of `length` octets, of which `head` are the first. `None` when it is none, a fragment, or not
    /// whole, or its headers are not all in `head`.
    #[must_use]
    pub fn of(head: &[u8], length: usize, link: LinkType) -> Option<Self> {
        let link = walk::link(head, link).ok()?;
        let network = link.payload;
        let packet = head.get(network..)?;
        let (is_ip6, internet) = match (link.ethertype, packet.first()? >> 4) {
            (EtherType::IP4, 4) => (false, Internet::v4(packet)?),
            (EtherType::IP6, 6) => (true, Internet::v6(packet)?),
            _ => return None,
        };
        let Internet { transport, octets, addresses, identification, is_plain } = internet;
        let (header, _) = tcp::Header::ref_from_prefix(packet.get(transport..)?).ok()?;
        let headers = transport + header.header_length();
        let options = packet.get(transport + size_of::<tcp::Header>()..headers)?;
        let payload = octets.checked_sub(headers)?;
        if network + octets > length {
            return None;
        }
        let others = header.flags() & !(tcp::flags::ACK | tcp::flags::PSH);
        Some(Self {
            stream: Stream {
                addresses,
                ports: [header.source_port.get(), header.destination_port.get()],
                is_ip6,
            },
            network,
            transport: network + transport,
            headers: network + headers,
            payload,
            sequence: header.sequence.get(),
            acknowledgment: header.acknowledgment.get(),
            window: header.window.get(),
            push: header.flags() & tcp::flags::PSH != 0,
            identification,
            is_plain: is_plain
                && others == 0
                && payload > 0
                && network + headers <= HEADERS
                && are_timestamps(options),
        })
    }

    /// Octets of the packet, without those that fill up a short frame.
    #[must_use]
    pub fn length(&self) -> usize {
        self.headers + self.payload
    }

    /// The sum of the pseudo header of a packet with these headers and `payload` octets behind them.
    #[must_use]
    pub fn pseudo(&self, payload: usize) -> Sum {
        let Stream { addresses: [source, destination], is_ip6, .. } = self.stream;
        let octets = self.headers - self.transport + payload;
        let first = |address: [u8; 16]| core::array::from_fn(|i| address[i]);
        match is_ip6 {
            true => Sum::EMPTY.pseudo6(source, destination, ip4::protocol::TCP, octets as u32),
            false => Sum::EMPTY.pseudo4(
                first(source),
                first(destination),
                ip4::protocol::TCP,
                octets as u16,
            ),
        }
    }

    /// Whether it is IPv6.
    #[must_use]
    pub fn is_ip6(&self) -> bool {
        self.stream.is_ip6
    }

    /// What its headers, with which `head` begins, share with those of all segments that may be in one packet with it.
    pub(super) fn common(&self, head: &[u8]) -> Common {
        let mut common = [0; HEADERS];
        let (Some(to), Some(from)) = (common.get_mut(..self.headers), head.get(..self.headers))
        else {
            return common;
        };
        to.copy_from_slice(from);
        let (network, transport) = (self.network, self.transport);
        match self.stream.is_ip6 {
            true => to[network + 4..network + 6].fill(0),
            // Length and identification, and the checksum.
            false => {
                to[network + 2..network + 6].fill(0);
                to[network + 10..network + 12].fill(0);
            }
        }
        // Numbers, PSH, window and checksum.
        to[transport + 4..transport + 12].fill(0);
        to[transport + 13] &= !(tcp::flags::PSH as u8);
        to[transport + 14..transport + 18].fill(0);
        common
    }
}

/// What an IP header says. Places are octets from its start.
struct Internet {
    transport: usize,
    octets: usize,
    addresses: [[u8; 16]; 2],
    identification: Option<u16>,
    is_plain: bool,
}

impl Internet {
    fn v4(packet: &[u8]) -> Option<Self> {
        let (ip, _) = ip4::Header::ref_from_prefix(packet).ok()?;
        let (transport, octets) = (ip.header_length(), usize::from(ip.total_length.get()));
        let is_tcp = ip.protocol == ip4::protocol::TCP && !ip.is_fragment();
        if !is_tcp || transport < size_of::<ip4::Header>() {
            return None;
        }
        let wide = |address: [u8; 4]| core::array::from_fn(|i| address.get(i).map_or(0, |b| *b));
        let may_be_cut = ip.flags_fragment.get() & ip4::Header::DONT_FRAGMENT == 0;
        Some(Self {
            transport,
            octets,
            addresses: [wide(ip.source), wide(ip.destination)],
            identification: may_be_cut.then_some(ip.identification.get()),
            is_plain: transport == size_of::<ip4::Header>() && checksum::is_ip4_header_intact(ip),
        })
    }

    fn v6(packet: &[u8]) -> Option<Self> {
        const FIXED: usize = size_of::<ip6::Header>();
        let (ip, behind) = ip6::Header::ref_from_prefix(packet).ok()?;
        let upper = ip6::upper_layer(ip.next_header, behind);
        let is_fragment = || ip6::fragment_header(ip.next_header, behind).is_some();
        if upper.protocol != ip4::protocol::TCP || is_fragment() {
            return None;
        }
        let extensions = upper.offset?;
        Some(Self {
            transport: FIXED + extensions,
            octets: FIXED + usize::from(ip.payload_length.get()),
            addresses: [ip.source, ip.destination],
            identification: None,
            is_plain: extensions == 0,
        })
    }
}

/// Whether there are no options, or timestamps alone.
fn are_timestamps(mut options: &[u8]) -> bool {
    const LENGTH: u8 = 10;
    loop {
        options = match options {
            [] => return true,
            [tcp::options::NO_OPERATION, rest @ ..] => rest,
            [tcp::options::TIMESTAMP, LENGTH, rest @ ..] => match rest.split_at_checked(8) {
                Some((_, rest)) => rest,
                None => return false,
            },
            _ => return false,
        }
    }
}
