//! A day of a router, in half a minute: flows come and go, timers fall due, records leave, and in the evening the sums agree.

use std::{
    env, io, mem,
    sync::{Arc, Mutex},
};

use nodes::pg::Generator;

use crate::scene::{IP4, Scene};

/// Flows that begin in an hour. `PELOTON_DAY_FLOWS=1000000` has a million.
const FLOWS: u64 = 100_000;
const HOURS: u64 = 24;
/// Seconds between two bursts of packets.
const STEP: u64 = 10;
/// Flows that last all day.
const LASTING: u64 = 50;
/// Octets of the IP packets.
const OCTETS: u64 = 46;

/// The file to which the collector's interface is captured, as it grows.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the collector has counted, with a decoder that knows no more of IPFIX than it must.
#[derive(Default)]
struct Ledger {
    /// Where packets and octets lie in the records of template 256, and how long they are.
    packets_at: usize,
    octets_at: usize,
    length: usize,
    messages: u64,
    records: u64,
    packets: u64,
    octets: u64,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + N].iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

impl Ledger {
    /// Takes whole packets off `file`, little-endian pcap.
    fn read(&mut self, file: &[u8]) {
        let mut rest = file;
        while let Some((header, frames)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
            self.message(&frames[14 + 28..length]);
            rest = &frames[length..];
        }
        assert!(rest.is_empty());
    }

    fn message(&mut self, message: &[u8]) {
        assert_eq!(number::<2>(message, 0), 10);
        assert_eq!(number::<2>(message, 2), message.len() as u64);
        assert_eq!(number::<4>(message, 8), self.records % (1 << 32), "records are lost before");
        self.messages += 1;
        let mut at = 16;
        while at < message.len() {
            let length = number::<2>(message, at + 2) as usize;
            let body = &message[at + 4..at + length];
            match number::<2>(message, at) {
                2 => self.templates(body),
                256 => self.records(body),
                set => panic!("set {set}"),
            }
            at += length;
        }
    }

    fn templates(&mut self, mut body: &[u8]) {
        while body.len() >= 4 {
            let (template, fields) = (number::<2>(body, 0), number::<2>(body, 2) as usize);
            let mut length = 0;
            for field in 0..fields {
                if template == 256 {
                    match number::<2>(body, 4 + 4 * field) {
                        1 => self.octets_at = length,
                        2 => self.packets_at = length,
                        _ => {}
                    }
                }
                length += number::<2>(body, 6 + 4 * field) as usize;
            }
            if template == 256 {
                self.length = length;
            }
            body = &body[4 + 4 * fields..];
        }
    }

    fn records(&mut self, body: &[u8]) {
        for record in body.chunks_exact(self.length) {
            self.records += 1;
            self.packets += number::<8>(record, self.packets_at);
            self.octets += number::<8>(record, self.octets_at);
        }
    }
}

/// A burst: one packet of each of `count` flows from the `first` on.
fn burst(scene: &Scene, first: u64, count: u64) {
    // 10.0.0.0/9 has 2^23 addresses.
    let address = |flow: u64| std::net::Ipv4Addr::from_bits(0x0a00_0000 | flow as u32 & 0x7f_ffff);
    let split = count.min((1 << 23) - (first & 0x7f_ffff));
    let (source, last) = (1000 + (first >> 23), first + split - 1);
    let hosts = format!("192.168.0.2 -> {}-{}", address(first), address(last));
    scene.send(split as u32, &format!("{IP4} UDP: {hosts} UDP: {source} -> 2 incrementing 18"));
    if split < count {
        burst(scene, first + split, count - split);
    }
}

#[test]
fn a_day_adds_up_to_the_packet() {
    let flows = env::var("PELOTON_DAY_FLOWS").map_or(FLOWS, |flows| flows.parse().unwrap());
    let scene = Scene::routes("day");
    let generator: Generator = scene.lab.engine.provided().unwrap();
    let pipe = Pipe::default();
    generator.capture_to("pg2", pipe.clone(), None).unwrap();
    scene.collector("path-mtu 1450");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    let (mut ledger, mut header) = (Ledger::default(), 24);
    let mut collect = |scene: &Scene| {
        generator.flush_capture("pg2").unwrap();
        let file = mem::take(&mut *pipe.0.lock().unwrap());
        ledger.read(&file[mem::take(&mut header)..]);
        let sums = (ledger.records, ledger.packets, ledger.octets);
        assert_eq!(scene.not_sent(), 0);
        sums
    };
    let (mut sent, mut begun, steps) = (0, 0, HOURS * 3600 / STEP);
    for step in 0..steps {
        // Each flow has a packet in this step and one in the next.
        let until = flows * (step + 1) * STEP / 3600;
        let last = flows * step.saturating_sub(1) * STEP / 3600;
        burst(&scene, last, until - last);
        burst(&scene, 0x4000_0000, LASTING);
        sent += until - last + LASTING;
        begun = until;
        scene.lab.advance(STEP);
        if step % 64 == 0 {
            collect(&scene);
        }
    }
    scene.feature("pg0 ip4 disable");
    let (records, packets, octets) = collect(&scene);
    println!("{begun} flows, {sent} packets, {records} records in {} messages", ledger.messages);
    assert_eq!((packets, octets), (sent, sent * OCTETS));
    assert!(records >= begun + LASTING && begun == flows * HOURS);
    let (counters, waiting) = scene.probe.queue_counters(flowprobe::Variant::Ip4);
    assert_eq!((counters.handed_over, counters.dropped, waiting), (records, 0, 0));
}
