//! A packet of which others are copies.

use super::{Buffer, BufferFlags, DATA_SIZE};
use crate::{interface::SwIfIndex, runtime::PacketTime};

/// What is noted on the copies of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notes {
    /// Interface that receives them.
    pub rx: SwIfIndex,
    /// Interface that is to send them, or the forwarding table to use, or [`SwIfIndex::NONE`].
    pub tx: SwIfIndex,
    /// Their flags; that of a chain is the framework's and is left out.
    pub flags: BufferFlags,
    /// Kind of their outermost header.
    pub link_type: u16,
    /// When they are seen.
    pub time: PacketTime,
    /// Their first [`Buffer::opaque`].
    pub opaque: u32,
}

/// The bytes and the metadata of a packet of one buffer, of which a generator makes copies. A copy costs whole cache lines: the
/// first one of the metadata, and those of the bytes.
pub struct Template {
    packet: Box<Buffer>,
    lines: usize,
}

impl Template {
    /// Packets with the bytes `bytes`, or as many of them as fit one buffer.
    #[must_use]
    pub fn new(bytes: &[u8], notes: &Notes) -> Self {
        let mut packet = Box::new(Buffer::empty());
        let length = packet.append(bytes);
        packet.wire_length = bytes.len() as u32;
        let mut template = Self { packet, lines: length.div_ceil(64) };
        template.note(notes);
        template
    }

    /// Changes what is noted on the copies made from now on.
    #[inline]
    pub fn note(&mut self, notes: &Notes) {
        let Notes { rx, tx, flags, link_type, time, opaque } = *notes;
        self.packet.rx = rx;
        self.packet.tx = tx;
        self.packet.clear_flags(BufferFlags::all());
        self.packet.set_flags(flags);
        self.packet.link_type = link_type;
        self.packet.time = time;
        self.packet.opaque[0] = opaque;
    }

    pub(super) fn head(&mut self) -> [u8; 64] {
        self.packet.head()
    }

    pub(super) fn lines(&mut self) -> &[[u8; 64]] {
        let (lines, _) = self.packet.data_mut().as_chunks();
        &lines[..self.lines.min(DATA_SIZE / 64)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::{BufferPool, Magazine},
        frame::Frame,
    };

    #[test]
    fn copies_have_the_bytes_and_the_notes_and_nothing_of_the_buffers_past() {
        let pool = BufferPool::new(4).unwrap();
        let mut magazine = Magazine::new(pool);
        let base = magazine.base();
        let mut frame = Frame::new();
        let notes = Notes {
            rx: SwIfIndex(3),
            tx: SwIfIndex::NONE,
            flags: BufferFlags::FLOW_REPORT | BufferFlags::NEXT_PRESENT,
            link_type: 7,
            time: PacketTime(99),
            opaque: 5,
        };
        for length in [0, 1, 60, 64, 65, 1500, DATA_SIZE, DATA_SIZE + 1] {
            frame.fill_from(&mut magazine, 4);
            let mut buffers = frame.buffers(base);
            for buffer in buffers.iter_mut() {
                assert_eq!(buffer.append(&[0xee; 2048]), 2048);
                assert!(buffer.push(100));
                (buffer.feature, buffer.l3_offset) = (9, 9);
            }
            assert!(magazine.append_chain(buffers.get(0).unwrap(), &[]));
            frame.free_from(&mut magazine, 0);
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut template = Template::new(&bytes, &notes);
            assert_eq!(frame.copies_from(&mut magazine, &mut template, 9), 4);
            for buffer in frame.buffers(base).iter_mut() {
                assert_eq!(buffer.current(), &bytes[..length.min(DATA_SIZE)]);
                assert_eq!((buffer.rx, buffer.tx), (notes.rx, notes.tx));
                assert_eq!(buffer.flags(), BufferFlags::FLOW_REPORT);
                assert_eq!((buffer.link_type, buffer.time), (7, PacketTime(99)));
                assert_eq!((buffer.opaque[0], buffer.wire_length), (5, length as u32));
                assert_eq!((buffer.feature, buffer.l3_offset), (0, 0));
            }
            frame.free_from(&mut magazine, 0);
        }
    }
}
