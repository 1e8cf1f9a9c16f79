//! The bridge and its naive twin, under random sequences of frames and orders.

use core::time::Duration;
use std::collections::BTreeSet;

use proptest::prelude::*;
use vnet::{
    interface::SwIfIndex,
    l2::L2,
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

use super::naive::{Address, DOMAINS, GROUP, Naive, PORTS, Role, Step, Switch};
use crate::pg;

fn step() -> impl Strategy<Value = Step> {
    let port = || 0..PORTS;
    let domain = || 0..DOMAINS;
    let address = || 0..GROUP + 2;
    let what = || prop::sample::select(Switch::ALL.to_vec());
    let role = prop_oneof![5 => Just(Role::Member), 1 => Just(Role::UuFwd)];
    let frame = (port(), address(), address());
    prop_oneof![
        40 => frame.prop_map(|(port, source, destination)| Step::Frame { port, source, destination }),
        6 => (port(), domain(), 0..3_u8, role)
            .prop_map(|(port, domain, shg, role)| Step::Join { port, domain, shg, role }),
        1 => (port(), port()).prop_map(|(port, peer)| Step::Connect { port, peer }),
        1 => port().prop_map(|port| Step::Leave { port }),
        1 => Just(Step::FlushAll),
        1 => port().prop_map(Step::FlushPort),
        1 => domain().prop_map(Step::FlushDomain),
        3 => (address(), domain(), port(), any::<bool>())
            .prop_map(|(mac, domain, port, is_static)| Step::Add { mac, domain, port, is_static }),
        1 => (address(), domain()).prop_map(|(mac, domain)| Step::Filter { mac, domain }),
        2 => (address(), domain()).prop_map(|(mac, domain)| Step::Delete { mac, domain }),
        2 => (domain(), what(), prop::bool::weighted(0.8))
            .prop_map(|(domain, what, on)| Step::Switch { domain, what, on }),
        1 => (port(), what(), prop::bool::weighted(0.8))
            .prop_map(|(port, what, on)| Step::PortSwitch { port, what, on }),
        1 => (domain(), 0..6_usize).prop_map(|(domain, limit)| Step::Limit { domain, limit }),
        1 => (domain(), 0..4_u64).prop_map(|(domain, minutes)| Step::Age { domain, minutes }),
        2 => (1..3_u64).prop_map(Step::Minutes),
    ]
}

fn mac(address: Address) -> [u8; 6] {
    match address {
        0 => [0; 6],
        GROUP.. => [0xff, 0xff, 0xff, 0xff, 0xff, 0xff - (address - GROUP)],
        _ => [2, 0, 0, 0, 0, address],
    }
}

/// A bridge with ports pg0, pg1, ..., and how many frames have left by each.
struct Bridge {
    engine: Engine,
    ports: Vec<SwIfIndex>,
}

impl Bridge {
    fn new() -> Self {
        let clock = Clock::virtual_at(PacketTime(0));
        let builder = Engine::builder().clock(clock).plugin(crate::plugin()).plugin(pg::plugin());
        let engine = builder.build().unwrap();
        for n in 0..PORTS {
            engine.command(&format!("create packet-generator interface pg{n}")).unwrap();
            engine.command(&format!("set interface state pg{n} up")).unwrap();
        }
        let find = |n| engine.with(|main| main.interfaces().find(&format!("pg{n}")).unwrap());
        let ports = (0..PORTS).map(find).collect();
        Self { engine, ports }
    }

    fn sent(&self) -> Vec<u64> {
        let of = |port: &SwIfIndex| {
            self.engine.with(|main| main.interface_counters().tx.sum(port.0).packets)
        };
        self.ports.iter().map(of).collect()
    }

    fn frame(&self, port: usize, source: Address, destination: Address) -> BTreeSet<usize> {
        let before = self.sent();
        self.engine.with(|main| {
            let node = main.graph().find("ethernet-input").unwrap();
            let rx = self.ports[port];
            let pushed = main.frame_to(node).push(|buffer| {
                buffer.rx = rx;
                buffer.append(&[mac(destination), mac(source)].concat());
                buffer.append(&[0x88, 0xb5]);
                buffer.append(&[0; 46]);
            });
            assert!(pushed.is_some(), "the pool has buffers");
        });
        self.engine.run_until_idle();
        let after = self.sent();
        let counts = before.iter().zip(&after).map(|(before, after)| after - before);
        let left: Vec<_> = counts.enumerate().filter(|(_, n)| *n > 0).collect();
        assert!(left.iter().all(|(_, n)| *n == 1), "one copy for each: {left:?}");
        left.into_iter().map(|(port, _)| port).collect()
    }

    fn run(&self, step: &Step) -> Result<BTreeSet<usize>, ()> {
        let address = |address: Address| mac(address).map(|octet| format!("{octet:02x}")).join(":");
        let state = |on: bool| if on { "" } else { "disable" };
        let line = match *step {
            Step::Frame { port, source, destination } => {
                return Ok(self.frame(port, source, destination));
            }
            Step::Minutes(minutes) => {
                self.engine.advance(Duration::from_secs(60 * minutes));
                return Ok(BTreeSet::new());
            }
            Step::Join { port, domain, shg, role } => {
                let role = if role == Role::UuFwd { "uu-fwd" } else { "" };
                format!("set interface l2 bridge pg{port} {} {role} {shg}", domain + 1)
            }
            Step::Connect { port, peer } => format!("set interface l2 xconnect pg{port} pg{peer}"),
            Step::Leave { port } => format!("set interface l3 pg{port}"),
            Step::FlushAll => "l2fib flush-mac all".to_owned(),
            Step::FlushPort(port) => format!("l2fib flush-mac interface pg{port}"),
            Step::FlushDomain(domain) => format!("l2fib flush-mac bridge-domain {}", domain + 1),
            Step::Add { mac, domain, port, is_static } => {
                let kind = if is_static { "static" } else { "" };
                format!("l2fib add {} {} pg{port} {kind}", address(mac), domain + 1)
            }
            Step::Filter { mac, domain } => {
                format!("l2fib add {} {} filter", address(mac), domain + 1)
            }
            Step::Delete { mac, domain } => format!("l2fib del {} {}", address(mac), domain + 1),
            Step::Switch { domain, what, on } => {
                format!("set bridge-domain {} {} {}", what.word(), domain + 1, state(on))
            }
            Step::PortSwitch { port, what, on } => {
                format!("set interface l2 {} pg{port} {}", what.word(), state(on))
            }
            Step::Limit { domain, limit } => {
                format!("set bridge-domain learn-limit {} {limit}", domain + 1)
            }
            Step::Age { domain, minutes } => {
                format!("set bridge-domain mac-age {} {minutes}", domain + 1)
            }
        };
        let done = self.engine.command(&line).map(|_| BTreeSet::new()).map_err(|_| ());
        if done.is_ok() && matches!(step, Step::Age { .. }) {
            self.engine.advance(Duration::from_secs(60));
        }
        self.engine.run_until_idle();
        done
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_bridge_does_what_a_naive_one_does(steps in prop::collection::vec(step(), 1..250)) {
        let bridge = Bridge::new();
        let mut naive = Naive::new();
        // Without these, most frames would meet nothing.
        let first = (0..4).map(|port| Step::Join { port, domain: 0, shg: 0, role: Role::Member });
        for step in first.chain(steps) {
            let expected = naive.run(&step);
            prop_assert_eq!(bridge.run(&step), expected, "{:?}", step);
            let known = bridge.engine.with(|main| {
                let l2 = main.provided::<L2>().unwrap().clone();
                l2.view(main).entries().count()
            });
            prop_assert_eq!(known, naive.known(), "{:?}", step);
            bridge.engine.with(|main| assert_eq!(main.pool().owned(), 0));
        }
    }
}
