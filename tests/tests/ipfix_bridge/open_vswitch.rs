//! A switch of Open vSwitch's: its userspace datapath runs on dummy devices, so that it needs no privileges and disturbs nobody.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

/// Its programs.
pub(crate) const PROGRAMS: [&str; 5] =
    ["ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-vswitchd", "ovs-appctl"];

/// Frames of one call of its control program. Its queue is short, and so is that of whoever reads its records: a message for each, of
/// frames that come, and of those that leave by either of two ports.
const CHUNK: usize = 25;
/// It takes no longer to receive them.
const PATIENCE: Duration = Duration::from_secs(10);

/// A switch in a folder of its own, which ends with it. A bridge has two ports.
pub(crate) struct Switch(PathBuf);

impl Switch {
    /// `None` where it does not start.
    pub(crate) fn start() -> Option<Self> {
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
        if !begins.iter().all(|words| switch.output(words).is_some_and(|o| o.status.success())) {
            return None;
        }
        switch.configure(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy"]);
        for port in ["p1", "p2"] {
            switch.configure(&["add-port", "br0", port, "--", "set", "int", port, "type=dummy"]);
        }
        Some(switch)
    }

    /// Says this of the exporter of its bridge.
    pub(crate) fn measure(&self, options: &[&str]) {
        let create = ["set", "bridge", "br0", "ipfix=@i", "--", "--id=@i", "create", "IPFIX"];
        self.configure(&[&create[..], options].concat());
    }

    /// Has it send what it holds and measure no more. When this returns, it has.
    pub(crate) fn measure_no_more(&self) {
        self.configure(&["clear", "bridge", "br0", "ipfix"]);
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

    /// These frames come in by its first port, in pieces; `between` is called when it has measured one. It receives, measures and answers
    /// on the same thread.
    pub(crate) fn receive(&self, frames: &[Vec<u8>], mut between: impl FnMut()) {
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
            let end = Instant::now() + PATIENCE;
            while self.received() < expected {
                assert!(Instant::now() < end, "{} of {expected} frames", self.received());
                thread::sleep(Duration::from_millis(1));
            }
            between();
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
