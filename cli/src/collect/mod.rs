//! `peloton collect`: a small collecting process over UDP.
//!
//! What it decodes goes to standard output, a record a line. What is wrong with the messages goes to standard error, each
//! kind of complaint once for each exporter and then only counted, so that a broken exporter cannot flood the terminal.

mod options;
mod tally;
mod text;

use core::time::Duration;
use std::{
    io::{self, Write},
    net::UdpSocket,
    process::ExitCode,
    time::Instant,
};

use vnet::ipfix::{
    decode::{Collector, Event},
    json,
};

use crate::{
    Command,
    args::Failure,
    signal::{self, Signal},
    stdout::{self, StdoutError},
};
use options::Options;
use tally::{Report, Tally};

/// The command.
pub const COMMAND: Command = Command {
    name: "collect",
    about: "Receive IPFIX messages over UDP and print their records",
    help: options::HELP,
    run: |parser| collect(&Options::parse(parser)?),
};

/// The longest wait for a message, so that a signal and the end of `--once` are noticed.
const WAIT: Duration = Duration::from_millis(100);
/// `--once` ends when nothing came for so long.
const SILENCE: Duration = Duration::from_secs(1);
/// Octets of text that are gathered while messages keep coming.
const BLOCK: usize = 64 << 10;

/// Runs `peloton collect`.
fn collect(options: &Options) -> Result<ExitCode, Failure> {
    signal::watch();
    let socket = UdpSocket::bind(options.listen)
        .map_err(|error| Failure::failed(format_args!("{}: {error}", options.listen)))?;
    let address = socket.local_addr().unwrap_or(options.listen);
    let _: io::Result<()> = writeln!(io::stderr(), "peloton: listening on {address}");
    let mut process = Process {
        socket,
        collector: Collector::new(Default::default()),
        tally: Tally::default(),
        text: Vec::with_capacity(BLOCK * 2),
        json: options.json,
    };
    let ended = process.receive(options.once);
    // The counts belong to whatever was received, also when printing it failed.
    let report = Report { tally: &process.tally, collector: &process.collector };
    let _: io::Result<()> = write!(io::stderr(), "{report}");
    match ended {
        Ok(None) => Ok(ExitCode::SUCCESS),
        Ok(Some(signal)) => Ok(signal.status()),
        Err(error) => Err(Failure::failed(error)),
    }
}

/// Why a collecting process ends.
#[derive(Debug, thiserror::Error)]
enum CollectError {
    #[error("cannot receive: {0}")]
    Receive(io::Error),
    #[error(transparent)]
    Stdout(#[from] StdoutError),
}

struct Process {
    socket: UdpSocket,
    collector: Collector,
    tally: Tally,
    text: Vec<u8>,
    json: bool,
}

impl Process {
    /// Receives until a signal comes or, when `once`, until the exporters fall silent after at least one record.
    fn receive(&mut self, once: bool) -> Result<Option<Signal>, CollectError> {
        let mut datagram = vec![0; 1 << 16].into_boxed_slice();
        let mut heard = Instant::now();
        self.socket.set_read_timeout(Some(WAIT)).map_err(CollectError::Receive)?;
        loop {
            if let Some(signal) = signal::caught() {
                self.write_out()?;
                return Ok(Some(signal));
            }
            let received = self.socket.recv_from(&mut datagram);
            match received {
                Ok((len, exporter)) => {
                    heard = Instant::now();
                    self.message(exporter, &datagram[..len]);
                    if self.text.len() >= BLOCK {
                        self.write_out()?;
                    }
                }
                Err(error) if is_pause(&error) => {
                    self.write_out()?;
                    if once && self.tally.records() > 0 && heard.elapsed() >= SILENCE {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(CollectError::Receive(error)),
            }
        }
    }

    fn message(&mut self, exporter: std::net::SocketAddr, message: &[u8]) {
        let Self { collector, tally, text, json, .. } = self;
        let of = tally.exporter(exporter);
        let decoded = collector.decode(exporter, message, &mut |header, event| {
            if let Event::Record(record) = &event {
                if *json {
                    json::write_record(text, record);
                } else {
                    text::write_record(text, exporter, header, record);
                }
                text.push(b'\n');
            }
            of.event(header, &event);
        });
        of.decoded(message.len(), decoded);
    }

    /// Standard output is written when nothing waits to be received, or when there is much.
    fn write_out(&mut self) -> Result<(), CollectError> {
        if self.text.is_empty() {
            return Ok(());
        }
        let written = stdout::print(&self.text);
        self.text.clear();
        Ok(written?)
    }
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::WouldBlock | Kind::TimedOut | Kind::Interrupted)
}
