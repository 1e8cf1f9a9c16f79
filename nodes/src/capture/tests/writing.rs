//! What is written can be read, and what cannot be written is said.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use vnet::runtime::PacketTime;

use super::super::{Precision, Stored, Writer, WriterOptions};
use super::read_bytes;
use vnet::wire::link::LinkType;

const OPTIONS: WriterOptions = WriterOptions {
    link: LinkType::Ethernet,
    precision: Precision::Nanos,
    snaplen: 65_535,
    max_packets: None,
};

/// An output whose bytes can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let out = Shared::default();
    let options = WriterOptions { precision: Precision::Micros, snaplen: 5, ..OPTIONS };
    let mut writer = Writer::to_stream("OUT", out.clone(), options);
    let parts: [&[u8]; 3] = [b"abc", b"", b"defg"];
    writer.write(PacketTime(72_623_859_706_409_536), 1500, parts).unwrap();
    assert_eq!(writer.finish().unwrap(), 1);
    let expected = [
        &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0][..],
        &72_623_859_u32.to_le_bytes(),
        &706_409_u32.to_le_bytes(),
        &[5, 0, 0, 0, 0xdc, 5, 0, 0],
        b"abcde",
    ];
    assert_eq!(out.bytes(), expected.concat());
}

#[test]
fn what_was_written_is_read_back() {
    for (precision, step, digits) in [(Precision::Micros, 1000, 6), (Precision::Nanos, 1, 9)] {
        for link in [LinkType::Ethernet, LinkType::Raw, LinkType::LinuxSll, LinkType::LinuxSll2] {
            let out = Shared::default();
            let options = WriterOptions { precision, link, ..OPTIONS };
            let mut writer = Writer::to_stream("OUT", out.clone(), options);
            let data = [0x5a; 65_535];
            for i in 0..40_u64 {
                let data = &data[..(i * i * i) as usize % 65_536];
                let time = PacketTime(1_700_000_000_123_456_789 + i);
                assert_eq!(writer.write(time, 70_000, [data]).unwrap(), Stored::Yes);
            }
            writer.finish().unwrap();
            let (seen, problem) = read_bytes(&out.bytes(), 256);
            assert_eq!(problem, None);
            assert_eq!(seen.len(), 40);
            for (i, packet) in (0..40_u64).zip(&seen) {
                assert_eq!(packet.data.len(), (i * i * i) as usize % 65_536);
                assert_eq!(packet.time.0, (1_700_000_000_123_456_789 + i) / step * step);
                assert_eq!((packet.digits, packet.link, packet.wire_len), (digits, link, 70_000));
            }
        }
    }
}

#[test]
fn a_full_capture_takes_no_more_and_says_so() {
    let out = Shared::default();
    let options = WriterOptions { max_packets: Some(2), ..OPTIONS };
    let mut writer = Writer::to_stream("OUT", out.clone(), options);
    let stored: Vec<Stored> =
        (0..3).map(|_| writer.write(PacketTime(0), 4, [&b"abcd"[..]]).unwrap()).collect();
    assert_eq!(stored, [Stored::Yes, Stored::Yes, Stored::Full]);
    assert_eq!(writer.packets(), 2);
    writer.finish().unwrap();
    assert_eq!(read_bytes(&out.bytes(), 256).0.len(), 2);
}

#[test]
fn times_beyond_the_format_become_its_last_second() {
    let out = Shared::default();
    let mut writer = Writer::to_stream("OUT", out.clone(), OPTIONS);
    writer.write(PacketTime(u64::MAX), 0, []).unwrap();
    writer.finish().unwrap();
    assert_eq!(read_bytes(&out.bytes(), 1).0[0].time.0 / 1_000_000_000, u64::from(u32::MAX));
}

#[test]
fn a_full_disk_is_an_error_with_the_path() {
    let mut writer = Writer::create(Path::new("/dev/full"), OPTIONS).unwrap();
    writer.write(PacketTime(0), 4, [&b"abcd"[..]]).unwrap();
    let said = writer.finish().unwrap_err().to_string();
    assert!(said.starts_with("/dev/full: cannot write: No space left on device"), "{said}");
}

#[test]
fn a_closed_pipe_is_an_error_while_packets_are_written() {
    let (reader, pipe) = io::pipe().unwrap();
    drop(reader);
    let mut writer = Writer::to_stream("PIPE", pipe, OPTIONS);
    let data = [0; 1000];
    let error = (0..100).find_map(|_| writer.write(PacketTime(0), 1000, [&data[..]]).err());
    assert!(error.unwrap().to_string().starts_with("PIPE: cannot write: Broken pipe"));
}

#[test]
fn nothing_that_exists_is_replaced_by_create_new() {
    let path = std::env::temp_dir().join(format!("peloton-existing-{}.pcap", std::process::id()));
    Writer::create_new(&path, OPTIONS).unwrap().finish().unwrap();
    let said = Writer::create_new(&path, OPTIONS).err().unwrap().to_string();
    assert!(said.contains("cannot create: File exists"), "{said}");
    std::fs::remove_file(&path).unwrap();
    let said = Writer::create(Path::new("/nowhere/x.pcap"), OPTIONS).err().unwrap().to_string();
    assert!(said.starts_with("/nowhere/x.pcap: cannot create: No such file"), "{said}");
}

#[test]
fn a_writer_that_is_dropped_still_writes_what_it_has() {
    let out = Shared::default();
    let mut writer = Writer::to_stream("OUT", out.clone(), OPTIONS);
    writer.write(PacketTime(0), 4, [&b"abcd"[..]]).unwrap();
    drop(writer);
    assert_eq!(read_bytes(&out.bytes(), 1).0.len(), 1);
}
