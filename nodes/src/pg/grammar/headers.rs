//! The packet description in `data { ... }`: headers from the outside in, then the payload.

use nom::{
    Parser,
    branch::alt,
    bytes::complete::{tag_no_case, take_while1},
    character::complete::{hex_digit1, multispace0},
    combinator::{map, map_opt, not, opt, peek, verify},
    multi::count,
    sequence::{preceded, terminated},
};
use vnet::wire::{ethernet::EtherType, ip4::protocol, tcp};

use super::{
    names,
    tokens::{Parsed, fail, ip4, ip6, keyword, mac, number, numbers, option, ranged, sign, word},
};
use crate::pg::{
    PacketSpec, Value,
    packet::{Arp, Ethernet, Icmp, Ip4, Ip6, Layer, Mpls, Network, Tag, Tcp, TcpOption, Udp},
    spec::MAX_SIZE,
};

/// The header that a description begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Arp,
    Ethernet,
    Ip4,
    Ip6,
    Mpls,
    /// Whichever it looks like.
    Any,
}

impl Root {
    /// What the node called `name` expects in front.
    pub(super) fn of_node(name: &str) -> Self {
        match name {
            "arp-input" => Self::Arp,
            "ethernet-input" | "l2-input" => Self::Ethernet,
            "ip4-input" | "ip4-input-no-checksum" | "ip4-lookup" => Self::Ip4,
            "ip6-input" | "ip6-lookup" => Self::Ip6,
            "mpls-input" | "mpls-lookup" => Self::Mpls,
            _ => Self::Any,
        }
    }
}

/// Parses a whole description; otherwise what is left where it cannot be understood.
pub(super) fn packet(text: &str, root: Root) -> Result<PacketSpec, &str> {
    let mut packet = PacketSpec::default();
    let mut rest = text;
    let mut expected = Expected::Root(root);
    // Each step adds a header, of which only MPLS labels can be many, and each of those takes some text.
    while let Ok((behind, layer)) = header(rest, expected) {
        expected = Expected::behind(&layer, expected);
        packet.layers.push(layer);
        rest = behind;
    }
    if let Ok((behind, payload)) = payload(rest) {
        packet.payload = payload;
        rest = behind;
    }
    if rest.trim().is_empty() && !(packet.layers.is_empty() && packet.payload.is_empty()) {
        Ok(packet)
    } else {
        Err(rest)
    }
}

/// Which header may come next.
#[derive(Clone, Copy)]
enum Expected {
    Root(Root),
    Transport(Network, u8),
    /// A label, or the IP header behind the last one.
    Labelled,
    Nothing,
}

impl Expected {
    fn behind(layer: &Layer, expected: Self) -> Self {
        let protocol = |value: Value| value.fixed().and_then(|p| u8::try_from(p).ok());
        let transport = |network, value| match protocol(value) {
            Some(protocol) => Self::Transport(network, protocol),
            None => Self::Nothing,
        };
        match layer {
            Layer::Ethernet(header) => {
                match header.ethertype.fixed().map(|t| EtherType(t as u16)) {
                    Some(EtherType::IP4) => Self::Root(Root::Ip4),
                    Some(EtherType::IP6) => Self::Root(Root::Ip6),
                    Some(EtherType::ARP) => Self::Root(Root::Arp),
                    Some(EtherType::MPLS | EtherType::MPLS_UPSTREAM) => Self::Root(Root::Mpls),
                    _ => Self::Nothing,
                }
            }
            Layer::Ip4(header) => transport(Network::Ip4, header.protocol),
            Layer::Ip6(header) => transport(Network::Ip6, header.protocol),
            Layer::Mpls(_) => match expected {
                Self::Root(_) | Self::Labelled => Self::Labelled,
                Self::Transport(..) | Self::Nothing => Self::Nothing,
            },
            Layer::Arp(_) | Layer::Icmp(_) | Layer::Tcp(_) | Layer::Udp(_) => Self::Nothing,
        }
    }
}

fn header(input: &str, expected: Expected) -> Parsed<'_, Layer> {
    match expected {
        Expected::Root(Root::Arp) => map(arp, Layer::Arp).parse(input),
        Expected::Root(Root::Ethernet) => map(ethernet, Layer::Ethernet).parse(input),
        Expected::Root(Root::Ip4) => map(internet4, Layer::Ip4).parse(input),
        Expected::Root(Root::Ip6) => map(internet6, Layer::Ip6).parse(input),
        Expected::Root(Root::Mpls) => map(mpls, Layer::Mpls).parse(input),
        Expected::Root(Root::Any) => alt((
            map(ethernet, Layer::Ethernet),
            map(arp, Layer::Arp),
            map(mpls, Layer::Mpls),
            // An IPv4 header may leave its addresses out, so it comes last.
            map(internet6, Layer::Ip6),
            map(internet4, Layer::Ip4),
        ))
        .parse(input),
        Expected::Labelled => {
            alt((map(mpls, Layer::Mpls), map(internet6, Layer::Ip6), map(internet4, Layer::Ip4)))
                .parse(input)
        }
        Expected::Transport(_, protocol::UDP) => map(udp, Layer::Udp).parse(input),
        Expected::Transport(_, protocol::TCP) => map(transmission, Layer::Tcp).parse(input),
        Expected::Transport(network, protocol) if protocol == network.icmp() => {
            map(|input| icmp(input, network), Layer::Icmp).parse(input)
        }
        Expected::Transport(..) | Expected::Nothing => fail(input),
    }
}

/// A number, or a name that `lookup` knows.
fn named(
    input: &str,
    bits: u32,
    lookup: impl Fn(&str) -> Option<u128> + Copy,
) -> Parsed<'_, Value> {
    ranged(move |input| alt((number(bits), map_opt(keyword, lookup))).parse(input))(input)
}

fn ethernet(input: &str) -> Parsed<'_, Ethernet> {
    let (rest, ethertype) = named(input, 16, |name| names::ethertype(name).map(u128::from))?;
    let (rest, (_, source, _, destination)) = (sign(":"), mac, sign("->"), mac).parse(rest)?;
    let mut header = Ethernet { source, destination, ethertype, tags: Vec::new() };
    let mut rest = rest;
    while let Ok((behind, id)) = option("vlan", 12)(rest) {
        let (behind, priority) = opt(option("priority", 3)).parse(behind)?;
        let (behind, cfi) = opt(option("cfi", 1)).parse(behind)?;
        let none = Value::Fixed(0);
        let tag = Tag { id, priority: priority.unwrap_or(none), cfi: cfi.unwrap_or(none) };
        header.tags.push(tag);
        rest = behind;
    }
    Ok((rest, header))
}

fn arp(input: &str) -> Parsed<'_, Arp> {
    let operation = |name: &str| match name {
        "request" => Some(1),
        "reply" => Some(2),
        _ => None,
    };
    let (rest, operation) = named(input, 16, operation)?;
    let (rest, _) = sign(":").parse(rest)?;
    let (rest, (sender_mac, _, sender_ip)) = (mac, sign("/"), ip4).parse(rest)?;
    let (rest, _) = sign("->").parse(rest)?;
    let (rest, (target_mac, _, target_ip)) = (mac, sign("/"), ip4).parse(rest)?;
    Ok((rest, Arp { operation, sender_mac, sender_ip, target_mac, target_ip }))
}

fn mpls(input: &str) -> Parsed<'_, Mpls> {
    let (rest, _) = (word("MPLS"), sign(":")).parse(input)?;
    let (mut rest, label) = option("label", 20)(rest)?;
    let mut header = Mpls { label, exp: Value::Fixed(0), bottom: None, ttl: Value::Fixed(255) };
    loop {
        if let Ok((behind, exp)) = option("exp", 3)(rest) {
            (rest, header.exp) = (behind, exp);
        } else if let Ok((behind, bottom)) = option("s", 1)(rest) {
            (rest, header.bottom) = (behind, Some(bottom));
        } else if let Ok((behind, ttl)) = option("ttl", 8)(rest) {
            (rest, header.ttl) = (behind, ttl);
        } else {
            return Ok((rest, header));
        }
    }
}

fn ip_protocol(input: &str) -> Parsed<'_, Value> {
    named(input, 8, |name| names::ip_protocol(name).map(u128::from))
}

fn internet4(input: &str) -> Parsed<'_, Ip4> {
    let (rest, (protocol, _)) = (ip_protocol, sign(":")).parse(input)?;
    let (mut rest, addresses) = opt((ip4, sign("->"), ip4)).parse(rest)?;
    let none = Value::Fixed(0);
    let (source, _, destination) = addresses.unwrap_or((none, "", none));
    let mut header = Ip4::new(protocol, source, destination);
    while let Ok((behind, ())) = ip4_option(rest, &mut header) {
        rest = behind;
    }
    Ok((rest, header))
}

fn ip4_option<'a>(input: &'a str, header: &mut Ip4) -> Parsed<'a, ()> {
    let (rest, name) = keyword(input)?;
    let set = |field: &mut Value, bits| set(rest, bits, field);
    match name {
        "version" => set(&mut header.version, 4),
        "header-length" => set(&mut header.header_length, 4),
        "tos" => set(&mut header.tos, 8),
        "ttl" => set(&mut header.ttl, 8),
        "length" => set_some(rest, &mut header.length),
        "checksum" => set_some(rest, &mut header.checksum),
        "fragment" => {
            let (rest, id) = option("id", 16)(rest)?;
            let (rest, offset) = option("offset", 16)(rest)?;
            (header.identification, header.fragment_offset) = (id, in_eights(offset));
            Ok((rest, ()))
        }
        "mf" | "MF" => flag(rest, &mut header.more_fragments),
        "df" | "DF" => flag(rest, &mut header.dont_fragment),
        "ce" | "CE" => flag(rest, &mut header.congestion),
        _ => fail(input),
    }
}

/// VPP's text gives fragment offsets in bytes.
fn in_eights(offset: Value) -> Value {
    match offset {
        Value::Fixed(bytes) => Value::Fixed(bytes / 8),
        Value::Increment { low, high } => Value::increment(low / 8, high / 8),
        Value::Random { low, high } => Value::random(low / 8, high / 8),
    }
}

fn internet6(input: &str) -> Parsed<'_, Ip6> {
    let (rest, (protocol, _)) = (ip_protocol, sign(":")).parse(input)?;
    let (mut rest, (source, _, destination)) = (ip6, sign("->"), ip6).parse(rest)?;
    let mut header = Ip6::new(protocol, source, destination);
    while let Ok((behind, ())) = ip6_option(rest, &mut header) {
        rest = behind;
    }
    Ok((rest, header))
}

fn ip6_option<'a>(input: &'a str, header: &mut Ip6) -> Parsed<'a, ()> {
    let (rest, name) = keyword(input)?;
    match name {
        "version" => set(rest, 4, &mut header.version),
        "traffic-class" => set(rest, 8, &mut header.traffic_class),
        "flow-label" => set(rest, 20, &mut header.flow_label),
        "hop-limit" => set(rest, 8, &mut header.hop_limit),
        "length" => set_some(rest, &mut header.length),
        _ => fail(input),
    }
}

fn ports<'a>(input: &'a str, name: &'static str) -> Parsed<'a, (Value, Value)> {
    let (rest, _) = (word(name), sign(":")).parse(input)?;
    let (rest, (source, _, destination)) = (numbers(16), sign("->"), numbers(16)).parse(rest)?;
    Ok((rest, (source, destination)))
}

fn udp(input: &str) -> Parsed<'_, Udp> {
    let (mut rest, (source, destination)) = ports(input, "UDP")?;
    let mut header = Udp::new(source, destination);
    while let Ok((behind, name)) = keyword(rest) {
        let field = match name {
            "length" => &mut header.length,
            "checksum" => &mut header.checksum,
            _ => break,
        };
        let Ok((behind, ())) = set_some(behind, field) else { break };
        rest = behind;
    }
    Ok((rest, header))
}

fn transmission(input: &str) -> Parsed<'_, Tcp> {
    let (mut rest, (source, destination)) = ports(input, "TCP")?;
    let mut header = Tcp::new(source, destination);
    while let Ok((behind, ())) = tcp_field(rest, &mut header) {
        rest = behind;
    }
    while let Ok((behind, option)) = tcp_option(rest) {
        header.options.push(option);
        if header.options_size() > Tcp::MAX_OPTIONS {
            break;
        }
        rest = behind;
    }
    Ok((rest, header))
}

fn tcp_field<'a>(input: &'a str, header: &mut Tcp) -> Parsed<'a, ()> {
    let (rest, name) = keyword(input)?;
    match name {
        "window" => set(rest, 16, &mut header.window),
        "seqnum" => set(rest, 32, &mut header.sequence),
        "acknum" => set(rest, 32, &mut header.acknowledgment),
        "checksum" => set_some(rest, &mut header.checksum),
        _ => match tcp::flags::NAMES.iter().position(|n| n.eq_ignore_ascii_case(name)) {
            Some(bit) => {
                header.flags |= 1 << bit;
                Ok((rest, ()))
            }
            None => fail(input),
        },
    }
}

fn tcp_option(input: &str) -> Parsed<'_, TcpOption> {
    let (rest, (_, name)) = (word("opt"), keyword).parse(input)?;
    let (kind, width, values, rest) = match name {
        "mss" => (tcp::options::MSS, 2, 1, rest),
        "winscale" => (tcp::options::WINDOW_SCALE, 1, 1, rest),
        "sackperm" => (tcp::options::SACK_PERMITTED, 0, 0, rest),
        "sack" => {
            // `nvalues` counts blocks, of two sequence numbers each; four of them fit.
            let blocks = verify(number(3), |&n| (1..=4).contains(&n));
            let (rest, blocks) = preceded(word("nvalues"), blocks).parse(rest)?;
            (tcp::options::SACK, 4, 2 * blocks as usize, rest)
        }
        "timestamp" => (tcp::options::TIMESTAMP, 4, 2, rest),
        _ => return fail(input),
    };
    let (rest, values) = count(numbers(8 * width as u32), values).parse(rest)?;
    Ok((rest, TcpOption { kind, width, values }))
}

fn icmp(input: &str, network: Network) -> Parsed<'_, Icmp> {
    let (rest, _) = word("ICMP").parse(input)?;
    let by_name = map_opt(keyword, |name| names::icmp_message(name, network));
    let by_number = map(
        (preceded(word("type"), number(8)), preceded(word("code"), number(8))),
        |(kind, code)| (kind as u8, code as u8),
    );
    let (rest, (kind, code)) = alt((by_number, by_name)).parse(rest)?;
    let (rest, checksum) = opt(option("checksum", 16)).parse(rest)?;
    Ok((rest, Icmp { kind, code, checksum }))
}

fn payload(input: &str) -> Parsed<'_, Vec<u8>> {
    let length = verify(number(32), |&n| n <= MAX_SIZE as u128);
    let incrementing = map(preceded(word("incrementing"), length), |n| {
        // Counts modulo 256.
        (0..n).map(|i| i as u8).collect()
    });
    let digits = preceded((multispace0, tag_no_case("0x")), hex_digit1);
    let hex = map_opt(preceded(word("hex"), digits), from_hex);
    let ended = peek(not(take_while1(|c: char| c.is_alphanumeric())));
    terminated(alt((incrementing, hex)), ended).parse(input)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |c: u8| char::from(c).to_digit(16);
    pairs.iter().map(|&[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8)).collect()
}

fn set<'a>(input: &'a str, bits: u32, field: &mut Value) -> Parsed<'a, ()> {
    let (rest, value) = numbers(bits)(input)?;
    *field = value;
    Ok((rest, ()))
}

/// For 16-bit fields that are filled in where nothing is given.
fn set_some<'a>(input: &'a str, field: &mut Option<Value>) -> Parsed<'a, ()> {
    let (rest, value) = numbers(16)(input)?;
    *field = Some(value);
    Ok((rest, ()))
}

fn flag<'a>(rest: &'a str, field: &mut bool) -> Parsed<'a, ()> {
    *field = true;
    Ok((rest, ()))
}
