//! Two network namespaces, `a` and `b`, with a cable between their `eth0`; the probe runs in `a`.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use peloton_tests::program::{Running, Scratch, has, not_run, peloton, run, wait_for};
use serde_json::Value;

/// What tcpdump keeps of all that a host says by itself: the addresses of the tests, with a tag or without.
const OURS: &str = "net 10.9.0.0/16 or net 2001:db8:9::/48 or (vlan and (net 10.9.0.0/16 or net 2001:db8:9::/48 or (vlan and net 10.9.0.0/16)))";

/// The namespaces, gone with this value.
pub(crate) struct Pair {
    prefix: String,
    scratch: Scratch,
}

/// A program that said that it listens.
pub(crate) struct Listening {
    running: Running,
    said: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

/// What a program came to.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Pair {
    /// The namespaces, with addresses and neighbours; `None` where they cannot be made.
    pub(crate) fn new(test: &str, programs: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !has(test, &["ip", "ping"]) || !has(test, programs) {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("plp{}-{number}", std::process::id());
        let first = format!("{prefix}a");
        if !run(Command::new("ip").args(["netns", "add", &first])).status.success() {
            not_run(test, "network namespaces cannot be made (root is needed)");
            return None;
        }
        let pair = Self { scratch: Scratch::new(&prefix), prefix };
        let (a, b) = (pair.name("a"), pair.name("b"));
        pair.ip(&format!("netns add {b}"));
        pair.ip(&format!("link add eth0 netns {a} type veth peer name eth0 netns {b}"));
        let mac = |end| pair.text(end, "cat /sys/class/net/eth0/address").trim().to_owned();
        let macs = [mac("a"), mac("b")];
        for (i, end) in ["a", "b"].into_iter().enumerate() {
            let (own, other) = (i + 1, 2 - i);
            for line in [
                "link set lo up".to_owned(),
                "link set eth0 up".to_owned(),
                format!("addr add 10.9.0.{own}/24 dev eth0"),
                format!("addr add 2001:db8:9::{own}/64 dev eth0 nodad"),
                format!("neigh replace 10.9.0.{other} lladdr {} dev eth0", macs[other - 1]),
                format!("neigh replace 2001:db8:9::{other} lladdr {} dev eth0", macs[other - 1]),
            ] {
                pair.ip(&format!("-n {} {line}", pair.name(end)));
            }
        }
        Some(pair)
    }

    pub(crate) fn name(&self, namespace: &str) -> String {
        format!("{}{namespace}", self.prefix)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    fn ip(&self, line: &str) {
        let output = run(Command::new("ip").args(line.split_whitespace()));
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// `ip` in a namespace.
    pub(crate) fn ip_in(&self, namespace: &str, line: &str) {
        self.ip(&format!("-n {} {line}", self.name(namespace)));
    }

    /// A program in a namespace, to be started.
    pub(crate) fn command(&self, namespace: &str, line: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(namespace)]).args(line.split_whitespace());
        command
    }

    /// What a program in a namespace says, which must succeed.
    pub(crate) fn text(&self, namespace: &str, line: &str) -> String {
        let output = run(&mut self.command(namespace, line));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The probe, to be started in `a`.
    pub(crate) fn probe_command(&self, options: &str) -> Command {
        let program = peloton().get_program().to_string_lossy().into_owned();
        self.command("a", &format!("{program} probe {options}"))
    }

    /// A probe in `a` that listens.
    pub(crate) fn probe(&self, options: &str) -> Listening {
        Listening::start(&mut self.probe_command(options))
    }

    /// tcpdump on `eth0` of `a`, into a file of that name.
    pub(crate) fn tcpdump(&self, file: &str) -> Listening {
        let path = self.path(file);
        let line = format!(
            "tcpdump -U --immediate-mode -Z root -B 65536 -i eth0 -s 256 -w {}",
            path.display()
        );
        Listening::start(self.command("a", &line).arg(OURS))
    }

    /// Pings `b`, which must answer each time.
    pub(crate) fn ping(&self, options: &str, count: u32) {
        let line = format!("ping -q -i 0.01 -c {count} -w 60 {options}");
        let text = self.text("a", &line);
        assert!(text.contains(&format!(" {count} received")), "{line}: {text}");
    }

    /// Runs iperf3 from `a` to `b`.
    pub(crate) fn iperf3(&self, options: &str) {
        let mut server = Running::start(&mut self.command("b", "iperf3 -s -1 --forceflush"));
        wait_for("iperf3", || {
            self.text("b", "cat /proc/net/tcp6 /proc/net/tcp").contains(":1451 ")
        });
        self.text("a", &format!("iperf3 {options}"));
        let _: std::io::Result<()> = server.child().kill();
    }

    /// Waits until tcpdump has written, and the kernel has given it, all there is: `file` ends with as many octets as before.
    pub(crate) fn settle(&self, file: &str) {
        let length = || fs::metadata(self.path(file)).map_or(0, |file| file.len());
        let mut before = 0;
        wait_for("tcpdump", || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            let now = length();
            core::mem::replace(&mut before, now) == now && now > 24
        });
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for namespace in ["a", "b"] {
            let name = self.name(namespace);
            let _: Output = run(Command::new("ip").args(["netns", "del", &name]));
        }
    }
}

impl Listening {
    /// Starts a program that says so when it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut running = Running::start(command);
        let mut reader = BufReader::new(running.child().stderr.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("listening on") {
            let read = reader.read_line(&mut said).expect("a pipe can be read");
            assert!(read > 0, "{command:?}: {said}");
        }
        let said = Arc::new(Mutex::new(said));
        let all = said.clone();
        let reader = std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let mut said = all.lock().expect("nobody panics with it");
                said.push_str(&line);
                said.push('\n');
            }
        });
        Self { running, said, reader }
    }

    /// Waits until it says that on standard error.
    pub(crate) fn wait_for(&self, text: &str) {
        wait_for(text, || self.said.lock().expect("nobody panics with it").contains(text));
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ended {
        let output = self.running.finish();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: {
                self.reader.join().expect("a pipe can be read");
                self.said.lock().expect("nobody panics with it").clone()
            },
        }
    }

    /// Ends it by SIGINT.
    pub(crate) fn interrupt(self) -> Ended {
        self.signal("INT");
        self.end()
    }
}

impl Ended {
    /// The records that `--json` printed.
    pub(crate) fn records(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The records of the tests' own addresses, a line each.
    pub(crate) fn ours(&self) -> String {
        let is_ours = |line: &&str| line.contains("\"10.9.") || line.contains("\"2001:db8:9:");
        self.stdout.lines().filter(is_ours).flat_map(|line| [line, "\n"]).collect()
    }

    /// The number behind a word of the summary.
    pub(crate) fn figure(&self, line: &str, word: &str) -> u64 {
        let found = self.stdout.lines().find(|text| text.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("no `{line}' in {}", self.stdout));
        let Some((_, behind)) = found.split_once(word) else { return 0 };
        let digits: String = behind.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no number behind `{word}' in {found}"))
    }
}
