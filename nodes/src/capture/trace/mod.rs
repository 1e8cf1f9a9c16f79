//! `pcap trace`: packets as they are received, sent and dropped, into memory and then into a file.
//!
//! Workers put packets into memory only, so that a slow disk delays nobody; the file is written when the capture is ended.

mod api;
mod commands;
mod recorder;

use std::{cell::RefCell, fs::File, io::Write, mem, path::PathBuf, rc::Rc, sync::Arc};

use thiserror::Error;
use vnet::{
    command::create_file,
    counter::ErrorIndex,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    runtime::Main,
    trace::Taps,
};

use super::WriteError;
use recorder::{Memory, Recorder, Settings};

/// Which packets are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Directions {
    rx: bool,
    tx: bool,
    drop: bool,
}

impl Directions {
    const fn any(self) -> bool {
        self.rx || self.tx || self.drop
    }

    /// Their words with something in between.
    fn words(self, between: &str) -> String {
        let words = [(self.rx, "rx"), (self.tx, "tx"), (self.drop, "drop")];
        words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect::<Vec<_>>().join(between)
    }
}

/// What `pcap trace` asks for.
struct Request {
    directions: Directions,
    max_packets: u32,
    bytes_each: u32,
    interface: Option<SwIfIndex>,
    filter: bool,
    error: Option<ErrorIndex>,
    file: Option<PathBuf>,
    preallocate: bool,
    /// Whether memory of the capture before is given back first.
    free: bool,
}

/// Why a capture cannot begin or end. The texts of the first five are VPP's.
#[derive(Debug, Error)]
enum TraceError {
    #[error("dispatch trace already enabled...")]
    On,
    #[error("dispatch trace already disabled...")]
    Off,
    #[error("No packets captured...")]
    Nothing,
    #[error("Max bytes per pkt must be > 32, < 9000...")]
    BytesEach,
    #[error("I/O writing trace capture... {0}")]
    Write(#[from] WriteError),
    #[error("no memory for {packets} packets of {bytes_each} bytes")]
    Memory { packets: u32, bytes_each: u32 },
}

/// A capture that is on.
struct Running {
    directions: Directions,
    recorder: Arc<Recorder>,
    interface: Option<SwIfIndex>,
    /// Made at the start, so that a file that cannot be made is no surprise at the end.
    file: File,
    path: PathBuf,
}

/// The one capture of an engine. It belongs to the main thread.
#[derive(Default)]
struct PcapTrace {
    running: Option<Running>,
    /// Memory of the last capture, to be used again.
    spare: Memory,
}

type Shared = Rc<RefCell<PcapTrace>>;

/// Registers the commands, and writes a capture that is still on when the engine stops.
pub(crate) fn register(r: &mut Registrar) {
    let trace = Shared::default();
    commands::commands(&trace).into_iter().for_each(|command| r.command(command));
    api::register(r.api(), &trace);
    let owner = trace.clone();
    r.on_interface_event(move |main: &mut Main, event: &Event| {
        let Event::Deleted { sw_if_index, .. } = event else { return };
        let trace = owner.borrow();
        if trace.running.as_ref().is_some_and(|running| running.interface == Some(*sw_if_index)) {
            // Its number may become another interface's.
            main.set_taps(Taps::default());
        }
    });
    r.on_stop(move |main| match trace.borrow_mut().stop(main, true) {
        Ok(_) | Err(TraceError::Off | TraceError::Nothing) => Ok(()),
        Err(error) => Err(error.into()),
    });
}

impl PcapTrace {
    fn start(&mut self, main: &mut Main, request: Request) -> Result<(), TraceError> {
        let Request { directions, max_packets, bytes_each, interface, filter, error, .. } = request;
        if self.running.is_some() {
            return Err(TraceError::On);
        }
        if !(32..=9000).contains(&bytes_each) {
            return Err(TraceError::BytesEach);
        }
        let spare = mem::take(&mut self.spare);
        let memory = if request.free { Memory::default() } else { spare };
        if request.preallocate && !memory.reserve(max_packets, bytes_each) {
            return Err(TraceError::Memory { packets: max_packets, bytes_each });
        }
        let name = || PathBuf::from(format!("/tmp/{}.pcap", directions.words("")));
        let path = request.file.unwrap_or_else(name);
        let file = create_file(&path).map_err(|source| WriteError {
            file: path.display().to_string(),
            action: "cannot create",
            source,
        })?;
        let settings = Settings { max_packets, bytes_each, interface, filter };
        let reasons = main
            .errors()
            .rows()
            .map(|row| (row.index, format!("{}: {}", row.node, row.reason.description)));
        let recorder =
            Arc::new(Recorder::new(settings, main.classifier().clone(), memory, error, reasons));
        let tap = |on: bool, tap: fn(&Arc<Recorder>) -> Arc<dyn vnet::trace::Tap>| {
            on.then(|| tap(&recorder))
        };
        main.set_taps(Taps {
            rx: tap(directions.rx, Recorder::tap),
            tx: tap(directions.tx, Recorder::tap),
            drop: tap(directions.drop, Recorder::drop_tap),
        });
        self.running = Some(Running { directions, recorder, interface, file, path });
        Ok(())
    }

    /// Ends the capture and writes its file; how many packets it has, and where it is.
    fn stop(&mut self, main: &mut Main, free: bool) -> Result<(u64, PathBuf), TraceError> {
        let Running { recorder, mut file, path, .. } =
            self.running.take().ok_or(TraceError::Off)?;
        main.set_taps(Taps::default());
        let (packets, memory) = recorder.finish()?;
        let written = memory.read(|bytes| file.write_all(bytes).and_then(|()| file.flush()));
        if !free {
            self.spare = memory.emptied();
        }
        written.map_err(|source| WriteError {
            file: path.display().to_string(),
            action: "cannot write",
            source,
        })?;
        if packets == 0 { Err(TraceError::Nothing) } else { Ok((packets, path)) }
    }

    /// What `pcap trace status` prints.
    fn status(&self) -> String {
        let Some(Running { directions, recorder, path, .. }) = &self.running else {
            return "pcap dispatch capture disabled".to_owned();
        };
        let (have, most) = (recorder.packets(), recorder.max_packets());
        let note = recorder.trouble().map_or_else(String::new, |trouble| format!("\n{trouble}"));
        format!(
            "pcap {} dispatch capture enabled: {have} of {most} pkts...\ncapture to file {}{note}",
            directions.words(" and "),
            path.display()
        )
    }
}
