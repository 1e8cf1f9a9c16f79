//! A router with a collector behind one of its interfaces.

use std::{collections::HashMap, fs, path::PathBuf, sync::Arc};

use flowprobe::FlowProbe;
use peloton_tests::Lab;
use serde_json::Value;
use vnet::ipfix::{
    decode::{Decoder, Event, SessionKind},
    elements::Registry,
    json,
};

/// Frames to the router's first interface.
pub(crate) const IP4: &str = "IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00";
pub(crate) const IP6: &str = "IP6: 02:00:00:00:00:01 -> 02:fe:00:00:00:00";
/// A UDP packet of 46 octets behind the Ethernet header.
pub(crate) const UDP: &str = "UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1000 -> 2000 incrementing 18";
/// The same with IPv6, 50 octets.
pub(crate) const UDP6: &str = "UDP: 2001:db8::2 -> 2001:db8:10::1 UDP: 1000 -> 2000 incrementing 2";

/// pg0 and pg1 forward, the collector is behind pg2.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) probe: FlowProbe,
    file: PathBuf,
}

impl Scene {
    /// Without exporter.
    pub(crate) fn without_collector(name: &str) -> Self {
        let scene = Self::routes(name);
        scene.lab.run(&format!("packet-generator capture pg2 pcap {}", scene.file.display()));
        scene
    }

    /// Without exporter, and without the capture of what reaches the collector.
    pub(crate) fn routes(name: &str) -> Self {
        let lab = Lab::new(vec![flowprobe::plugin()]);
        lab.script(
            "create packet-generator interface pg0
             create packet-generator interface pg1
             create packet-generator interface pg2
             set interface state pg0 up
             set interface state pg1 up
             set interface state pg2 up
             set interface ip address pg0 192.168.0.1/24
             set interface ip address pg1 192.168.1.1/24
             set interface ip address pg2 192.168.2.1/24
             set interface ip address pg0 2001:db8::1/64
             set interface ip address pg1 2001:db8:1::1/64
             set interface ip address pg2 2001:db8:2::1/64
             set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
             set ip neighbor pg2 192.168.2.9 02:00:00:00:00:0c
             set ip neighbor pg1 2001:db8:1::2 02:00:00:00:00:0a
             set ip neighbor pg2 2001:db8:2::9 02:00:00:00:00:0c
             ip route add 10.0.0.0/8 via 192.168.1.2 pg1
             ip route add 2001:db8:10::/48 via 2001:db8:1::2 pg1",
        );
        let probe = lab.engine.provided().unwrap();
        let file = std::env::temp_dir().join(format!("peloton-{}-{name}.pcap", std::process::id()));
        let _: std::io::Result<()> = fs::remove_file(&file);
        Self { lab, probe, file }
    }

    /// With an exporter, and `more` words for it.
    pub(crate) fn new(name: &str, more: &str) -> Self {
        let scene = Self::without_collector(name);
        scene.collector(more);
        scene
    }

    pub(crate) fn collector(&self, more: &str) {
        self.lab.run(&format!("set ipfix exporter collector 192.168.2.9 src 192.168.2.1 {more}"));
        self.lab.engine.run_until_idle();
    }

    pub(crate) fn params(&self, words: &str) {
        self.lab.run(&format!("flowprobe params {words}"));
    }

    pub(crate) fn feature(&self, words: &str) {
        self.lab.run(&format!("flowprobe feature add-del {words}"));
        self.lab.engine.run_until_idle();
    }

    /// `count` packets of `data` come in by pg0, all at this moment.
    pub(crate) fn send(&self, count: u32, data: &str) {
        self.lab.run(&format!(
            "packet-generator new {{ name s limit {count} interface pg0 \
             node ethernet-input data {{ {data} }} }}"
        ));
        self.lab.run("packet-generator enable-stream s");
        self.lab.engine.run_until_idle();
    }

    /// What has arrived at the collector so far; nothing is captured after.
    pub(crate) fn exported(&self) -> Exported {
        self.lab.run("packet-generator capture pg2 disable");
        Exported::read(frames(&self.file))
    }

    /// The IP packets that have arrived at the collector so far; nothing is captured after.
    pub(crate) fn packets(&self) -> Vec<Vec<u8>> {
        self.lab.run("packet-generator capture pg2 disable");
        frames(&self.file).into_iter().map(|frame| frame[14..].to_vec()).collect()
    }

    /// The messages of the packets over IPv4 that have arrived and were captured.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        frames(&self.file).into_iter().map(|frame| frame[14 + 28..].to_vec()).collect()
    }

    /// The capture, for a judge.
    pub(crate) fn capture(&self) -> &PathBuf {
        &self.file
    }

    /// Records that the exporter could not send.
    pub(crate) fn not_sent(&self) -> u64 {
        self.probe.exporter().counters().records_not_sent
    }

    /// Flows in all caches.
    pub(crate) fn flows_held(&self) -> usize {
        self.lab.engine.with(|main| self.probe.flows(main, 0).1)
    }

    /// These frames come in by pg0 at this moment.
    pub(crate) fn replay(&self, frames: &[Vec<u8>]) {
        let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        pcap.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
        let seconds = self.lab.engine.with(|main| main.clock().wall().0 / 1_000_000_000) as u32;
        for frame in frames {
            let len = (frame.len() as u32).to_le_bytes();
            pcap.extend([seconds.to_le_bytes(), [0; 4], len, len].concat());
            pcap.extend(frame);
        }
        let file = self.file.with_extension("replay");
        fs::write(&file, pcap).unwrap();
        self.lab.run(&format!(
            "packet-generator new {{ name r interface pg0 node ethernet-input pcap {} }}",
            file.display()
        ));
        self.lab.run("packet-generator enable-stream r");
        self.lab.engine.run_until_idle();
        fs::remove_file(file).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _: std::io::Result<()> = fs::remove_file(&self.file);
    }
}

/// The frames of a capture that the packet generator wrote: little-endian, microseconds. There is none before the first frame.
fn frames(file: &PathBuf) -> Vec<Vec<u8>> {
    if !file.exists() {
        return Vec::new();
    }
    let bytes = fs::read(file).unwrap();
    let mut rest = &bytes[24..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        frames.push(rest[16..16 + len].to_vec());
        rest = &rest[16 + len..];
    }
    frames
}

/// What a collector has got.
#[derive(Default)]
pub(crate) struct Exported {
    /// Lengths of the IP packets.
    pub(crate) packets: Vec<usize>,
    /// Sequence number and number of data records of each message.
    pub(crate) messages: Vec<(u32, usize)>,
    pub(crate) records: Vec<Value>,
    /// Identifiers of all templates, in the order in which they became known.
    pub(crate) templates: Vec<u16>,
    /// Messages that brought templates.
    pub(crate) template_messages: usize,
}

impl Exported {
    /// Panics on anything that a collector would complain of.
    fn read(frames: Vec<Vec<u8>>) -> Self {
        // A collecting process tells sessions apart by their ports.
        let mut sessions: HashMap<[u8; 2], Decoder> = HashMap::new();
        let mut exported = Self::default();
        for frame in frames {
            let ip = &frame[14..];
            let header = if ip[0] == 0x45 { 20 } else { 40 };
            exported.packets.push(ip.len());
            let port = [ip[header + 2], ip[header + 3]];
            let new = || Decoder::new(SessionKind::Datagrams, Arc::new(Registry::default()));
            exported.add(sessions.entry(port).or_insert_with(new), &ip[header + 8..]);
        }
        exported
    }

    pub(crate) fn add(&mut self, decoder: &mut Decoder, message: &[u8]) {
        let (before, records) = (decoder.counters().templates, self.records.len());
        let header = decoder.decode(message, &mut |_, event| match event {
            Event::Record(record) => {
                let mut line = Vec::new();
                json::write_record(&mut line, &record);
                let mut value: Value = serde_json::from_slice(&line).unwrap();
                value["template"] = record.template().template().id().get().into();
                self.records.push(value);
            }
            Event::Template(known) => self.templates.push(known.template().id().get()),
            other => panic!("{other:?}"),
        });
        let sequence = header.unwrap().sequence.get();
        self.messages.push((sequence, self.records.len() - records));
        self.template_messages += usize::from(decoder.counters().templates > before);
    }

    /// Sum of an element over the records that `of` says.
    pub(crate) fn sum(&self, element: &str, of: impl Fn(&Value) -> bool) -> u64 {
        self.records.iter().filter(|r| of(r)).map(|r| r[element].as_u64().unwrap_or(0)).sum()
    }

    pub(crate) fn packet_sum(&self) -> u64 {
        self.sum("packetDeltaCount", |_| true)
    }

    /// All values of an element, in the order of the records.
    pub(crate) fn all(&self, element: &str) -> Vec<u64> {
        self.records.iter().map(|r| r[element].as_u64().unwrap()).collect()
    }
}

pub(crate) fn is(element: &'static str, value: impl Into<Value>) -> impl Fn(&Value) -> bool {
    let value = value.into();
    move |record| record[element] == value
}
