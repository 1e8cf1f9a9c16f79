//! A bridge domain of three ports, and a collector at a socket of the host.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ipfix_bridge::IpfixBridge;
use peloton_tests::Lab;
use serde_json::Value;
use vnet::{
    ipfix::{
        decode::{Decoder, Event, Record, SessionKind},
        elements::Registry,
        json,
    },
    l2::BdId,
};

/// The bridge domain.
pub(crate) const BD: BdId = BdId(10);

/// A collector over UDP.
pub(crate) struct Collector(UdpSocket);

impl Collector {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// What has come since somebody looked, and from which port.
    pub(crate) fn messages(&self) -> Vec<(u16, Vec<u8>)> {
        let (mut messages, mut room) = (Vec::new(), vec![0; 65_535]);
        while let Ok((len, from)) = self.0.recv_from(&mut room) {
            messages.push((from.port(), room[..len].to_vec()));
        }
        messages
    }
}

/// pg0, pg1 and pg2 are bridged; the station 02:00:00:00:00:02 is known behind pg1.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) bridge: IpfixBridge,
    pub(crate) collector: Collector,
    /// What the collector knows of its sessions.
    sessions: RefCell<BTreeMap<u16, Decoder>>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::on(Lab::new(vec![ipfix_bridge::plugin()]))
    }

    pub(crate) fn on(lab: Lab) -> Self {
        for port in ["pg0", "pg1", "pg2"] {
            lab.script(&format!(
                "create packet-generator interface {port}
                 set interface state {port} up
                 set interface l2 bridge {port} 10"
            ));
        }
        lab.run("l2fib add 02:00:00:00:00:02 10 pg1 static");
        let bridge = lab.engine.provided().unwrap();
        Self { lab, bridge, collector: Collector::new(), sessions: RefCell::default() }
    }

    /// Says this of the bridge domain, with the collector as its target.
    pub(crate) fn configure(&self, options: &str) {
        let target = self.collector.address();
        self.lab.run(&format!("ipfix bridge 10 targets {target} {options}"));
        self.lab.engine.run_until_idle();
    }

    /// The same, measuring every frame that comes in and none that leave.
    pub(crate) fn measure_input(&self, options: &str) {
        self.configure(&format!("sampling 1 enable-output-sampling false {options}"));
    }

    /// These frames come in by pg0 at this moment.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) {
        self.send_by("pg0", frames);
    }

    pub(crate) fn send_by(&self, port: &str, frames: &[Vec<u8>]) {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("peloton-ipfix-bridge-{}-{number}.pcap", std::process::id());
        let file: PathBuf = std::env::temp_dir().join(name);
        fs::write(&file, capture(frames)).unwrap();
        self.lab.run(&format!(
            "packet-generator new {{ name r interface {port} node ethernet-input pcap {} }}",
            file.display()
        ));
        self.lab.run("packet-generator enable-stream r");
        self.lab.engine.run_until_idle();
        fs::remove_file(file).unwrap();
    }

    /// `count` frames of 60 octets from one generated flow.
    pub(crate) fn generate(&self, count: u32) {
        self.lab.run(&format!(
            "packet-generator new {{ name g limit {count} size 60-60 interface pg0 node ethernet-input \
             data {{ IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:02 \
             UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 18 }} }}"
        ));
        self.lab.run("packet-generator enable-stream g");
        self.lab.engine.run_until_idle();
        self.lab.run("packet-generator delete g");
    }

    /// Time passes, in steps in which walkers have their turns.
    pub(crate) fn wait(&self, seconds: u64) {
        for _ in 0..seconds {
            self.lab.engine.advance(Duration::from_secs(1));
        }
        self.lab.engine.run_until_idle();
    }

    /// What the collector has got since somebody looked; all of it decoded as of sessions by their ports.
    pub(crate) fn exported(&self) -> Exported {
        self.lab.run("ipfix flush");
        self.lab.engine.run_until_idle();
        Exported::go_on(&mut self.sessions.borrow_mut(), &self.collector.messages())
    }
}

/// A capture of frames, all of the same time.
pub(crate) fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    pcap.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    for frame in frames {
        let len = (frame.len() as u32).to_le_bytes();
        pcap.extend([[0; 4], [0; 4], len, len].concat());
        pcap.extend(frame);
    }
    pcap
}

/// A UDP packet over IPv4 in a frame of `len` octets, to the station that is known.
pub(crate) fn udp(ports: [u16; 2], len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0]);
    frame.extend((len as u16 - 14).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    ports.iter().for_each(|port| frame.extend(port.to_be_bytes()));
    frame.resize(len, 0);
    frame
}

/// What a collector has got.
#[derive(Default)]
pub(crate) struct Exported {
    /// Octets, sequence number, data records and observation domain of each message.
    pub(crate) messages: Vec<(usize, u32, usize, u32)>,
    pub(crate) records: Vec<Value>,
    /// Identifiers of all templates, in the order in which they came, by domain.
    pub(crate) templates: Vec<(u32, u16)>,
    /// Sessions, by source port.
    pub(crate) sessions: usize,
}

impl Exported {
    /// Panics on anything that a collector would complain of.
    pub(crate) fn of(messages: &[(u16, Vec<u8>)]) -> Self {
        Self::go_on(&mut BTreeMap::new(), messages)
    }

    /// The same of messages that a collector may complain of.
    pub(crate) fn of_any(messages: &[(u16, Vec<u8>)]) -> Self {
        let mut decoder = Decoder::new(SessionKind::Datagrams, Arc::new(Registry::default()));
        let mut exported = Self::default();
        for (_, message) in messages {
            let decoded = decoder.decode(message, &mut |_, event| {
                if let Event::Record(record) = event {
                    exported.records.push(value(&record));
                }
            });
            assert!(decoded.is_ok(), "{decoded:?}");
        }
        exported
    }

    /// The same of sessions that began before.
    fn go_on(sessions: &mut BTreeMap<u16, Decoder>, messages: &[(u16, Vec<u8>)]) -> Self {
        let mut exported = Self::default();
        let mut ports = BTreeSet::new();
        for (port, message) in messages {
            let new = || Decoder::new(SessionKind::Datagrams, Arc::new(Registry::default()));
            ports.insert(*port);
            exported.add(sessions.entry(*port).or_insert_with(new), message);
        }
        exported.sessions = ports.len();
        exported
    }

    pub(crate) fn add(&mut self, decoder: &mut Decoder, message: &[u8]) {
        let domain = u32::from_be_bytes(message[12..16].try_into().unwrap());
        let records = self.records.len();
        self.templates.extend(template_ids(message).into_iter().map(|id| (domain, id)));
        let header = decoder.decode(message, &mut |_, event| match event {
            Event::Record(record) => {
                let mut value = value(&record);
                value["domain"] = domain.into();
                self.records.push(value);
            }
            // Those that are told again are no news to a decoder.
            Event::Template(_) => (),
            other => panic!("{other:?}"),
        });
        let sequence = header.unwrap().sequence.get();
        self.messages.push((message.len(), sequence, self.records.len() - records, domain));
    }

    pub(crate) fn all(&self, element: &str) -> Vec<u64> {
        self.records.iter().map(|r| r[element].as_u64().unwrap()).collect()
    }

    pub(crate) fn sum(&self, element: &str) -> u64 {
        self.all(element).iter().sum()
    }

    /// Reasons, in the order of the records.
    pub(crate) fn reasons(&self) -> Vec<u64> {
        self.all("flowEndReason")
    }
}

fn value(record: &Record<'_>) -> Value {
    let mut line = Vec::new();
    json::write_record(&mut line, record);
    let mut value: Value = serde_json::from_slice(&line).unwrap();
    value["template"] = record.template().template().id().get().into();
    value
}

/// The identifiers of the templates in a message.
fn template_ids(message: &[u8]) -> Vec<u16> {
    let word = |octets: &[u8], at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
    let (mut ids, mut rest) = (Vec::new(), &message[16..]);
    while rest.len() > 4 {
        let (set, len) = (word(rest, 0), usize::from(word(rest, 2)));
        let mut records = &rest[4..len];
        while set == 2 && records.len() >= 4 {
            ids.push(word(records, 0));
            let fields = word(records, 2);
            records = &records[4..];
            for _ in 0..fields {
                let enterprise = word(records, 0) & 0x8000 != 0;
                records = &records[if enterprise { 8 } else { 4 }..];
            }
        }
        rest = &rest[len..];
    }
    ids
}

/// An answer of a resolver that knows no name.
pub(crate) fn unknown_name() -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
}
