//! The walk over made frames and over any bytes; the straight-line walk against the general one.

use proptest::prelude::*;

use super::*;

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// The whole walk.
fn walk(bytes: &[u8], link_type: LinkType) -> Result<(Link, Ip<'_>), Miss> {
    let found = link(bytes, link_type)?;
    let (version, offset) = network(bytes, &found)?;
    let rest = bytes.get(offset..).ok_or(Miss::TruncatedIp)?;
    Ok((found, ip(version, rest, rest.len() as u32)?))
}

fn transport_of(bytes: &[u8], link_type: LinkType) -> (u8, u16, u16, u16, u32) {
    let (Ip::V4(_, t) | Ip::V6(_, t)) = walk(bytes, link_type).unwrap().1;
    (t.protocol, t.source_port(), t.destination_port(), t.tcp_flags, t.octets)
}

/// An IPv4 packet: `first` is version and IHL, `fragment` flags and offset.
fn ip4(first: u8, fragment: u16, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (20 + options.len() + payload.len()) as u16;
    let mut packet = vec![first, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(options);
    packet.extend(payload);
    packet
}

fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0x20; 16].iter().chain(&[0xfd; 16]));
    packet.extend(payload);
    packet
}

fn behind(headers: &[&[u8]], packet: &[u8]) -> Vec<u8> {
    [MACS.as_slice(), &headers.concat(), packet].concat()
}

const UDP: [u8; 12] = [0, 53, 0x12, 0x34, 0, 12, 0, 0, 1, 2, 3, 4];
const TCP: [u8; 20] = [0, 80, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x51, 0x12, 0x20, 0, 0, 0, 0, 0];

#[test]
fn ip_is_found_behind_every_stack() {
    let udp = ip4(0x45, 0, 17, &[], &UDP);
    let udp6 = ip6(17, &UDP);
    let q: &[u8] = &[0x81, 0, 0x20, 10];
    let ad: &[u8] = &[0x88, 0xa8, 0, 20];
    let old: &[u8] = &[0x91, 0, 0, 30];
    type Case<'a> = (&'a [&'a [u8]], &'a [u8], Option<u16>);
    let cases: [Case<'_>; 9] = [
        (&[&[8, 0]], &udp, None),
        (&[q, &[8, 0]], &udp, Some(10)),
        (&[ad, q, &[8, 0]], &udp, Some(20)),
        (&[old, ad, q, &[0x86, 0xdd]], &udp6, Some(30)),
        (&[&[0x88, 0x47], &[0, 1, 0, 64], &[0, 2, 1, 64]], &udp, None),
        (&[q, &[0x88, 0x48], &[0, 2, 1, 64]], &udp6, Some(10)),
        (&[ad, q, &[0x88, 0x64], &[0x11, 0, 0, 1, 0, 34, 0, 0x21]], &udp, Some(20)),
        (&[&[0x88, 0x64], &[0x11, 0, 0, 1, 0, 54, 0, 0x57]], &udp6, None),
        (&[&[0, 40], &[0xaa, 0xaa, 3, 0, 0, 0], &[8, 0]], &udp, None),
    ];
    for (headers, packet, vlan) in cases {
        let frame = behind(headers, packet);
        let (link, _) = walk(&frame, LinkType::Ethernet).unwrap();
        assert_eq!(link.vlan, vlan, "{headers:x?}");
        assert_eq!(link.source.address().0, MACS[6..]);
        let octets = packet.len() as u32;
        assert_eq!(
            transport_of(&frame, LinkType::Ethernet),
            (17, 53, 0x1234, 0, octets),
            "{headers:x?}"
        );
    }
}

#[test]
fn every_link_type_leads_to_the_packet() {
    let packet = ip4(0x45, 0, 6, &[], &TCP);
    let sll = [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], packet.as_slice()].concat();
    let sll2 =
        [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0], packet.as_slice()].concat();
    let tagged =
        [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 7, 8, 0], packet.as_slice()]
            .concat();
    for (bytes, link_type, vlan) in [
        (packet, LinkType::Raw, None),
        (sll, LinkType::LinuxSll, None),
        (sll2, LinkType::LinuxSll2, None),
        (tagged, LinkType::LinuxSll, Some(7)),
    ] {
        assert_eq!(transport_of(&bytes, link_type), (6, 80, 0xc000, 0x112, 40), "{link_type:?}");
        let (link, _) = walk(&bytes, link_type).unwrap();
        assert_eq!(link.vlan, vlan);
        assert_eq!(link.source.address().0 == [2, 0, 0, 0, 0, 1], link_type != LinkType::Raw);
    }
    assert_eq!(transport_of(&ip6(17, &UDP), LinkType::Raw), (17, 53, 0x1234, 0, 52));
}

#[test]
fn ports_are_behind_options_and_in_first_fragments_only() {
    let options = [0x94, 4, 0, 0];
    for (packet, expected) in [
        (ip4(0x46, 0, 17, &options, &UDP), (17, 53, 0x1234, 0, 36)),
        (ip4(0x45, 0x2000, 17, &[], &UDP), (17, 53, 0x1234, 0, 32)),
        (ip4(0x45, 0x2001, 17, &[], &UDP), (17, 0, 0, 0, 32)),
        (ip4(0x45, 0x0001, 6, &[], &TCP), (6, 0, 0, 0, 40)),
        (ip4(0x45, 0, 1, &[], &[8, 3, 0, 0]), (1, 0, 0x0803, 0, 24)),
        (ip4(0x45, 0, 132, &[], &UDP), (132, 53, 0x1234, 0, 32)),
        (ip4(0x45, 0, 47, &[], &UDP), (47, 0, 0, 0, 32)),
        (ip6(58, &[135, 0, 0, 0]), (58, 0, 0x8700, 0, 44)),
        (ip6(0, &[&[17, 0, 5, 2, 0, 0, 0, 0], UDP.as_slice()].concat()), (17, 53, 0x1234, 0, 60)),
        (
            ip6(44, &[&[6, 0, 0, 1, 0, 0, 0, 9], TCP.as_slice()].concat()),
            (6, 80, 0xc000, 0x112, 68),
        ),
        (ip6(44, &[&[6, 0, 0, 8, 0, 0, 0, 9], TCP.as_slice()].concat()), (6, 0, 0, 0, 68)),
        (ip6(59, &[]), (59, 0, 0, 0, 40)),
    ] {
        assert_eq!(transport_of(&packet, LinkType::Raw), expected);
    }
}

#[test]
fn cut_transport_counts_without_ports() {
    let mut packet = ip4(0x45, 0, 6, &[], &TCP);
    packet.truncate(23);
    assert_eq!(transport_of(&packet, LinkType::Raw), (6, 0, 0, 0, 40));
    let mut packet = ip4(0x45, 0, 6, &[], &TCP);
    packet.truncate(33);
    assert_eq!(transport_of(&packet, LinkType::Raw), (6, 80, 0xc000, 0, 40));
    let mut options = ip4(0x4f, 0, 17, &[1; 40], &UDP);
    options.truncate(20);
    assert_eq!(transport_of(&options, LinkType::Raw), (17, 0, 0, 0, 72));
}

#[test]
fn padding_is_no_transport_header() {
    let mut packet = ip4(0x45, 0, 17, &[], &[]);
    packet.extend([0xff; 26]);
    assert_eq!(transport_of(&packet, LinkType::Raw), (17, 0, 0, 0, 20));
}

#[test]
fn zero_length_means_the_rest_of_the_frame() {
    let mut packet = ip4(0x45, 0, 6, &[], &TCP);
    packet[2..4].fill(0);
    let Ok(Ip::V4(_, transport)) = ip(Version::V4, &packet, 65_000) else { panic!("not IPv4") };
    assert_eq!((transport.octets, transport.ports), (65_000, 0x0050_c000));
    let mut packet = ip6(6, &TCP);
    packet[4..6].fill(0);
    let Ok(Ip::V6(_, transport)) = ip(Version::V6, &packet, 90_000) else { panic!("not IPv6") };
    assert_eq!((transport.octets, transport.ports), (90_000, 0x0050_c000));
}

#[test]
fn what_is_not_measurable_has_a_reason() {
    let good = ip4(0x45, 0, 17, &[], &UDP);
    let cases: [(Vec<u8>, Miss); 13] = [
        (vec![], Miss::TruncatedLink),
        (MACS.to_vec(), Miss::TruncatedLink),
        (behind(&[&[0x81, 0, 0]], &[]), Miss::TruncatedLink),
        (behind(&[&[0x88, 0x47], &[0, 1, 0, 64]], &[]), Miss::TruncatedLink),
        (behind(&[&[0x88, 0x47], &[0, 1, 1, 64]], &[]), Miss::TruncatedIp),
        (behind(&[&[0x88, 0x47], &[0, 1, 1, 64]], &[0; 40]), Miss::NotIp),
        (behind(&[&[0x88, 0x64], &[0x11, 0, 0, 1, 0, 34, 0]], &[]), Miss::TruncatedLink),
        (behind(&[&[0x88, 0x64], &[0x11, 0, 0, 1, 0, 4, 0xc0, 0x21]], &[0; 40]), Miss::NotIp),
        (behind(&[&[8, 6]], &[0; 28]), Miss::NotIp),
        (behind(&[&[0, 38], &[0x42, 0x42, 3]], &[0; 35]), Miss::NotIp),
        (behind(&[&[8, 0]], &good[..19]), Miss::TruncatedIp),
        (behind(&[&[8, 0]], &ip4(0x44, 0, 17, &[], &UDP)), Miss::BadIpHeader),
        (behind(&[&[0x86, 0xdd]], &[0x40; 60]), Miss::BadIpHeader),
    ];
    for (frame, miss) in cases {
        assert_eq!(walk(&frame, LinkType::Ethernet).map(|_| ()), Err(miss), "{frame:x?}");
    }
    assert_eq!(walk(&[], LinkType::Raw).map(|_| ()), Err(Miss::TruncatedIp));
    assert_eq!(walk(&[0x50; 40], LinkType::Raw).map(|_| ()), Err(Miss::BadIpHeader));
}

/// Bytes that often look like headers, so that the walk gets deep.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(vec![0x08, 0x00]),
        Just(vec![0x86, 0xdd]),
        Just(vec![0x81, 0x00, 0x00, 0x0a]),
        Just(vec![0x88, 0x47]),
        Just(vec![0, 1, 1, 64]),
        Just(vec![0x88, 0x64, 0x11, 0, 0, 1, 0, 34, 0, 0x21]),
        Just(ip4(0x45, 0, 17, &[], &UDP)),
        Just(ip4(0x45, 0x2000, 6, &[], &TCP)),
        Just(ip4(0x45, 0, 6, &[], &TCP)),
        Just(ip6(0, &[17, 0, 1, 4, 0, 0, 0, 0])),
        Just(ip6(6, &TCP)),
        proptest::collection::vec(any::<u8>(), 0..24),
    ];
    (any::<bool>(), proptest::collection::vec(piece, 0..6)).prop_map(|(ethernet, pieces)| {
        let pieces = pieces.concat();
        if ethernet { [MACS.as_slice(), &pieces].concat() } else { pieces }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_cut_anywhere_give_an_answer(frame in frames(), flip in any::<(usize, u8)>()) {
        let mut frame = frame;
        if !frame.is_empty() {
            let at = flip.0 % frame.len();
            frame[at] ^= flip.1;
        }
        for link_type in LinkType::ALL {
            for end in 0..=frame.len() {
                // An answer of any kind: what is checked is that there is one.
                let _: Result<_, Miss> = walk(&frame[..end], link_type);
            }
        }
    }

    #[test]
    fn common_walk_agrees_with_the_general_one(frame in frames()) {
        if let Some(found) = common_link(&frame) {
            prop_assert_eq!(link(&frame, LinkType::Ethernet), Ok(found));
        }
        for at in [0, 14, 18] {
            let Some(packet) = frame.get(at..) else { continue };
            let wire = packet.len() as u32;
            if let Some((header, transport)) = common4(packet) {
                prop_assert_eq!(ip(Version::V4, packet, wire), Ok(Ip::V4(header, transport)));
            }
            if let Some((header, transport)) = common6(packet) {
                prop_assert_eq!(ip(Version::V6, packet, wire), Ok(Ip::V6(header, transport)));
            }
        }
    }
}

proptest! {
    #[test]
    fn headers_of_a_common_frame_end_early(
        tag: bool,
        six: bool,
        options in proptest::collection::vec(any::<u8>(), 0..=10),
        payload in 200..400usize,
    ) {
        let mut tcp = TCP.to_vec();
        tcp[12] = 0x50 + ((options.len() as u8) << 4);
        tcp.extend(options.iter().flat_map(|&word| [word, 4, 0, 0]));
        tcp.resize(tcp.len() + payload, 0xff);
        let packet = if six { ip6(6, &tcp) } else { ip4(0x45, 0, 6, &[], &tcp) };
        let ethertype: &[u8] = if six { &[0x86, 0xdd] } else { &[8, 0] };
        let tag: &[u8] = if tag { &[0x81, 0, 0, 5] } else { &[] };
        let frame = behind(&[tag, ethertype], &packet);
        prop_assert!(is_common(&frame[..COMMON]));
        let headers = frame.len() - payload;
        prop_assert!(headers <= COMMON);
        let whole = walk(&frame, LinkType::Ethernet).map(|(link, ip)| format!("{link:?} {ip:?}"));
        let front = walk(&frame[..COMMON], LinkType::Ethernet).map(|(link, ip)| format!("{link:?} {ip:?}"));
        prop_assert_eq!(whole, front);
    }
}

#[test]
fn common_walk_takes_the_common_packets() {
    let frame = behind(&[&[0x81, 0, 0, 5], &[8, 0]], &ip4(0x45, 0x4000, 6, &[], &TCP));
    let Link { vlan, payload, .. } = common_link(&frame).unwrap();
    assert_eq!((vlan, payload), (Some(5), 18));
    assert!(common4(&frame[payload..]).is_some());
    assert!(common6(&ip6(17, &[0; 14])).is_some());
    assert!(common4(&ip4(0x45, 0x2000, 6, &[], &TCP)).is_none());
}
