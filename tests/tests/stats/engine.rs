//! An engine that shares its counters.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use peloton_tests::program::{Running, Scratch, papi, peloton, run, wait_for};
use serde_json::Value;

/// Two interfaces, a neighbour and a route; a router that sends only what it received.
const ROUTER: &str = "set ip icmp-error-limit rate 0
set ip6 icmp-error-limit rate 0
set ip neighbor-announce all disable
create packet-generator interface pg0
create packet-generator interface pg1
set interface state pg0 up
set interface state pg1 up
set interface ip address pg0 192.168.0.1/24
set interface ip address pg1 192.168.1.1/24
set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
ip route add 10.0.0.0/8 via 192.168.1.2 pg1
";

pub(crate) struct Sharing {
    scratch: Scratch,
    engine: Option<Running>,
}

impl Sharing {
    /// Starts the program with `statseg { socket-name ... }` and these words more, and these stanzas more.
    pub(crate) fn start(test: &str, words: &str, stanzas: &str) -> Self {
        let mut this = Self { scratch: Scratch::new(test), engine: None };
        this.write(&format!("socket-name {} {words}", this.socket().display()), stanzas);
        this.launch();
        this
    }

    /// The folder of a program that is still to be started.
    pub(crate) fn folder(test: &str) -> Self {
        Self { scratch: Scratch::new(test), engine: None }
    }

    pub(crate) fn write(&self, statseg: &str, stanzas: &str) {
        let (script, cli) = (self.path("script"), self.path("cli.sock"));
        fs::write(&script, ROUTER).unwrap();
        let (script, cli, folder) = (script.display(), cli.display(), self.path("run"));
        let unix =
            format!("nodaemon exec {script} cli-listen {cli} runtime-dir {}", folder.display());
        let text = format!("unix {{ {unix} }}\nstatseg {{ {statseg} }}\n{stanzas}\n");
        fs::write(self.path("startup.conf"), text).unwrap();
    }

    pub(crate) fn launch(&mut self) {
        self.engine = Some(Running::start(&mut self.command()));
        wait_for("the script", || {
            let shown = self.try_ctl("show ip fib 10.0.0.1");
            shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("pg1")
        });
    }

    /// What starts the program as it was written.
    pub(crate) fn command(&self) -> Command {
        let mut command = peloton();
        command.arg("-c").arg(self.path("startup.conf"));
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("stats.sock")
    }

    pub(crate) fn pid(&mut self) -> u32 {
        self.engine.as_mut().unwrap().child().id()
    }

    /// Ends the program, in order.
    pub(crate) fn stop(&mut self) -> Output {
        let engine = self.engine.take().unwrap();
        engine.signal("TERM");
        engine.finish()
    }

    /// Ends it so that it cannot clean up.
    pub(crate) fn kill(&mut self) {
        self.engine = None;
    }

    fn try_ctl(&self, line: &str) -> Output {
        run(peloton().arg("ctl").arg("-s").arg(self.path("cli.sock")).arg(line))
    }

    pub(crate) fn ctl(&self, line: &str) -> String {
        let output = self.try_ctl(line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ctl(&format!("{line} json"))).unwrap()
    }

    /// Runs commands, one a line.
    pub(crate) fn script(&self, lines: &str) {
        let file = self.path("more");
        fs::write(&file, lines).unwrap();
        self.ctl(&format!("exec {}", file.display()));
    }

    /// Sends `count` packets of 100 octets to `destination` from a stream on `worker`, and waits until they are there.
    pub(crate) fn send(&self, name: &str, count: u32, destination: &str, worker: u32) {
        self.script(&stream(name, &format!("limit {count}"), destination, worker));
        wait_for("the stream", || {
            let streams = self.json("show packet-generator");
            streams.as_array().unwrap().iter().all(|stream| stream["enabled"] == false)
        });
    }

    /// Starts one of VPP's readers that is written in `script`, which lies beside these tests; its arguments are the socket and
    /// `arguments`. `None`, said aloud, where there is no `vpp_papi`.
    pub(crate) fn papi(&self, test: &str, script: &str, arguments: &[&Path]) -> Option<Running> {
        let mut python = papi(test)?;
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stats/").to_owned() + script);
        Some(Running::start(python.arg(self.socket()).args(arguments)))
    }

    /// What such a script prints, which must succeed.
    pub(crate) fn read(&self, test: &str, script: &str, arguments: &[&Path]) -> Option<Value> {
        let output = self.papi(test, script, arguments)?.finish();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {error}");
        Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}")))
    }
}

/// The commands that make a stream of packets of 100 octets on pg0, and start it.
pub(crate) fn stream(name: &str, rate: &str, destination: &str, worker: u32) -> String {
    format!(
        "packet-generator new {{ name {name} {rate} node ip4-input size 100-100 worker {worker} interface pg0 \
         data {{ UDP: 192.168.0.2 -> {destination} UDP: 1234 -> 2345 incrementing 30 }} }}\n\
         packet-generator enable-stream {name}\n"
    )
}
