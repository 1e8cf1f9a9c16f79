//! The books: what the engine and the kernel counted, and how much of that has to be the same.

use std::time::{Duration, Instant};

use peloton_tests::{net::Net, program::Running};
use serde_json::Value;

/// Counts of the two interfaces of a router, `ra` and `rb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    sides: [Side; 2],
}

/// Counts of an interface: the engine's, and the kernel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Side {
    rx: u64,
    /// Counted, and not received.
    rx_lost: u64,
    tx: u64,
    tx_lost: u64,
    /// Received, and dropped or punted on the way.
    ended: u64,
    kernel_rx: u64,
    /// What the kernel received and showed nobody.
    kernel_rx_lost: u64,
    kernel_tx: u64,
}

impl Side {
    /// The interface towards `end`, of what the kernel and the engine show of all.
    fn of(kernel: &Value, ours: &Value, end: &str) -> Self {
        let named = |list: &Value, key: &str, name: String| {
            let mut entries = list.as_array().into_iter().flatten();
            entries.find(|entry| entry[key] == *name).cloned().unwrap_or_default()
        };
        // Nothing of an interface that is gone.
        let kernel = named(kernel, "ifname", format!("r{end}"));
        let kernel = |way: &str, name: &str| kernel["stats64"][way][name].as_u64().unwrap_or(0);
        let ours = named(&ours["interfaces"], "name", format!("host-r{end}"));
        let ours = |name: &str| ours["counters"][name].as_u64().unwrap_or(0);
        Self {
            rx: ours("rx packets"),
            rx_lost: ours("rx-miss") + ours("rx-no-buf") + ours("rx-error"),
            tx: ours("tx packets"),
            tx_lost: ours("tx-error"),
            ended: ours("drops") + ours("punt"),
            kernel_rx: kernel("rx", "packets"),
            kernel_rx_lost: kernel("rx", "dropped"),
            kernel_tx: kernel("tx", "packets"),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            rx: self.rx - before.rx,
            rx_lost: self.rx_lost - before.rx_lost,
            tx: self.tx - before.tx,
            tx_lost: self.tx_lost - before.tx_lost,
            ended: self.ended - before.ended,
            kernel_rx: self.kernel_rx.saturating_sub(before.kernel_rx),
            kernel_rx_lost: self.kernel_rx_lost.saturating_sub(before.kernel_rx_lost),
            kernel_tx: self.kernel_tx.saturating_sub(before.kernel_tx),
        }
    }

    /// Whether the kernel counted the same.
    fn is_the_kernels(self) -> bool {
        let seen = self.rx + self.rx_lost;
        (self.kernel_rx - self.kernel_rx_lost..=self.kernel_rx).contains(&seen)
            && self.tx == self.kernel_tx + self.tx_lost
    }
}

impl Books {
    /// Of a moment at which nothing is on its way.
    pub(crate) fn open(net: &Net) -> Self {
        let start = Instant::now();
        let mut before = Self::read(net);
        loop {
            Net::pass(Duration::from_millis(100));
            let now = Self::read(net);
            if now == before {
                return now;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "packets come for ever: {now:?}");
            before = now;
        }
    }

    fn read(net: &Net) -> Self {
        let kernel = net.ip_in("r", "-j -s link show");
        let [kernel, ours] = [kernel, net.ctl("show interface json")]
            .map(|shown| serde_json::from_str::<Value>(&shown).unwrap());
        Self { sides: ["a", "b"].map(|end| Side::of(&kernel, &ours, end)) }
    }

    /// Everything that came since then left again or is counted as lost, the kernel counted the same on the interfaces of `ends`,
    /// and all buffers are free.
    pub(crate) fn close(&self, net: &Net, ends: &[&str]) {
        // Losses in the kernel are asked for once a second, and the kernel's last packets may be on their way.
        let start = Instant::now();
        loop {
            let now = Self::open(net);
            let [a, b] = [0, 1].map(|i| now.sides[i].since(self.sides[i]));
            let passed = a.rx + b.rx == a.tx + b.tx + a.ended + b.ended;
            let kernels = [("a", a), ("b", b)]
                .into_iter()
                .all(|(end, side)| !ends.contains(&end) || side.is_the_kernels());
            let used = used_buffers(net);
            if passed && kernels && used == 0 {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{used} buffers in use, a: {a:?}, b: {b:?}\n{}{}{}",
                net.ctl("show interface"),
                net.ctl("show errors"),
                net.ctl("show buffers")
            );
        }
    }
}

/// Buffers that are neither in the pool nor in what threads keep ready.
pub(crate) fn used_buffers(net: &Net) -> u64 {
    let shown: Value = serde_json::from_str(&net.ctl("show buffers json")).unwrap();
    buffers(&shown, "used")
}

/// A column of `show buffers`.
pub(crate) fn buffers(shown: &Value, column: &str) -> u64 {
    shown[0][column].as_u64().unwrap_or_else(|| panic!("{shown}"))
}

/// Pings without end in both directions, as fast as they come back.
pub(crate) struct Load([Running; 2]);

impl Load {
    pub(crate) fn start(net: &Net) -> Self {
        let ping = |from: &str, to: &str| {
            Running::start(&mut net.command(from, &format!("ping -q -f -s 300 {to}")))
        };
        let load = Self([ping("a", "10.2.0.2"), ping("b", "10.1.0.2")]);
        // It has begun.
        let first = net.counter("host-rb", "rx packets");
        peloton_tests::program::wait_for("packets", || {
            net.counter("host-rb", "rx packets") > first + 200
        });
        load
    }

    /// Ends it; how many pings there were and how many were answered, of both.
    pub(crate) fn end(self) -> (u64, u64) {
        let counts = self.0.map(|ping| {
            ping.signal("INT");
            let output = ping.finish();
            counts(&String::from_utf8_lossy(&output.stdout))
        });
        (counts[0].0 + counts[1].0, counts[0].1 + counts[1].1)
    }
}

/// Packets sent and answered, as ping reports them.
fn counts(report: &str) -> (u64, u64) {
    let words: Vec<&str> = report.split_whitespace().collect();
    let before = |word: &str, back: usize| {
        let at =
            words.iter().position(|w| w.starts_with(word)).unwrap_or_else(|| panic!("{report}"));
        words[at - back].parse().unwrap_or_else(|_| panic!("{report}"))
    };
    (before("transmitted", 2), before("received", 1))
}
