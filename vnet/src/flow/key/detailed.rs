//! Kinds of flows with details: two words behind those of a plain kind, and beside the slot what `E` keeps.

use super::{words::*, *};
use crate::flow::details::Seen;

/// Behind the words of `V4Mac` two with details.
impl<E: Extra<Sample = Seen>> Kind for V4Detail<E> {
    type Key = [u64; 7];
    type Slot = Slot7;
    type Extra = E;

    fn mask(keys: Keys) -> Self::Key {
        joined(V4Mac::mask(keys), detail_masks(keys))
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn turn([ip, _, addresses, source, destination, ..]: &mut Self::Key) -> bool {
        let [from, to] = [*addresses as u32, (*addresses >> 32) as u32];
        let is_turned = (from, source_port(*ip)) > (to, destination_port(*ip));
        if is_turned {
            *addresses = addresses.rotate_left(32);
            *ip = with_ports_turned(*ip);
            swap_macs(source, destination);
        }
        is_turned
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., a, b] = *key;
        V4Mac::describe(&front, record);
        describe_details(a, b, record);
    }
}

impl<E: Extra<Sample = Seen>> Kind4 for V4Detail<E> {
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        seen: &Seen,
    ) -> Self::Key {
        joined(V4Mac::key(point, link, ip, transport, &()), detail_words(seen))
    }
}

/// Behind the words of `V6Mac` two with details.
impl<E: Extra<Sample = Seen>> Kind for V6Detail<E> {
    type Key = [u64; 10];
    type Slot = Slot10;
    type Extra = E;

    fn mask(keys: Keys) -> Self::Key {
        joined(V6Mac::mask(keys), detail_masks(keys))
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn turn(key: &mut Self::Key) -> bool {
        let [ip, _, a, b, c, d, source, destination, ..] = key;
        let is_turned = (*a, *b, source_port(*ip)) > (*c, *d, destination_port(*ip));
        if is_turned {
            core::mem::swap(a, c);
            core::mem::swap(b, d);
            *ip = with_ports_turned(*ip);
            swap_macs(source, destination);
        }
        is_turned
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., a, b] = *key;
        V6Mac::describe(&front, record);
        describe_details(a, b, record);
    }
}

impl<E: Extra<Sample = Seen>> Kind6 for V6Detail<E> {
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        seen: &Seen,
    ) -> Self::Key {
        joined(V6Mac::key(point, link, ip, transport, &()), detail_words(seen))
    }
}

/// Behind the words of `Other` two with details.
impl<E: Extra<Sample = Seen>> Kind for OtherDetail<E> {
    type Key = [u64; 5];
    type Slot = Slot5;
    type Extra = E;

    fn mask(keys: Keys) -> Self::Key {
        joined(Other::mask(keys), detail_masks(keys))
    }

    fn turn([source, _, destination, ..]: &mut Self::Key) -> bool {
        let (from, to) = (*source & MAC_MASK, *destination & MAC_MASK);
        if from > to {
            swap_macs(source, destination);
        }
        from > to
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., a, b] = *key;
        Other::describe(&front, record);
        describe_details(a, b, record);
    }
}

impl<E: Extra<Sample = Seen>> KindOther for OtherDetail<E> {
    fn key(point: Point<'_>, link: &Link, seen: &Seen) -> Self::Key {
        joined(Other::key(point, link, &()), detail_words(seen))
    }
}

/// The Ethernet type stays where it is.
fn swap_macs(source: &mut u64, destination: &mut u64) {
    let (from, to) = (*source & MAC_MASK, *destination & MAC_MASK);
    *source = (*source & !MAC_MASK) | to;
    *destination = (*destination & !MAC_MASK) | from;
}
