//! Captures and what replaying them must give.

mod packets;

use core::ops::ControlFlow;
use std::{
    env, fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nodes::capture::{Progress, Reader};
use peloton::replay::run::{Replay, Sink, Totals};
use vnet::{
    flow::{Config, FlowRecord},
    ipfix::time::Precision,
};

use crate::program::workspace;
pub use packets::Endless;

/// All captures: the project's own, and those in the folder that `PELOTON_CAPTURES` names.
///
/// # Panics
/// When a folder cannot be read, or there is no capture.
#[must_use]
pub fn captures() -> Vec<PathBuf> {
    let own = workspace().join("tests/captures");
    let shared = env::var_os("PELOTON_CAPTURES").map(PathBuf::from);
    let mut found = Vec::new();
    for folder in [Some(own), shared].into_iter().flatten() {
        for entry in fs::read_dir(&folder).expect("a folder of captures can be read") {
            let path = entry.expect("a folder of captures can be read").path();
            if path.extension().is_some_and(|end| end == "pcap" || end == "pcapng") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found.sort();
    found
}

/// Holds records, one JSON object a line, against what tshark says of the capture that they are from: packets and octets of each
/// five-tuple.
///
/// # Panics
/// When there is any difference.
pub fn assert_equals_tshark(capture: &Path, records: &Path) {
    let compared = Command::new("python3")
        .arg(workspace().join("tests/oracle/compare.py"))
        .args([capture, records])
        .stdin(Stdio::null())
        .output()
        .expect("python3 runs");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
}

/// Keeps records, and ends a run that goes round without getting on.
#[derive(Default)]
pub struct Kept {
    /// The records.
    pub records: Vec<(FlowRecord, Precision)>,
    rounds: u64,
}

impl Sink for Kept {
    fn record(&mut self, record: &FlowRecord, precision: Precision) {
        self.records.push((*record, precision));
    }

    fn round(&mut self, progress: &Progress) -> ControlFlow<()> {
        self.rounds += 1;
        assert!(self.rounds < progress.packets + 1000, "the run does not get on");
        ControlFlow::Continue(())
    }
}

impl Kept {
    /// Packets of all records.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.records.iter().map(|(record, _)| record.packets).sum()
    }

    /// The records in an order of their own: which one was made first does not matter.
    #[must_use]
    pub fn sorted(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .records
            .iter()
            .map(|(record, precision)| format!("{record:?} {precision:?}"))
            .collect();
        lines.sort();
        lines
    }
}

/// Replays a capture's bytes in frames of `frame_size`.
///
/// # Panics
/// When there is no engine, or the file has no sound header.
#[must_use]
pub fn replay(capture: &[u8], meter: &Config, frame_size: usize) -> (Kept, Totals) {
    let mut replay = Replay::new(meter.clone(), frame_size, None).expect("there is memory");
    let mut kept = Kept::default();
    let reader = Reader::from_stream("capture", Cursor::new(capture.to_vec()));
    // What is wrong with its end is not the point here.
    let _: Result<(), nodes::capture::ReadError> =
        replay.read(reader.expect("a sound header"), &mut kept);
    replay.finish(&mut kept);
    let totals = replay.totals();
    (kept, totals)
}
