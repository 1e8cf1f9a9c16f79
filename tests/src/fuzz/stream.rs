//! A stream that gives its bytes in small and uneven pieces, and sometimes has none for the moment.

use std::io::{self, ErrorKind, Read};

/// Lengths of the pieces, over and over; 0 stands for "would block".
const PIECES: [usize; 9] = [1, 3, 0, 64, 5, 0, 700, 15, 16];

/// The bytes of `data` in pieces.
pub(super) struct Trickle {
    data: Vec<u8>,
    at: usize,
    turn: usize,
    blocks: bool,
}

impl Trickle {
    /// A stream that never blocks, as a file or a pipe with a patient reader.
    pub(super) fn patient(data: &[u8]) -> Self {
        Self { data: data.to_vec(), at: 0, turn: 0, blocks: false }
    }

    /// A stream that says now and then that there is nothing yet.
    pub(super) fn blocking(data: &[u8]) -> Self {
        Self { blocks: true, ..Self::patient(data) }
    }

    /// How often a reader can be told to come back before the end.
    pub(super) fn most_blocks(data: &[u8]) -> usize {
        // Any two pieces in a row have at least one byte.
        data.len() + 2
    }
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = PIECES[self.turn % PIECES.len()];
        self.turn += 1;
        if piece == 0 && self.blocks {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = piece.max(1).min(buffer.len()).min(self.data.len() - self.at);
        buffer[..n].copy_from_slice(&self.data[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
