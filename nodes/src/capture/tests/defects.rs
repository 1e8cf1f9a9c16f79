//! What the formats do not allow is named, with its place, after all packets before it.

use std::path::Path;

use super::super::Reader;
use super::build::{self, Order};
use super::read_bytes;

const LE: Order = Order::Little;

fn classic(records: &[Vec<u8>]) -> Vec<u8> {
    let mut file = build::pcap(LE, build::MICROS, 1);
    file.extend(records.concat());
    file
}

fn ng(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut file = build::section(LE);
    file.extend(build::interface(LE, 1, 0, &[]));
    file.extend(blocks.concat());
    file
}

fn patched(mut bytes: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// A file, how many packets it gives, and what is said about its end.
fn check(file: &[u8], packets: usize, problem: &str) {
    for max in [1, 256] {
        let (seen, said) = read_bytes(file, max);
        assert_eq!(said.as_deref(), Some(problem));
        assert_eq!(seen.len(), packets, "{problem}");
    }
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    check(b"", 0, "FILE: offset 0: the file is empty, a pcap or pcapng header was expected");
    check(b"abc", 0, "FILE: offset 0: the file header takes 4 bytes, 3 remain");
    check(
        b"abcdefgh",
        0,
        "FILE: offset 0: the file begins with [61, 62, 63, 64], which is neither pcap nor pcapng",
    );
    check(
        &[0x1f, 0x8b, 8, 0, 0, 0],
        0,
        "FILE: offset 0: the file is packed with gzip; unpack it first",
    );
    check(&classic(&[])[..23], 0, "FILE: offset 0: the file header takes 24 bytes, 23 remain");
    check(
        &patched(classic(&[]), 4, 0x0004_0003),
        0,
        "FILE: offset 0: pcap version 3.4 is not read, 2.4 is",
    );
    check(
        &build::pcap(LE, build::MICROS, 105),
        0,
        "FILE: offset 0: link type 105 (IEEE802_11) is not read; Ethernet (1), RAW (101), LINUX_SLL (113) and \
         LINUX_SLL2 (276) are",
    );
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let said = |path: &str| Reader::open(Path::new(path)).err().unwrap().to_string();
    assert!(said("/nowhere/x.pcap").starts_with("/nowhere/x.pcap: No such file"));
    assert!(said("/").starts_with("/: offset 0: Is a directory"));
}

#[test]
fn a_cut_tail_says_what_is_missing() {
    let record = build::record(LE, 0, 0, 100, &[7; 100]);
    let whole = classic(&[record.clone(), record]);
    let second = 24 + 116;
    check(
        &whole[..second + 5],
        1,
        "FILE: offset 140: a packet or block header takes 16 bytes, 5 remain",
    );
    check(
        &whole[..second + 16 + 33],
        1,
        "FILE: offset 140: packet header promises 100 bytes, 33 remain",
    );
    let whole = ng(&[build::enhanced(LE, 0, 0, 4, b"abcd"), build::enhanced(LE, 0, 0, 4, b"abcd")]);
    check(
        &whole[..28 + 20 + 36 + 11],
        1,
        "FILE: offset 84: a packet or block header takes 12 bytes, 11 remain",
    );
    check(
        &whole[..28 + 20 + 36 + 35],
        1,
        "FILE: offset 84: block header promises 36 bytes, 35 remain",
    );
    let mut whole = ng(&[build::enhanced(LE, 0, 0, 4, b"abcd")]);
    whole.extend(&build::block(LE, 77, &vec![0; 2 << 20])[..(2 << 20)]);
    check(&whole, 1, "FILE: offset 84: block header promises 2097164 bytes, 2097152 remain");
}

#[test]
fn lying_captured_lengths_end_the_reading() {
    let good = build::record(LE, 0, 0, 4, b"abcd");
    for length in [262_145, 0x7fff_ffff, u32::MAX] {
        let bad = patched(good.clone(), 8, length);
        check(
            &classic(&[good.clone(), bad, good.clone()]),
            1,
            &format!(
                "FILE: offset 44: packet header promises {length} bytes, more than the 262144 that a packet may have"
            ),
        );
    }
    let good = build::enhanced(LE, 0, 0, 4, b"abcd");
    check(
        &ng(&[good.clone(), patched(good.clone(), 20, 5)]),
        1,
        "FILE: offset 84: packet header promises 5 bytes, its block has room for 4",
    );
    check(
        &ng(&[good.clone(), patched(good, 20, u32::MAX)]),
        1,
        "FILE: offset 84: packet header promises 4294967295 bytes, more than the 262144 that a packet may have",
    );
}

#[test]
fn absurd_block_lengths_end_the_reading() {
    let good = build::enhanced(LE, 0, 0, 4, b"abcd");
    for length in [0, 4, 28, 37, (1 << 20) + 4, u32::MAX] {
        check(
            &ng(&[good.clone(), patched(good.clone(), 4, length)]),
            1,
            &format!(
                "FILE: offset 84: block of type 0x6 has a total length of {length}, expected a multiple of 4 from 32 \
                 to 1048576"
            ),
        );
    }
    let other = build::block(LE, 9999, b"abcd");
    check(
        &ng(&[good.clone(), patched(other.clone(), 4, 8)]),
        1,
        "FILE: offset 84: block of type 0x270f has a total length of 8, expected a multiple of 4 from 12 to 4294967295",
    );
    check(
        &ng(&[good.clone(), patched(other, 4, u32::MAX - 3)]),
        1,
        "FILE: offset 84: block header promises 4294967292 bytes, 16 remain",
    );
    check(
        &ng(&[good.clone(), patched(good, 32, 40)]),
        1,
        "FILE: offset 84: block gives its total length as 36 in front and as 40 at its end",
    );
}

#[test]
fn what_a_section_does_not_say_is_missed() {
    check(
        &patched(build::section(LE), 8, 0x1234),
        0,
        "FILE: offset 0: byte-order magic of the section is 0x00001234, expected 0x1a2b3c4d in either order",
    );
    check(
        &patched(build::section(LE), 12, 2),
        0,
        "FILE: offset 0: pcapng version 2.0 is not read, 1.0 is",
    );
    check(
        &ng(&[build::enhanced(LE, 1, 0, 0, b"")]),
        0,
        "FILE: offset 48: packet of interface 1, but the section has described 1 so far",
    );
    let mut file = build::section(LE);
    file.extend(build::simple(LE, 0, b""));
    check(
        &file,
        0,
        "FILE: offset 28: packet of interface 0, but the section has described 0 so far",
    );
    let options = [build::option(LE, 9, b"")];
    check(
        &ng(&[build::interface(LE, 1, 0, &options)]),
        0,
        "FILE: offset 48: option 9 has 0 bytes, expected 1",
    );
    let options = [build::option(LE, 14, b"abcd")];
    check(
        &ng(&[build::interface(LE, 1, 0, &options)]),
        0,
        "FILE: offset 48: option 14 has 4 bytes, expected 8",
    );
    let options = [vec![1, 0, 200, 0]];
    check(
        &ng(&[build::interface(LE, 1, 0, &options)]),
        0,
        "FILE: offset 48: option 1 has 200 bytes, expected no more than its block has",
    );
}

#[test]
fn an_interface_that_is_not_read_matters_only_once_it_has_a_packet() {
    let wifi = build::interface(LE, 105, 0, &[]);
    let good = build::enhanced(LE, 0, 0, 4, b"abcd");
    let (seen, problem) = read_bytes(&ng(&[wifi.clone(), good.clone()]), 256);
    assert_eq!((seen.len(), problem), (1, None));
    check(
        &ng(&[wifi, good, build::enhanced(LE, 1, 0, 4, b"abcd")]),
        1,
        "FILE: offset 104: link type 105 (IEEE802_11) is not read; Ethernet (1), RAW (101), LINUX_SLL (113) and \
         LINUX_SLL2 (276) are",
    );
}

#[test]
fn an_endless_list_of_interfaces_is_refused() {
    let one = build::interface(LE, 1, 0, &[]);
    check(
        &ng(&vec![one; 65_536]),
        0,
        "FILE: offset 1310748: the section describes more than 65536 interfaces",
    );
}
