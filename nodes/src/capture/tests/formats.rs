//! What the formats allow is read as they say.

use super::super::{InterfaceId, Reader};
use super::build::{self, Order};
use super::{Seen, Trickle, read_all, read_bytes};
use vnet::runtime::PacketTime;
use vnet::wire::link::LinkType;

const ORDERS: [Order; 2] = [Order::Little, Order::Big];

fn seen(data: &[u8], wire_len: u32, nanos: u64, digits: u8) -> Seen {
    Seen {
        data: data.to_vec(),
        wire_len,
        time: PacketTime(nanos),
        digits,
        link: LinkType::Ethernet,
        interface: InterfaceId(0),
    }
}

#[test]
fn classic_files_of_both_byte_orders_and_both_units_give_the_same_packets() {
    for order in ORDERS {
        for (magic, fraction, nanos, digits) in
            [(build::MICROS, 123_456, 123_456_000, 6), (build::NANOS, 123_456_789, 123_456_789, 9)]
        {
            let mut file = build::pcap(order, magic, 1);
            file.extend(build::record(order, 1_700_000_000, fraction, 1500, b"abc"));
            file.extend(build::record(order, 0, 0, 0, b""));
            file.extend(build::record(order, u32::MAX, 0, 3, b"xyz"));
            let expected = [
                seen(b"abc", 1500, 1_700_000_000_000_000_000 + nanos, digits),
                seen(b"", 0, 0, digits),
                seen(b"xyz", 3, 4_294_967_295_000_000_000, digits),
            ];
            assert_eq!(read_bytes(&file, 256), (expected.to_vec(), None), "{order:?} {magic:x}");
        }
    }
}

#[test]
fn records_of_the_modified_format_have_eight_more_bytes_of_header() {
    let mut file = build::pcap(Order::Little, build::MODIFIED, 1);
    for data in [b"abc", b"def"] {
        let mut record = build::record(Order::Little, 1, 2, 60, data);
        record.splice(16..16, [9; 8]);
        file.extend(record);
    }
    let expected = [seen(b"abc", 60, 1_000_002_000, 6), seen(b"def", 60, 1_000_002_000, 6)];
    assert_eq!(read_bytes(&file, 256), (expected.to_vec(), None));
}

#[test]
fn a_wire_length_below_the_captured_one_is_raised_to_it() {
    let mut classic = build::pcap(Order::Little, build::MICROS, 1);
    classic.extend(build::record(Order::Little, 0, 0, 1, b"abc"));
    let mut ng = build::section(Order::Little);
    ng.extend(build::interface(Order::Little, 1, 0, &[]));
    ng.extend(build::enhanced(Order::Little, 0, 0, 1, b"abc"));
    for file in [classic, ng] {
        assert_eq!(read_bytes(&file, 1).0[0].wire_len, 3);
    }
}

#[test]
fn link_types_are_told_apart_and_the_fcs_bits_do_not_count() {
    for (number, link) in [
        (1, LinkType::Ethernet),
        (0x4400_0001, LinkType::Ethernet),
        (12, LinkType::Raw),
        (14, LinkType::Raw),
        (101, LinkType::Raw),
        (113, LinkType::LinuxSll),
        (276, LinkType::LinuxSll2),
    ] {
        let mut file = build::pcap(Order::Big, build::MICROS, number);
        file.extend(build::record(Order::Big, 0, 0, 1, b"x"));
        assert_eq!(read_bytes(&file, 1).0[0].link, link, "{number}");
    }
}

#[test]
fn pcapng_interfaces_have_their_own_link_type_and_clock_and_unknown_blocks_are_skipped() {
    for order in ORDERS {
        let mut file = build::section(order);
        file.extend(build::block(order, 0x0bad, &[1; 1000]));
        let nanos = build::option(order, 9, &[9]);
        let binary = build::option(order, 9, &[0x80 | 20]);
        let offset = build::option(order, 14, &order.u64(1_700_000_000));
        let comment = build::option(order, 1, b"hello");
        let end = build::option(order, 0, b"");
        file.extend(build::interface(order, 1, 0, &[]));
        file.extend(build::interface(order, 101, 65535, &[comment.clone(), nanos, end.clone()]));
        file.extend(build::interface(order, 113, 65535, &[binary, offset, end]));
        file.extend(build::enhanced(order, 0, 1_700_000_000_000_001, 60, b"abc"));
        file.extend(build::block(order, 5, &[0; 40]));
        file.extend(build::enhanced(order, 1, 1_700_000_000_000_000_001, 61, b"defg"));
        file.extend(build::enhanced(order, 2, 3 << 19, 62, b""));
        let (packets, problem) = read_bytes(&file, 2);
        assert_eq!(problem, None);
        let expected = [
            seen(b"abc", 60, 1_700_000_000_000_001_000, 6),
            Seen {
                link: LinkType::Raw,
                interface: InterfaceId(1),
                ..seen(b"defg", 61, 1_700_000_000_000_000_001, 9)
            },
            Seen {
                link: LinkType::LinuxSll,
                interface: InterfaceId(2),
                ..seen(b"", 62, 1_700_000_001_500_000_000, 7)
            },
        ];
        assert_eq!(packets, expected, "{order:?}");
    }
}

#[test]
fn sections_may_change_the_byte_order_and_count_their_interfaces_anew() {
    let mut file = Vec::new();
    for order in [Order::Little, Order::Big, Order::Little] {
        file.extend(build::section(order));
        file.extend(build::interface(order, 101, 0, &[]));
        file.extend(build::interface(order, 1, 0, &[]));
        file.extend(build::enhanced(order, 1, 5, 3, b"abc"));
    }
    let (packets, problem) = read_bytes(&file, 256);
    assert_eq!(problem, None);
    for (packet, id) in packets.iter().zip([1, 3, 5]) {
        assert_eq!(*packet, Seen { interface: InterfaceId(id), ..seen(b"abc", 3, 5_000, 6) });
    }
    assert_eq!(packets.len(), 3);
}

#[test]
fn simple_packets_are_cut_at_the_snap_length_and_get_the_time_before_them() {
    let order = Order::Little;
    let mut file = build::section(order);
    file.extend(build::interface(order, 1, 6, &[]));
    file.extend(build::simple(order, 3, b"abc"));
    file.extend(build::enhanced(order, 0, 7, 3, b"abc"));
    file.extend(build::simple(order, 1500, b"abcdef"));
    let expected =
        [seen(b"abc", 3, 0, 6), seen(b"abc", 3, 7_000, 6), seen(b"abcdef", 1500, 7_000, 6)];
    assert_eq!(read_bytes(&file, 256), (expected.to_vec(), None));
}

#[test]
fn obsolete_packet_blocks_are_read() {
    for order in ORDERS {
        let mut file = build::section(order);
        file.extend(build::interface(order, 1, 0, &[]));
        file.extend(build::obsolete(order, 0, 9, 1500, b"abcde"));
        assert_eq!(read_bytes(&file, 256), (vec![seen(b"abcde", 1500, 9_000, 6)], None));
    }
}

#[test]
fn packets_of_0_and_of_65535_bytes_and_of_the_most_there_is_come_whole() {
    let big: Vec<u8> = (0..262_144_u32).map(|i| i as u8).collect();
    for length in [0, 1, 13, 14, 65_535, 262_144] {
        let data = &big[..length];
        let mut classic = build::pcap(Order::Little, build::MICROS, 1);
        let mut ng = build::section(Order::Little);
        ng.extend(build::interface(Order::Little, 1, 0, &[]));
        for _ in 0..9 {
            classic.extend(build::record(Order::Little, 0, 0, length as u32, data));
            ng.extend(build::enhanced(Order::Little, 0, 0, length as u32, data));
        }
        for file in [classic, ng] {
            let (packets, problem) = read_bytes(&file, 4);
            assert_eq!(problem, None);
            assert_eq!(packets, vec![seen(data, length as u32, 0, 6); 9]);
        }
    }
}

#[test]
fn an_unknown_block_larger_than_the_buffer_is_skipped() {
    let order = Order::Little;
    let mut file = build::section(order);
    file.extend(build::interface(order, 1, 0, &[]));
    file.extend(build::block(order, 0x8000_0001, &vec![6; 3 << 20]));
    file.extend(build::enhanced(order, 0, 1, 3, b"abc"));
    for lengths in [vec![1 << 20], vec![0, 100_000], vec![33, 7777]] {
        let mut reader = Reader::from_stream("FILE", Trickle::new(file.clone(), lengths)).unwrap();
        let (packets, end) = read_all(&mut reader, 256);
        end.unwrap();
        assert_eq!(packets, [seen(b"abc", 3, 1_000, 6)]);
        assert_eq!(reader.offset(), file.len() as u64);
    }
}

#[test]
fn a_batch_ends_early_rather_than_wait_once_it_has_a_packet() {
    let order = Order::Little;
    let mut file = build::pcap(order, build::MICROS, 1);
    let header = file.len();
    for _ in 0..3 {
        file.extend(build::record(order, 0, 0, 4, b"abcd"));
    }
    // The header and half a record; nothing; the rest of that record and one more; nothing; the rest.
    let lengths = vec![header + 10, 0, 30, 0, 1000];
    let mut reader = Reader::from_stream("FILE", Trickle::new(file, lengths)).unwrap();
    use super::super::Batch::{Blocked, End, Packets};
    for expected in [Blocked, Packets(2), Blocked, Packets(1), End, End] {
        assert_eq!(reader.next_batch(256, |_| ()).unwrap(), expected);
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_ends_and_one_that_grows_goes_on() {
    use std::fs::OpenOptions;
    use std::io::Write;
    let path = std::env::temp_dir().join(format!("peloton-changing-{}.pcap", std::process::id()));
    let mut file = build::pcap(Order::Little, build::MICROS, 1);
    let record = build::record(Order::Little, 0, 0, 1000, &[0; 1000]);
    for _ in 0..3000 {
        file.extend(&record);
    }
    std::fs::write(&path, &file).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.size(), Some(file.len() as u64));
    reader.next_batch(1, |_| ()).unwrap();
    let half = 24 + 2000 * 1016 + 500;
    OpenOptions::new().write(true).open(&path).unwrap().set_len(half).unwrap();
    let (packets, end) = read_all(&mut reader, 256);
    assert_eq!(packets.len(), 1999);
    let error = end.unwrap_err();
    assert!(error.is_cut_tail(), "{error}");

    std::fs::write(&path, &file[..24 + 1016 + 10]).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    reader.next_batch(256, |_| ()).unwrap();
    let mut more = OpenOptions::new().append(true).open(&path).unwrap();
    more.write_all(&record[10..]).unwrap();
    let (packets, end) = read_all(&mut reader, 256);
    end.unwrap();
    assert_eq!(packets.len(), 1);
    std::fs::remove_file(&path).unwrap();
}
