//! The reader: input, format and packets in order.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::packet::{Decode, Packet, Step};
use super::pcap::{FILE_HEADER, Pcap};
use super::pcapng::PcapNg;
use super::window::{Fill, Input, Window};
use super::{Defect, ReadError};

/// What [`Reader::next_batch`] delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// So many packets, at least one.
    Packets(usize),
    /// None yet: the input would block, or a signal interrupted the wait. Call again.
    Blocked,
    /// None, and none will come.
    End,
}

/// Reads one capture, from a file, a pipe or anything that is [`Read`].
pub struct Reader {
    file: String,
    window: Window,
    state: State,
}

enum State {
    /// The file header has not been read.
    New,
    Pcap(Pcap),
    PcapNg(PcapNg),
    /// Behind the last packet, or behind an error that was reported.
    Ended,
}

/// Why a run over the bytes in memory stopped.
enum Stop {
    /// The batch is full, or input is needed and packets need not wait for it.
    Batch,
    /// This many bytes are needed.
    Need(usize),
    Defect(Defect),
}

impl Reader {
    /// Opens `path`; `-` is standard input. Waits until the file header is there.
    ///
    /// # Errors
    /// What the system says, or what is wrong with the file header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let (name, file) = if path == Path::new("-") {
            let own = io::stdin().as_fd().try_clone_to_owned();
            ("standard input".to_owned(), own.map(File::from))
        } else {
            (path.display().to_string(), File::open(path))
        };
        match file {
            Ok(file) => Self::begin(name, Input::File(file)),
            Err(source) => Err(ReadError::Open { file: name, source }),
        }
    }

    /// Reads from `stream`, which errors call `name`. Waits until the file header is there, unless the stream would
    /// block.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_stream(
        name: impl Into<String>,
        stream: impl Read + Send + 'static,
    ) -> Result<Self, ReadError> {
        Self::begin(name.into(), Input::Stream(Box::new(stream)))
    }

    fn begin(file: String, input: Input) -> Result<Self, ReadError> {
        let mut reader = Self { file, window: Window::new(input), state: State::New };
        // When the input blocks, the next batch begins with the header.
        reader.detect()?;
        Ok(reader)
    }

    /// Hands up to `max` packets (at least 1) to `take`, in the file's order. Once there is a packet, a batch ends
    /// early rather than wait for input.
    ///
    /// # Errors
    /// What the system says, or the first defect of the file, once and after all packets before it. Then follows
    /// [`Batch::End`].
    pub fn next_batch(
        &mut self,
        max: usize,
        mut take: impl FnMut(Packet<'_>),
    ) -> Result<Batch, ReadError> {
        if matches!(self.state, State::New) && self.detect()? == Fill::Blocked {
            return Ok(Batch::Blocked);
        }
        let max = max.max(1);
        loop {
            let mut count = 0;
            let stop = match &mut self.state {
                State::New | State::Ended => return Ok(Batch::End),
                State::Pcap(format) => run(format, &mut self.window, max, &mut count, &mut take),
                State::PcapNg(format) => run(format, &mut self.window, max, &mut count, &mut take),
            };
            // What stopped the run is found again by the next one.
            if count > 0 {
                return Ok(Batch::Packets(count));
            }
            match stop {
                Stop::Batch => {}
                Stop::Defect(defect) => return Err(self.fail(0, defect)),
                Stop::Need(need) => match self.fill(need)? {
                    Fill::Ready => {}
                    Fill::Blocked => return Ok(Batch::Blocked),
                    Fill::End => return self.end(),
                    Fill::EndInSkipped { total, found } => {
                        let promised = u32::try_from(total).unwrap_or(u32::MAX);
                        return Err(self.fail(found, Defect::CutBlock { promised, remain: found }));
                    }
                },
            }
        }
    }

    /// The name by which errors call the input.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file
    }

    /// Bytes of the input before the next packet.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// The input's size in bytes at this moment, where it is a regular file.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self.window.input() {
            Input::File(file) => file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len()),
            Input::Stream(_) => None,
        }
    }

    /// The input's descriptor, to wait for its readiness.
    #[must_use]
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self.window.input() {
            Input::File(file) => Some(file.as_fd()),
            Input::Stream(_) => None,
        }
    }

    fn detect(&mut self) -> Result<Fill, ReadError> {
        let fill = self.fill(4)?;
        let Some(&magic) = self.window.bytes().first_chunk() else {
            let remain = self.window.bytes().len() as u64;
            return match fill {
                Fill::Blocked => Ok(fill),
                _ if remain == 0 => Err(self.fail(0, Defect::Empty)),
                _ => Err(self.fail(0, Defect::CutFileHeader { expected: 4, remain })),
            };
        };
        if PcapNg::recognises(magic) {
            self.state = State::PcapNg(PcapNg::new());
            return Ok(Fill::Ready);
        }
        if !Pcap::recognises(magic) {
            return Err(self.fail(0, unknown(magic)));
        }
        let fill = self.fill(FILE_HEADER)?;
        let Some(header) = self.window.bytes().first_chunk() else {
            let remain = self.window.bytes().len() as u64;
            return match fill {
                Fill::Blocked => Ok(fill),
                _ => {
                    let expected = FILE_HEADER as u32;
                    Err(self.fail(0, Defect::CutFileHeader { expected, remain }))
                }
            };
        };
        match Pcap::from_file_header(header) {
            Ok(format) => {
                self.state = State::Pcap(format);
                self.window.consume(FILE_HEADER);
                Ok(Fill::Ready)
            }
            Err(defect) => Err(self.fail(0, defect)),
        }
    }

    fn fill(&mut self, need: usize) -> Result<Fill, ReadError> {
        self.window.fill(need).map_err(|source| {
            self.state = State::Ended;
            let offset = self.window.offset() + self.window.bytes().len() as u64;
            ReadError::Read { file: self.file.clone(), offset, source }
        })
    }

    /// The input ended where a record was expected.
    fn end(&mut self) -> Result<Batch, ReadError> {
        let rest = self.window.bytes();
        let defect = match &self.state {
            _ if rest.is_empty() => None,
            State::Pcap(format) => Some(format.cut(rest)),
            State::PcapNg(format) => Some(format.cut(rest)),
            State::New | State::Ended => None,
        };
        self.state = State::Ended;
        defect.map_or(Ok(Batch::End), |defect| Err(self.fail(0, defect)))
    }

    /// Ends the reading with a defect that begins `before` bytes before what is in memory.
    fn fail(&mut self, before: u64, defect: Defect) -> ReadError {
        self.state = State::Ended;
        let offset = self.window.offset() - before;
        ReadError::Malformed { file: self.file.clone(), offset, defect }
    }
}

/// Takes packets out of the bytes in memory.
#[inline]
fn run(
    format: &mut impl Decode,
    window: &mut Window,
    max: usize,
    count: &mut usize,
    take: &mut impl FnMut(Packet<'_>),
) -> Stop {
    if window.is_skipping() {
        return Stop::Need(0);
    }
    let bytes = window.bytes();
    let mut rest = bytes;
    let stop = loop {
        if *count == max {
            break Stop::Batch;
        }
        // One place that takes packets, so that what a packet is turned into is compiled into this loop.
        let (packet, used) = match format.packet(rest) {
            Some(found) => found,
            None => match format.other(rest) {
                Step::Packet(packet, used) => (packet, used),
                Step::Skip(skipped) => {
                    match usize::try_from(skipped).ok().and_then(|n| rest.get(n..)) {
                        Some(behind) => rest = behind,
                        None => {
                            let used = bytes.len() - rest.len();
                            window.consume(used);
                            window.skip(skipped);
                            return Stop::Need(0);
                        }
                    }
                    continue;
                }
                Step::Need(need) => break Stop::Need(need),
                Step::Defect(defect) => break Stop::Defect(defect),
            },
        };
        take(packet);
        *count += 1;
        rest = &rest[used..];
    };
    let used = bytes.len() - rest.len();
    window.consume(used);
    stop
}

fn unknown(magic: [u8; 4]) -> Defect {
    match magic {
        [0x1f, 0x8b, ..] => Defect::Packed("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Defect::Packed("zstd"),
        [0xfd, b'7', b'z', b'X'] => Defect::Packed("xz"),
        [b'B', b'Z', b'h', _] => Defect::Packed("bzip2"),
        [0x04, 0x22, 0x4d, 0x18] => Defect::Packed("lz4"),
        _ => Defect::NotACapture(magic),
    }
}
