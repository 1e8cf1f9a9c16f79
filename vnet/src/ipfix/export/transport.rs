//! The way out of the exporting process, and the headers in front of messages that leave as packets.

use std::io;

use arrayvec::ArrayVec;

use super::{
    config::{Endpoints, ExporterConfig},
    destination::{Destination, ReliableId},
    stream::StreamKey,
};
use crate::ipfix::{message::Draft, template::Template};

const TTL: u8 = 254;
const UDP: u8 = 17;
const UDP_HEADER_LEN: usize = 8;

/// A transport session with one observation domain: what a transport must know to send a message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The exporter that sends.
    pub exporter: ExporterConfig,
    /// The stream that the message belongs to.
    pub stream: StreamKey,
}

/// A finished message, complete with its header.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The stream that it belongs to.
    pub stream: StreamKey,
    /// Its octets. They are the caller's again after the call.
    pub message: &'a [u8],
    /// What is in it.
    pub draft: Draft,
    /// What it adds to the sequence number.
    pub advance: u32,
    /// Whether its records tell times by its export time.
    pub keeps_time: bool,
}

/// Sends finished messages: as packets into the graph, through a socket of the host, or by a reliable transport.
///
/// An error means that the message did not leave: it is then counted as lost, and its records are left out of the
/// sequence number.
pub trait Transport {
    /// Sends one message over UDP.
    fn send(&mut self, session: &Session, message: &[u8]) -> Result<(), SendError>;

    /// Takes a message that a reliable transport is to deliver. Sequence number and export time of its header are those of
    /// a session without losses; the transport stamps its own when the message leaves.
    fn queue(&mut self, _to: ReliableId, _message: Outgoing<'_>) -> Result<(), SendError> {
        Err(SendError::NoTransport)
    }

    /// Has the collector of a reliable transport know a template of a domain, before any message that is taken later.
    fn announce(&mut self, _to: ReliableId, _domain: u32, _template: &Template) {}

    /// Has it forget one, after all messages that were taken before.
    fn withdraw(&mut self, _to: ReliableId, _domain: u32, _template: &Template) {}

    /// Whether there is hope that a destination gets what is sent to it now.
    fn is_reachable(&mut self, _destination: &Destination) -> bool {
        true
    }
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The buffer pool is empty.
    #[error("no buffer for an IPFIX message")]
    NoBuffer,
    /// The graph cannot route packets of this family.
    #[error("no node `{0}' to send IPFIX messages by")]
    NoNode(&'static str),
    /// There is none of this number.
    #[error("no such transport")]
    NoTransport,
    /// A collector has been away, or slow, for too long.
    #[error("the queue of the collector is full")]
    QueueFull,
    /// The host refused it, or a file could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Session {
    /// The IP and UDP headers of a packet that carries `message` (at most [`ExporterConfig::message_limit`] octets),
    /// with VPP's constants: TTL 254, identification 0, may be fragmented. Without UDP checksum over IPv4 unless
    /// configured; over IPv6 there always is one. 28 octets for IPv4, 48 for IPv6.
    #[must_use]
    pub fn headers(&self, message: &[u8]) -> ArrayVec<u8, 48> {
        let mut headers = ArrayVec::new();
        let udp_len = (UDP_HEADER_LEN + message.len()) as u16;
        // The part that a UDP checksum covers beside the UDP packet itself.
        let mut pseudo: ArrayVec<u8, 40> = ArrayVec::new();
        match self.exporter.endpoints() {
            Endpoints::V4 { source, collector } => {
                let tos = self.exporter.traffic_class();
                let mut ip = [0x45, tos, 0, 0, 0, 0, 0, 0, TTL, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                ip[2..4].copy_from_slice(&(20 + udp_len).to_be_bytes());
                ip[12..16].copy_from_slice(&source.octets());
                ip[16..20].copy_from_slice(&collector.octets());
                pseudo.extend(ip[12..20].iter().copied());
                let checksum = !fold(sum(&ip));
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
                headers.extend(ip);
            }
            Endpoints::V6 { source, collector } => {
                let class = self.exporter.traffic_class();
                headers.extend([0x60 | class >> 4, class << 4, 0, 0]);
                headers.extend(udp_len.to_be_bytes());
                headers.extend([UDP, TTL]);
                pseudo.extend(source.octets());
                pseudo.extend(collector.octets());
                headers.extend(pseudo.iter().copied());
            }
        }
        let mut udp = [0; UDP_HEADER_LEN];
        udp[..2].copy_from_slice(&self.stream.source_port.to_be_bytes());
        udp[2..4].copy_from_slice(&self.exporter.port().to_be_bytes());
        udp[4..6].copy_from_slice(&udp_len.to_be_bytes());
        let v6 = matches!(self.exporter.endpoints(), Endpoints::V6 { .. });
        if v6 || self.exporter.udp_checksum() {
            let pseudo = sum(&pseudo) + u64::from(UDP) + u64::from(udp_len);
            let checksum = match !fold(pseudo + sum(&udp) + sum(message)) {
                0 => 0xffff,
                checksum => checksum,
            };
            udp[6..].copy_from_slice(&checksum.to_be_bytes());
        }
        headers.extend(udp);
        headers
    }
}

/// Sum of the big-endian 16-bit words (RFC 1071), a last odd octet followed by zero.
fn sum(octets: &[u8]) -> u64 {
    let (words, odd) = octets.as_chunks::<2>();
    let words: u64 = words.iter().map(|&word| u64::from(u16::from_be_bytes(word))).sum();
    words + odd.first().map_or(0, |&octet| u64::from(octet) << 8)
}

/// The sum with its carries added back in.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::export::config::ExporterRequest;

    fn session(collector: &str, source: &str, udp_checksum: bool) -> Session {
        let request = ExporterRequest {
            collector: collector.parse().unwrap(),
            source: source.parse().unwrap(),
            udp_checksum,
            ..ExporterRequest::NOTHING
        };
        Session {
            exporter: request.check(|_| None).unwrap().unwrap(),
            stream: StreamKey { domain: 1, source_port: 4740 },
        }
    }

    // All checksums were computed by scapy.

    #[test]
    fn ip4_headers_have_vpps_constants() {
        let plain = session("192.0.2.9", "192.0.2.1", false).headers(&[1, 2, 3]);
        let golden = [
            0x45, 0, 0, 31, 0, 0, 0, 0, 254, 17, 0x38, 0xc3, 192, 0, 2, 1, 192, 0, 2, 9, 0x12,
            0x84, 0x12, 0x83, 0, 11, 0, 0,
        ];
        assert_eq!(plain[..], golden);
        let checked = session("192.0.2.9", "192.0.2.1", true).headers(&[1, 2, 3]);
        assert_eq!(checked[26..], [0x52, 0xc4]);
    }

    #[test]
    fn ip6_always_has_a_udp_checksum() {
        let headers = session("2001:db8::9", "2001:db8::1", false).headers(&[1, 2, 3]);
        assert_eq!(headers[..8], [0x60, 0, 0, 0, 0, 11, 17, 254]);
        assert_eq!(headers[46..], [0x7b, 0x53]);
    }

    #[test]
    fn a_zero_checksum_is_sent_as_all_ones() {
        let session = session("192.0.2.9", "192.0.2.1", true);
        let checksum = session.headers(&[0, 0])[26..].to_vec();
        // With the complement of the rest as its payload, the packet sums up to all ones.
        let headers = session.headers(&checksum);
        assert_eq!(headers[26..], [0xff, 0xff]);
    }
}
