//! The forwarding state as a whole: against a naive model, by scenario, and read while it is edited.

mod concurrent;
mod model;
mod preference;
mod redirect;
mod scenarios;
mod show;
mod stack;

use core::net::IpAddr;

use super::*;
use crate::adjacency::{AdjacencyKind, Link, LinkKind, MaxPacket};
use crate::interface::{InterfaceAddress, OutputTags, SwIfIndex, TagType, VlanId};
use crate::neighbor::NeighborFlags;
use crate::runtime::EngineTime;

const FIB: FibIndex = FibIndex::DEFAULT;

fn ethernet(interface: u32, up: bool) -> Link {
    let kind = LinkKind::ethernet([2, 0xfe, 0, 0, 0, interface as u8]);
    Link { kind, max_l3_bytes: MaxPacket::both(9000), next: 3, up }
}

fn prefix(text: &str) -> IpPrefix {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What a worker does with a packet, in terms that do not depend on numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Drop,
    Punt,
    Local(SwIfIndex),
    Send(SwIfIndex, IpAddr),
    Ask(SwIfIndex, IpAddr),
    Glean(SwIfIndex),
    Lookup(FibIndex),
}

impl Way {
    fn of(reader: &ForwardingReader, dpo: Dpo) -> Self {
        let body = reader.adjacency(dpo.adjacency_index());
        let (interface, next_hop) = (body.sw_if_index(), body.next_hop());
        match dpo.kind() {
            DpoKind::Drop => Self::Drop,
            DpoKind::Punt => Self::Punt,
            DpoKind::Local => Self::Local(dpo.interface()),
            DpoKind::Lookup => Self::Lookup(FibIndex(dpo.index())),
            DpoKind::Adjacency => {
                assert_eq!(body.kind(), AdjacencyKind::Complete);
                Self::Send(interface, next_hop)
            }
            DpoKind::Midchain => {
                assert_eq!(body.kind(), AdjacencyKind::Midchain);
                Self::Send(interface, next_hop)
            }
            DpoKind::Incomplete => {
                assert_eq!(body.kind(), AdjacencyKind::Incomplete);
                Self::Ask(interface, next_hop)
            }
            DpoKind::Glean => {
                assert_eq!(body.kind(), AdjacencyKind::Glean);
                Self::Glean(interface)
            }
            DpoKind::Multi => panic!("a bucket is never buckets"),
        }
    }
}

/// What a worker does with packets to an address, by flow hash from 0 to the number of buckets.
fn ways(reader: &ForwardingReader, fib: FibIndex, destination: IpAddr) -> Vec<Way> {
    let route = match destination {
        IpAddr::V4(a) => reader.ip4_table(fib).unwrap().lookup_one(a.to_bits()),
        IpAddr::V6(a) => reader.ip6_table(fib).unwrap().lookup_one(a.to_bits()),
    };
    let dpo = reader.load_balance(route);
    match dpo.kind() {
        DpoKind::Multi => {
            (0..dpo.buckets()).map(|hash| Way::of(reader, reader.bucket(dpo, hash))).collect()
        }
        _ => vec![Way::of(reader, dpo)],
    }
}

const PG0: SwIfIndex = SwIfIndex(1);
const PG1: SwIfIndex = SwIfIndex(2);

fn two_interfaces() -> Forwarding {
    let mut forwarding = Forwarding::new().unwrap();
    forwarding.set_interface(PG0, ethernet(PG0.0, true)).unwrap();
    forwarding.set_interface(PG1, ethernet(PG1.0, true)).unwrap();
    forwarding
}

fn interface_address(text: &str) -> InterfaceAddress {
    let (address, len) = text.split_once('/').unwrap();
    InterfaceAddress::new(address.parse().unwrap(), len.parse().unwrap()).unwrap()
}

fn set_neighbor(forwarding: &mut Forwarding, interface: SwIfIndex, text: &str, last: u8) {
    let mac = [2, 0, 0, 0, 0, last];
    forwarding
        .set_neighbor(interface, address(text), mac, NeighborFlags::STATIC, EngineTime(0))
        .unwrap();
}

fn set_route(forwarding: &mut Forwarding, text: &str, paths: &[Path]) -> LoadBalanceIndex {
    forwarding.set_route(FIB, prefix(text), Source::Cli, paths).unwrap()
}

fn via(text: &str) -> Path {
    Path::recursive(address(text), FIB)
}

fn listed(forwarding: &Forwarding, family: Family, fib: FibIndex) -> Vec<String> {
    forwarding.routes(family, fib).unwrap().map(|(prefix, _)| prefix.to_string()).collect()
}

fn ways_to(forwarding: &Forwarding, text: &str) -> Vec<Way> {
    ways(&forwarding.reader(), FIB, address(text))
}
