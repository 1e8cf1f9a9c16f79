//! Where the records of a run go.

use std::time::{SystemTime, UNIX_EPOCH};

use vnet::{
    flow::{FlowRecord, RecordSet},
    ipfix::{export::Counters, file::FileError, json, time::Precision},
};

use super::{
    collector::{Collector, CollectorError, Feed},
    file::RecordFile,
    options::Recording,
    top::TopFlows,
};
use crate::stdout::{self, StdoutError};

/// Octets of JSON that are gathered before the system is called.
const BLOCK: usize = 64 << 10;

/// Why records did not reach an output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Standard output.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// The IPFIX File.
    #[error(transparent)]
    File(#[from] FileError),
    /// The collector.
    #[error(transparent)]
    Collector(#[from] CollectorError),
}

/// Everything that a run was asked to put out. The first failure ends the run; other outputs get what was made until then.
pub struct Outputs {
    json: Option<JsonLines>,
    file: Option<RecordFile>,
    collector: Option<Collector>,
    /// The flows for the table.
    pub top: TopFlows,
    export_time: ExportTime,
    failure: Option<OutputError>,
}

/// What the outputs have done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Records in the IPFIX File.
    pub file: Option<u64>,
    /// Sent to the collector.
    pub sent: Option<Counters>,
    /// Datagrams that the collector's socket had no room for.
    pub dropped: Option<u64>,
}

impl Outputs {
    /// Opens the outputs; `feed` says who waits for a collector.
    ///
    /// # Errors
    /// When a file cannot be made, or there is no collector.
    pub fn open(options: &Recording, feed: Feed) -> Result<Self, OutputError> {
        let templates = || options.templates();
        let collector = match &options.collector {
            Some(target) => {
                // Looked at with the command line.
                let (target, tls) = (target.clone(), options.tls_files().unwrap_or_default());
                Some(Collector::connect(target, tls, options.export, feed, templates())?)
            }
            None => None,
        };
        // Last, so that a file keeps what it has when something else is wrong.
        let file = match &options.ipfix_file {
            Some(path) => Some(RecordFile::open(path, options)?),
            None => None,
        };
        let top = if options.prints_report() { options.top } else { 0 };
        Ok(Self {
            json: options.json.then(|| JsonLines::new(options)),
            file,
            collector,
            top: TopFlows::new(top, &options.meter),
            export_time: ExportTime::default(),
            failure: None,
        })
    }

    /// Writes out what is left, closes everything and tells what was written, and the first failure of the run.
    pub fn finish(&mut self) -> (Written, Result<(), OutputError>) {
        let mut written = Written::default();
        if let Some(file) = &mut self.file {
            match file.finish() {
                Ok(records) => written.file = Some(records),
                Err(error) => fail(&mut self.failure, error),
            }
        }
        if let Some(collector) = &mut self.collector {
            if let Err(error) = collector.finish() {
                fail(&mut self.failure, error);
            }
            written.sent = Some(collector.counters());
            written.dropped = collector.dropped();
        }
        if let Some(json) = &mut self.json
            && let Err(error) = json.write_out()
        {
            fail(&mut self.failure, error);
        }
        (written, self.failure.take().map_or(Ok(()), Err))
    }

    /// Whether an output has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// What was sent to the collector so far.
    #[must_use]
    pub fn sent(&self) -> Option<Counters> {
        self.collector.as_ref().map(Collector::counters)
    }

    /// What has gone wrong with the collector, or is well again, since the last call.
    pub fn news(&mut self) -> Option<String> {
        self.collector.as_mut()?.news()
    }

    /// Puts out a record; `precision` says how many digits of its times are known. Nothing more after a failure.
    pub fn record(&mut self, record: &FlowRecord, precision: Precision) {
        if self.failure.is_none()
            && let Err(error) = self.put(record, precision)
        {
            self.failure = Some(error);
        }
    }

    /// Looks at the clock.
    pub fn tick(&mut self) {
        if let Some(collector) = &mut self.collector
            && let Err(error) = collector.tick()
        {
            fail(&mut self.failure, error);
        }
    }

    /// Puts out what is ready, so that no record waits for others: lines, and messages that are not full.
    pub fn put_ready(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.tick()
        {
            fail(&mut self.failure, error);
        }
        if let Some(collector) = &mut self.collector
            && let Err(error) = collector.send_ready()
        {
            fail(&mut self.failure, error);
        }
        if let Some(json) = &mut self.json
            && let Err(error) = json.write_out()
        {
            fail(&mut self.failure, error);
        }
    }

    fn put(&mut self, record: &FlowRecord, precision: Precision) -> Result<(), OutputError> {
        self.top.record(record);
        if let Some(json) = &mut self.json {
            json.record(record, precision)?;
        }
        if let Some(file) = &mut self.file {
            file.write(record, self.export_time.next())?;
        }
        if let Some(collector) = &mut self.collector {
            collector.record(record)?;
        }
        Ok(())
    }
}

fn fail(failure: &mut Option<OutputError>, error: impl Into<OutputError>) {
    failure.get_or_insert(error.into());
}

/// Seconds since 1970, for headers; wraps in 2106.
pub(super) fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32
}

/// The export time of a file's records, one after the other. Messages have it, and one of them has several hundred records:
/// the clock is looked at for a part of them.
#[derive(Default)]
struct ExportTime {
    seconds: u32,
    /// Records until the clock is looked at again.
    left: u8,
}

impl ExportTime {
    /// Records of one look at the clock.
    const RECORDS: u8 = 64;

    fn next(&mut self) -> u32 {
        if self.left == 0 {
            *self = Self { seconds: now(), left: Self::RECORDS };
        }
        self.left -= 1;
        self.seconds
    }
}

/// JSON objects, one a line, on standard output.
struct JsonLines {
    form: JsonForm,
    text: Vec<u8>,
}

/// What an object has.
enum JsonForm {
    /// The fields of layers.
    Layers(RecordSet),
    /// Fields that were chosen one by one.
    Fields(Box<json::FlowWriter>),
}

impl JsonLines {
    fn new(options: &Recording) -> Self {
        let form = match &options.template {
            Some(_) => JsonForm::Fields(Box::new(json::FlowWriter::new(options.templates()))),
            None => JsonForm::Layers(options.meter.record),
        };
        Self { form, text: Vec::with_capacity(BLOCK + 1024) }
    }

    fn record(&mut self, record: &FlowRecord, precision: Precision) -> Result<(), StdoutError> {
        match &mut self.form {
            JsonForm::Layers(set) => json::write_flow(&mut self.text, record, *set, precision),
            JsonForm::Fields(writer) => writer.write(&mut self.text, record),
        }
        self.text.push(b'\n');
        if self.text.len() >= BLOCK { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<(), StdoutError> {
        let written = stdout::print(&self.text);
        self.text.clear();
        written
    }
}
