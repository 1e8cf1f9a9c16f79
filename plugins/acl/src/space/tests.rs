//! What is found is what a naive twin finds.

use proptest::prelude::*;

use super::{
    prune::{Filter, Order},
    values::Values,
    *,
};

/// Of few bits, so that rules cover each other; with `lengths` prefixes of both halves of the first word.
fn pattern(lengths: u32) -> impl Strategy<Value = Pattern<2>> {
    let prefix =
        move || (0..=lengths).prop_map(|length| !(u32::MAX.checked_shr(length * 2)).unwrap_or(0));
    let layer4 = prop::sample::select(vec![
        0_u64,
        6 << 24,
        0xff << 24,
        0xffff << 32 | 0xff << 24,
        0xffff << 48 | 0xff << 24,
        0xffff_ffff << 32 | 0xff << 24,
        0xff << 24 | 2 << 16,
    ]);
    let ports = prop_oneof![3 => Just(Ports::ANY), 1 => (0..4_u16).prop_map(|n| Ports { first: n, last: n + 2 })];
    (prefix(), prefix(), layer4, key(), ports).prop_map(|(a, b, layer4, key, ports)| {
        let mask = [u64::from(a) << 32 | u64::from(b), layer4];
        let value = and(&key, &mask);
        Pattern { mask, value, source: Ports::ANY, destination: ports, position: 0 }
    })
}

fn key() -> impl Strategy<Value = [u64; 2]> {
    let address = || {
        let octet = || prop::sample::select(vec![0_u32, 1, 0x55, 0xff]);
        (octet(), octet()).prop_map(|(a, b)| u64::from(a << 24 | b << 20 | a & 3))
    };
    (address(), address(), 0..3_u64, 0..3_u64, 0..2_u64, 0..4_u64).prop_map(
        |(a, b, c, d, protocol, flags)| {
            [a << 32 | b, c << 48 | d << 32 | (6 + protocol) << 24 | flags << 16]
        },
    )
}

fn naive(patterns: &[Pattern<2>], key: &[u64; 2]) -> u32 {
    let port = Layer4(key[1]).destination();
    let takes = |p: &&Pattern<2>| and(key, &p.mask) == p.value && p.destination.contains(port);
    patterns.iter().find(takes).map_or(NONE, |pattern| pattern.position)
}

const FIELDS: [[u64; 2]; 4] = [
    [0xffff_ffff << 32, 0],
    [0xffff_ffff, 0],
    [0, 0xffff << 32 | 0xff << 24],
    [0, 0xffff << 48 | 0xff << 24],
];

/// With all fields that there can be, worth it or not, each of which says the order once.
fn with_all_fields(patterns: &[Pattern<2>]) -> impl Iterator<Item = Space<2>> {
    (0..FIELDS.len()).filter_map(|n| {
        let (mut space, rules) = Space::without_pruning(patterns.iter().copied());
        let masks: Vec<_> = space.masks.iter().map(|mask| mask.words).collect();
        let mut values: Vec<_> =
            FIELDS.iter().filter_map(|field| Values::new(field, &masks, &rules)).collect();
        let order = (n < values.len()).then(|| values.remove(n))?;
        let filters = values.iter().map(|values| Filter::new(values, space.grouping));
        space.pruning = Some(Pruning { order: Order::new(&order), filters: filters.collect() });
        Some(space)
    })
}

fn hold(
    space: &Space<2>,
    patterns: &[Pattern<2>],
    packets: &[[u64; 2]],
) -> Result<(), TestCaseError> {
    let mut keys = [[0; 2]; FRAME];
    let mut pending = Pending::new();
    for (at, key) in packets.iter().enumerate() {
        keys[at] = *key;
        pending.push(at);
    }
    let mut found = [7; FRAME];
    space.look_up(&keys, &mut pending, &mut found);
    for (key, found) in packets.iter().zip(found) {
        prop_assert_eq!(found, naive(patterns, key));
        prop_assert_eq!(space.look_up_one(key), found);
    }
    Ok(())
}

fn numbered(mut patterns: Vec<Pattern<2>>) -> Vec<Pattern<2>> {
    (0..).zip(&mut patterns).for_each(|(n, pattern)| pattern.position = n);
    patterns
}

proptest! {
    #[test]
    fn what_is_found_is_the_first_rule_that_a_packet_fits(
        patterns in prop::collection::vec(pattern(2), 0..80).prop_map(numbered),
        packets in prop::collection::vec(key(), 1..64),
    ) {
        hold(&Space::new(patterns.iter().copied(), &FIELDS), &patterns, &packets)?;
        for space in with_all_fields(&patterns) {
            hold(&space, &patterns, &packets)?;
        }
    }

    #[test]
    fn it_is_so_with_more_masks_than_a_set_has_bits(
        patterns in prop::collection::vec(pattern(16), 1_000..1_500).prop_map(numbered),
        packets in prop::collection::vec(key(), 1..64),
    ) {
        for space in with_all_fields(&patterns) {
            prop_assert!(space.masks.len() > 256, "{} masks", space.masks.len());
            hold(&space, &patterns, &packets)?;
        }
        hold(&Space::new(patterns.iter().copied(), &FIELDS), &patterns, &packets)?;
    }
}

#[test]
fn masks_of_which_a_packet_fits_one_are_not_asked() {
    let mask = |length: u32| u64::from(u32::MAX << (32 - length)) << 32;
    let pattern = |n: u32| {
        let mask = [mask(8 + n % 16), 0];
        let value = and(&[u64::from(n) << 56, 0], &mask);
        Pattern { mask, value, source: Ports::ANY, destination: Ports::ANY, position: n }
    };
    let patterns: Vec<_> = (0..64).map(pattern).collect();
    let space = Space::new(patterns.iter().copied(), &FIELDS);
    assert_eq!((space.masks.len(), space.fields()), (16, 1));
    let asked = |key| {
        let pruning = space.pruning.as_ref().unwrap();
        let mut walk = pruning.begin(&key);
        space.ask(&key, |found| pruning.next(&mut walk, found, space.grouping))
    };
    assert_eq!(asked([15 << 56, 0]), (15, 1));
    // Rule 40 is a part of rule 8, which comes before it: nobody looks for it.
    assert_eq!(asked([40 << 56, 0]), (40, 1));
}

#[test]
fn a_packet_is_done_as_soon_as_what_it_has_found_comes_before_all_else() {
    // Networks around 11.1.2.3, the narrowest last, then those around 10.1.2.3.
    let pattern = |n: u32| {
        let mask = [u64::from(u32::MAX << (24 - n % 16)) << 32, 0];
        let address = if n < 16 { 0x0b01_0203 } else { 0x0a01_0203 };
        let value = and(&[address << 32, 0], &mask);
        Pattern { mask, value, source: Ports::ANY, destination: Ports::ANY, position: n }
    };
    let patterns: Vec<_> = (0..32).map(pattern).collect();
    let space = Space::new(patterns.iter().copied(), &FIELDS);
    let pruning = space.pruning.as_ref().unwrap();
    let key = [0x0a01_0203 << 32, 0];
    let mut walk = pruning.begin(&key);
    assert_eq!(space.ask(&key, |found| pruning.next(&mut walk, found, space.grouping)), (16, 1));
    assert_eq!(space.ask_in_turn(&key), (16, 16));
}
