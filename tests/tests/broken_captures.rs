//! Captures that are cut, damaged or odd go through the reader and the meter without a crash or a hang, and the sums hold.

use std::{
    fs,
    io::Cursor,
    path::PathBuf,
    time::{Duration, Instant},
};

use nodes::capture::{Batch, Reader};
use peloton_tests::replay::captures;
use vnet::{
    flow::{Config, Families, FlowRecord, Meter, Observed, RecordSet, Scope, Start},
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::link::LinkType,
};

/// Captures are truncated at every offset up to here.
const TRUNCATED: usize = 4096;

/// So much of a capture is damaged at a time, and so often.
const DAMAGED: usize = 64 * 1024;
const DAMAGES: u64 = 100;

/// What all tests of this file may take together, in the dev profile.
const LIMIT: Duration = Duration::from_secs(60);

/// A packet as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    data: Vec<u8>,
    wire_length: u32,
    time: PacketTime,
    link: LinkType,
}

/// The packets of a file in batches of `batch`, each with the reader's offset behind its batch, and whether there is a
/// defect at the end.
fn read(file: &[u8], batch: usize) -> (Vec<(Packet, usize)>, bool) {
    let mut packets = Vec::new();
    let Ok(mut reader) = Reader::from_stream("capture", Cursor::new(file.to_vec())) else {
        return (packets, true);
    };
    loop {
        let first = packets.len();
        let result = reader.next_batch(batch, |packet| {
            let (data, wire_length) = (packet.data.to_vec(), packet.wire_len);
            packets.push((Packet { data, wire_length, time: packet.time, link: packet.link }, 0));
        });
        let offset = reader.offset() as usize;
        packets[first..].iter_mut().for_each(|(_, end)| *end = offset);
        match result {
            Ok(Batch::Packets(n)) => assert_eq!(n, packets.len() - first),
            Ok(Batch::Blocked) => panic!("memory does not block"),
            Ok(Batch::End) => return (packets, false),
            Err(_) => return (packets, true),
        }
    }
}

/// Measures packets in frames of `frame` and checks the sums; the records, in an order of their own.
fn measure<'a>(packets: impl Iterator<Item = &'a Packet> + Clone, frame: usize) -> Vec<String> {
    let record = RecordSet::L3 | RecordSet::L4 | RecordSet::VLAN;
    let config = Config { max_flows: 1000, ..Config::new(Families::all(), record) };
    let mut meter = Meter::new(&config).unwrap();
    let mut records: Vec<FlowRecord> = Vec::new();
    let mut waiting = packets.clone();
    loop {
        let observed = waiting.by_ref().take(frame).map(|packet| Observed {
            time: packet.time,
            wire_length: packet.wire_length,
            ..Observed::new(&packet.data, Start::Link(packet.link), SwIfIndex(1))
        });
        let before = meter.counters().seen;
        meter.frame(observed, &mut |record| records.push(*record));
        meter.sweep(8, &mut |record| records.push(*record));
        if meter.counters().seen == before {
            break;
        }
    }
    meter.flush(Scope::All, &mut |record| records.push(*record));
    let counters = meter.counters();
    let recorded: u64 = records.iter().map(|record| record.packets).sum();
    assert_eq!(counters.seen, packets.count() as u64);
    assert_eq!(recorded + counters.unmeasured_total(), counters.seen);
    assert!(records.iter().all(|record| record.start <= record.end));
    let mut lines: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    lines.sort_unstable();
    lines
}

/// The captures to break, with what is in them.
fn contents() -> Vec<(PathBuf, Vec<u8>)> {
    captures().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_capture_truncated_anywhere_gives_the_packets_before_the_cut_and_the_sums_hold() {
    let start = Instant::now();
    for (path, mut file) in contents() {
        // Behind the last cut nothing matters but that there is something.
        file.truncate(TRUNCATED + DAMAGED);
        let (whole, _) = read(&file, 1);
        for cut in 0..=TRUNCATED.min(file.len()) {
            let (packets, _) = read(&file[..cut], 256);
            let expected = whole.iter().take_while(|(_, end)| *end <= cut);
            assert!(
                packets.iter().map(|(p, _)| p).eq(expected.map(|(p, _)| p)),
                "{} cut at {cut}",
                path.display()
            );
            // The sums depend on the packets alone, of which there are others behind few of the cuts.
            if whole.iter().any(|(_, end)| *end == cut) || cut == TRUNCATED {
                measure(packets.iter().map(|(packet, _)| packet), 256);
            }
        }
        println!("{}: {} packets", path.display(), whole.len());
    }
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn a_damaged_capture_gives_the_same_records_in_any_frames_and_the_sums_hold() {
    let start = Instant::now();
    let mut random = Random(0x5eed);
    for (path, file) in contents() {
        let sound = &file[..file.len().min(DAMAGED)];
        let mut delivered = 0;
        for _ in 0..DAMAGES {
            let mut damaged = sound.to_vec();
            // Seldom in the file header, where most damage ends the reading at once.
            for _ in 0..=random.below(32) {
                let at = random.below(damaged.len());
                let at = if at < 24 && random.below(8) > 0 { damaged.len() / 2 } else { at };
                damaged[at] ^= 1 << random.below(8);
            }
            let (packets, defect) = read(&damaged, 256);
            let (again, same_defect) = read(&damaged, 7);
            let bare = |packets: &[(Packet, usize)]| -> Vec<Packet> {
                packets.iter().map(|(packet, _)| packet.clone()).collect()
            };
            let packets = bare(&packets);
            assert_eq!((&packets, defect), (&bare(&again), same_defect), "{}", path.display());
            delivered += packets.len();
            let records = measure(packets.iter(), 256);
            assert_eq!(measure(packets.iter(), 7), records, "{}", path.display());
        }
        println!("{}: {delivered} packets of {DAMAGES} damaged copies", path.display());
    }
    assert!(start.elapsed() < LIMIT);
}

/// A classic capture whose packets were captured up to `snaplen` bytes.
fn pcap(link: LinkType, snaplen: usize, packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, snaplen as u32, link.number().into()] {
        file.extend(u32::to_le_bytes(word));
    }
    for packet in packets {
        let data = &packet.data[..packet.data.len().min(snaplen)];
        let seconds = (packet.time.0 / 1_000_000_000) as u32;
        for word in [seconds, 0, data.len() as u32, packet.wire_length] {
            file.extend(u32::to_le_bytes(word));
        }
        file.extend(data);
    }
    file
}

#[test]
fn packets_captured_up_to_any_length_are_all_accounted_for() {
    let packet = |data: Vec<u8>, wire_length: u32| Packet {
        data,
        wire_length,
        time: PacketTime(1_700_000_000_000_000_000),
        link: LinkType::Ethernet,
    };
    let mut udp = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    udp.extend([0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
    udp.extend([4, 0, 0, 53, 0, 26, 0, 0]);
    udp.resize(60, 0);
    let mut huge = udp.clone();
    huge.resize(65_535, 0);
    let packets =
        [packet(Vec::new(), 0), packet(udp.clone(), 60), packet(udp, 1500), packet(huge, 65_535)];
    for snaplen in (0..80).chain([65_534, 65_535, 262_144]) {
        let (read, defect) = read(&pcap(LinkType::Ethernet, snaplen, &packets), 256);
        assert!(!defect);
        assert_eq!(read.len(), packets.len());
        assert!(read.iter().zip(&packets).all(|((r, _), p)| r.wire_length == p.wire_length));
        // Whatever has a link header is in a record, by its addresses alone until there is a whole IP header.
        let records = measure(read.iter().map(|(packet, _)| packet), 256);
        assert_eq!(records.len(), usize::from(snaplen >= 14), "up to {snaplen}: {records:#?}");
        let by_address = records.iter().filter(|record| record.contains("addresses: None"));
        assert_eq!(by_address.count(), usize::from((14..34).contains(&snaplen)));
    }
}

/// A small generator of numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}
