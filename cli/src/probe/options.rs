//! The command line of `peloton probe`.

use core::time::Duration;
use std::{ffi::OsString, thread};

use lexopt::Arg;

use crate::{
    args::{Failure, UsageError, number, seconds, text},
    records::options::{Recording, export_help, metering_help, output_help},
};

/// What `peloton probe --help` prints.
pub const HELP: &str = concat!(
    "\
peloton probe - flow records of what interfaces carry

Usage: peloton probe [OPTION...] INTERFACE...

Listens on interfaces of this host, to both directions, and sends nothing by them. It ends
after an interrupt, and all flows get their records then. Prints the top flows and a
summary, unless --json or --ipfix-file - wants standard output; on a terminal a line each
second. Packets by which it exports are not measured. CAP_NET_RAW is needed.

Capture:
      --no-promiscuous     Do not ask the device for frames that are not for this host
      --workers N          Measure on N threads, beside the one that exports; flows are
                           shared among them (default: one less than there are cores to
                           run on, 1 to 8)
      --duration S         End after S seconds
      --count N            End when N packets were seen, or a few more
      --quiet              Print no line each second

",
    output_help!(),
    "      --rotate-size BYTES  Begin another file when the IPFIX File has so many; the complete one is
                           renamed: its name and the time
      --rotate-interval S  The same when it is so old and has records
",
    "\n",
    metering_help!(),
    "\n",
    export_help!(),
    "
  -h, --help               Print this
  -V, --version            Print the version

Exit status: 0 when all went well, after an interrupt, too; 1 when there was nothing to
listen to, all interfaces were removed, or an output could not be written (the records
are still put out where they can be); 2 when the command line makes no sense.
"
);

/// The most threads that measure.
const MOST_WORKERS: usize = 64;
/// The most that do unless asked.
const USUAL_WORKERS: usize = 8;

/// What a probe is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of the host's interfaces.
    pub interfaces: Vec<String>,
    /// What is measured, and where it goes.
    pub recording: Recording,
    /// Devices are asked for all frames.
    pub promiscuous: bool,
    /// Threads that measure.
    pub workers: usize,
    /// After which time it ends.
    pub duration: Option<Duration>,
    /// After how many packets it ends.
    pub count: Option<u64>,
    /// No line each second.
    pub quiet: bool,
}

impl Options {
    fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            interfaces: Vec::new(),
            recording: Recording::new(),
            promiscuous: true,
            workers: cores.saturating_sub(1).clamp(1, USUAL_WORKERS),
            duration: None,
            count: None,
            quiet: false,
        }
    }

    /// Reads the command line behind `probe`.
    ///
    /// # Errors
    /// Says what is wrong with it, or that help or the version was asked for.
    pub fn parse(parser: &mut lexopt::Parser) -> Result<Self, Failure> {
        let mut options = Self::new();
        while let Some(arg) = parser.next().map_err(UsageError::from)? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Err(Failure::Help),
                Arg::Short('V') | Arg::Long("version") => return Err(Failure::Version),
                Arg::Value(name) => options.interface(&name)?,
                Arg::Long(name) => {
                    let name = name.to_owned();
                    options.option(&name, parser)?;
                }
                other => return Err(UsageError::from(other.unexpected()).into()),
            }
        }
        if options.interfaces.is_empty() {
            return Err(UsageError::Missing("INTERFACE").into());
        }
        options.recording.complete()?;
        Ok(options)
    }

    fn interface(&mut self, name: &OsString) -> Result<(), UsageError> {
        let name = text("INTERFACE", name)?;
        if self.interfaces.contains(&name) {
            let reason = format!("{name} is named twice");
            return Err(UsageError::Refused { option: "INTERFACE", reason });
        }
        self.interfaces.push(name);
        Ok(())
    }

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), UsageError> {
        match name {
            "no-promiscuous" => self.promiscuous = false,
            "quiet" => self.quiet = true,
            "workers" => self.workers = number("--workers", &parser.value()?, 1..=MOST_WORKERS)?,
            "duration" => self.duration = Some(seconds("--duration", &parser.value()?)?),
            "rotate-size" => {
                let size = number("--rotate-size", &parser.value()?, 1 << 10..=1 << 40)?;
                self.recording.rotation.size = Some(size);
            }
            "rotate-interval" => {
                let age = number("--rotate-interval", &parser.value()?, 1..=31_536_000)?;
                self.recording.rotation.age = Some(Duration::from_secs(age));
            }
            "count" => self.count = Some(number("--count", &parser.value()?, 1..=u64::MAX)?),
            _ if self.recording.option(name, parser, "in packets of the host")? => (),
            _ => return Err(lexopt::Error::UnexpectedOption(format!("--{name}")).into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options, String> {
        let mut parser = lexopt::Parser::from_args(words.split_whitespace());
        Options::parse(&mut parser).map_err(|failure| match failure {
            Failure::Usage { error, .. } => error.to_string(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn options_mean_what_the_help_says() {
        let options = parse(
            "eth0 --workers 3 --no-promiscuous eth1 --duration 1.5 --count 9 --quiet --inner \
             --collector tcp:[::1]:4739 --active 5",
        )
        .unwrap();
        assert_eq!(options.interfaces, ["eth0", "eth1"]);
        assert_eq!((options.workers, options.promiscuous, options.quiet), (3, false, true));
        assert_eq!(options.duration, Some(Duration::from_millis(1500)));
        assert_eq!(options.count, Some(9));
        assert!(options.recording.inner);
        assert_eq!(options.recording.meter.active, Duration::from_secs(5));
        let options = parse("eth0 --ipfix-file x --rotate-size 4096 --rotate-interval 60").unwrap();
        let rotation = options.recording.rotation;
        assert_eq!((rotation.size, rotation.age), (Some(4096), Some(Duration::from_secs(60))));
        let options = parse("eth0").unwrap();
        assert!(options.promiscuous && (1..=USUAL_WORKERS).contains(&options.workers));
        assert_eq!((options.duration, options.count), (None, None));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, error) in [
            ("", "no INTERFACE"),
            ("eth0 eth0", "INTERFACE: eth0 is named twice"),
            ("eth0 --workers 0", "--workers `0': expected a number from 1 to 64"),
            ("eth0 --duration x", "--duration `x': expected seconds, for instance 60 or 0.5"),
            ("eth0 --rate 3", "invalid option '--rate'"),
            ("eth0 --json --ipfix-file -", "--json and --ipfix-file - do not go together"),
            ("eth0 --collector tls:b:1", "no --tls-ca"),
            ("eth0 --rotate-size 4096", "no --ipfix-file"),
            (
                "eth0 --rotate-interval 60 --ipfix-file -",
                "--rotate-interval and --ipfix-file - do not go together",
            ),
            (
                "eth0 --rotate-size 5 --ipfix-file x",
                "--rotate-size `5': expected a number from 1024 to 1099511627776",
            ),
        ] {
            assert_eq!(parse(words).unwrap_err(), error, "{words}");
        }
    }
}
