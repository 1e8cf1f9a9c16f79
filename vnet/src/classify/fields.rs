//! The fields of headers as words: what `mask l3 ip4 src` and `match l3 ip4 src 10.0.0.1` mean in bytes.
//!
//! Each field is declared once, with its word, its place in its header, and how its value is written; a mask has the words
//! alone. Headers stand behind each other: Ethernet with as many tags as its words imply, IPv4 without options or IPv6
//! without extension headers, then the ports.

use super::{MAX_SKIP, MAX_VECTORS, VECTOR_BYTES, window::LINK_BYTES};
use crate::command::{
    Error, Field, flag, group, keyword,
    value::{self, Value},
};

/// No table looks further into a packet.
const MAX_HEX_BYTES: usize = (MAX_SKIP + MAX_VECTORS) * VECTOR_BYTES;
const TAG_BYTES: usize = 4;
const IP4_BYTES: usize = 20;
const IP6_BYTES: usize = 40;
const PORTS_BYTES: usize = 4;

/// What a mask or a match says, as bytes from where the packet begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether words said it, and not hexadecimal digits.
    pub is_words: bool,
}

/// `mask ...`: the bits of the fields that are named.
pub(super) fn mask() -> Field<Pattern> {
    group::<Mask>("mask").try_map(|mask| mask.pattern())
}

/// `match ...`: the values of the fields that are named.
pub(super) fn matching() -> Field<Pattern> {
    group::<Match>("match").try_map(|values| values.pattern())
}

/// A field of a header.
struct Set {
    /// Tags that there are where it is.
    tags: usize,
    /// Its first bit.
    at: usize,
    bits: usize,
    /// What stands there, if it was named.
    value: Option<u128>,
}

/// Declares the fields of a header as two grammars, of masks and of matches. Places may depend on the number of tags.
macro_rules! header {
    ($mask:ident, $match:ident {
        $($field:ident $word:literal tags $tags:literal at $at:expr, $bits:literal bits = $value:expr;)+
    }) => {
        crate::args! {
            struct $mask { $($field: Option<u128> = constant(u128::MAX)($word)),+ }
        }
        crate::args! {
            struct $match { $($field: Option<u128> = $value($word)),+ }
        }
        header!(@sets $mask $($field $tags $at, $bits;)+);
        header!(@sets $match $($field $tags $at, $bits;)+);
    };
    (@sets $name:ident $($field:ident $tags:literal $at:expr, $bits:literal;)+) => {
        impl $name {
            fn sets(&self, tags: usize) -> Vec<Set> {
                let place = |at: fn(usize) -> usize| at(tags);
                vec![$(Set { tags: $tags, at: place($at), bits: $bits, value: self.$field }),+]
            }
        }
    };
}

header! {
    MaskL2, MatchL2 {
        dst "dst" tags 0 at |_| 0, 48 bits = valued(mac());
        src "src" tags 0 at |_| 48, 48 bits = valued(mac());
        dot1q "dot1q" tags 1 at |_| 96, 16 bits = constant(0x8100);
        dot1ad "dot1ad" tags 2 at |_| 96, 16 bits = constant(0x88a8);
        cos1 "cos1" tags 1 at |_| 112, 3 bits = valued(number(7));
        tag1 "tag1" tags 1 at |_| 116, 12 bits = valued(number(4095));
        ignore_tag1 "ignore-tag1" tags 1 at |_| 112, 0 bits = constant(0);
        cos2 "cos2" tags 2 at |_| 144, 3 bits = valued(number(7));
        tag2 "tag2" tags 2 at |_| 148, 12 bits = valued(number(4095));
        ignore_tag2 "ignore-tag2" tags 2 at |_| 144, 0 bits = constant(0);
        proto "proto" tags 0 at |tags| 96 + 32 * tags, 16 bits = valued(number(0xffff));
    }
}

header! {
    MaskIp4, MatchIp4 {
        version "version" tags 0 at |_| 0, 4 bits = valued(number(15));
        hdr_length "hdr_length" tags 0 at |_| 4, 4 bits = valued(number(15));
        tos "tos" tags 0 at |_| 8, 8 bits = valued(number(255));
        length "length" tags 0 at |_| 16, 16 bits = valued(number(0xffff));
        fragment_id "fragment_id" tags 0 at |_| 32, 16 bits = valued(number(0xffff));
        ttl "ttl" tags 0 at |_| 64, 8 bits = valued(number(255));
        proto "proto" tags 0 at |_| 72, 8 bits = valued(protocol());
        checksum "checksum" tags 0 at |_| 80, 16 bits = valued(number(0xffff));
        src "src" tags 0 at |_| 96, 32 bits = valued(value::ip4().map(|ip| u32::from(ip).into()));
        dst "dst" tags 0 at |_| 128, 32 bits = valued(value::ip4().map(|ip| u32::from(ip).into()));
    }
}

header! {
    MaskIp6, MatchIp6 {
        version "version" tags 0 at |_| 0, 4 bits = valued(number(15));
        traffic_class "traffic-class" tags 0 at |_| 4, 8 bits = valued(number(255));
        flow_label "flow-label" tags 0 at |_| 12, 20 bits = valued(number(0xf_ffff));
        payload_length "payload_length" tags 0 at |_| 32, 16 bits = valued(number(0xffff));
        proto "proto" tags 0 at |_| 48, 8 bits = valued(protocol());
        hop_limit "hop_limit" tags 0 at |_| 56, 8 bits = valued(number(255));
        src "src" tags 0 at |_| 64, 128 bits = valued(value::ip6().map(u128::from));
        dst "dst" tags 0 at |_| 192, 128 bits = valued(value::ip6().map(u128::from));
    }
}

header! {
    MaskL4, MatchL4 {
        tcp "tcp" tags 0 at |_| 0, 0 bits = constant(0);
        udp "udp" tags 0 at |_| 0, 0 bits = constant(0);
        src_port "src_port" tags 0 at |_| 0, 16 bits = valued(number(0xffff));
        dst_port "dst_port" tags 0 at |_| 16, 16 bits = valued(number(0xffff));
    }
}

/// Declares how headers follow each other, for masks and for matches alike.
macro_rules! packet {
    ($name:ident { $l2:ident $l3:ident { $ip4:ident $ip6:ident } $l4:ident }) => {
        crate::args! {
            struct $l3 {
                ip4: Option<$ip4> = group("ip4").optional(),
                ip6: Option<$ip6> = group("ip6").optional(),
            }
        }
        crate::args! {
            struct $name {
                hex: Option<Vec<u8>> = keyword("hex", hex()).optional()
                    .help("from where the packet begins, an Ethernet header"),
                l2: Option<$l2> = group("l2").optional(),
                l3: Option<$l3> = group("l3").optional(),
                l4: Option<$l4> = group("l4").optional(),
            }
        }

        impl $name {
            fn pattern(self) -> Result<Pattern, Error> {
                let Self { hex, l2, l3, l4 } = self;
                if let Some(bytes) = hex {
                    let is_alone = l2.is_none() && l3.is_none() && l4.is_none();
                    let pattern = Pattern { bytes, is_words: false };
                    return if is_alone { Ok(pattern) } else { Err(refused("`hex' stands alone")) };
                }
                let link = l2.map_or_else(Vec::new, |l2| {
                    let named = |set: &Set| set.value.map_or(0, |_| set.tags);
                    let tags = l2.sets(0).iter().map(named).max().unwrap_or(0);
                    let length = LINK_BYTES + TAG_BYTES * tags;
                    laid_out(length, &l2.sets(tags))
                });
                let network = match l3.map(|l3| (l3.ip4, l3.ip6)) {
                    Some((Some(ip4), None)) => laid_out(IP4_BYTES, &ip4.sets(0)),
                    Some((None, Some(ip6))) => laid_out(IP6_BYTES, &ip6.sets(0)),
                    Some(_) => return Err(refused("`l3' needs either `ip4' or `ip6'")),
                    None => Vec::new(),
                };
                let ports = l4.map_or_else(Vec::new, |l4| laid_out(PORTS_BYTES, &l4.sets(0)));
                behind_each_other(link, network, ports)
            }
        }
    };
}

packet! { Mask { MaskL2 MaskL3 { MaskIp4 MaskIp6 } MaskL4 } }
packet! { Match { MatchL2 MatchL3 { MatchIp4 MatchIp6 } MatchL4 } }

fn behind_each_other(
    mut link: Vec<u8>,
    network: Vec<u8>,
    ports: Vec<u8>,
) -> Result<Pattern, Error> {
    if !ports.is_empty() && network.is_empty() {
        return Err(refused("`l4' needs `l3 ip4' or `l3 ip6', which says where the ports are"));
    }
    if !network.is_empty() && link.is_empty() {
        link.resize(LINK_BYTES, 0);
    }
    let bytes = [link, network, ports].concat();
    if bytes.is_empty() {
        return Err(refused("needs `hex', `l2', `l3' or `l4'"));
    }
    Ok(Pattern { bytes, is_words: true })
}

/// A header of `length` bytes with its fields in their places.
fn laid_out(length: usize, sets: &[Set]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for Set { at, bits, value, .. } in sets {
        let Some(value) = value else { continue };
        for bit in 0..*bits {
            let is_set = value >> (bits - 1 - bit) & 1 == 1;
            bytes[(at + bit) / 8] |= u8::from(is_set) << (7 - (at + bit) % 8);
        }
    }
    bytes
}

/// A field that is its word alone, and then has this value.
fn constant(value: u128) -> impl Fn(&'static str) -> Field<Option<u128>> {
    move |word| flag(word).map(move |on| on.then_some(value))
}

/// A field that is its word and a value.
fn valued(value: Value<u128>) -> impl Fn(&'static str) -> Field<Option<u128>> {
    move |word| keyword(word, value.clone()).optional()
}

fn number(max: u64) -> Value<u128> {
    value::number::<u64>(0..=max).map(u128::from)
}

fn mac() -> Value<u128> {
    value::mac().map(|octets| octets.iter().fold(0, |value, &octet| value << 8 | u128::from(octet)))
}

/// An IP protocol, by number or name.
fn protocol() -> Value<u128> {
    Value::simple("protocol", "a protocol (0 to 255, tcp, udp, icmp, icmp6, sctp, gre)", |text| {
        let named = match text {
            "icmp" => 1,
            "tcp" => 6,
            "udp" => 17,
            "gre" => 47,
            "icmp6" => 58,
            "sctp" => 132,
            number => number.parse::<u8>().ok()?,
        };
        Some(named.into())
    })
}

/// Bytes as two hexadecimal digits each.
fn hex() -> Value<Vec<u8>> {
    Value::simple("hex", "a string of hexadecimal digits, two a byte, 2112 bytes at most", |text| {
        let is_whole = !text.is_empty() && text.len() % 2 == 0;
        if !is_whole || text.len() / 2 > MAX_HEX_BYTES {
            return None;
        }
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let byte = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
        text.as_bytes().chunks_exact(2).map(byte).collect()
    })
}

fn refused(why: &str) -> Error {
    Error::failed(crate::command::ApiError::InvalidValue, why)
}
