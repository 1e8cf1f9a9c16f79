//! Helpers of the end-to-end tests.

pub mod allocations;
pub mod api;
pub mod fuzz;
pub mod net;
pub mod program;
pub mod replay;
pub mod tls;

use std::{env, path::Path, process::Command, time::Duration};

use nodes::pg;
use vnet::{
    command::{Reply, Terminal},
    plugin::{CommandCx, Engine, Plugin},
    runtime::{Clock, PacketTime},
};

/// The blocks of code in the document are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/PLUGINS.md")]
struct Plugins;

/// An engine under a virtual clock, and a session in it.
pub struct Lab {
    /// The engine.
    pub engine: Engine,
    session: CommandCx,
}

/// The environment's variable with the number of workers that labs have, for those who run all tests with some.
const WORKERS: &str = "PELOTON_WORKERS";

/// 2026-01-01T00:00:00Z, when every lab starts.
pub const START: PacketTime = PacketTime(1_767_225_600_000_000_000);

/// Commands that have a router send only what it received, so that sums are exact.
pub const QUIET: &str = "set ip icmp-error-limit rate 0
set ip6 icmp-error-limit rate 0
set ip neighbor-announce all disable
";

impl Lab {
    /// A [quiet](QUIET) engine with the built-in nodes, the packet generator and `plugins`, and as many workers as the environment says.
    ///
    /// # Panics
    /// When the plugins contradict each other.
    #[must_use]
    pub fn new(plugins: Vec<Plugin>) -> Self {
        let workers = env::var(WORKERS).ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        Self::with_workers(Clock::virtual_at(START), workers, plugins)
    }

    /// As [`Self::new`], with this clock and so many workers.
    ///
    /// # Panics
    /// When the plugins contradict each other.
    #[must_use]
    pub fn with_workers(clock: Clock, workers: usize, plugins: Vec<Plugin>) -> Self {
        let mut builder = Engine::builder()
            .clock(clock)
            .workers(workers)
            .plugin(nodes::plugin())
            .plugin(pg::plugin());
        for plugin in plugins {
            builder = builder.plugin(plugin);
        }
        let engine = builder.build().unwrap_or_else(|error| panic!("no engine: {error}"));
        let terminal = Terminal { pager: false, ansi: false, history: true };
        let session = engine.session(terminal);
        let lab = Self { engine, session };
        lab.script(QUIET);
        lab
    }

    fn reply(&self, line: &str) -> Reply {
        self.engine.execute(&self.session, line.as_bytes())
    }

    /// Runs one command, which must succeed; returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, line: &str) -> String {
        let reply = self.reply(line);
        assert!(reply.ok, "{line}: {}", reply.text);
        reply.text
    }

    /// Runs one command, which must fail; returns the error.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn refused(&self, line: &str) -> String {
        let reply = self.reply(line);
        assert!(!reply.ok, "{line} succeeded: {}", reply.text);
        reply.text
    }

    /// Runs the commands of `script`, one a line.
    pub fn script(&self, script: &str) {
        script.lines().filter(|l| !l.trim().is_empty()).for_each(|line| {
            self.run(line);
        });
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: u64) {
        self.engine.advance(Duration::from_secs(seconds));
    }

    /// How often `node` counted `reason`.
    #[must_use]
    pub fn error(&self, node: &str, reason: &str) -> u64 {
        self.engine.with(|main| {
            let mut rows = main.errors().rows();
            rows.find(|r| r.node == node && r.reason.name == reason).map_or(0, |r| r.count)
        })
    }
}

/// What tshark says of `fields` for each packet of `capture`, one row a packet; `None` where there is no tshark.
///
/// # Panics
/// When tshark cannot read the capture.
#[must_use]
pub fn tshark(capture: &Path, options: &[&str], fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(capture).args(options).args(["-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().map(|l| l.split('\t').map(str::to_owned).collect()).collect())
}
