//! Open vSwitch beside it: both are shown the same frames, and both tell of the same packets and octets.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use nodes::capture::{Batch, Reader};
use peloton_tests::{
    program::{has, not_run},
    replay::captures,
};
use serde_json::Value;
use vnet::wire::link::LinkType;

use super::{
    open_vswitch::{PROGRAMS, Switch},
    readings::{Reading, Reason, reading},
    scene::{Collector, Exported, Scene},
};

/// Captures that have frames which are cut or contradict themselves.
const DAMAGED: [&str; 7] =
    ["big-endian", "demo", "edge", "ext-headers", "fragments", "malformed-ipv4", "malformed-small"];

/// Octets of the shortest frame that a dummy device takes, and of the longest.
const LENGTHS: core::ops::RangeInclusive<usize> = 14..=1514;

/// Frames of ours of which the records fit into the queue of whoever reads them.
const PIECE: usize = 500;

/// The Ethernet frames of a capture, as long as they were captured.
fn frames(capture: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::open(capture).unwrap();
    let mut frames = Vec::new();
    while let Ok(Batch::Packets(_)) = reader.next_batch(256, |packet| {
        if packet.link == LinkType::Ethernet && LENGTHS.contains(&packet.data.len()) {
            frames.push(packet.data.to_vec());
        }
    }) {}
    frames
}

/// What tells flows apart that both are asked about.
const KEY: [&str; 9] = [
    "ethernetType",
    "vlanId",
    "protocolIdentifier",
    "sourceIPv4Address",
    "destinationIPv4Address",
    "sourceIPv6Address",
    "destinationIPv6Address",
    "sourceTransportPort",
    "destinationTransportPort",
];
const COUNTS: [&str; 4] =
    ["packetDeltaCount", "layer2OctetDeltaCount", "octetDeltaCount", "octetDeltaSumOfSquares"];

/// Sums of what came in, by flow.
fn sums(records: &[Value]) -> BTreeMap<String, [u64; 4]> {
    let mut sums: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for record in records.iter().filter(|record| record["flowDirection"] == 0) {
        let key: Vec<String> = KEY.iter().map(|element| record[element].to_string()).collect();
        let sum = sums.entry(key.join(" ")).or_default();
        for (sum, element) in sum.iter_mut().zip(COUNTS) {
            *sum += record[element].as_u64().unwrap_or(0);
        }
    }
    sums
}

fn by_open_vswitch(switch: &Switch, frames: &[Vec<u8>]) -> BTreeMap<String, [u64; 4]> {
    let collector = Collector::new();
    let target = format!("targets=\"{}\"", collector.address());
    switch.measure(&[&target, "sampling=1", "cache_active_timeout=4200", "cache_max_flows=100"]);
    let mut messages = Vec::new();
    switch.receive(frames, || messages.extend(collector.messages()));
    switch.measure_no_more();
    messages.extend(collector.messages());
    sums(&Exported::of_any(&messages).records)
}

/// As [`by_open_vswitch`], until records of all frames have come: on a busy machine the kernel drops some on their way to its
/// daemon, or from there.
fn all_by_open_vswitch(
    switch: &Switch,
    frames: &[Vec<u8>],
    name: &str,
) -> BTreeMap<String, [u64; 4]> {
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let theirs = by_open_vswitch(switch, frames);
        let all: u64 = theirs.values().map(|[packets, ..]| packets).sum();
        if all == frames.len() as u64 {
            return theirs;
        }
        seen.push(all);
    }
    panic!(
        "{name}: records were lost on their way: of {} frames there were {seen:?}",
        frames.len()
    );
}

fn by_peloton(frames: &[Vec<u8>]) -> BTreeMap<String, [u64; 4]> {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 4200");
    let mut records = Vec::new();
    for some in frames.chunks(PIECE) {
        scene.send(some);
        records.append(&mut scene.exported().records);
    }
    scene.lab.run("ipfix bridge 10 targets none");
    records.append(&mut scene.exported().records);
    sums(&records)
}

/// What we tell of frames as they read them, and why they read some otherwise.
fn as_they_read(frames: &[Vec<u8>]) -> (BTreeMap<String, [u64; 4]>, BTreeSet<Reason>) {
    let (mut shown, mut others, mut reasons) = (Vec::new(), Vec::new(), BTreeSet::new());
    for frame in frames {
        let (reading, reason) = reading(frame);
        reasons.extend(reason);
        match reading {
            Reading::Same => shown.push(frame.clone()),
            Reading::As(frame) => shown.push(frame),
            Reading::NoProtocol(addresses) => others.push((addresses, frame.len() as u64)),
        }
    }
    let mut told = if shown.is_empty() { BTreeMap::new() } else { by_peloton(&shown) };
    for ([source, destination], len) in others {
        let key = format!("34525 null 0 null null \"{source}\" \"{destination}\" null null");
        let ip = len - 14;
        let sum = told.entry(key).or_default();
        [1, len, ip, ip * ip].into_iter().zip(sum).for_each(|(more, sum)| *sum += more);
    }
    (told, reasons)
}

#[test]
fn open_vswitch_tells_of_the_same_packets_and_octets() {
    const TEST: &str = "open_vswitch_tells_of_the_same_packets_and_octets";
    if !has(TEST, &PROGRAMS) {
        return;
    }
    let Some(switch) = Switch::start() else { return not_run(TEST, "Open vSwitch does not start") };
    let mut all_reasons = BTreeSet::new();
    for capture in captures() {
        let name = capture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let frames = frames(&capture);
        if frames.is_empty() {
            continue;
        }
        let theirs = all_by_open_vswitch(&switch, &frames, &name);
        let (ours, reasons) = as_they_read(&frames);
        let differ: Vec<String> = theirs
            .keys()
            .chain(ours.keys().filter(|key| !theirs.contains_key(*key)))
            .filter(|key| theirs.get(*key) != ours.get(*key))
            .map(|key| format!("{key}: {:?} and {:?}", theirs.get(key), ours.get(key)))
            .collect();
        assert!(differ.is_empty(), "{name}:\n{}", differ.join("\n"));
        assert!(reasons.is_empty() || DAMAGED.contains(&name.as_str()), "{name}: {reasons:?}");
        all_reasons.extend(reasons);
    }
    let each = [Reason::IpLength, Reason::IpVersion, Reason::Transport, Reason::Extension];
    assert_eq!(all_reasons, BTreeSet::from(each));
}
