//! Headers as VPP's packet trace writes them.
//!
//! Each type borrows bytes and implements [`Display`]; what the bytes do not hold is left out. The first line has no
//! indent, the following ones are indented by two spaces against it and by `indent` in all, so that a node's trace record
//! can put its own text around.

use core::fmt::{self, Display};

use zerocopy::FromBytes;

use super::{
    checksum,
    ethernet::{self, EtherType, VlanTag},
    icmp, ip4,
    ip4::protocol,
    ip6, tcp, udp,
};

/// One line: type, addresses and tags of an Ethernet frame.
///
/// `IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:02 802.1q vlan 10`
#[derive(Clone, Copy, Debug)]
pub struct Ethernet<'a>(pub &'a [u8]);

/// The IPv4 header and the transport header behind it.
#[derive(Clone, Copy, Debug)]
pub struct Ip4<'a> {
    /// The packet from its IP header on.
    pub bytes: &'a [u8],
    /// Spaces before all lines but the first.
    pub indent: usize,
}

/// The IPv6 header and the transport header behind it.
#[derive(Clone, Copy, Debug)]
pub struct Ip6<'a> {
    /// The packet from its IP header on.
    pub bytes: &'a [u8],
    /// Spaces before all lines but the first.
    pub indent: usize,
}

impl Display for Ethernet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok((header, mut rest)) = ethernet::Header::ref_from_prefix(self.0) else {
            return write!(f, "truncated ethernet header, {} bytes", self.0.len());
        };
        let mut ethertype = EtherType(header.ethertype.get());
        let mut tags = String::new();
        while ethertype.is_vlan() {
            let Ok((tag, behind)) = VlanTag::ref_from_prefix(rest) else { break };
            tags.push_str(if ethertype == EtherType::QINQ { " 802.1ad" } else { " 802.1q" });
            tags.push_str(&format!(" vlan {}", tag.id()));
            if tag.priority() != 0 {
                tags.push_str(&format!(" priority {}", tag.priority()));
            }
            if tag.is_drop_eligible() {
                tags.push_str(" cfi");
            }
            ethertype = EtherType(tag.ethertype.get());
            rest = behind;
        }
        write!(f, "{ethertype}: {} -> {}{tags}", header.source, header.destination)
    }
}

impl Display for Ip4<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = self.indent;
        let Ok((header, _)) = ip4::Header::ref_from_prefix(self.bytes) else {
            return write!(f, "IP4 header truncated");
        };
        let source = core::net::Ipv4Addr::from(header.source);
        let destination = core::net::Ipv4Addr::from(header.destination);
        write!(f, "{}: {source} -> {destination}", Protocol(header.protocol))?;
        if header.version() != 4 || header.header_length() != size_of::<ip4::Header>() {
            write!(
                f,
                "\n{:indent$}  version {}, header length {}",
                "",
                header.version(),
                header.header_length()
            )?;
        }
        write!(
            f,
            "\n{:indent$}  tos 0x{:02x}, ttl {}, length {}, checksum 0x{:04x}",
            "", header.tos, header.ttl, header.total_length, header.checksum
        )?;
        if let Some(expected) = expected_checksum(self.bytes, header)
            && expected != header.checksum.get()
        {
            write!(f, " (should be 0x{expected:04x})")?;
        }
        write!(f, " dscp {} ecn {}", Dscp(header.dscp()), ECN_NAMES[usize::from(header.ecn())])?;
        write!(f, "\n{:indent$}  fragment id 0x{:04x}", "", header.identification)?;
        if header.fragment_offset() != 0 {
            write!(f, " offset {}", header.fragment_offset())?;
        }
        let flags = header.flags_fragment.get() & !ip4::Header::OFFSET_MASK;
        if flags != 0 {
            f.write_str(", flags")?;
        }
        for (bit, name) in [
            (ip4::Header::MORE_FRAGMENTS, "MORE_FRAGMENTS"),
            (ip4::Header::DONT_FRAGMENT, "DONT_FRAGMENT"),
            (ip4::Header::RESERVED, "CONGESTION"),
        ] {
            if flags & bit != 0 {
                write!(f, " {name}")?;
            }
        }
        if header.fragment_offset() == 0
            && let Some(bytes) = self.bytes.get(header.header_length()..)
        {
            transport(f, header.protocol, bytes, indent)?;
        }
        Ok(())
    }
}

impl Display for Ip6<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = self.indent;
        let Ok((header, payload)) = ip6::Header::ref_from_prefix(self.bytes) else {
            return write!(f, "IP6 header truncated");
        };
        let source = core::net::Ipv6Addr::from(header.source);
        let destination = core::net::Ipv6Addr::from(header.destination);
        write!(f, "{}: {source} -> {destination}", Protocol(header.next_header))?;
        write!(
            f,
            "\n{:indent$}  tos 0x{:02x}, flow label 0x{:x}, hop limit {}, payload length {}",
            "",
            header.traffic_class(),
            header.flow_label(),
            header.hop_limit,
            header.payload_length
        )?;
        let upper = ip6::upper_layer(header.next_header, payload);
        match upper.offset.and_then(|offset| payload.get(offset..)) {
            Some(bytes) => transport(f, upper.protocol, bytes, indent),
            None => Ok(()),
        }
    }
}

fn transport(f: &mut fmt::Formatter<'_>, protocol: u8, bytes: &[u8], indent: usize) -> fmt::Result {
    match protocol {
        protocol::UDP => {
            let Ok((header, _)) = udp::Header::ref_from_prefix(bytes) else { return Ok(()) };
            write!(
                f,
                "\n{:indent$}UDP: {} -> {}",
                "", header.source_port, header.destination_port
            )?;
            write!(
                f,
                "\n{:indent$}  length {}, checksum 0x{:04x}",
                "", header.length, header.checksum
            )
        }
        protocol::TCP => {
            let Ok((header, _)) = tcp::Header::ref_from_prefix(bytes) else { return Ok(()) };
            write!(
                f,
                "\n{:indent$}TCP: {} -> {}",
                "", header.source_port, header.destination_port
            )?;
            write!(
                f,
                "\n{:indent$}  seq. 0x{:08x} ack 0x{:08x}",
                "", header.sequence, header.acknowledgment
            )?;
            write!(f, "\n{:indent$}  flags 0x{:02x}", "", header.flags())?;
            for (bit, name) in tcp::flags::NAMES.iter().enumerate() {
                if header.flags() & (1 << bit) != 0 {
                    write!(f, " {name}")?;
                }
            }
            write!(f, ", tcp header: {} bytes", header.header_length())?;
            write!(
                f,
                "\n{:indent$}  window {}, checksum 0x{:04x}",
                "", header.window, header.checksum
            )
        }
        protocol::ICMP | protocol::ICMP6 => {
            let Ok((header, _)) = icmp::Header::ref_from_prefix(bytes) else { return Ok(()) };
            let name = match protocol {
                protocol::ICMP => icmp::type_name(header.kind),
                _ => icmp::type_name6(header.kind),
            };
            write!(f, "\n{:indent$}ICMP ", "")?;
            match name {
                Some(name) => f.write_str(name)?,
                None => write!(f, "type {} code {}", header.kind, header.code)?,
            }
            write!(f, " checksum 0x{:04x}", header.checksum)
        }
        _ => Ok(()),
    }
}

/// `None` when the options were not captured, so that it cannot be told.
fn expected_checksum(bytes: &[u8], header: &ip4::Header) -> Option<u16> {
    let options = bytes.get(size_of::<ip4::Header>()..header.header_length())?;
    let mut zeroed = *header;
    zeroed.checksum.set(0);
    Some(
        checksum::Sum::EMPTY
            .bytes(zerocopy::IntoBytes::as_bytes(&zeroed))
            .bytes(options)
            .checksum(),
    )
}

/// VPP's name of an IP protocol, or its number.
struct Protocol(u8);

impl Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            protocol::HOP_BY_HOP => "IP6_HOP_BY_HOP_OPTIONS",
            protocol::ICMP => "ICMP",
            2 => "IGMP",
            4 => "IP_IN_IP",
            protocol::TCP => "TCP",
            protocol::UDP => "UDP",
            41 => "IPV6",
            protocol::ROUTING => "IPV6_ROUTE",
            protocol::FRAGMENT => "IPV6_FRAGMENTATION",
            47 => "GRE",
            50 => "IPSEC_ESP",
            protocol::AH => "IPSEC_AH",
            protocol::ICMP6 => "ICMP6",
            protocol::NO_NEXT => "IP6_NONXT",
            protocol::DESTINATION_OPTIONS => "IP6_DESTINATION_OPTIONS",
            89 => "OSPF",
            112 => "VRRP",
            protocol::SCTP => "SCTP",
            number => return write!(f, "unknown {number}"),
        })
    }
}

/// RFC 2474, RFC 2597 and RFC 3246 names.
struct Dscp(u8);

impl Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, drop) = (self.0 >> 3, (self.0 & 7) >> 1);
        match self.0 {
            46 => f.write_str("EF"),
            44 => f.write_str("VA"),
            _ if self.0 & 7 == 0 => write!(f, "CS{class}"),
            _ if (1..=4).contains(&class) && self.0 & 1 == 0 => write!(f, "AF{class}{drop}"),
            other => write!(f, "{other}"),
        }
    }
}

const ECN_NAMES: [&str; 4] = ["NON_ECN", "ECT_1", "ECT_0", "CE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ethernet_line_is_vpps() {
        let frame = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 10, 8, 0];
        assert_eq!(
            Ethernet(&frame).to_string(),
            "IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:02 802.1q vlan 10"
        );
        let frame = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xcc];
        assert_eq!(Ethernet(&frame).to_string(), "0x88cc: 02:00:00:00:00:01 -> 02:00:00:00:00:02");
        assert_eq!(Ethernet(&frame[..13]).to_string(), "truncated ethernet header, 13 bytes");
    }

    #[test]
    fn udp_block_is_vpps() {
        let mut packet = vec![0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61];
        packet.extend([0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7]);
        packet.extend([0x04, 0xd2, 0x16, 0x2e, 0, 0x5f, 0xbe, 0xef]);
        let text = "UDP: 192.168.0.1 -> 192.168.0.199\n    \
                      tos 0x00, ttl 64, length 115, checksum 0xb861 dscp CS0 ecn NON_ECN\n    \
                      fragment id 0x0000, flags DONT_FRAGMENT\n  \
                    UDP: 1234 -> 5678\n    \
                      length 95, checksum 0xbeef";
        assert_eq!(Ip4 { bytes: &packet, indent: 2 }.to_string(), text);
        packet[8] = 63;
        let broken = Ip4 { bytes: &packet, indent: 2 }.to_string();
        assert!(
            broken.contains("ttl 63, length 115, checksum 0xb861 (should be 0xb961) dscp"),
            "{broken}"
        );
    }

    #[test]
    fn tcp_and_icmp6_blocks_are_vpps() {
        let mut packet = vec![0x60, 0x01, 0xd3, 0x5b, 0, 20, 6, 64];
        packet.extend([0; 15].iter().chain(&[1]).chain(&[0; 15]).chain(&[2]));
        let mut icmp = packet.clone();
        packet.extend([0, 80, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 0x20, 0, 0, 1, 0, 0]);
        let text = "TCP: ::1 -> ::2\n  \
                      tos 0x00, flow label 0x1d35b, hop limit 64, payload length 20\n\
                    TCP: 80 -> 49152\n  \
                      seq. 0x00000001 ack 0x00000002\n  \
                      flags 0x12 SYN ACK, tcp header: 20 bytes\n  \
                      window 8192, checksum 0x0001";
        assert_eq!(Ip6 { bytes: &packet, indent: 0 }.to_string(), text);
        icmp[6] = 58;
        icmp.extend([128, 0, 0x3e, 0x55]);
        let text = Ip6 { bytes: &icmp, indent: 0 }.to_string();
        assert!(text.starts_with("ICMP6: ::1 -> ::2\n"), "{text}");
        assert!(text.ends_with("\nICMP echo_request checksum 0x3e55"), "{text}");
    }

    #[test]
    fn dscp_has_its_names() {
        let names = [(0, "CS0"), (46, "EF"), (10, "AF11"), (34, "AF41"), (48, "CS6"), (1, "1")];
        for (value, name) in names {
            assert_eq!(Dscp(value).to_string(), name);
        }
    }

    #[test]
    fn any_bytes_can_be_traced() {
        for fill in 0..=255_u8 {
            for length in 0..70 {
                let bytes = vec![fill; length];
                let texts = [
                    Ethernet(&bytes).to_string(),
                    Ip4 { bytes: &bytes, indent: 4 }.to_string(),
                    Ip6 { bytes: &bytes, indent: 4 }.to_string(),
                ];
                assert!(texts.iter().all(|text| !text.is_empty()));
            }
        }
    }
}
