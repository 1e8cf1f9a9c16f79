//! Bridging: frames of any bytes through bridge domains, cross-connects, tag rewrites, a BVI and a mirror.

use nodes::pg::{self, Generator};
use vnet::{
    interface::SwIfIndex,
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

/// Few, so that there are none for copies now and then.
const BUFFERS: u32 = 48;
/// Main interfaces.
const PORTS: u8 = 5;
/// Frames of a run.
const MOST: usize = 64;

const SCRIPT: &str = "
create sub-interfaces pg0 10
create sub-interfaces pg0 20 dot1ad 20 inner-dot1q 7 exact-match
create sub-interfaces pg1 30 dot1q 30
set interface state pg0.10 up
set interface state pg0.20 up
set interface state pg1.30 up
create loopback interface
set interface state loop0 up
set interface ip address loop0 10.0.0.1/24
set interface ip address loop0 2001:db8::1/64
set ip neighbor loop0 10.0.0.2 02:00:00:00:00:02
set interface l2 bridge pg0 1 3
set interface l2 bridge pg1 1 3
set interface l2 bridge pg2 1
set interface l2 bridge loop0 1 bvi
set interface l2 bridge pg0.10 1
set interface l2 bridge pg0.20 2
set interface l2 bridge pg1.30 2
set interface l2 tag-rewrite pg0.10 translate 1-2 dot1ad 5 6
set interface l2 tag-rewrite pg0.20 pop 2
set interface l2 tag-rewrite pg1.30 push dot1q 9
set interface l2 efp-filter pg1.30
set interface l2 xconnect pg3 pg4
set interface l2 tag-rewrite pg3 push dot1ad 1 2
set interface l2 xconnect pg4 pg3
set bridge-domain arp term 1
set bridge-domain arp entry 1 10.0.0.9 02:00:00:00:00:09
set bridge-domain arp entry 1 2001:db8::9 02:00:00:00:00:09
set bridge-domain learn-limit 1 20
l2fib add 02:00:00:00:00:07 1 pg2 static
l2fib add 02:00:00:00:00:08 1 filter
set interface span pg2 destination pg4
";

/// Every frame, and every copy that was made of one, leaves by an interface, is dropped or is punted; no buffer is left behind.
///
/// An octet says by which interface a frame comes, the next how long it is.
pub fn bridge(data: &[u8]) {
    LAB.with(|lab| lab.run(data));
}

thread_local! {
    static LAB: Lab = Lab::new();
}

struct Lab {
    engine: Engine,
    generator: Generator,
    ports: Vec<SwIfIndex>,
}

impl Lab {
    fn new() -> Self {
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(BUFFERS);
        let engine = builder.plugin(nodes::plugin()).plugin(pg::plugin()).build();
        let engine = engine.expect("the plugins fit together");
        let generator: Generator = engine.provided().expect("its plugin was registered");
        let made = (0..PORTS).map(|n| format!("create packet-generator interface pg{n}"));
        let up = (0..PORTS).map(|n| format!("set interface state pg{n} up"));
        let script = SCRIPT.lines().map(str::to_owned).filter(|line| !line.is_empty());
        for line in made.chain(up).chain(script) {
            engine.command(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        let find = |n| engine.with(|main| main.interfaces().find(&format!("pg{n}")));
        let ports = (0..PORTS).map(|n| find(n).expect("it was made")).collect();
        Self { engine, generator, ports }
    }

    fn run(&self, mut data: &[u8]) {
        let before = self.counts();
        let mut pushed = 0;
        self.engine.with(|main| {
            let node = main.graph().find("ethernet-input").expect("every engine has it");
            let mut frame = main.frame_to(node);
            while let [port, length, rest @ ..] = data
                && pushed < MOST as u64
            {
                let (bytes, behind) = rest.split_at(rest.len().min(usize::from(*length)));
                let rx = self.ports[usize::from(*port) % self.ports.len()];
                let done = frame.push(|buffer| {
                    buffer.rx = rx;
                    buffer.append(bytes);
                });
                if done.is_none() {
                    break;
                }
                pushed += 1;
                data = behind;
            }
        });
        self.engine.run_until_idle();
        let after = self.counts();
        let grown = |i: usize| after[i] - before[i];
        let [sent, dropped, punted, copies, mirrored] = core::array::from_fn(grown);
        assert_eq!(pushed + copies + mirrored, sent + dropped + punted, "{before:?} {after:?}");
        self.engine.with(|main| {
            #[cfg(debug_assertions)]
            assert_eq!(main.pool().owned(), 0, "buffers are left");
            let unexplained = main.errors().rows().filter(|row| row.node == "error-drop");
            assert_eq!(
                unexplained.map(|row| row.count).sum::<u64>(),
                0,
                "dropped without a reason"
            );
        });
    }

    /// What was sent, dropped and punted, and what was made: copies of flooded frames, copies for the mirror.
    fn counts(&self) -> [u64; 5] {
        let sent = |n| self.generator.sent(&format!("pg{n}")).map_or(0, |sent| sent.packets);
        self.engine.with(|main| {
            let vectors = |name| {
                let node = main.graph().find(name).expect("every engine has it");
                main.worker().stats(node).vectors
            };
            let error = |node: &str, reason: &str| {
                let mut rows = main.errors().rows();
                rows.find(|r| r.node == node && r.reason.name == reason).map_or(0, |r| r.count)
            };
            [
                (0..PORTS).map(sent).sum(),
                vectors("error-drop"),
                vectors("error-punt"),
                error("l2-flood", "copies"),
                error("span-input", "hits") + error("span-output", "hits"),
            ]
        })
    }
}
