//! The kinds of VPP's fields: IPv4 and IPv6 with and without MAC addresses, and frames without IP.

use super::{words::*, *};

impl Kind for V4 {
    type Key = [u64; 3];
    type Slot = Slot3;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        [ip_mask(keys), interfaces_mask(keys), addresses4_mask(keys)]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses4(key[2]);
    }
}

impl Kind4 for V4 {
    #[inline(always)]
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        [ip_word(point, link, transport), interfaces(point), address_word(ip)]
    }
}

impl Kind for V4Mac {
    type Key = [u64; 5];
    type Slot = Slot5;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let [source, destination] = macs_mask(keys);
        [ip_mask(keys), interfaces_mask(keys), addresses4_mask(keys), source, destination]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses4(key[2]);
        describe_macs(key[3], key[4], record);
    }
}

impl Kind4 for V4Mac {
    #[inline(always)]
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        let [source, destination] = mac_words(link);
        [ip_word(point, link, transport), interfaces(point), address_word(ip), source, destination]
    }
}

impl Kind for V6 {
    type Key = [u64; 6];
    type Slot = Slot6;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let [source, destination] = addresses6_masks(keys);
        let interfaces = interfaces_mask(keys);
        [ip_mask(keys), interfaces, source, source, destination, destination]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses6([key[2], key[3]], [key[4], key[5]]);
    }
}

impl Kind6 for V6 {
    #[inline(always)]
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        let [a, b] = words(ip.source);
        let [c, d] = words(ip.destination);
        [ip_word(point, link, transport), interfaces(point), a, b, c, d]
    }
}

impl Kind for V6Mac {
    type Key = [u64; 8];
    type Slot = Slot8;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let [ip, interfaces, a, b, c, d] = V6::mask(keys);
        let [source, destination] = macs_mask(keys);
        [ip, interfaces, a, b, c, d, source, destination]
    }

    fn icmp_mask(keys: Keys) -> Self::Key {
        let mut mask = Self::mask(keys);
        mask[0] = icmp_ip_mask(keys);
        mask
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        describe_ip(key[0], record);
        record.addresses = addresses6([key[2], key[3]], [key[4], key[5]]);
        describe_macs(key[6], key[7], record);
    }
}

impl Kind6 for V6Mac {
    #[inline(always)]
    fn key(
        point: Point<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
        (): &(),
    ) -> Self::Key {
        let [a, b] = words(ip.source);
        let [c, d] = words(ip.destination);
        let [source, destination] = mac_words(link);
        [ip_word(point, link, transport), interfaces(point), a, b, c, d, source, destination]
    }
}

impl KindOther for Other {
    fn key(point: Point<'_>, link: &Link, (): &()) -> Self::Key {
        let [source, destination] = mac_words(link);
        // The type moves to the second word, so that the first one has room for the tag.
        let ethertype = u64::from(link.ethertype.0) << TAG_SHIFT;
        [(source & MAC_MASK) | tag(point, link), interfaces(point), destination | ethertype]
    }
}

impl Kind for Other {
    type Key = [u64; 3];
    type Slot = Slot3;
    type Extra = ();

    fn mask(keys: Keys) -> Self::Key {
        let mac = |key| if keys.contains(key) { MAC_MASK } else { 0 };
        let ethertype = if keys.contains(Keys::ETHERTYPE) { !MAC_MASK } else { 0 };
        let source = mac(Keys::SOURCE_MAC) | tag_mask(keys);
        [source, interfaces_mask(keys), mac(Keys::DESTINATION_MAC) | ethertype]
    }

    fn describe(key: &Self::Key, record: &mut FlowRecord) {
        record.source_mac = mac(key[0]);
        record.destination_mac = mac(key[2]);
        record.ethertype = (key[2] >> TAG_SHIFT) as u16;
    }
}
