//! `peloton replay`: flow records of captured packets.
//!
//! | file | idea |
//! |---|---|
//! | `options` | the command line |
//! | `pipe` | captures and outputs that are pipes |
//! | `run` | captures into an engine, flow records out of it |
//! | `sink` | records and rounds of a run, to its outputs |
//! | `summary`, `progress` | what people see |
//!
//! The packets go through a graph of three nodes: `pcap-input`, `flowprobe-passive` on the `device-input` arc, `sink`. One
//! thread does everything: between two rounds of dispatch it takes the records and puts them out, and nothing is read
//! meanwhile, so outputs hold the input back and no record is lost.

pub mod options;
mod pipe;
mod progress;
pub mod run;
mod sink;
mod summary;

use std::{
    fs,
    io::{self, IsTerminal, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt},
    },
    process::ExitCode,
    time::Instant,
};

use flowprobe::passive::Passive;
use nodes::capture::Reader;
use vnet::flow::{Config, Pages};

use crate::{
    Command,
    args::Failure,
    complain,
    records::{
        collector::Feed,
        outputs::{OutputError, Outputs, Written},
    },
    signal::{Signal, Signals},
    stdout,
};
use options::Options;
use progress::Bar;
use run::{Replay, Totals};
use sink::Watched;
use summary::Summary;

/// The command.
pub const COMMAND: Command = Command {
    name: "replay",
    about: "Make flow records of captured packets",
    help: options::HELP,
    run: |parser| replay(&Options::parse(parser)?),
};

/// Runs `peloton replay`.
fn replay(options: &Options) -> Result<ExitCode, Failure> {
    let bytes = check_captures(options)?;
    let signals = Signals::watch().map_err(Failure::failed)?;
    let recording = &options.recording;
    let meter = Config { pages: Pages::Huge, ..recording.meter.clone() };
    let passive = Passive { inner: recording.inner, ..meter.into() };
    let mut replay =
        Replay::new(passive, options.frame_size, options.rate).map_err(Failure::failed)?;
    let held = match recording.ipfix_file.as_deref().map(pipe::wait_for_reader).transpose() {
        Ok(held) => held.flatten(),
        Err(signal) => return Ok(signal.status()),
    };
    let outputs = Outputs::open(recording, Feed::Patient(options.rate)).map_err(Failure::failed)?;
    drop(held);
    let mut watched = Watched::new(outputs, Bar::new(bytes));
    let start = Instant::now();
    let is_whole = read_all(options, &signals, &mut replay, &mut watched);
    replay.finish(&mut watched);
    let (mut outputs, signal) = watched.end();
    let (written, finished) = outputs.finish();
    let elapsed = start.elapsed();
    let summary = Summary { options, totals: replay.totals(), written, elapsed, signal };
    let finished = finished.and_then(|()| report(outputs, &summary));
    status(is_whole, finished, &summary)
}

/// Opens and reads the captures one after the other; whether all of them were read to their end.
fn read_all(options: &Options, signals: &Signals, replay: &mut Replay, sink: &mut Watched) -> bool {
    let mut is_whole = true;
    for path in &options.captures {
        let read = pipe::open(path, signals).and_then(|reader| replay.read(reader, sink));
        if let Err(error) = read {
            is_whole = false;
            complain(&error);
        }
        if sink.is_stopped() {
            break;
        }
    }
    is_whole
}

/// Prints what people want to see, where they look.
fn report(outputs: Outputs, summary: &Summary<'_>) -> Result<(), OutputError> {
    let Totals { read, .. } = &summary.totals;
    let recording = &summary.options.recording;
    if recording.prints_report() {
        let table = outputs.top.table(recording.meter.record, run::precision(read));
        let gap = if table.is_empty() { "" } else { "\n" };
        stdout::print(format!("{table}{gap}{summary}"))?;
    } else if io::stderr().is_terminal() {
        // Whoever watches wants to know; who only reads standard output does not.
        let _: io::Result<()> = write!(io::stderr(), "{summary}");
    }
    Ok(())
}

fn status(
    is_whole: bool,
    finished: Result<(), OutputError>,
    summary: &Summary<'_>,
) -> Result<ExitCode, Failure> {
    finished.map_err(Failure::failed)?;
    if let Written { dropped: Some(dropped @ 1..), .. } = summary.written {
        return Err(Failure::failed(format_args!(
            "the collector's socket had no room for {dropped} messages; try a lower --rate"
        )));
    }
    if !summary.totals.is_balanced() {
        return Err(Failure::failed("the sums do not add up; please report this"));
    }
    match summary.signal.map(Signal::status) {
        Some(status) => Ok(status),
        None if is_whole => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::FAILURE),
    }
}

/// Looks at all captures before the first packet is read, so that a wrong name does not spoil a long run, and no output
/// spoils a capture. Pipes are left alone. Returns the size of all captures where all are files.
fn check_captures(options: &Options) -> Result<Option<u64>, Failure> {
    let mut bytes = Some(0);
    let stdout = pipe::own_file(io::stdout().as_fd());
    let ipfix_file =
        options.recording.ipfix_file.as_deref().and_then(|path| fs::metadata(path).ok());
    let is_written_to = |file: &&fs::Metadata| file.is_file() || file.file_type().is_fifo();
    if let (Some(file), Some(stdout)) = (&ipfix_file.as_ref().filter(is_written_to), &stdout)
        && is_same(file, stdout)
    {
        return Err(Failure::failed("--ipfix-file is standard output; say so with --ipfix-file -"));
    }
    for path in &options.captures {
        match pipe::metadata(path).map_err(Failure::failed)? {
            Some(metadata) if metadata.is_file() || metadata.is_dir() => {
                if path.as_os_str() != "-" {
                    Reader::open(path).map_err(Failure::failed)?;
                }
                for (output, what) in [(&ipfix_file, "--ipfix-file"), (&stdout, "standard output")]
                {
                    if output.as_ref().is_some_and(|output| is_same(output, &metadata)) {
                        return Err(Failure::failed(format_args!(
                            "{}: {what} would overwrite this capture",
                            pipe::name(path)
                        )));
                    }
                }
                bytes = bytes.map(|sum| sum + metadata.len());
            }
            _ => bytes = None,
        }
    }
    Ok(bytes)
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
