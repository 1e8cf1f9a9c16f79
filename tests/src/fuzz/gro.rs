//! What packets say of themselves as segments of a TCP stream.

use vnet::{
    gro::Segment,
    wire::{checksum, ip4, link::LinkType, tcp, walk},
    zerocopy::FromBytes,
};

/// The first octet says how the frame behind it begins, and how many more octets it has than were kept. Places of a segment are in
/// order and inside of the frame; its headers alone say the same, and less than these say nothing; the header walk of the meter
/// agrees.
pub fn gro(data: &[u8]) {
    let Some((&first, frame)) = data.split_first() else { return };
    let link = [LinkType::Ethernet, LinkType::Raw][usize::from(first & 1)];
    let length = frame.len() + usize::from(first >> 1);
    let Some(segment) = Segment::of(frame, length, link) else { return };
    let Segment { network, transport, headers, .. } = segment;
    assert!(network < transport && transport < headers && headers <= frame.len());
    assert!(segment.length() <= length);
    assert_eq!(Segment::of(&frame[..headers], length, link), Some(segment));
    assert_eq!(Segment::of(&frame[..headers - 1], length, link), None);
    assert_eq!(Segment::of(frame, segment.length() - 1, link), None);
    let (header, _) = tcp::Header::ref_from_prefix(&frame[transport..]).expect("it was read");
    assert_eq!(headers, transport + header.header_length());
    assert_eq!((segment.sequence, segment.window), (header.sequence.get(), header.window.get()));
    let walked = walk::link(frame, link).expect("it has a link header");
    assert_eq!(walked.payload, network);
    let (version, at) = walk::network(frame, &walked).expect("it has an IP header");
    assert_eq!((version == walk::Version::V6, at), (segment.is_ip6(), network));
    if segment.is_plain {
        assert!(segment.payload > 0 && headers <= 122);
        assert_eq!(header.flags() & !(tcp::flags::ACK | tcp::flags::PSH), 0);
        let fixed = if segment.is_ip6() { 40 } else { 20 };
        assert_eq!(transport, network + fixed);
        if !segment.is_ip6() {
            assert_eq!(checksum::of(&frame[network..transport]), 0);
            let (ip, _) = ip4::Header::ref_from_prefix(&frame[network..]).expect("it was read");
            assert!(!ip.is_fragment());
        }
    }
}
