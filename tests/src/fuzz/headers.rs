//! The header walk and the trace formatters.

use vnet::wire::{
    link::LinkType,
    trace,
    walk::{self, Ip, Link, Miss, Version},
};

/// The walk stays within the bytes, its quick forms say what the general one says, and any bytes can be printed.
///
/// The first byte says how much longer the frame was on the wire, in units of 64 bytes.
pub fn headers(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else { return };
    for link_type in LinkType::ALL {
        let wire_length = bytes.len() as u32 + u32::from(cut) * 64;
        if let Ok(link) = walk::link(bytes, link_type) {
            behind_link(bytes, &link, wire_length);
        }
    }
    if let Some(quick) = walk::common_link(bytes) {
        assert_eq!(walk::link(bytes, LinkType::Ethernet), Ok(quick));
    }
    print(bytes);
}

fn behind_link(bytes: &[u8], link: &Link, wire_length: u32) {
    assert!(link.payload <= bytes.len());
    assert!(link.vlan.is_none_or(|id| id < 4096));
    let (version, offset) = match walk::network(bytes, link) {
        Ok(found) => found,
        Err(miss) => return assert_ne!(miss, Miss::BadIpHeader, "no IP header was looked at"),
    };
    assert!((link.payload..=bytes.len()).contains(&offset));
    let rest = &bytes[offset..];
    let found = walk::ip(version, rest, wire_length - offset as u32);
    match found {
        Ok(Ip::V4(header, transport)) => {
            assert_eq!((version, header.version()), (Version::V4, 4));
            assert_eq!(transport.protocol, header.protocol);
            assert!(!header.is_fragment() || header.fragment_offset() == 0 || transport.ports == 0);
        }
        Ok(Ip::V6(header, _)) => assert_eq!((version, header.version()), (Version::V6, 6)),
        Err(miss) => assert!(matches!(miss, Miss::TruncatedIp | Miss::BadIpHeader)),
    }
    let quick = match version {
        Version::V4 => walk::common4(rest).map(|(header, transport)| Ip::V4(header, transport)),
        Version::V6 => walk::common6(rest).map(|(header, transport)| Ip::V6(header, transport)),
    };
    if let Some(quick) = quick {
        assert_eq!(found, Ok(quick));
    }
}

fn print(bytes: &[u8]) {
    const INDENT: usize = 3;
    // Every tag takes some text, and takes four bytes itself.
    let frame = trace::Ethernet(bytes).to_string();
    assert!(frame.len() < 128 + 16 * bytes.len() && !frame.contains('\n'), "{frame}");
    for offset in [0, 14, 18] {
        let Some(bytes) = bytes.get(offset..) else { break };
        let packets = [
            trace::Ip4 { bytes, indent: INDENT }.to_string(),
            trace::Ip6 { bytes, indent: INDENT }.to_string(),
        ];
        for text in packets {
            assert!(text.len() < 2048 && !text.is_empty());
            let indented = |line: &str| line.len() > INDENT && line[..INDENT].trim().is_empty();
            assert!(text.lines().skip(1).all(indented), "{text}");
        }
    }
}
