//! A router between packet-generator interfaces, and what comes out of it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use peloton_tests::{Lab, program::not_run, tshark};
use vnet::interface::SwIfIndex;

/// What nodes count that is not the end of a packet.
const EVENTS: [&str; 13] = [
    "redirected",
    "fragmented",
    "fragment-sent",
    "reass-success",
    "reass-fragments-reassembled",
    "request-sent",
    "originated",
    "no-source",
    "no-buffers",
    "replies-sent",
    "proxy-arp-replies-sent",
    "neighbor-advertisements-tx",
    "learning-full",
];

/// A router, and the files of its test, which go when it goes.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    files: RefCell<Vec<PathBuf>>,
    captures: RefCell<BTreeMap<String, PathBuf>>,
}

impl Scene {
    /// With `count` interfaces pg0, pg1, ..., up and without addresses; then `script`.
    pub(crate) fn new(count: u32, script: &str) -> Self {
        Self::of(Lab::new(Vec::new()), count, script)
    }

    fn of(lab: Lab, count: u32, script: &str) -> Self {
        for n in 0..count {
            lab.run(&format!("create packet-generator interface pg{n}"));
            lab.run(&format!("set interface state pg{n} up"));
        }
        lab.script(script);
        Self { lab, files: RefCell::default(), captures: RefCell::default() }
    }

    /// pg0 and pg1 with addresses of both families, hosts behind pg1, routes to it.
    pub(crate) fn router() -> Self {
        Self::with(Lab::new(Vec::new()))
    }

    /// As [`Self::router`], of an engine that was made otherwise.
    pub(crate) fn with(lab: Lab) -> Self {
        Self::of(
            lab,
            2,
            "set interface ip address pg0 192.168.0.1/24
             set interface ip address pg1 192.168.1.1/24
             set interface ip address pg0 2001:db8::1/64
             set interface ip address pg1 2001:db8:1::1/64
             set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
             set ip neighbor pg1 2001:db8:1::2 02:00:00:00:00:0a
             ip route add 10.0.0.0/8 via 192.168.1.2 pg1
             ip route add 2001:db8:10::/48 via 2001:db8:1::2 pg1",
        )
    }

    /// A path that nothing has yet.
    pub(crate) fn path(&self, end: &str) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("peloton-{}-{number}-{end}", process::id()));
        self.files.borrow_mut().push(path.clone());
        path
    }

    /// Captures what leaves by `interface`.
    pub(crate) fn capture(&self, interface: &str) {
        let path = self.path("out.pcap");
        self.lab.run(&format!("packet-generator capture {interface} pcap {}", path.display()));
        self.captures.borrow_mut().insert(interface.to_owned(), path);
    }

    /// What has left by `interface` since then; nothing is captured after.
    pub(crate) fn captured(&self, interface: &str) -> Captured {
        self.lab.run(&format!("packet-generator capture {interface} disable"));
        let file = self.captures.borrow_mut().remove(interface).expect("a capture");
        self.files.borrow_mut().retain(|other| *other != file);
        let frames = read_pcap(&file);
        Captured { file, frames }
    }

    /// These frames come in by `interface`.
    pub(crate) fn send(&self, interface: &str, frames: &[Vec<u8>]) {
        let path = self.path("in.pcap");
        write_pcap(&path, frames);
        self.lab.run(&format!(
            "packet-generator new {{ name in interface {interface} node ethernet-input pcap {} }}",
            path.display()
        ));
        self.lab.run("packet-generator enable-stream in");
        self.lab.engine.run_until_idle();
        self.lab.run("packet-generator delete in");
    }

    /// One of an interface's counters, such as `rx packets`.
    pub(crate) fn counter(&self, interface: &str, name: &str) -> u64 {
        self.lab.engine.with(|main| {
            let index = main.interfaces().find(interface).unwrap();
            let lines = main.interface_counters().of(index);
            lines.into_iter().find(|(n, _)| n == name).map_or(0, |(_, value)| value)
        })
    }

    /// Every node and reason that counted something, and how often.
    pub(crate) fn reasons(&self) -> BTreeMap<(String, String), u64> {
        self.lab.engine.with(|main| {
            let rows = main.errors().rows().filter(|row| row.count > 0);
            rows.map(|row| ((row.node.to_owned(), row.reason.name.clone()), row.count)).collect()
        })
    }

    /// Packets that were fragments and are one with others now.
    fn merged(&self) -> u64 {
        let reasons = self.reasons();
        let sum = |name: &str| -> u64 {
            reasons.iter().filter(|((_, reason), _)| reason == name).map(|(_, n)| n).sum()
        };
        sum("reass-fragments-reassembled") - sum("reass-success")
    }

    /// Packets that the router made: errors about others, and fragments beyond one for each packet that was cut.
    pub(crate) fn told(&self) -> u64 {
        let nodes = ["ip4-icmp-error", "ip6-icmp-error"];
        let kinds =
            ["dest-unreach-sent", "packet-too-big-sent", "ttl-expire-sent", "param-problem-sent"];
        let counts = nodes.iter().flat_map(|node| kinds.map(|kind| self.lab.error(node, kind)));
        let cuts = ["ip4-frag", "ip6-frag"];
        let of_cuts =
            |reason: &str| cuts.map(|node| self.lab.error(node, reason)).iter().sum::<u64>();
        counts.sum::<u64>() + of_cuts("fragment-sent") - of_cuts("fragmented")
    }

    /// Packets in, those that were made, and what is said to neighbours, are packets out and packets dropped, punted or received,
    /// each of them under one reason; no buffer is left over. What waits for a MAC address is given time to get it.
    pub(crate) fn assert_nothing_is_lost(&self) {
        self.lab.advance(4);
        let (received, sent, dropped, punted) = self.lab.engine.with(|main| {
            let counters = main.interface_counters();
            let mains: Vec<SwIfIndex> =
                main.interfaces().hardware_interfaces().map(|hw| hw.sw_if_index).collect();
            let sum = |of: &dyn Fn(SwIfIndex) -> u64| mains.iter().map(|&i| of(i)).sum::<u64>();
            assert_eq!(main.pool().owned(), 0, "buffers that nobody gave back");
            (
                sum(&|i| counters.rx.sum(i.0).packets),
                sum(&|i| counters.tx.sum(i.0).packets),
                sum(&|i| counters.drops.sum(i.0)),
                sum(&|i| counters.punt.sum(i.0)),
            )
        });
        let reasons = self.reasons();
        let is_request = |reason: &str| ["request-sent", "originated"].contains(&reason);
        let requests: u64 =
            reasons.iter().filter(|((_, reason), _)| is_request(reason)).map(|(_, n)| n).sum();
        let came = received + self.told() + requests - self.merged();
        let shown = self.lab.run("show interface");
        assert_eq!(came, sent + dropped + punted, "{shown}{reasons:?}");
        // `error-punt` counts each packet a second time, under a reason of its own; nodes of ICMP count what they say.
        let others = |node: &str| {
            node == "error-punt" || node.ends_with("icmp-error") || node.ends_with("echo-request")
        };
        let is_end = |node: &str, reason: &str| !others(node) && !EVENTS.contains(&reason);
        let counted: u64 =
            reasons.iter().filter(|((node, reason), _)| is_end(node, reason)).map(|(_, n)| n).sum();
        assert_eq!(dropped + punted, counted, "{reasons:?}");
        assert!(!reasons.keys().any(|(_, reason)| reason == "none"), "a drop without a reason");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for file in self.files.borrow().iter() {
            let _: io::Result<()> = fs::remove_file(file);
        }
    }
}

/// A capture that was ended, and its file, which goes when this goes.
pub(crate) struct Captured {
    file: PathBuf,
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Drop for Captured {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_file(&self.file);
    }
}

impl Captured {
    /// What tshark says of each frame, and that it has nothing to complain about. `None`, and `scenario` noted as not
    /// run, where there is no tshark.
    pub(crate) fn tshark(&self, scenario: &str, fields: &[&str]) -> Option<Vec<Vec<String>>> {
        let checked = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];
        let Some(complaints) = tshark(&self.file, &checked, &["_ws.expert.message"]) else {
            not_run(scenario, "tshark is missing");
            return None;
        };
        // A low TTL is what the tests send.
        let about_us =
            |complaint: &String| !complaint.is_empty() && !complaint.contains("Time To Live");
        let complaints: Vec<_> = complaints.concat().into_iter().filter(about_us).collect();
        assert_eq!(complaints, [""; 0], "{scenario}");
        let rows = tshark(&self.file, &checked, fields)?;
        assert_eq!(rows.len(), self.frames.len());
        Some(rows)
    }
}

/// Writes frames as a classic pcap of the year 2026.
pub(crate) fn write_pcap(path: &Path, frames: &[Vec<u8>]) {
    let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    pcap.extend([0, 0, 4, 0, 1, 0, 0, 0]);
    for frame in frames {
        let len = (frame.len() as u32).to_le_bytes();
        pcap.extend([1_767_225_600_u32.to_le_bytes(), [0; 4], len, len].concat());
        pcap.extend(frame);
    }
    fs::write(path, pcap).unwrap();
}

/// The frames of a pcap that this program wrote: little-endian. There is none before the first frame.
pub(crate) fn read_pcap(path: &Path) -> Vec<Vec<u8>> {
    if !path.exists() {
        return Vec::new();
    }
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[24..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        frames.push(rest[16..16 + len].to_vec());
        rest = &rest[16 + len..];
    }
    frames
}
