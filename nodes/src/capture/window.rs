//! The part of the input that is in memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

/// Bytes of the buffer, and the most that one record or block may take. Several times the longest packet, so that
/// moving a cut record to the front is rare and short.
pub(super) const WINDOW: usize = 1 << 20;

/// Bytes asked of the system at once: large enough that the call costs nothing a packet, small enough that what the
/// kernel copies is still in the second-level cache when the packets are read.
const BLOCK: usize = 128 << 10;

/// Bytes of a cache line.
const ALIGNMENT: usize = 64;

/// Where the bytes come from.
pub(super) enum Input {
    /// A file, a pipe or a device.
    File(File),
    /// Anything else.
    Stream(Box<dyn Read + Send>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stream(stream) => stream.read(buffer),
        }
    }
}

/// What became of a wish for more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// They are there.
    Ready,
    /// The input has none at the moment, or a signal interrupted the wait.
    Blocked,
    /// The input ended before.
    End,
    /// The input ended within a skipped stretch of `total` bytes, of which `found` were there.
    EndInSkipped { total: u64, found: u64 },
}

/// A buffer that slides over the input.
pub(super) struct Window {
    input: Input,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes of the input before `start`.
    offset: u64,
    skip: Skip,
}

/// A stretch of input to be passed over, which may be longer than the buffer.
#[derive(Clone, Copy, Default)]
struct Skip {
    total: u64,
    left: u64,
}

impl Window {
    pub(super) fn new(input: Input) -> Self {
        let buffer = vec![0; WINDOW + ALIGNMENT].into_boxed_slice();
        Self { input, buffer, start: 0, end: 0, offset: 0, skip: Skip::default() }
    }

    pub(super) const fn input(&self) -> &Input {
        &self.input
    }

    /// The bytes that are in memory and not consumed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Bytes of the input before [`Self::bytes`].
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Drops the first `count` bytes, of which there are at least so many.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Passes over `count` bytes, those in memory now and the rest when [`Self::fill`] runs.
    pub(super) fn skip(&mut self, count: u64) {
        self.skip = Skip { total: count, left: count };
        self.skip_buffered();
    }

    /// Whether a skipped stretch is not behind us yet.
    pub(super) const fn is_skipping(&self) -> bool {
        self.skip.left > 0
    }

    fn skip_buffered(&mut self) {
        let count = self.skip.left.min((self.end - self.start) as u64);
        self.skip.left -= count;
        self.consume(count as usize);
    }

    /// Moves what is in memory to the front, so that what the system adds begins at a multiple of [`ALIGNMENT`]: its
    /// copy is slower elsewhere.
    fn compact(&mut self) {
        let have = self.end - self.start;
        let front = (self.buffer.as_ptr().addr() + have).wrapping_neg() % ALIGNMENT;
        self.buffer.copy_within(self.start..self.end, front);
        (self.start, self.end) = (front, front + have);
    }

    /// Reads until what is to be skipped is behind and `need` bytes, at most [`WINDOW`], are in memory.
    pub(super) fn fill(&mut self, need: usize) -> io::Result<Fill> {
        debug_assert!(need <= WINDOW);
        loop {
            self.skip_buffered();
            if !self.is_skipping() && self.end - self.start >= need {
                return Ok(Fill::Ready);
            }
            self.compact();
            // There is room: a skip leaves nothing behind, and what is there is less than what is needed.
            let room = (self.end + BLOCK).max(self.start + need).min(self.buffer.len());
            match self.input.read(&mut self.buffer[self.end..room]) {
                Ok(0) if self.is_skipping() => {
                    let Skip { total, left } = self.skip;
                    return Ok(Fill::EndInSkipped { total, found: total - left });
                }
                Ok(0) => return Ok(Fill::End),
                Ok(count) => self.end += count,
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    return Ok(Fill::Blocked);
                }
                Err(e) => return Err(e),
            }
        }
    }
}
