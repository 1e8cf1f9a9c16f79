//! Kinds of flows that the context of packets tells apart, too: words behind those of a detailed kind.

use super::{words::*, *};
use crate::flow::details::Seen;

/// Behind the words of `V4Detail` those of the context, and a next hop.
impl<E: Extra<Sample = Seen>> Kind for V4Context<E> {
    type Key = [u64; 10];
    type Slot = Slot10;
    type Extra = E;

    fn mask(keys: Keys) -> Self::Key {
        let [tables, selected] = context_masks(keys);
        joined(V4Detail::<E>::mask(keys), [tables, selected, next_hop_mask(keys)])
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn turn(key: &mut Self::Key) -> bool {
        turn_front::<V4Detail<E>, 7>(key)
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., tables, selected, hop] = *key;
        V4Detail::<E>::describe(&front, record);
        describe_context(tables, selected, [hop, 0], record);
    }
}

impl<E: Extra<Sample = Seen>> Kind4 for V4Context<E> {
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        seen: &Seen,
    ) -> Self::Key {
        let Context { ingress, egress, next_hop, .. } = point.context;
        let [tables, selected] = context_words(point.context, ingress.ip4, egress.ip4);
        let [hop, _] = words(*next_hop);
        joined(
            V4Detail::<E>::key(point, link, ip, transport, seen),
            [tables, selected, hop & LOW_HALF],
        )
    }
}

/// Behind the words of `V6Detail` those of the context, and a next hop.
impl<E: Extra<Sample = Seen>> Kind for V6Context<E> {
    type Key = [u64; 14];
    type Slot = Slot14;
    type Extra = E;

    fn mask(keys: Keys) -> Self::Key {
        let ([tables, selected], hop) = (context_masks(keys), next_hop_mask(keys));
        joined(V6Detail::<E>::mask(keys), [tables, selected, hop, hop])
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn turn(key: &mut Self::Key) -> bool {
        turn_front::<V6Detail<E>, 10>(key)
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., tables, selected, high, low] = *key;
        V6Detail::<E>::describe(&front, record);
        describe_context(tables, selected, [high, low], record);
    }
}

impl<E: Extra<Sample = Seen>> Kind6 for V6Context<E> {
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        seen: &Seen,
    ) -> Self::Key {
        let Context { ingress, egress, next_hop, .. } = point.context;
        let [tables, selected] = context_words(point.context, ingress.ip6, egress.ip6);
        let [high, low] = words(*next_hop);
        joined(V6Detail::<E>::key(point, link, ip, transport, seen), [tables, selected, high, low])
    }
}

/// Behind the words of `OtherDetail` those of the context. Frames without IP are looked up in no table.
impl<E: Extra<Sample = Seen>> Kind for OtherContext<E> {
    type Key = [u64; 7];
    type Slot = Slot7;
    type Extra = E;

    fn mask(keys: Keys) -> Self::Key {
        joined(OtherDetail::<E>::mask(keys), context_masks(keys))
    }

    fn turn(key: &mut Self::Key) -> bool {
        turn_front::<OtherDetail<E>, 5>(key)
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        let [front @ .., tables, selected] = *key;
        OtherDetail::<E>::describe(&front, record);
        describe_context(tables, selected, [0; 2], record);
    }
}

impl<E: Extra<Sample = Seen>> KindOther for OtherContext<E> {
    fn key(point: Point<'_>, link: &Link, seen: &Seen) -> Self::Key {
        joined(OtherDetail::<E>::key(point, link, seen), context_words(point.context, 0, 0))
    }
}

/// Turns the part of a key that is one of kind `K`. Where packets came from and went to is left alone, as interfaces are.
fn turn_front<K: Kind<Key = [u64; N]>, const N: usize>(key: &mut [u64]) -> bool {
    key.first_chunk_mut().is_some_and(K::turn)
}
