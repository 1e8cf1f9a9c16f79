//! Files made by hand, files made by others, and files that are broken.

mod build;
mod defects;
mod formats;
mod oracle;
mod properties;
mod writing;

use std::io::{self, Read};

use vnet::runtime::PacketTime;

use super::{Batch, InterfaceId, ReadError, Reader};
use vnet::wire::link::LinkType;

/// A packet that was read, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    wire_len: u32,
    time: PacketTime,
    digits: u8,
    link: LinkType,
    interface: InterfaceId,
}

/// Everything that `reader` delivers in batches of `max`, and how it ended.
fn read_all(reader: &mut Reader, max: usize) -> (Vec<Seen>, Result<(), ReadError>) {
    let mut seen = Vec::new();
    loop {
        let before = seen.len();
        let batch = reader.next_batch(max, |p| {
            seen.push(Seen {
                data: p.data.to_vec(),
                wire_len: p.wire_len,
                time: p.time,
                digits: p.digits,
                link: p.link,
                interface: p.interface,
            });
        });
        match batch {
            Ok(Batch::Packets(count)) => {
                assert!((1..=max).contains(&count));
                assert_eq!(seen.len(), before + count);
            }
            Ok(Batch::Blocked) => {}
            Ok(Batch::End) => return (seen, Ok(())),
            Err(error) => {
                assert_eq!(reader.next_batch(max, |_| ()).unwrap(), Batch::End);
                return (seen, Err(error));
            }
        }
    }
}

/// The packets of a file's bytes, and the text of what is wrong with it.
fn read_bytes(bytes: &[u8], max: usize) -> (Vec<Seen>, Option<String>) {
    match Reader::from_stream("FILE", io::Cursor::new(bytes.to_vec())) {
        Ok(mut reader) => {
            let (seen, end) = read_all(&mut reader, max);
            (seen, end.err().map(|e| e.to_string()))
        }
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

/// Gives its bytes a few at a time, in a pattern of lengths; a length of 0 is a call that would block.
struct Trickle {
    bytes: io::Cursor<Vec<u8>>,
    lengths: Vec<usize>,
    calls: usize,
}

impl Trickle {
    fn new(bytes: Vec<u8>, lengths: Vec<usize>) -> Self {
        Self { bytes: io::Cursor::new(bytes), lengths, calls: 0 }
    }
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.lengths[self.calls % self.lengths.len()];
        self.calls += 1;
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = length.min(buffer.len());
        self.bytes.read(&mut buffer[..length])
    }
}
