//! Any bytes, cut and flipped anywhere, in pieces of any size.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::Reader;
use super::build::{self, Order};
use super::{Seen, Trickle, read_all, read_bytes};

/// One packet of a made-up capture: ticks, wire length, captured bytes.
type Made = (u32, u16, Vec<u8>);

fn packets() -> impl Strategy<Value = Vec<Made>> {
    vec((any::<u32>(), any::<u16>(), vec(any::<u8>(), 0..200)), 0..60)
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Little), Just(Order::Big)]
}

fn classic(order: Order, nanos: bool, packets: &[Made]) -> Vec<u8> {
    let magic = if nanos { build::NANOS } else { build::MICROS };
    let mut file = build::pcap(order, magic, 1);
    for (ticks, wire_len, data) in packets {
        file.extend(build::record(order, *ticks, *ticks % 1_000_000, (*wire_len).into(), data));
    }
    file
}

/// Packets of three interfaces and of every block type, with blocks of no interest between them.
fn ng(order: Order, packets: &[Made]) -> Vec<u8> {
    let mut file = build::section(order);
    let resolution = build::option(order, 9, &[0x80 | 30]);
    let offset = build::option(order, 14, &order.u64(1_600_000_000));
    file.extend(build::interface(order, 1, 0, &[]));
    file.extend(build::interface(order, 101, 100, &[resolution, offset]));
    file.extend(build::interface(order, 276, 0, &[build::option(order, 9, &[9])]));
    for (i, (ticks, wire_len, data)) in packets.iter().enumerate() {
        let (ticks, wire_len) = (u64::from(*ticks) << 20, u32::from(*wire_len));
        file.extend(match i % 7 {
            0 => build::simple(order, data.len() as u32, data),
            1 => build::obsolete(order, 1, ticks, wire_len, data),
            2 => build::block(order, 5, data),
            _ => build::enhanced(order, (i % 3) as u32, ticks, wire_len, data),
        });
    }
    file
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (order(), any::<bool>(), packets()).prop_map(|(o, n, p)| classic(o, n, &p)),
        (order(), packets()).prop_map(|(o, p)| ng(o, &p)),
        (order(), packets(), order(), packets()).prop_map(|(o1, p1, o2, p2)| [
            ng(o1, &p1),
            ng(o2, &p2)
        ]
        .concat()),
    ]
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let flips = vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    (any_file(), flips, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut file, flips, cut, whole)| {
            for (at, value) in flips {
                let at = at.index(file.len());
                file[at] = value;
            }
            if !whole {
                file.truncate(cut.index(file.len()));
            }
            file
        },
    )
}

fn read_trickle(file: &[u8], lengths: Vec<usize>, max: usize) -> (Vec<Seen>, Option<String>) {
    match Reader::from_stream("FILE", Trickle::new(file.to_vec(), lengths)) {
        Ok(mut reader) => {
            let (seen, end) = read_all(&mut reader, max);
            (seen, end.err().map(|e| e.to_string()))
        }
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

proptest! {
    #[test]
    fn a_sound_classic_file_gives_back_what_was_put_in(
        order in order(), nanos: bool, packets in packets()
    ) {
        let (seen, problem) = read_bytes(&classic(order, nanos, &packets), 256);
        prop_assert_eq!(problem, None);
        prop_assert_eq!(seen.len(), packets.len());
        let unit = if nanos { 1 } else { 1000 };
        for (seen, (ticks, wire_len, data)) in seen.iter().zip(&packets) {
            prop_assert_eq!(&seen.data, data);
            prop_assert_eq!(seen.wire_len, u32::from(*wire_len).max(data.len() as u32));
            let nanos = u64::from(*ticks) * 1_000_000_000 + u64::from(*ticks % 1_000_000) * unit;
            prop_assert_eq!(seen.time.0, nanos);
        }
    }

    #[test]
    fn broken_files_neither_panic_nor_hang_and_the_batch_size_does_not_matter(
        file in mutated(), max in 1_usize..300, mut lengths in vec(0_usize..700, 1..6)
    ) {
        lengths.push(1);
        let expected = read_bytes(&file, 256);
        prop_assert_eq!(&read_bytes(&file, 1), &expected);
        prop_assert_eq!(&read_bytes(&file, max), &expected);
        prop_assert_eq!(&read_trickle(&file, lengths, max), &expected);
    }

    #[test]
    fn any_bytes_behind_a_sound_header_neither_panic_nor_hang(
        bytes in vec(any::<u8>(), 0..400), order in order(), pcapng: bool
    ) {
        let header = if pcapng { ng(order, &[]) } else { classic(order, false, &[]) };
        let (seen, _) = read_bytes(&[header, bytes.clone()].concat(), 256);
        prop_assert!(seen.iter().map(|p| p.data.len()).sum::<usize>() <= bytes.len());
    }
}
