//! `peloton probe`: flow records of what interfaces of the host carry.
//!
//! | file | idea |
//! |---|---|
//! | `options` | the command line |
//! | `listen` | an engine that listens |
//! | `watch` | the main loop |
//! | `status`, `summary` | what people see |
//!
//! Workers take packets out of the rings of packet sockets and measure them: `af-packet-input`, `flowprobe-passive` on the
//! `device-input` arc, `sink`. The main thread takes the records ten times a second and puts them out; while an output waits,
//! packets are measured all the same.

mod listen;
pub mod options;
mod status;
mod summary;
mod watch;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use crate::{
    Command,
    args::Failure,
    complain,
    records::{
        collector::Feed,
        outputs::{OutputError, Outputs, Written},
    },
    signal, stdout,
};
use listen::Ears;
use options::Options;
use summary::Summary;
use watch::{End, PRECISION, Watch};

/// The command.
pub const COMMAND: Command = Command {
    name: "probe",
    about: "Make flow records of what interfaces carry",
    help: options::HELP,
    run: |parser| probe(Options::parse(parser)?),
};

/// Runs `peloton probe`.
fn probe(options: Options) -> Result<ExitCode, Failure> {
    signal::watch();
    // First, so that no packet comes before it is known by which sockets records leave.
    let outputs = Outputs::open(&options.recording, Feed::Live).map_err(Failure::failed)?;
    let (engine, ears) = Ears::open(&options).map_err(Failure::failed)?;
    complain(&format_args!("listening on {}", options.interfaces.join(", ")));
    let watch = Watch::new(options, ears, outputs);
    let Some((watch, end)) = engine.run_until(watch.run(engine.cx())) else {
        return Err(Failure::failed("the engine has ended"));
    };
    let Watch { options, mut outputs, totals, start, .. } = watch;
    let elapsed = start.elapsed();
    let (written, finished) = outputs.finish();
    let summary = Summary { options: &options, totals, written, elapsed, end };
    let reported = report(outputs, &summary);
    finished.and(reported).map_err(Failure::failed)?;
    status(&summary)
}

/// Prints what people want to see, where they look.
fn report(outputs: Outputs, summary: &Summary<'_>) -> Result<(), OutputError> {
    let recording = &summary.options.recording;
    if recording.prints_report() {
        let table = outputs.top.table(recording.meter.record, PRECISION);
        let gap = if table.is_empty() { "" } else { "\n" };
        stdout::print(format!("{table}{gap}{summary}"))?;
    } else if io::stderr().is_terminal() {
        let _: io::Result<()> = write!(io::stderr(), "{summary}");
    }
    Ok(())
}

fn status(summary: &Summary<'_>) -> Result<ExitCode, Failure> {
    if let Written { dropped: Some(dropped @ 1..), .. } = summary.written {
        complain(&format_args!("the collector's socket had no room for {dropped} messages"));
    }
    if !summary.totals.is_balanced() {
        return Err(Failure::failed("the sums do not add up; please report this"));
    }
    match summary.end {
        End::Signal(_) | End::Enough => Ok(ExitCode::SUCCESS),
        End::Removed | End::Output => Ok(ExitCode::FAILURE),
    }
}
