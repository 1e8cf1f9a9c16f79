//! Flow keys as words: one type for each kind of flow, known at compile time.
//!
//! The first word of every key ends with a present bit, so that a slot of zeros equals no key. What a recording does not ask for is
//! masked out of the key, three to eight words at a time; no list of fields is looked at when a packet is counted.
//!
//! | file | idea |
//! |---|---|
//! | `plain` | the kinds of VPP's fields |
//! | `detailed` | those with details, behind the words of a plain one |
//! | `contextual` | those with the context of packets, behind the words of a detailed one |
//! | `switched` | those of switches, and of switches with tunnels |
//! | `words` | what the words hold |
//! | `datagram` | what tells datagrams apart whose fragments are seen |

mod contextual;
mod datagram;
mod detailed;
mod plain;
mod switched;
mod words;

use core::marker::PhantomData;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    Context, DetailKeys, Direction, FlowRecord, Keys,
    details::{Extra, Sizes},
    hash::crc32c,
    meters::Meters,
};
use crate::{
    interface::SwIfIndex,
    wire::{
        ethernet::EtherType,
        ip4, ip6,
        walk::{Link, Transport},
    },
};
pub(super) use datagram::{Datagram, datagram4, datagram6};
use words::{EGRESS, TAG_SHIFT, TAGGED, VLAN_MASK};

/// A kind of flow: its key, its slot, and how a record tells of it.
pub(super) trait Kind: 'static {
    type Key: Key;
    type Slot: Slot<Key = Self::Key>;
    /// What is kept beside the slot.
    type Extra: Extra;

    /// Ones where flows have bits of the key.
    fn mask(keys: Keys) -> Self::Key;

    /// Likewise for ICMP, which has type and code in place of ports.
    fn icmp_mask(keys: Keys) -> Self::Key {
        Self::mask(keys)
    }

    /// Where a key belongs.
    #[inline(always)]
    fn hash(key: &Self::Key) -> u32 {
        key.hash()
    }

    /// Makes the keys of both directions of a flow the same, and says whether this one had to be turned.
    #[inline(always)]
    fn turn(_: &mut Self::Key) -> bool {
        false
    }

    /// Whether what is kept of a flow lies in its slot, and not beside it.
    const IN_SLOT: bool = false;

    /// There.
    #[inline(always)]
    fn in_slot(_: &Self::Slot) -> Option<&Self::Extra> {
        None
    }

    /// There.
    #[inline(always)]
    fn in_slot_mut(_: &mut Self::Slot) -> Option<&mut Self::Extra> {
        None
    }

    /// Fills in what the words that are this kind's own say.
    fn describe(key: &Self::Key, record: &mut FlowRecord);
}

/// Words that tell flows apart.
pub(super) trait Key: Copy + PartialEq + Send + 'static {
    const FREE: Self;

    fn hash(&self) -> u32;
    fn masked(self, mask: &Self) -> Self;
    fn first(&self) -> u64;
    fn interfaces(&self) -> u64;
}

/// A key and the meters of its flow: one or two cache lines.
pub(super) trait Slot:
    Copy + FromBytes + IntoBytes + KnownLayout + Immutable + 'static
{
    type Key;

    fn key(&self) -> &Self::Key;
    fn key_mut(&mut self) -> &mut Self::Key;
    fn meters(&self) -> &Meters;
    fn meters_mut(&mut self) -> &mut Meters;
}

/// IPv4 without MAC addresses.
pub(super) struct V4;
/// IPv4 with MAC addresses and Ethernet type.
pub(super) struct V4Mac;
/// IPv6 without MAC addresses.
pub(super) struct V6;
/// IPv6 with MAC addresses and Ethernet type.
pub(super) struct V6Mac;
/// MAC addresses and Ethernet type alone.
pub(super) struct Other;
/// IPv4 with details.
pub(super) struct V4Detail<E>(PhantomData<E>);
/// IPv6 with details.
pub(super) struct V6Detail<E>(PhantomData<E>);
/// Other frames with details.
pub(super) struct OtherDetail<E>(PhantomData<E>);
/// IPv4 with details and context.
pub(super) struct V4Context<E>(PhantomData<E>);
/// IPv6 with details and context.
pub(super) struct V6Context<E>(PhantomData<E>);
/// Other frames with details and context.
pub(super) struct OtherContext<E>(PhantomData<E>);

/// IPv4 of a switch.
pub(super) struct V4Switched;
/// IPv6 of a switch.
pub(super) struct V6Switched;
/// Other frames of a switch.
pub(super) struct OtherSwitched;
/// IPv4 of a switch, with tunnels.
pub(super) struct V4Tunnelled;
/// IPv6 of a switch, with tunnels.
pub(super) struct V6Tunnelled;
/// Other frames of a switch, with tunnels.
pub(super) struct OtherTunnelled;

/// Where a packet was seen, and what was known of it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point<'a> {
    pub(super) ingress: SwIfIndex,
    pub(super) egress: SwIfIndex,
    pub(super) direction: Direction,
    pub(super) context: &'a Context,
    pub(super) outer_port: u16,
}

/// What is looked for in packets of a kind beyond their key and counters.
pub(super) type SampleOf<K> = <<K as Kind>::Extra as Extra>::Sample;

/// Makes keys of IPv4 packets.
pub(super) trait Kind4: Kind {
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        extra: &SampleOf<Self>,
    ) -> Self::Key;
}

/// Makes keys of IPv6 packets.
pub(super) trait Kind6: Kind {
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        extra: &SampleOf<Self>,
    ) -> Self::Key;
}

/// Makes keys of other frames.
pub(super) trait KindOther: Kind {
    fn key(point: Point<'_>, link: &Link, extra: &SampleOf<Self>) -> Self::Key;
}

impl<const N: usize> Key for [u64; N] {
    const FREE: Self = [0; N];

    #[inline(always)]
    fn hash(&self) -> u32 {
        crc32c(self)
    }

    #[inline(always)]
    fn masked(mut self, mask: &Self) -> Self {
        for (word, mask) in self.iter_mut().zip(mask) {
            *word &= mask;
        }
        self
    }

    #[inline(always)]
    fn first(&self) -> u64 {
        self[0]
    }

    fn interfaces(&self) -> u64 {
        self[1]
    }
}

macro_rules! slot {
    ($name:ident, $key:literal, $pad:literal, $lines:literal $(, $kept:ident: $kept_type:ty)?) => {
        #[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
        #[repr(C)]
        pub(super) struct $name {
            key: [u64; $key],
            meters: Meters,
            $(pub(super) $kept: $kept_type,)?
            pad: [u64; $pad],
        }

        const _: () = assert!(size_of::<$name>() == $lines * 64);

        impl Slot for $name {
            type Key = [u64; $key];

            #[inline(always)]
            fn key(&self) -> &Self::Key {
                &self.key
            }

            #[inline(always)]
            fn key_mut(&mut self) -> &mut Self::Key {
                &mut self.key
            }

            #[inline(always)]
            fn meters(&self) -> &Meters {
                &self.meters
            }

            #[inline(always)]
            fn meters_mut(&mut self) -> &mut Meters {
                &mut self.meters
            }
        }
    };
}

slot!(Slot3, 3, 0, 1);
slot!(Slot5, 5, 6, 2);
slot!(Slot6, 6, 5, 2);
slot!(Slot8, 8, 3, 2);
slot!(Slot7, 7, 4, 2);
slot!(Slot10, 10, 1, 2);
slot!(Slot14, 14, 5, 3);
// Of switches, with what is kept of their flows.
slot!(SwitchSlot4, 4, 3, 2, sizes: Sizes);
slot!(SwitchSlot6, 6, 1, 2, sizes: Sizes);
slot!(SwitchSlot7, 7, 0, 2, sizes: Sizes);
slot!(SwitchSlot9, 9, 6, 3, sizes: Sizes);
slot!(SwitchSlot12, 12, 3, 3, sizes: Sizes);

/// Whether a key, by its first word, is of packets that were seen on sending.
#[inline(always)]
pub(super) const fn is_sent(first: u64) -> bool {
    first >> TAG_SHIFT & EGRESS != 0
}

/// The record of a key, with nothing counted.
pub(super) fn describe<K: Kind>(key: &K::Key, record: &mut FlowRecord) {
    let tag = key.first() >> TAG_SHIFT;
    record.vlan = (tag & TAGGED != 0).then_some((tag & VLAN_MASK) as u16);
    record.direction = if is_sent(key.first()) { Direction::Egress } else { Direction::Ingress };
    record.ingress = SwIfIndex(key.interfaces() as u32);
    record.egress = SwIfIndex((key.interfaces() >> 32) as u32);
    K::describe(key, record);
}
