//! IPFIX Files (RFC 5655): messages one after the other, as a reliable transport session would carry them.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    export::{DEFAULT_PORT, Outgoing, Outlet, OutputError, SendError, Stream, StreamKey},
    message::{HEADER_LEN, MAX_MESSAGE_LEN, PackError, VERSION},
    profile::{FlowTemplates, Framing},
    template::{Template, TemplateError, TemplateId},
};
use crate::flow::FlowRecord;

/// Why a file was not written or read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// Where a message should begin there is something else. Messages have no mark to look for, so that nothing behind
    /// it can be read.
    #[error("{}: octet {offset}: version {version}, expected an IPFIX message (10)", path.display())]
    NotIpfix {
        /// The file.
        path: PathBuf,
        /// Octets from the start of the file.
        offset: u64,
        /// What is there.
        version: u16,
    },
    /// A message that is shorter than its header.
    #[error("{}: octet {offset}: message length {length}, expected at least 16", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Octets from the start of the file.
        offset: u64,
        /// What the header says.
        length: u16,
    },
    /// The file ends within a message.
    #[error("{}: octet {offset}: file ends after {have} octets of a message, expected {expected}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Octets from the start of the file to the message.
        offset: u64,
        /// Octets of the message that are there.
        have: usize,
        /// Octets that it should have, as far as known.
        expected: usize,
    },
    /// The meter has no template for a record.
    #[error("{}: {error}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        error: OutputError,
    },
    /// The profile's fields make no template.
    #[error("{}: {error}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// Why.
        error: TemplateError,
    },
}

/// Writes messages to a file, buffered.
#[derive(Debug)]
pub struct FileWriter<W: Write> {
    out: BufWriter<W>,
    /// Octets of the messages so far.
    written: u64,
    path: PathBuf,
}

impl FileWriter<File> {
    /// Creates the file, or empties it.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        match File::create(&path) {
            Ok(file) => Ok(Self::new(file, path)),
            Err(source) => Err(FileError::Io { path, source }),
        }
    }
}

impl<W: Write> FileWriter<W> {
    /// Writes to `out`, which errors call `path`.
    pub fn new(out: W, path: impl Into<PathBuf>) -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, out), written: 0, path: path.into() }
    }

    /// What errors call the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a message, complete with its header.
    pub fn write(&mut self, message: &[u8]) -> Result<(), FileError> {
        self.written += message.len() as u64;
        self.out.write_all(message).map_err(|source| self.error(source))
    }

    /// Writes what is buffered. Without this call an error of the last octets goes unnoticed.
    pub fn finish(&mut self) -> Result<(), FileError> {
        self.out.flush().map_err(|source| self.error(source))
    }

    /// Lets `add` put records into the messages of a stream that goes to this file.
    fn collect(
        &mut self,
        export_time: u32,
        add: impl FnOnce(&mut Outlet<'_>) -> Result<(), PackError>,
    ) -> Result<(), FileError> {
        let (out, written) = (&mut self.out, &mut self.written);
        let mut send = |outgoing: Outgoing<'_>| {
            *written += outgoing.message.len() as u64;
            out.write_all(outgoing.message).map_err(SendError::Io)
        };
        let export_time = export_time.into();
        let mut outlet = Outlet { export_time, send: &mut send, failure: None };
        let added = add(&mut outlet);
        match outlet.failure.take() {
            Some(SendError::Io(source)) => return Err(self.error(source)),
            Some(other) => return Err(self.error(io::Error::other(other))),
            None => {}
        }
        let path = || self.path.clone();
        added.map_err(|error| FileError::Output { path: path(), error: error.into() })
    }

    fn error(&self, source: io::Error) -> FileError {
        FileError::Io { path: self.path.clone(), source }
    }
}

/// Writes flow records to a file: the templates first, then one stream of data.
#[derive(Debug)]
pub struct FlowFile<W: Write> {
    writer: FileWriter<W>,
    stream: Stream,
    templates: FlowTemplates,
}

impl<W: Write> FlowFile<W> {
    /// Begins a file of these templates in observation domain `domain`, with a message that holds the templates alone.
    pub fn new(
        writer: FileWriter<W>,
        templates: FlowTemplates,
        domain: u32,
        export_time: u32,
    ) -> Result<Self, FileError> {
        let key = StreamKey { domain, source_port: DEFAULT_PORT };
        let mut file = Self { writer, stream: Stream::new(key, MAX_MESSAGE_LEN), templates };
        for (ordinal, encoder) in (0..).zip(file.templates.encoders()) {
            let id = TemplateId::from_ordinal(ordinal);
            let template = Template::new(id, 0, encoder.fields())
                .map_err(|error| FileError::Template { path: file.writer.path.clone(), error })?;
            let add =
                |outlet: &mut Outlet<'_>| file.stream.template(&template, Framing::RFC, outlet);
            file.writer.collect(export_time, add)?;
        }
        file.flush(export_time)?;
        Ok(file)
    }

    /// Adds a record; its message is written when it is full.
    pub fn write(&mut self, record: &FlowRecord, export_time: u32) -> Result<(), FileError> {
        let Some((slot, encoder)) = self.templates.select(record) else {
            return Err(FileError::Output {
                path: self.writer.path.clone(),
                error: OutputError::NoTemplate,
            });
        };
        // One identifier an encoder, in order, at most a handful.
        let id = TemplateId::from_ordinal(slot.index() as u16);
        let stream = &mut self.stream;
        self.writer.collect(export_time, |outlet| {
            stream.record(id, encoder.len_of(record), outlet, |out| encoder.encode(record, out))
        })
    }

    /// Octets of the messages so far; the one that is being filled is not among them.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.writer.written
    }

    /// Writes the last message and what is buffered; the number of data records written.
    pub fn finish(&mut self, export_time: u32) -> Result<u64, FileError> {
        self.flush(export_time)?;
        self.writer.finish()?;
        Ok(self.stream.counters().records)
    }

    fn flush(&mut self, export_time: u32) -> Result<(), FileError> {
        let stream = &mut self.stream;
        self.writer.collect(export_time, |outlet| {
            stream.flush(outlet);
            Ok(())
        })
    }
}

/// Reads the messages of a file.
#[derive(Debug)]
pub struct FileReader<R: Read> {
    input: BufReader<R>,
    path: PathBuf,
    /// Octets before the next message.
    offset: u64,
    message: Vec<u8>,
}

impl FileReader<File> {
    /// Opens a file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        match File::open(&path) {
            Ok(file) => Ok(Self::new(file, path)),
            Err(source) => Err(FileError::Io { path, source }),
        }
    }
}

impl<R: Read> FileReader<R> {
    /// Reads from `input`, which errors call `path`.
    pub fn new(input: R, path: impl Into<PathBuf>) -> Self {
        let input = BufReader::with_capacity(1 << 16, input);
        Self { input, path: path.into(), offset: 0, message: Vec::new() }
    }

    /// The next message, whole as its header says; `None` at the end of the file. After an error there is no next one.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, FileError> {
        let (path, offset) = (&self.path, self.offset);
        self.message.clear();
        let have = fill(&mut self.input, path, &mut self.message, HEADER_LEN)?;
        let [a, b, c, d, ..] = self.message[..] else {
            return match have {
                0 => Ok(None),
                _ => Err(truncated(path, offset, have, HEADER_LEN)),
            };
        };
        let (version, length) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        if version != VERSION {
            return Err(FileError::NotIpfix { path: path.clone(), offset, version });
        }
        let expected = usize::from(length);
        if expected < HEADER_LEN {
            return Err(FileError::Length { path: path.clone(), offset, length });
        }
        let have = fill(&mut self.input, path, &mut self.message, expected)?;
        if have < expected {
            return Err(truncated(path, offset, have, expected));
        }
        self.offset += u64::from(length);
        Ok(Some(&self.message))
    }
}

/// Reads until `message` has `len` octets or the file ends; how many it has then.
fn fill(
    input: &mut impl Read,
    path: &Path,
    message: &mut Vec<u8>,
    len: usize,
) -> Result<usize, FileError> {
    let missing = len.saturating_sub(message.len()) as u64;
    match input.take(missing).read_to_end(message) {
        Ok(_) => Ok(message.len()),
        Err(source) => Err(FileError::Io { path: path.to_owned(), source }),
    }
}

fn truncated(path: &Path, offset: u64, have: usize, expected: usize) -> FileError {
    FileError::Truncated { path: path.to_owned(), offset, have, expected }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ipfix::{
        decode::{Decoder, Event, SessionKind},
        profile::{Families, Profile, RecordSet},
        tests::sample,
    };

    fn flow_file(out: &mut Vec<u8>, count: usize) {
        let templates = Profile::Rfc.templates(RecordSet::all(), Families::all());
        let writer = FileWriter::new(out, "flows.ipfix");
        let mut file = FlowFile::new(writer, templates, 5, 100).unwrap();
        for record in sample::one_of_each_shape().iter().cycle().take(count) {
            file.write(record, 101).unwrap();
        }
        assert_eq!(file.finish(102).unwrap(), count as u64);
    }

    fn read_all(octets: &[u8]) -> (usize, Result<(), FileError>) {
        let mut reader = FileReader::new(octets, "flows.ipfix");
        let mut messages = 0;
        loop {
            match reader.next_message() {
                Ok(Some(_)) => messages += 1,
                Ok(None) => return (messages, Ok(())),
                Err(error) => return (messages, Err(error)),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_with_templates_first() {
        let mut octets = Vec::new();
        flow_file(&mut octets, 3000);
        let mut reader = FileReader::new(&octets[..], "flows.ipfix");
        let mut decoder = Decoder::new(SessionKind::Stream, Arc::default());
        let mut records = 0;
        let mut first = true;
        while let Some(message) = reader.next_message().unwrap() {
            let sink = &mut |_: &_, event: Event<'_>| match event {
                Event::Template(_) => assert!(first),
                Event::Record(_) => records += 1,
                other => panic!("{other:?}"),
            };
            decoder.decode(message, sink).unwrap();
            first = false;
        }
        assert_eq!((records, decoder.counters().templates), (3000, 5));
    }

    #[test]
    fn a_file_may_end_only_between_messages() {
        let mut octets = Vec::new();
        flow_file(&mut octets, 3);
        let first = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
        for len in 0..=octets.len() {
            let (messages, end) = read_all(&octets[..len]);
            assert_eq!(end.is_ok(), [0, first, octets.len()].contains(&len), "{len}: {end:?}");
            assert_eq!(messages, usize::from(len >= first) + usize::from(len == octets.len()));
        }
        let text = read_all(&octets[..first + 20]).1.unwrap_err().to_string();
        assert!(text.starts_with(&format!("flows.ipfix: octet {first}: file ends after 20")));
    }

    #[test]
    fn what_is_not_ipfix_is_told_with_its_place() {
        let mut octets = Vec::new();
        flow_file(&mut octets, 3);
        let end = octets.len();
        octets.extend([0; 40]);
        let (messages, error) = read_all(&octets);
        assert_eq!(messages, 2);
        let expected =
            format!("flows.ipfix: octet {end}: version 0, expected an IPFIX message (10)");
        assert_eq!(error.unwrap_err().to_string(), expected);
        let short = [0, 10, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(matches!(read_all(&short).1, Err(FileError::Length { length: 15, .. })));
    }

    #[test]
    fn a_full_disk_is_told_with_the_path() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let templates = Profile::Rfc.templates(RecordSet::all(), Families::IP4);
        let writer = FileWriter::new(Full, "/full/flows.ipfix");
        let mut file = FlowFile::new(writer, templates, 1, 0).unwrap();
        let text = file.finish(0).unwrap_err().to_string();
        assert!(text.starts_with("/full/flows.ipfix: "), "{text}");
    }
}
