//! What a flow record costs on its way out of the engine and into text, in TSC clocks: median of many rounds.
//!
//! `cargo run --release -p peloton-benches --bin ipfix`
#![allow(unsafe_code, reason = "reading the time stamp counter is an intrinsic")]

use std::{hint::black_box, sync::Arc};

use vnet::{
    flow::{Addresses, Direction, EndReason, FlowRecord},
    interface::SwIfIndex,
    ipfix::{
        decode::{Decoder, Event, SessionKind},
        export::{Outgoing, Outlet, Stream, StreamKey},
        json,
        profile::{Families, FlowTemplates, Framing, Profile, RecordSet},
        template::{Template, TemplateId},
        time::Precision,
    },
    runtime::PacketTime,
};

const RECORDS: usize = 1024;
const ROUNDS: usize = 501;
/// A message for a path MTU of 1450 over IPv4.
const LIMIT: usize = 1422;

fn main() {
    println!("{:<44} {:>8} {:>14}", "", "octets", "clocks/record");
    for (name, set, family) in [
        ("ip4 l3 l4", RecordSet::L3 | RecordSet::L4, Families::IP4),
        ("ip4 l2 l3 l4", RecordSet::all(), Families::IP4),
        ("ip6 l2 l3 l4", RecordSet::all(), Families::IP6),
        ("ip4, ip6, icmp mixed, l2 l3 l4", RecordSet::all(), Families::all()),
    ] {
        let templates = Profile::Rfc.templates(set, families_needed(family));
        let records = records(family);
        let lens = records.iter().map(|r| templates.select(r).map_or(0, |(_, e)| e.record_len()));
        let octets = lens.sum::<usize>() / RECORDS;
        let print = |what: &str, clocks: f64| {
            println!("{:<44} {octets:>8} {clocks:>14.1}", format!("{name}: {what}"));
        };
        print("encode", encode(&templates, &records));
        print("encode, pack, stamp", export(&templates, &records));
        print("JSON", to_json(&records, set));
        print("decode, JSON", decode(&templates, &records));
    }
}

fn families_needed(family: Families) -> Families {
    family | Families::IP4 | Families::IP6
}

/// Records of the family: TCP and UDP, or with ICMP when all families are asked for.
fn records(family: Families) -> Vec<FlowRecord> {
    let mixed = family == Families::all();
    (0..RECORDS as u32)
        .map(|n| {
            // Some order that a branch predictor does not learn.
            let random = n.wrapping_mul(0x9e37_79b9) >> 16;
            let ip6 = if mixed { random & 1 == 1 } else { family == Families::IP6 };
            let icmp = mixed && random & 6 == 6;
            let [a, b, c, d] = n.to_be_bytes();
            FlowRecord {
                ingress: SwIfIndex(1),
                egress: SwIfIndex(2),
                direction: Direction::Ingress,
                source_mac: [2, 0, a, b, c, d],
                destination_mac: [2, 1, a, b, c, d],
                ethertype: if ip6 { 0x86dd } else { 0x800 },
                vlan: None,
                addresses: if ip6 {
                    Addresses::V6([0x20; 16], [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
                } else {
                    Addresses::V4([10, b, c, d], [192, 0, 2, d])
                },
                protocol: match (icmp, ip6) {
                    (true, true) => 58,
                    (true, false) => 1,
                    (false, _) => 6,
                },
                source_port: n as u16,
                destination_port: 443,
                tcp_flags: 0x1b,
                packets: 10,
                octets: 6400,
                layer2_octets: 6540,
                start: PacketTime(1_700_000_000_000_000_000 + u64::from(n) * 1_234_567),
                end: PacketTime(1_700_000_060_000_000_000 + u64::from(n) * 1_234_567),
                end_reason: EndReason::IdleTimeout,
                details: None,
            }
        })
        .collect()
}

/// The octets of a record alone.
fn encode(templates: &FlowTemplates, records: &[FlowRecord]) -> f64 {
    let mut out = [0; 256];
    clocks_per_record(|| {
        for record in records {
            if let Some((_, encoder)) = templates.select(black_box(record)) {
                encoder.encode(record, &mut out[..encoder.record_len()]);
                black_box(&mut out);
            }
        }
    })
}

/// The whole way to a transport that does nothing.
fn export(templates: &FlowTemplates, records: &[FlowRecord]) -> f64 {
    let mut stream = Stream::new(StreamKey { domain: 1, source_port: 4739 }, LIMIT);
    let discard = &mut |message: &[u8]| {
        black_box(message);
    };
    clocks_per_record(|| add(&mut stream, templates, records, discard))
}

fn to_json(records: &[FlowRecord], set: RecordSet) -> f64 {
    let mut out = Vec::new();
    clocks_per_record(|| {
        for record in records {
            out.clear();
            json::write_flow(&mut out, record, set, Precision::Microseconds);
            black_box(&mut out);
        }
    })
}

fn decode(templates: &FlowTemplates, records: &[FlowRecord]) -> f64 {
    let mut stream = Stream::new(StreamKey { domain: 1, source_port: 4739 }, LIMIT);
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let keep = &mut |message: &[u8]| messages.push(message.to_vec());
    for (ordinal, encoder) in (0..).zip(templates.encoders()) {
        let id = TemplateId::from_ordinal(ordinal);
        if let Ok(template) = Template::new(id, 0, encoder.fields()) {
            let mut send = |outgoing: Outgoing<'_>| {
                keep(outgoing.message);
                Ok(())
            };
            let mut outlet = Outlet { export_time: 0.into(), send: &mut send, failure: None };
            let _: Result<(), _> = stream.template(&template, Framing::RFC, &mut outlet);
            stream.flush(&mut outlet);
        }
    }
    add(&mut stream, templates, records, keep);
    let mut out = Vec::new();
    clocks_per_record(|| {
        let mut decoder = Decoder::new(SessionKind::Datagrams, Arc::default());
        for message in &messages {
            let sink = &mut |_: &_, event: Event<'_>| {
                if let Event::Record(record) = event {
                    out.clear();
                    json::write_record(&mut out, &record);
                    black_box(&mut out);
                }
            };
            let _: Result<_, _> = decoder.decode(message, sink);
        }
    })
}

fn add(
    stream: &mut Stream,
    templates: &FlowTemplates,
    records: &[FlowRecord],
    take: &mut dyn FnMut(&[u8]),
) {
    let mut send = |outgoing: Outgoing<'_>| {
        take(outgoing.message);
        Ok(())
    };
    let mut outlet = Outlet { export_time: 1_700_000_000.into(), send: &mut send, failure: None };
    for record in records {
        if let Some((slot, encoder)) = templates.select(record) {
            let id = TemplateId::from_ordinal(slot.index() as u16);
            let write = |out: &mut [u8]| encoder.encode(record, out);
            let _: Result<(), _> = stream.record(id, encoder.record_len(), &mut outlet, write);
        }
    }
    stream.flush(&mut outlet);
}

/// Median clocks of a round over [`RECORDS`] records, a record.
fn clocks_per_record(mut round: impl FnMut()) -> f64 {
    let mut rounds: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let start = tsc();
            round();
            tsc() - start
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2] as f64 / RECORDS as f64
}

#[cfg(target_arch = "x86_64")]
fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and it touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds where there is no TSC.
#[cfg(not(target_arch = "x86_64"))]
fn tsc() -> u64 {
    use std::{sync::OnceLock, time::Instant};
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
