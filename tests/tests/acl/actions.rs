//! What another plugin does to the packets of rules and of sessions.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use peloton_tests::Lab;
use vnet::{
    action::{self, Action, Packets, Perform, PerformCx},
    command::{Error, NoNames, keyword, value},
    counter::Counter,
    plugin::Plugin,
    runtime::Main,
};

use crate::{Router, packet::Packet};

vnet::args! {
    struct Arguments { into: u32 = keyword("into", value::number(0..=7)) }
}

/// Counts packets by what rules say; knows which configurations are in use.
#[derive(Clone)]
struct Tally {
    used: Rc<RefCell<BTreeSet<u32>>>,
    counter: Counter<u64>,
}

impl Action for Tally {
    fn configure(&self, _: &mut Main, arguments: &str) -> Result<u32, Error> {
        let Arguments { into } = action::parse(arguments, &NoNames)?;
        assert!(self.used.borrow_mut().insert(into), "each is used once here");
        Ok(into)
    }

    fn release(&self, _: &mut Main, into: u32) {
        assert!(self.used.borrow_mut().remove(&into), "it was configured");
    }

    fn describe(&self, _: &Main, into: u32) -> String {
        format!("into {into}")
    }
}

struct Counts(Counter<u64>);

impl Perform for Counts {
    fn perform(&mut self, cx: &mut PerformCx<'_>, packets: &mut Packets<'_>) {
        packets.each(|_, into| cx.add(&self.0, into, 1));
    }
}

fn router(script: &str) -> (Router, Tally) {
    let plugin = Plugin::new("tally", "1", "", |r| {
        let counter = r.counter("/tally", 8)?;
        let tally = Tally { used: Rc::default(), counter: counter.clone() };
        r.provide(tally.clone());
        Ok(r.action("tally", tally, move |_| Counts(counter.clone()))?)
    });
    let lab = Lab::new(vec![acl::plugin(), plugin]);
    let tally = lab.engine.provided().unwrap();
    (Router::of(lab, 2, script), tally)
}

fn used(tally: &Tally) -> Vec<u32> {
    tally.used.borrow().iter().copied().collect()
}

#[test]
fn rules_show_their_packets_to_actions_and_sessions_do_so_for_their_rule() {
    let (router, tally) = router(
        "set acl-plugin acl permit+reflect proto 17 dport 53 action tally { into 1 }, deny proto 17 action tally { into 2 }, permit
         set acl-plugin interface pg0 input acl 0",
    );
    let ask = Packet::udp(0, 1, (1000, 53));
    assert_eq!(router.send(0, &[ask; 10]), 10);
    assert_eq!(router.send(0, &[ask, Packet::udp(0, 1, (1, 2)), Packet::tcp(0, 1, (1, 2), 2)]), 2);
    assert_eq!([1, 2].map(|n| tally.counter.sum(n)), [11, 1]);
    let shown = router.lab.run("show acl-plugin acl");
    assert!(shown.contains("dport 53 action tally { into 1 }\n"), "{shown}");
    assert_eq!(router.json("show acl-plugin acl")[0]["rules"][1]["action"], "tally { into 2 }");
    // Another action for the same session.
    router
        .lab
        .run("set acl-plugin acl index 0 permit+reflect proto 17 dport 53 action tally { into 3 }");
    assert_eq!(used(&tally), [3]);
    assert!(router.passes(0, &ask));
    assert_eq!([1, 3].map(|n| tally.counter.sum(n)), [11, 1]);
    router.lab.script(
        "set acl-plugin interface pg0 input acl 0 del
         delete acl-plugin acl index 0",
    );
    assert_eq!(used(&tally), [0; 0]);
}

#[test]
fn a_list_with_an_action_that_is_refused_leaves_nothing_behind() {
    let (router, tally) = router("");
    let error = router.lab.refused(
        "set acl-plugin acl permit action tally { into 1 }, permit action tally { into 9 }",
    );
    let expected = "set acl-plugin acl: rule 1: `9' is out of range, allowed is 0 to 7\n";
    assert_eq!((error.as_str(), used(&tally)), (expected, vec![]));
    let error = router.lab.refused("set acl-plugin acl permit action talley { into 1 }");
    assert_eq!(error, "set acl-plugin acl: rule 0: no action `talley', there are tally\n");
}

#[test]
fn sessions_of_tables_show_their_packets_to_actions() {
    let (router, tally) = router(
        "classify table mask l3 ip4 src
         classify session acl-hit-next deny table-index 0 match l3 ip4 src 10.0.0.1 action tally { into 4 }
         classify session table-index 0 match l3 ip4 src 10.0.0.2 action tally { into 5 }
         set interface input acl intfc pg0 ip4-table 0",
    );
    let packet = |host| Packet { source: (0, host), ..Packet::udp(0, 1, (1, 2)) };
    assert_eq!(router.send(0, &[packet(1), packet(2), packet(2), packet(3)]), 3);
    assert_eq!([4, 5].map(|n| tally.counter.sum(n)), [1, 2]);
    let shown = router.lab.run("show classify tables verbose");
    assert!(shown.contains("        action tally { into 4 }\n"), "{shown}");
    // What a session asks for can change, and goes with it and with its table.
    router
        .lab
        .run("classify session table-index 0 match l3 ip4 src 10.0.0.1 action tally { into 6 }");
    assert_eq!(used(&tally), [5, 6]);
    router.lab.run("classify session table-index 0 match l3 ip4 src 10.0.0.1 del");
    assert_eq!(used(&tally), [5]);
    router.lab.script(
        "set interface input acl intfc pg0 ip4-table 0 del
         classify table del table 0",
    );
    assert_eq!(used(&tally), [0; 0]);
}
