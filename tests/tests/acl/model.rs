//! The lists and their naive twin, under random sequences of packets and orders.

use acl::{Direction, Ports, Verdict};
use proptest::prelude::*;

use super::naive::{Draft, LISTS, Naive, PORTS, Step};
use crate::{Router, packet::Packet};

/// Few values, so that packets meet rules and each other.
fn port() -> impl Strategy<Value = u16> {
    0..4_u16
}

fn ports() -> impl Strategy<Value = Ports> {
    prop_oneof![
        3 => Just(Ports::ANY),
        2 => port().prop_map(Ports::one),
        2 => (port(), port()).prop_map(|(a, b)| Ports { first: a.min(b), last: a.max(b) }),
    ]
}

fn protocol() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![6_u8, 6, 17, 1, 47])
}

fn flags() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![0x02_u8, 0x12, 0x10, 0x11, 0x04])
}

fn packet() -> impl Strategy<Value = Packet> {
    let nets = (0..PORTS as u8, 1..PORTS as u8);
    let hosts = (1..3_u8, 1..3_u8);
    (nets, hosts, any::<bool>(), protocol(), (port(), port()), flags()).prop_map(
        |((net, further), (a, b), is_ip6, protocol, ports, flags)| {
            let ports = match protocol {
                // Questions and answers.
                1 => ([8, 0, 8, 13][usize::from(ports.0)], 0),
                _ => ports,
            };
            let (source, destination) = ((net, a), ((net + further) % PORTS as u8, b));
            let packet = Packet { is_ip6: false, source, destination, protocol, ports, flags };
            let ports6 = match (protocol, ports.0) {
                (1, 8) => (128, 0),
                (1, _) => (129, 0),
                _ => ports,
            };
            if is_ip6 { Packet { ports: ports6, ..packet }.ip6() } else { packet }
        },
    )
}

fn draft() -> impl Strategy<Value = Draft> {
    let verdict = prop::sample::select(vec![
        Verdict::Deny,
        Verdict::Permit,
        Verdict::Reflect,
        Verdict::Reflect,
    ]);
    let place = || {
        (prop::option::weighted(0.7, 0..PORTS as u8), prop::option::weighted(0.5, 1..3_u8))
            .prop_map(|(net, host)| (net, net.and(host)))
    };
    let protocol = prop_oneof![2 => Just(0_u8), 3 => protocol()];
    let mask = prop::sample::select(vec![0_u8, 0, 0x02, 0x12]);
    (verdict, any::<bool>(), place(), place(), protocol, (ports(), ports()), (flags(), mask))
        .prop_map(|(verdict, is_ip6, source, destination, protocol, ports, flags)| Draft {
            verdict,
            is_ip6,
            source,
            destination,
            protocol: if is_ip6 && protocol == 1 { 58 } else { protocol },
            // Types of messages are not so small.
            ports: if protocol == 1 { (Ports::ANY, Ports::ANY) } else { ports },
            flags,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let list = || 0..LISTS;
    let place = || {
        let direction = prop::sample::select(vec![Direction::Input, Direction::Output]);
        (0..PORTS, direction)
    };
    let rules = prop::collection::vec(draft(), 1..12);
    let many = prop::collection::vec(draft(), 40..120);
    prop_oneof![
        60 => packet().prop_map(Step::Packet),
        6 => (prop::option::of(list()), rules).prop_map(|(acl, rules)| Step::Put { acl, rules }),
        // Of so many masks that most are left out.
        2 => (prop::option::of(list()), many).prop_map(|(acl, rules)| Step::Put { acl, rules }),
        2 => list().prop_map(Step::Delete),
        8 => (place(), list()).prop_map(|((port, direction), acl)| Step::Apply { port, direction, acl }),
        3 => (place(), list()).prop_map(|((port, direction), acl)| Step::Unapply { port, direction, acl }),
        1 => Just(Step::Clear),
        1 => (0..3_usize, 1..400_u64).prop_map(|(kind, seconds)| Step::Timeout { kind, seconds }),
        3 => (1..300_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "input",
        Direction::Output => "output",
    }
}

fn run(router: &Router, step: &Step) -> bool {
    let line = match step {
        Step::Packet(packet) => return router.passes(packet.source.0.into(), packet),
        Step::Wait { seconds } => {
            router.lab.advance(*seconds);
            return true;
        }
        Step::Put { acl, rules } => {
            let index = acl.map(|acl| format!("index {acl} ")).unwrap_or_default();
            let rules: Vec<_> = rules.iter().map(Draft::text).collect();
            format!("set acl-plugin acl {index}{}", rules.join(", "))
        }
        Step::Delete(acl) => format!("delete acl-plugin acl index {acl}"),
        Step::Apply { port, direction, acl } => {
            format!("set acl-plugin interface pg{port} {} acl {acl}", word(*direction))
        }
        Step::Unapply { port, direction, acl } => {
            format!("set acl-plugin interface pg{port} {} acl {acl} del", word(*direction))
        }
        Step::Clear => "clear acl-plugin sessions".to_owned(),
        Step::Timeout { kind, seconds } => {
            let kind = ["udp idle", "tcp idle", "tcp transient"][*kind];
            format!("set acl-plugin session timeout {kind} {seconds}")
        }
    };
    router.lab.engine.command(&line).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn lists_do_what_naive_ones_do(steps in prop::collection::vec(step(), 1..200)) {
        // A table that is cleaned at once, so that what is over is gone whatever timeouts become.
        let router = Router::new(PORTS as u32, "set acl-plugin session table max-entries 1000");
        let mut naive = Naive::new();
        for (n, step) in steps.iter().enumerate() {
            let expected = naive.run(step);
            prop_assert_eq!(run(&router, step), expected, "step {}: {:?}", n, step);
        }
        for (acl, expected) in naive.counts() {
            let counted: Vec<_> = router.counts(acl).into_iter().map(|(packets, _)| packets).collect();
            prop_assert_eq!(counted, expected, "list {}", acl);
        }
    }
}
