//! Two network namespaces, and an engine whose TAP interfaces have their other ends there.

use std::{
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use peloton_tests::{
    Lab,
    program::{Running, has, not_run, run},
};
use serde_json::Value;
use vnet::runtime::Clock;

/// What the host's ends are called.
pub(crate) const HOST: &str = "plt0";

fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn checked(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

/// The namespaces, gone with this value, and the engine.
pub(crate) struct Net {
    prefix: String,
    pub(crate) lab: Lab,
}

impl Net {
    /// The namespaces and an engine with so many workers; `None` where they cannot be made. `test` and `programs` say who needs what.
    pub(crate) fn new(test: &str, programs: &[&str], workers: usize) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !has(test, &["ip", "ping"]) || !has(test, programs) {
            return None;
        }
        if !std::path::Path::new("/dev/net/tun").exists() {
            not_run(test, "there is no /dev/net/tun");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("plt{}-{number}", std::process::id());
        let first = format!("{prefix}a");
        if !run(Command::new("ip").args(["netns", "add", &first])).status.success() {
            not_run(test, "network namespaces cannot be made (root is needed)");
            return None;
        }
        let lab = Lab::with_workers(Clock::real(), workers, vec![tap::plugin()]);
        let net = Self { prefix, lab };
        checked(Command::new("ip").args(["netns", "add", &net.name("b")]));
        for end in ["a", "b"] {
            // Addresses are good at once.
            net.shell(end, "sysctl -qw net.ipv6.conf.default.accept_dad=0");
        }
        Some(net)
    }

    /// A namespace's name.
    pub(crate) fn name(&self, end: &str) -> String {
        format!("{}{end}", self.prefix)
    }

    fn exec(&self, end: &str, script: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(end), "sh", "-c", script]);
        command
    }

    /// What a script says in a namespace, which must succeed; the engine stands still meanwhile, but for its workers.
    pub(crate) fn shell(&self, end: &str, script: &str) -> String {
        checked(&mut self.exec(end, script))
    }

    /// A script in a namespace, to its end, while the engine runs.
    pub(crate) fn run(&self, end: &str, script: &str) -> Output {
        let mut running = self.start(end, script);
        let start = Instant::now();
        while running.child().try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(100), "{script} does not end");
            self.wait(2);
        }
        running.finish()
    }

    /// As [`Self::run`], which must succeed; what it says.
    pub(crate) fn must(&self, end: &str, script: &str) -> String {
        let output = self.run(end, script);
        assert!(output.status.success(), "{script}: {}\n{}", text(&output), self.state());
        text(&output)
    }

    /// Starts a script in a namespace.
    pub(crate) fn start(&self, end: &str, script: &str) -> Running {
        Running::start(&mut self.exec(end, script))
    }

    /// Runs the engine for some milliseconds.
    pub(crate) fn wait(&self, ms: u64) {
        let cx = self.lab.engine.cx();
        let nap = async move { cx.sleep(Duration::from_millis(ms)).await };
        self.lab.engine.run_until(nap).unwrap();
    }

    /// Runs the engine until `ready` says so.
    pub(crate) fn wait_for(&self, what: &str, mut ready: impl FnMut() -> bool) {
        let start = Instant::now();
        while !ready() {
            assert!(start.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
            self.wait(5);
        }
    }

    /// Makes an interface of number `n` towards `end`, and what both sides need to know; its name.
    pub(crate) fn connect(&self, n: u8, end: &str, options: &str) -> String {
        let lab = &self.lab;
        let ns = self.name(end);
        let tun = options.split(' ').any(|word| word == "tun");
        let macs = format!("hw-addr 02:fe:00:00:01:0{n} host-mac-addr 02:00:00:00:00:0{n}");
        let macs = if tun { "" } else { &macs };
        let made = lab.run(&format!(
            "create tap id {n} host-ns {ns} host-if-name {HOST} host-ip4-addr 10.{n}.0.2/24 \
             host-ip6-addr 2001:db8:{n}::2/64 host-ip4-gw 10.{n}.0.1 host-ip6-gw 2001:db8:{n}::1 {macs} {options}"
        ));
        let name = made.lines().next().unwrap().to_owned();
        lab.script(&format!(
            "set interface state {name} up
             set interface ip address {name} 10.{n}.0.1/24
             set interface ip address {name} 2001:db8:{n}::1/64"
        ));
        if !tun {
            lab.script(&format!(
                "set ip neighbor {name} 10.{n}.0.2 02:00:00:00:00:0{n}
                 set ip neighbor {name} 2001:db8:{n}::2 02:00:00:00:00:0{n}"
            ));
            for router in [format!("10.{n}.0.1"), format!("2001:db8:{n}::1")] {
                self.shell(
                    end,
                    &format!(
                        "ip neigh replace {router} lladdr 02:fe:00:00:01:0{n} dev {HOST} nud permanent"
                    ),
                );
            }
        }
        name
    }

    /// A counter of an interface.
    pub(crate) fn counter(&self, interface: &str, name: &str) -> u64 {
        self.lab.engine.with(|main| {
            let index = main.interfaces().find(interface).unwrap();
            let lines = main.interface_counters().of(index);
            lines.into_iter().find(|(n, _)| n == name).map_or(0, |(_, value)| value)
        })
    }

    /// Packets that the kernel has received and sent by its end.
    pub(crate) fn kernel(&self, end: &str) -> (u64, u64) {
        let shown = self.shell(end, &format!("ip -j -s link show {HOST}"));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let count = |way: &str| shown[0]["stats64"][way]["packets"].as_u64().unwrap();
        (count("rx"), count("tx"))
    }

    /// Calls of `node`, by thread.
    pub(crate) fn calls(&self, node: &str) -> Vec<u64> {
        self.lab.engine.with(|main| {
            let node = main.graph().find(node).unwrap();
            main.by_thread(|worker| worker.stats(node).calls)
        })
    }

    /// Packets that `node` saw, by thread.
    pub(crate) fn vectors(&self, node: &str) -> Vec<u64> {
        self.lab.engine.with(|main| {
            let node = main.graph().find(node).unwrap();
            main.by_thread(|worker| worker.stats(node).vectors)
        })
    }

    /// Nothing moves any more, and nobody holds a buffer.
    pub(crate) fn settle(&self) {
        let mut before = Vec::new();
        self.wait_for("packets to come to their end", || {
            self.wait(30);
            let now = self.vectors("tap-input");
            let same = now == before;
            before = now;
            same
        });
        self.lab
            .engine
            .with(|main| assert_eq!(main.pool().owned(), 0, "buffers that nobody gave back"));
    }

    /// What helps when a test fails.
    pub(crate) fn state(&self) -> String {
        let lines = ["show interface", "show errors", "show interface rx-placement", "show tap"];
        lines.map(|line| self.lab.run(line)).concat()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for end in ["a", "b"] {
            run(Command::new("ip").args(["netns", "del", &self.name(end)]));
        }
    }
}
