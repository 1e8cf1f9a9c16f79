//! The forwarding state as a whole: against a naive model, by scenario, and read while it is edited.

mod concurrent;
mod model;
mod scenarios;

use core::net::IpAddr;

use super::*;
use crate::adjacency::{AdjacencyKind, Link, LinkKind};
use crate::interface::SwIfIndex;

const FIB: FibIndex = FibIndex::DEFAULT;

fn ethernet(interface: u32, up: bool) -> Link {
    let kind = LinkKind::Ethernet { mac: [2, 0xfe, 0, 0, 0, interface as u8] };
    Link { kind, max_l3_bytes: 9000, next: 3, up }
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
