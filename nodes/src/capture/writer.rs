//! The writer: classic pcap, buffered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use vnet::runtime::PacketTime;
use vnet::wire::link::LinkType;

use super::MAX_CAPTURED;
use super::error::WriteError;
use super::pcap::{FILE_HEADER, MAGIC_MICROS, MAGIC_NANOS, RECORD_HEADER};

/// Bytes that are gathered before the system is called.
const BLOCK: usize = 64 << 10;

/// The unit of the times in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Rounded down to microseconds; every program reads it.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// What a capture is to hold.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// What the first bytes of each packet are.
    pub link: LinkType,
    /// The unit of its times.
    pub precision: Precision,
    /// The most bytes kept of a packet; at most [`MAX_CAPTURED`] count.
    pub snaplen: u32,
    /// The most packets kept; without one, all are.
    pub max_packets: Option<u64>,
}

/// Whether a packet was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was.
    Yes,
    /// The capture holds as many as it may; nothing was written.
    Full,
}

/// Writes one capture in the byte order of little endian. Call [`Self::finish`] to learn whether the last bytes got
/// out; dropping the writer writes them too, but cannot tell.
pub struct Writer {
    file: String,
    output: Box<dyn Write + Send>,
    options: WriterOptions,
    buffer: Vec<u8>,
    packets: u64,
}

impl Writer {
    /// Writes to `path`, replacing what is there; `-` is standard output.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path, options: WriterOptions) -> Result<Self, WriteError> {
        if path == Path::new("-") {
            let own = io::stdout().as_fd().try_clone_to_owned();
            return Self::at("standard output".to_owned(), own.map(File::from), options);
        }
        Self::at(path.display().to_string(), File::create(path), options)
    }

    /// Writes to `path`, where nothing may be yet, not even a link.
    ///
    /// # Errors
    /// The file cannot be made, or something is there.
    pub fn create_new(path: &Path, options: WriterOptions) -> Result<Self, WriteError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        Self::at(path.display().to_string(), file, options)
    }

    fn at(
        name: String,
        file: io::Result<File>,
        options: WriterOptions,
    ) -> Result<Self, WriteError> {
        match file {
            Ok(file) => Ok(Self::to_stream(name, file, options)),
            Err(source) => Err(WriteError { file: name, action: "cannot create", source }),
        }
    }

    /// Writes to `output`, which errors call `name`.
    #[must_use]
    pub fn to_stream(
        name: impl Into<String>,
        output: impl Write + Send + 'static,
        options: WriterOptions,
    ) -> Self {
        let snaplen = options.snaplen.min(MAX_CAPTURED);
        let options = WriterOptions { snaplen, ..options };
        let mut buffer = Vec::with_capacity(BLOCK + RECORD_HEADER + snaplen as usize);
        buffer.extend_from_slice(&file_header(options));
        Self { file: name.into(), output: Box::new(output), options, buffer, packets: 0 }
    }

    /// Adds a packet whose captured bytes are those of `parts` one after the other, and of which `wire_len` bytes were
    /// on the wire. Seconds that the format cannot hold (before 1970 there are none, after 2106) become its last one.
    ///
    /// # Errors
    /// What the system says when gathered bytes are written: a full disk, a closed pipe.
    pub fn write<'a>(
        &mut self,
        time: PacketTime,
        wire_len: u32,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Stored, WriteError> {
        if self.is_full() {
            return Ok(Stored::Full);
        }
        let header_at = self.buffer.len();
        self.buffer.extend_from_slice(&[0; RECORD_HEADER]);
        let mut room = self.options.snaplen as usize;
        for part in parts {
            let kept = &part[..part.len().min(room)];
            self.buffer.extend_from_slice(kept);
            room -= kept.len();
        }
        let captured = self.options.snaplen - room as u32;
        let header = record_header(self.options.precision, time, captured, wire_len);
        self.buffer[header_at..header_at + RECORD_HEADER].copy_from_slice(&header);
        self.packets += 1;
        if self.buffer.len() >= BLOCK {
            self.write_out()?;
        }
        Ok(Stored::Yes)
    }

    /// Whether it holds as many packets as it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.options.max_packets.is_some_and(|max| self.packets >= max)
    }

    /// Packets in the capture so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// The name by which errors call the output.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file
    }

    /// Hands all packets so far to the system, so that a reader of the file sees them.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.write_out()?;
        self.output.flush().map_err(|source| self.error(source))
    }

    /// Ends the capture; returns how many packets it holds.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn finish(mut self) -> Result<u64, WriteError> {
        self.flush()?;
        Ok(self.packets)
    }

    /// What was gathered is gone afterwards even when the system refused it: a half-written record cannot be mended.
    fn write_out(&mut self) -> Result<(), WriteError> {
        let written = self.output.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError { file: self.file.clone(), action: "cannot write", source }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The owner who wanted to know has called `finish`, which leaves nothing to write.
        let _: Result<(), WriteError> = self.flush();
    }
}

fn file_header(options: WriterOptions) -> [u8; FILE_HEADER] {
    let magic = match options.precision {
        Precision::Micros => MAGIC_MICROS,
        Precision::Nanos => MAGIC_NANOS,
    };
    let mut header = [0; FILE_HEADER];
    header[..4].copy_from_slice(&magic.to_le_bytes());
    header[4..6].copy_from_slice(&2_u16.to_le_bytes());
    header[6..8].copy_from_slice(&4_u16.to_le_bytes());
    header[16..20].copy_from_slice(&options.snaplen.to_le_bytes());
    header[20..24].copy_from_slice(&u32::from(options.link.number()).to_le_bytes());
    header
}

fn record_header(
    precision: Precision,
    time: PacketTime,
    captured: u32,
    wire_len: u32,
) -> [u8; RECORD_HEADER] {
    let seconds = u32::try_from(time.0 / 1_000_000_000).unwrap_or(u32::MAX);
    let nanos = (time.0 % 1_000_000_000) as u32;
    let fraction = match precision {
        Precision::Micros => nanos / 1000,
        Precision::Nanos => nanos,
    };
    let mut header = [0; RECORD_HEADER];
    header[..4].copy_from_slice(&seconds.to_le_bytes());
    header[4..8].copy_from_slice(&fraction.to_le_bytes());
    header[8..12].copy_from_slice(&captured.to_le_bytes());
    header[12..].copy_from_slice(&wire_len.max(captured).to_le_bytes());
    header
}
