//! A capture without end, from memory.

use std::io::{self, Read};

/// Bytes of a record: header and packet.
const RECORD: usize = 16 + 60;

/// A pcap file of UDP packets of 60 bytes, of a number of flows in turn and a microsecond apart. Gives its bytes in
/// blocks, and allocates nothing.
pub struct Endless {
    header: Option<[u8; 24]>,
    flows: u32,
    next: u64,
    left: u64,
    record: [u8; RECORD],
    given: usize,
}

impl Endless {
    /// `packets` packets of `flows` flows.
    #[must_use]
    pub fn new(flows: u32, packets: u64) -> Self {
        let mut header = [0; 24];
        header[..8].copy_from_slice(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        header[16..].copy_from_slice(&[0xff, 0xff, 0, 0, 1, 0, 0, 0]);
        Self {
            header: Some(header),
            flows,
            next: 0,
            left: packets,
            record: [0; RECORD],
            given: RECORD,
        }
    }

    fn build(&mut self) {
        let flow = (self.next % u64::from(self.flows)) as u32;
        let (seconds, micros) = (1_700_000_000 + self.next / 1_000_000, self.next % 1_000_000);
        let record = &mut self.record;
        record[..4].copy_from_slice(&(seconds as u32).to_le_bytes());
        record[4..8].copy_from_slice(&(micros as u32).to_le_bytes());
        (record[8], record[12]) = (60, 60);
        let packet = &mut record[16..];
        packet[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
        packet[12..18].copy_from_slice(&[8, 0, 0x45, 0, 0, 46]);
        (packet[22], packet[23], packet[39]) = (64, 17, 26);
        packet[26..30].copy_from_slice(&(0x0a00_0000 + flow).to_be_bytes());
        packet[30..34].copy_from_slice(&[198, 18, 0, 1]);
        packet[34..38].copy_from_slice(&[4, 0, 0, 53]);
        self.next += 1;
        self.given = 0;
    }
}

impl Read for Endless {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if let Some(header) = self.header.take() {
            let n = room.len().min(header.len());
            room[..n].copy_from_slice(&header[..n]);
            assert_eq!(n, header.len(), "the reader asks for blocks");
            return Ok(n);
        }
        let mut filled = 0;
        while filled < room.len() {
            if self.given == RECORD {
                if self.left == 0 {
                    break;
                }
                self.left -= 1;
                self.build();
            }
            let n = (RECORD - self.given).min(room.len() - filled);
            room[filled..filled + n].copy_from_slice(&self.record[self.given..self.given + n]);
            self.given += n;
            filled += n;
        }
        Ok(filled)
    }
}
