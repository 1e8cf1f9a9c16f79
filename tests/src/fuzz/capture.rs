//! The reader of pcap and pcapng.

use std::io::{Cursor, Read};

use nodes::capture::{Batch, InterfaceId, MAX_CAPTURED, Packet, Reader};
use vnet::{runtime::PacketTime, wire::link::LinkType};

use super::stream::Trickle;

/// Bytes of the shortest record of any format: a classic record without data.
const LEAST_RECORD: usize = 16;

/// Reading ends, and what it delivers depends neither on the size of batches nor on how the input arrives.
pub fn capture(data: &[u8]) {
    let whole = read(data, Cursor::new(data.to_vec()), 256);
    for batch in [1, 7] {
        let other = read(data, Cursor::new(data.to_vec()), batch);
        assert_eq!(other, whole, "in batches of {batch}");
    }
    assert_eq!(read(data, Trickle::patient(data), 256), whole, "in pieces");
    assert_eq!(read(data, Trickle::blocking(data), 7), whole, "in pieces with pauses");
}

/// All that a packet says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    wire_len: u32,
    time: PacketTime,
    digits: u8,
    link: LinkType,
    interface: InterfaceId,
}

impl Seen {
    fn of(packet: &Packet<'_>) -> Self {
        let Packet { data, wire_len, time, digits, link, interface } = *packet;
        assert!(data.len() <= MAX_CAPTURED as usize && data.len() <= wire_len as usize);
        assert!(digits <= 9, "{digits} digits");
        Self { data: data.to_vec(), wire_len, time, digits, link, interface }
    }
}

/// The packets, and the text of the defect that ended them.
fn read(
    data: &[u8],
    stream: impl Read + Send + 'static,
    batch: usize,
) -> (Vec<Seen>, Option<String>) {
    let mut packets = Vec::new();
    let mut reader = match Reader::from_stream("FILE", stream) {
        Ok(reader) => reader,
        Err(error) => return (packets, Some(described(&error.to_string()))),
    };
    let mut blocked = 0;
    let error = loop {
        let before = packets.len();
        match reader.next_batch(batch, |packet| packets.push(Seen::of(&packet))) {
            Ok(Batch::Packets(n)) => {
                assert_eq!(n, packets.len() - before);
                assert!((1..=batch).contains(&n), "{n} packets in a batch of {batch}");
            }
            Ok(Batch::Blocked) => {
                blocked += 1;
                assert!(blocked <= Trickle::most_blocks(data), "blocked more often than told");
            }
            Ok(Batch::End) => break None,
            Err(error) => break Some(described(&error.to_string())),
        }
        assert!(packets.len() * LEAST_RECORD <= data.len(), "more packets than fit the file");
    };
    assert!(reader.offset() <= data.len() as u64);
    assert!(matches!(reader.next_batch(batch, |_| unreachable!()), Ok(Batch::End)));
    (packets, error)
}

/// `error`, which names the file.
fn described(error: &str) -> String {
    assert!(error.contains("FILE"), "{error}");
    error.to_owned()
}
