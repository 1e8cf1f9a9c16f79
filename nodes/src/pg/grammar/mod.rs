//! The text of `packet-generator new { ... }`.
//!
//! Parameters stand in any order. The packet description in `data { ... }` is kept aside until all of them are known: which
//! header it begins with depends on the node that the packets are sent to.

mod headers;
mod names;
mod tokens;

use std::{path::Path, sync::Arc};

use nom::{
    Parser,
    branch::alt,
    bytes::complete::tag,
    character::complete::{char, multispace0},
    combinator::{map, verify},
    sequence::{preceded, separated_pair},
};
use vnet::{buffer::BufferFlags, frame::FRAME_SIZE};

use self::tokens::{Parsed, fail, keyword, number, token};
use super::{
    SpecError,
    program::Program,
    replay::Replay,
    spec::{Data, RATES, Rate, Size, StreamSpec},
};

/// Characters of the input that an error repeats.
const SHOWN: usize = 64;

/// Parses a whole definition.
pub(super) fn stream(text: &str) -> Result<StreamSpec, SpecError> {
    let mut rest = unbraced(text);
    // What is known before the data is, with data that the end replaces.
    let mut spec = StreamSpec::with_data(Data::Packet(super::PacketSpec::default()));
    let (mut data, mut pcap) = (None, None);
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        rest = match parameter(rest) {
            Ok((rest, parameter)) => {
                apply(parameter, &mut spec, &mut data, &mut pcap)?;
                rest
            }
            Err(_) => return Err(SpecError::UnknownInput(shown(rest))),
        };
    }
    spec.data = match (data, pcap) {
        (_, Some(file)) => Data::Replay(Arc::new(Replay::read(Path::new(file))?)),
        (None, None) => return Err(SpecError::NoData),
        (Some(_), None) if spec.node.is_none() => return Err(SpecError::NoOutput),
        (Some(data), None) => {
            let root = headers::Root::of_node(spec.node.as_deref().unwrap_or_default());
            let packet = headers::packet(data, root).map_err(|at| SpecError::BadData(shown(at)))?;
            Data::Packet(packet)
        }
    };
    Program::compile(&spec)?;
    Ok(spec)
}

/// Parses what `packet-generator configure NAME ...` has behind the name, and changes `spec` by it. When it fails, `spec` may
/// be half changed.
pub(super) fn configure(text: &str, spec: &mut StreamSpec) -> Result<(), SpecError> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        rest = match parameter(rest) {
            Ok((
                rest,
                parameter @ (Parameter::Limit(_)
                | Parameter::Rate(_)
                | Parameter::Size(_)
                | Parameter::BufferSize(_)),
            )) => {
                apply(parameter, spec, &mut None, &mut None)?;
                rest
            }
            _ => return Err(SpecError::UnknownInput(shown(rest))),
        };
    }
}

enum Parameter<'a> {
    BufferFlags(BufferFlags),
    BufferSize(&'a str),
    Data(&'a str),
    Interface(&'a str),
    Limit(&'a str),
    MaxFrame(u128),
    Name(&'a str),
    Node(&'a str),
    Pcap(&'a str),
    Rate(&'a str),
    Seed(u128),
    Size(Size),
    Source(u128),
    TxInterface(&'a str),
    Worker(u128),
}

fn apply<'a>(
    parameter: Parameter<'a>,
    spec: &mut StreamSpec,
    data: &mut Option<&'a str>,
    pcap: &mut Option<&'a str>,
) -> Result<(), SpecError> {
    match parameter {
        Parameter::BufferFlags(flags) => spec.buffer_flags |= flags,
        Parameter::BufferSize(text) => {
            match real("buffer-size", text, "bytes, from 1 to 1e9", 1e9)? {
                bytes if bytes < 1.0 => return Err(SpecError::BufferSize),
                bytes => spec.buffer_size = bytes as usize,
            }
        }
        Parameter::Data(text) => *data = Some(text),
        Parameter::Interface(name) => spec.interface = Some(name.to_owned()),
        Parameter::Limit(text) => {
            spec.limit = real("limit", text, "packets, from 0 (no limit) to 1e18", 1e18)? as u64;
        }
        Parameter::MaxFrame(n) => spec.max_frame = n.min(FRAME_SIZE as u128) as usize,
        Parameter::Name(name) => spec.name = Some(name.to_owned()),
        Parameter::Node(name) => spec.node = Some(name.to_owned()),
        Parameter::Pcap(file) => *pcap = Some(file),
        Parameter::Rate(text) => spec.rate = rate(text)?,
        Parameter::Seed(seed) => spec.seed = seed as u64,
        Parameter::Size(size) => spec.size = Some(size),
        Parameter::Source(number) => spec.source = number as u32,
        Parameter::TxInterface(name) => spec.tx_interface = Some(name.to_owned()),
        Parameter::Worker(number) => spec.worker = number as u32,
    }
    Ok(())
}

fn parameter(input: &str) -> Parsed<'_, Parameter<'_>> {
    let (rest, word) = keyword(input)?;
    match word {
        "buffer-flags" => map(buffer_flag, Parameter::BufferFlags).parse(rest),
        "buffer-size" => map(token, Parameter::BufferSize).parse(rest),
        "data" => map(block, Parameter::Data).parse(rest),
        "interface" => map(token, Parameter::Interface).parse(rest),
        "limit" => map(token, Parameter::Limit).parse(rest),
        "maxframe" => map(verify(number(32), |&n| n > 0), Parameter::MaxFrame).parse(rest),
        "name" => map(token, Parameter::Name).parse(rest),
        "node" => map(token, Parameter::Node).parse(rest),
        "pcap" => map(token, Parameter::Pcap).parse(rest),
        "rate" => map(token, Parameter::Rate).parse(rest),
        "seed" => map(number(64), Parameter::Seed).parse(rest),
        "size" => map(size, Parameter::Size).parse(rest),
        "source" => {
            let (rest, _) = preceded(multispace0, tag("pg")).parse(rest)?;
            map(number(32), Parameter::Source).parse(rest)
        }
        "tx-interface" => map(token, Parameter::TxInterface).parse(rest),
        "worker" => map(number(32), Parameter::Worker).parse(rest),
        _ => fail(input),
    }
}

/// VPP has a text of its own for a rate below 0.
fn rate(text: &str) -> Result<Rate, SpecError> {
    match text.parse::<f64>() {
        Ok(packets) if packets < 0.0 => Err(SpecError::NegativeRate(shown(text))),
        _ => Rate::per_second(real("rate", text, RATES, Rate::MAX)?),
    }
}

/// A number from 0 to `most`, possibly with a fraction or an exponent.
fn real(
    word: &'static str,
    text: &str,
    expected: &'static str,
    most: f64,
) -> Result<f64, SpecError> {
    let number = text.parse().ok().filter(|number| (0.0..=most).contains(number));
    number.ok_or_else(|| SpecError::BadNumber { word, value: shown(text), expected })
}

fn size(input: &str) -> Parsed<'_, Size> {
    let bytes = || map(number(32), |n| n as usize);
    let counting =
        map(separated_pair(bytes(), preceded(multispace0, char('-')), bytes()), |(min, max)| {
            Size { min, max, random: false }
        });
    let random =
        map(separated_pair(bytes(), preceded(multispace0, char('+')), bytes()), |(min, max)| {
            Size { min, max, random: true }
        });
    alt((counting, random)).parse(input)
}

/// VPP's names of buffer flags, those that this engine has.
fn buffer_flag(input: &str) -> Parsed<'_, BufferFlags> {
    let (rest, name) = token(input)?;
    let flag = match name {
        "local" => BufferFlags::LOCALLY_ORIGINATED,
        "flow-report" => BufferFlags::FLOW_REPORT,
        "l4-cksum-computed" => BufferFlags::L4_CHECKSUM_COMPUTED,
        "l4-cksum-correct" => BufferFlags::L4_CHECKSUM_CORRECT,
        "vlan-1-deep" => BufferFlags::VLAN_1_DEEP,
        "vlan-2-deep" => BufferFlags::VLAN_2_DEEP,
        _ => return fail(input),
    };
    Ok((rest, flag))
}

/// What stands between a brace and the one that closes it.
fn block(input: &str) -> Parsed<'_, &str> {
    let (inside, _) = preceded(multispace0, char('{')).parse(input)?;
    let mut depth = 1;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((&inside[at + 1..], &inside[..at]));
        }
    }
    fail(input)
}

/// `text` without the braces around it, where it has them.
fn unbraced(text: &str) -> &str {
    match block(text) {
        Ok((rest, inside)) if rest.trim().is_empty() => inside,
        _ => text,
    }
}

/// The beginning of `rest`, for an error.
fn shown(rest: &str) -> String {
    let rest = rest.trim();
    match rest.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &rest[..end]),
        None => rest.to_owned(),
    }
}
