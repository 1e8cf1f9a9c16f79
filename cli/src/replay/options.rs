//! The command line of `peloton replay`.

use core::num::NonZeroU32;
use std::path::PathBuf;

use lexopt::Arg;

use super::run::FRAME_SIZE;
use crate::{
    args::{Failure, UsageError, file, number},
    records::options::{Recording, export_help, metering_help, output_help},
};

/// What `peloton replay --help` prints.
pub const HELP: &str = concat!(
    "\
peloton replay - flow records of captured packets

Usage: peloton replay [OPTION...] CAPTURE...

Reads pcap and pcapng captures one after the other, as one run; `-' is standard input.
Prints the top flows and a summary, unless --json or --ipfix-file - wants standard output.

",
    output_help!(),
    "\n",
    metering_help!(),
    "\n",
    export_help!(),
    "      --rate PPS           Read at most PPS packets a second, and send no more than as
                           many messages. Without it packets are read as fast as they can
                           be measured, and messages sent over UDP as fast as a collector
                           on this host empties its socket, or 2500 a second to any other

  -h, --help               Print this
  -V, --version            Print the version

Exit status: 0 when all went well; 1 when a capture could not be read to its end, or an
output not be written (the records of what was read are still put out where they can
be); 2 when the command line makes no sense; 130 after an interrupt, which ends the run
as if the capture ended there.
"
);

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The captures in order; `-` is standard input.
    pub captures: Vec<PathBuf>,
    /// What is measured, and where it goes.
    pub recording: Recording,
    /// Packets a second at most.
    pub rate: Option<NonZeroU32>,
    /// Packets of a frame at most: results do not depend on it, which a test must be able to show.
    pub frame_size: usize,
}

impl Options {
    /// A run without captures or outputs.
    const fn new() -> Self {
        let recording = Recording::new();
        Self { captures: Vec::new(), recording, rate: None, frame_size: FRAME_SIZE }
    }

    /// Reads the command line behind `replay`.
    ///
    /// # Errors
    /// Says what is wrong with it, or that help or the version was asked for.
    pub fn parse(parser: &mut lexopt::Parser) -> Result<Self, Failure> {
        let mut options = Self::new();
        while let Some(arg) = parser.next().map_err(UsageError::from)? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Err(Failure::Help),
                Arg::Short('V') | Arg::Long("version") => return Err(Failure::Version),
                Arg::Value(path) => options.captures.push(file("CAPTURE", path)?),
                Arg::Long(name) => {
                    let name = name.to_owned();
                    options.option(&name, parser)?;
                }
                other => return Err(UsageError::from(other.unexpected()).into()),
            }
        }
        options.check()?;
        options.recording.complete()?;
        Ok(options)
    }

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), UsageError> {
        match name {
            "rate" => {
                let rate = number("--rate", &parser.value()?, 1..=u32::MAX)?;
                self.rate = NonZeroU32::new(rate);
            }
            "frame-size" => {
                self.frame_size = number("--frame-size", &parser.value()?, 1..=FRAME_SIZE)?;
            }
            _ if self.recording.option(name, parser, "in captures")? => (),
            _ => return Err(lexopt::Error::UnexpectedOption(format!("--{name}")).into()),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), UsageError> {
        if self.captures.is_empty() {
            return Err(UsageError::Missing("CAPTURE"));
        }
        if self.captures.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            return Err(UsageError::Conflict("CAPTURE -", "another CAPTURE -"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use vnet::flow::{Families, RecordSet};

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
            "a.pcap --json --active 0.5 --passive=30 --record l4,l2 --non-ip --max-flows 7 \
             --collector [::1]:9995 --ipfix-file out --rate 100 --domain 9 --top 3 -",
        )
        .unwrap();
        assert_eq!(options.captures, [PathBuf::from("a.pcap"), "-".into()]);
        assert_eq!(options.recording.meter.record, RecordSet::L2 | RecordSet::L4 | RecordSet::VLAN);
        assert_eq!(options.recording.meter.families, Families::all());
        assert_eq!(options.recording.meter.active, Duration::from_millis(500));
        assert_eq!(
            (
                options.recording.meter.max_flows,
                options.recording.export.domain,
                options.recording.top
            ),
            (7, 9, 3)
        );
        assert_eq!(options.rate.map(NonZeroU32::get), Some(100));
        assert!(options.recording.json && options.recording.collector.is_some());
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let options = parse("a.pcap").unwrap();
        assert_eq!(options.recording.meter.active, Duration::from_secs(15));
        assert_eq!(options.recording.meter.passive, Duration::from_secs(120));
        assert_eq!(options.recording.meter.max_flows, 1_048_576);
        assert_eq!(
            (
                options.recording.top,
                options.recording.export.domain,
                options.recording.export.path_mtu
            ),
            (10, 1, 1420)
        );
        assert_eq!(options.recording.export.template_interval, Duration::from_secs(20));
        assert_eq!(options.recording.meter.families, Families::IP4 | Families::IP6);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, error) in [
            ("", "no CAPTURE"),
            ("--json", "no CAPTURE"),
            ("a --record l1", "--record `l1': expected some of l2,l3,l4"),
            ("a --record l3,", "--record `l3,': expected some of l2,l3,l4"),
            ("a --collector 9995", "--collector `9995': expected HOST:PORT"),
            ("a --collector tls:b:1", "no --tls-ca"),
            ("a --collector tls:b:1 --tls-ca c --tls-cert d", "no --tls-key"),
            ("a --collector b:1 --tls-ca c", "--tls-ca: the collector is not tls:HOST:PORT"),
            ("a --tls-name b", "--tls-name: the collector is not tls:HOST:PORT"),
            ("a --top ten", "--top `ten': expected a number from 0 to 1000000"),
            ("a --rate 0", "--rate `0': expected a number from 1 to 4294967295"),
            ("a --frame-size 257", "--frame-size `257': expected a number from 1 to 256"),
            ("a --active -1", "--active `-1': expected seconds, for instance 60 or 0.5"),
            ("a --nonsense", "invalid option '--nonsense'"),
            ("a -x", "invalid option '-x'"),
            ("a --top", "missing argument for option '--top'"),
            ("a --json=yes", "unexpected argument for option '--json': \"yes\""),
            ("- -", "CAPTURE - and another CAPTURE - do not go together"),
            ("a --json --ipfix-file -", "--json and --ipfix-file - do not go together"),
        ] {
            assert_eq!(parse(words).unwrap_err(), error, "{words}");
        }
    }
}
