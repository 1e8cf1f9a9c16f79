//! Flow records without details: a fifth of the octets, for those that wait in large numbers.

use super::{Addresses, Direction, EndReason, FlowRecord};
use crate::{interface::SwIfIndex, runtime::PacketTime};

macro_rules! brief {
    ($($field:ident: $type:ty,)*) => {
        /// A flow record without details; the fields are those of [`FlowRecord`].
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Brief {
            $($field: $type,)*
        }

        impl From<&FlowRecord> for Brief {
            #[inline]
            fn from(record: &FlowRecord) -> Self {
                Self { $($field: record.$field,)* }
            }
        }

        impl From<Brief> for FlowRecord {
            #[inline]
            fn from(brief: Brief) -> Self {
                Self { $($field: brief.$field,)* details: None }
            }
        }
    };
}

brief! {
    ingress: SwIfIndex,
    egress: SwIfIndex,
    direction: Direction,
    source_mac: [u8; 6],
    destination_mac: [u8; 6],
    ethertype: u16,
    vlan: Option<u16>,
    addresses: Addresses,
    protocol: u8,
    source_port: u16,
    destination_port: u16,
    tcp_flags: u16,
    packets: u64,
    octets: u64,
    layer2_octets: u64,
    start: PacketTime,
    end: PacketTime,
    end_reason: EndReason,
}

/// What an outbox of 4,096 of them takes, and how much of a cache.
const _: () = assert!(size_of::<Brief>() <= 136);
