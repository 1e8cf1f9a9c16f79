//! Open vSwitch beside it: both are shown the same frames, and both tell of the same packets and octets.
//!
//! Its userspace datapath runs on dummy devices, so that it needs no privileges and disturbs nobody.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nodes::capture::{Batch, Reader};
use peloton_tests::{
    program::{has, not_run},
    replay::captures,
};
use serde_json::Value;
use vnet::wire::link::LinkType;

use super::scene::{Collector, Exported, Scene};

/// Frames of one call of the switch's control program.
const CHUNK: usize = 50;
/// Those of a capture that are looked at.
const FRAMES: usize = 500;

/// Captures that are compared: of packets that are damaged, and of extension headers, each reads the headers in its own way. Of
/// `mix-lan-v4v6` Open vSwitch tells fewer flows, it is not known why.
const COMPARED: [&str; 14] = [
    "geneve",
    "gre-in-gre",
    "gtp-u",
    "ipv4-fragments",
    "ipv6-fragments",
    "ipv6-icmp6",
    "malformed-small",
    "mpls-vlan-l2vpn",
    "qinq-pppoe",
    "sctp-www",
    "tcp-tls",
    "udp-rtp",
    "vlan-mixed",
    "vxlan",
];

/// The time that it takes to meter and to send.
const SETTLE: Duration = Duration::from_millis(300);

/// A switch in a folder of its own, which ends with it.
struct Switch(PathBuf);

impl Switch {
    /// `None` where it does not start.
    fn start() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("peloton-ovs-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let switch = Self(folder);
        let schemas = std::env::var("OVS_PKGDATADIR");
        let schemas = schemas.unwrap_or_else(|_| "/usr/share/openvswitch".to_owned());
        let schema = format!("{schemas}/vswitch.ovsschema");
        let file = |name: &str| switch.0.join(name).display().to_string();
        let (database, socket) = (file("conf.db"), format!("unix:{}", file("db.sock")));
        let begins = [
            vec!["ovsdb-tool".to_owned(), "create".to_owned(), database.clone(), schema],
            [
                vec!["ovsdb-server".to_owned(), database, format!("--remote=p{socket}")],
                daemon(&file, "db"),
            ]
            .concat(),
            vec![
                "ovs-vsctl".to_owned(),
                format!("--db={socket}"),
                "--no-wait".into(),
                "init".into(),
            ],
            [
                vec!["ovs-vswitchd".to_owned(), socket, "--enable-dummy".into()],
                vec!["--disable-system".to_owned()],
                daemon(&file, "vs"),
            ]
            .concat(),
        ];
        begins
            .iter()
            .all(|words| switch.output(words).is_some_and(|o| o.status.success()))
            .then_some(switch)
    }

    fn output(&self, words: &[String]) -> Option<Output> {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("OVS_RUNDIR", &self.0).env("OVS_LOGDIR", &self.0);
        command.output().ok()
    }

    fn run(&self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let output = self.output(&words).unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {text}");
    }

    fn configure(&self, words: &[&str]) {
        let database = format!("--db=unix:{}", self.0.join("db.sock").display());
        self.run(&[&["ovs-vsctl", "--timeout=20", &database], words].concat());
    }

    /// Frames that its first port has got so far.
    fn received(&self) -> u64 {
        let control = self.0.join("vs.ctl").display().to_string();
        let words = ["ovs-appctl", "-t", &control, "dpctl/show", "-s", "dummy@ovs-dummy"];
        let output = self.output(&words.map(str::to_owned)).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let of_port = text.split(": p1 ").nth(1).unwrap_or_default();
        let count = of_port.split("RX packets:").nth(1).unwrap_or_default();
        count.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// These frames come in by its first port. Its queue is short: each piece waits for the one before.
    fn receive(&self, frames: &[Vec<u8>]) {
        let control = self.0.join("vs.ctl").display().to_string();
        let mut expected = self.received();
        for some in frames.chunks(CHUNK) {
            let frames: Vec<String> = some
                .iter()
                .map(|frame| frame.iter().map(|octet| format!("{octet:02x}")).collect())
                .collect();
            let mut words = vec!["ovs-appctl", "-t", &control, "netdev-dummy/receive", "p1"];
            words.extend(frames.iter().map(String::as_str));
            self.run(&words);
            expected += some.len() as u64;
            let end = Instant::now() + Duration::from_secs(10);
            while self.received() < expected && Instant::now() < end {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn daemon(file: &dyn Fn(&str) -> String, name: &str) -> Vec<String> {
    vec![
        format!("--unixctl={}", file(&format!("{name}.ctl"))),
        format!("--pidfile={}", file(&format!("{name}.pid"))),
        format!("--log-file={}", file(&format!("{name}.log"))),
        "--detach".to_owned(),
    ]
}

impl Drop for Switch {
    fn drop(&mut self) {
        for name in ["vs.pid", "db.pid"] {
            if let Ok(pid) = fs::read_to_string(self.0.join(name)) {
                drop(Command::new("kill").arg(pid.trim()).status());
            }
        }
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The Ethernet frames of a capture, as far as all of each was captured.
fn frames(capture: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::open(capture).unwrap();
    let mut frames = Vec::new();
    while let Ok(Batch::Packets(_)) = reader.next_batch(256, |packet| {
        let is_whole = packet.data.len() == packet.wire_len as usize;
        // A dummy device takes no longer ones.
        if packet.link == LinkType::Ethernet && is_whole && (60..=1514).contains(&packet.data.len())
        {
            frames.push(packet.data.to_vec());
        }
    }) {}
    frames.truncate(FRAMES);
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
    let options = [
        "sampling=1",
        "cache_active_timeout=4200",
        "cache_max_flows=1000000",
        "other_config:enable-output-sampling=false",
    ];
    switch.configure(
        &[
            &["set", "bridge", "br0", "ipfix=@i", "--", "--id=@i", "create", "IPFIX", &target][..],
            &options,
        ]
        .concat(),
    );
    let ends = AtomicBool::new(false);
    let messages = thread::scope(|scope| {
        // Each record is a message: too many of them to wait in the socket.
        let reader = scope.spawn(|| {
            let mut messages = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                messages.extend(collector.messages());
                thread::sleep(Duration::from_millis(1));
            }
            messages.extend(collector.messages());
            messages
        });
        switch.receive(frames);
        // Threads of its own meter what it has got.
        thread::sleep(SETTLE);
        switch.configure(&["clear", "bridge", "br0", "ipfix"]);
        thread::sleep(SETTLE);
        ends.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    sums(&Exported::of_any(&messages).records)
}

fn by_peloton(frames: &[Vec<u8>]) -> BTreeMap<String, [u64; 4]> {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 1000000 cache_active_timeout 4200");
    scene.send(frames);
    scene.lab.run("ipfix bridge 10 targets none");
    sums(&scene.exported().records)
}

#[test]
fn open_vswitch_tells_of_the_same_packets_and_octets() {
    const TEST: &str = "open_vswitch_tells_of_the_same_packets_and_octets";
    if !has(TEST, &["ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-vswitchd", "ovs-appctl"]) {
        return;
    }
    let Some(switch) = Switch::start() else { return not_run(TEST, "Open vSwitch does not start") };
    switch.configure(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy"]);
    for port in ["p1", "p2"] {
        switch.configure(&["add-port", "br0", port, "--", "set", "int", port, "type=dummy"]);
    }
    let mut compared = 0;
    for capture in captures() {
        let name = capture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !COMPARED.contains(&name.as_str()) {
            continue;
        }
        let frames = frames(&capture);
        if frames.is_empty() {
            continue;
        }
        let (theirs, ours) = (by_open_vswitch(&switch, &frames), by_peloton(&frames));
        let all: u64 = ours.values().map(|[packets, ..]| packets).sum();
        assert_eq!(all, frames.len() as u64, "{}", capture.display());
        let differ: Vec<String> = theirs
            .keys()
            .chain(ours.keys())
            .filter(|key| theirs.get(*key) != ours.get(*key))
            .map(|key| format!("{key}: {:?} and {:?}", theirs.get(key), ours.get(key)))
            .collect();
        assert!(differ.is_empty(), "{}:\n{}", capture.display(), differ.join("\n"));
        compared += frames.len();
    }
    if compared == 0 {
        not_run(TEST, "none of its captures is there");
    }
}
