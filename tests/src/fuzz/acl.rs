//! Access lists: rules of any text, and packets of any bytes that are shown to them.

use acl::{Acl, Request, Rule};
use nodes::pg::{self, Generator};
use vnet::{
    interface::SwIfIndex,
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

/// Rules of a list and packets of a run, so that it does not take long.
const MOST: usize = 64;

/// What was read of rules is what their text says again; and every packet that lists look at is passed on or dropped under a reason.
///
/// The text ends with the first octet zero. Behind it are packets: an octet says the family, the next how long it is.
pub fn acl(data: &[u8]) {
    let mut parts = data.splitn(2, |octet| *octet == 0);
    let (text, packets) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(text) = core::str::from_utf8(text) else { return };
    let Ok(request) = Request::parse(text) else { return };
    let again: Vec<String> = request
        .rules
        .iter()
        .map(|rule| {
            rule.to_string().split_once(' ').map_or(String::new(), |(_, rest)| rest.to_owned())
        })
        .collect();
    let again = Request::parse(&again.join(", "));
    let mut rules = again.expect("what is shown can be typed").rules;
    assert_eq!(rules.len(), request.rules.len());
    for (one, other) in rules.iter().zip(&request.rules) {
        assert_eq!(one.to_string(), other.to_string());
    }
    rules.truncate(MOST);
    // Nobody has actions here.
    rules.iter_mut().for_each(|rule| rule.action = None);
    LAB.with(|lab| lab.run(rules, packets));
}

thread_local! {
    static LAB: Lab = Lab::new();
}

/// Two interfaces that are bridged, so that packets are whatever they like.
struct Lab {
    engine: Engine,
    generator: Generator,
    lists: Acl,
    interface: SwIfIndex,
}

/// Ethernet addresses of two stations.
const STATIONS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

impl Lab {
    fn new() -> Self {
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(256);
        let builder = builder.plugin(nodes::plugin()).plugin(pg::plugin()).plugin(acl::plugin());
        let engine = builder.build().expect("the plugins fit together");
        for line in [
            "create packet-generator interface pg0",
            "create packet-generator interface pg1",
            "set interface state pg0 up",
            "set interface state pg1 up",
            "set interface l2 bridge pg0 1",
            "set interface l2 bridge pg1 1",
            "set acl-plugin session table max-entries 16",
            "set acl-plugin acl permit",
            "set acl-plugin interface pg0 input acl 0",
            "set acl-plugin interface pg1 output acl 0",
        ] {
            engine.command(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        let interface = engine.with(|main| main.interfaces().find("pg0")).expect("it was made");
        let lists = engine.provided().expect("its plugin was registered");
        let generator = engine.provided().expect("its plugin was registered");
        Self { engine, generator, lists, interface }
    }

    fn run(&self, rules: Vec<Rule>, mut data: &[u8]) {
        let put = self.engine.with(|main| self.lists.put_list(main, Some(0), "fuzz", rules));
        assert_eq!(put.ok(), Some(0));
        let before = self.ended();
        let mut pushed = 0;
        self.engine.with(|main| {
            let node = main.graph().find("ethernet-input").expect("every engine has it");
            let mut frame = main.frame_to(node);
            while let [kind, length, rest @ ..] = data
                && pushed < MOST as u64
            {
                let (bytes, behind) = rest.split_at(rest.len().min(usize::from(*length)));
                let ethertype = if kind & 1 == 0 { [8, 0] } else { [0x86, 0xdd] };
                let rx = self.interface;
                let done = frame.push(|buffer| {
                    buffer.rx = rx;
                    buffer.append(&STATIONS);
                    buffer.append(&ethertype);
                    buffer.append(bytes);
                });
                assert!(done.is_some(), "the pool has buffers");
                (pushed, data) = (pushed + 1, behind);
            }
        });
        self.engine.run_until_idle();
        assert_eq!(self.ended() - before, pushed, "each was sent or dropped");
        let live = self.engine.command("show acl-plugin sessions json").expect("it shows");
        assert!(!live.contains("\"active\":17"), "{live}");
        #[cfg(debug_assertions)]
        self.engine.with(|main| assert_eq!(main.pool().owned(), 0, "buffers are left"));
    }

    /// Packets that were sent or dropped.
    fn ended(&self) -> u64 {
        let sent = self.generator.sent("pg1").map_or(0, |sent| sent.packets);
        self.engine.with(|main| {
            let node = main.graph().find("error-drop").expect("every engine has it");
            sent + main.worker().stats(node).vectors
        })
    }
}
