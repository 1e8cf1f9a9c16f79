//! The command line of `peloton replay`.

use core::{num::NonZeroU32, time::Duration};
use std::path::PathBuf;

use lexopt::Arg;
use vnet::{
    flow::{Config, Families, Known, RecordSet},
    ipfix::{
        fields::FieldList,
        profile::{FlowTemplates, Profile},
    },
};

use super::{collector, run::FRAME_SIZE};
use crate::args::{Failure, UsageError, file, layers, number, seconds, text};

/// What `peloton replay --help` prints.
pub const HELP: &str = "\
peloton replay - flow records of captured packets

Usage: peloton replay [OPTION...] CAPTURE...

Reads pcap and pcapng captures one after the other, as one run; `-' is standard input.
Prints the top flows and a summary, unless --json or --ipfix-file - wants standard output.

Output:
      --json               Print one JSON object a flow record, and nothing else
      --ipfix-file FILE    Write an IPFIX File (RFC 5655); `-' is standard output
      --collector HOST:PORT
                           Send IPFIX messages over UDP; [ADDRESS]:PORT for IPv6
      --top N              Print the N flows with most octets (default 10)

Metering:
      --active S           Make a record of a flow when it is S seconds old; 0 makes one
                           a packet (default 15)
      --passive S          End a flow that had no packet for more than S seconds; 0 is
                           never (default 120)
      --record LAYERS      Tell flows apart by l2 (MAC addresses, Ethernet type), l3 (IP
                           addresses, protocol) and l4 (ports, protocol, TCP flags), a
                           list with commas (default l3,l4); the outermost VLAN always
      --template FIELDS    Make records of these fields, a list of IANA names with commas:
                           those that are keys tell flows apart, and nothing else does;
                           NAME/OCTETS makes an integer shorter (`show ipfix element' of
                           peloton lists them, docs/IPFIX.md has the rules)
      --fragments          Count later fragments in the flow of the first one of their
                           datagram, which alone has ports
      --non-ip             Measure what is not IP as flows of MAC addresses and Ethernet
                           type
      --max-flows N        Hold N flows of IPv4, of IPv6 and of others each before any is
                           evicted (default 1048576)

Export:
      --domain N           Observation domain of the messages (default 1)
      --path-mtu BYTES     Longest IP packet to the collector (default 1420)
      --template-interval S
                           Send the templates again after S seconds, and in any case
                           after 64 messages (default 20)
      --rate PPS           Read at most PPS packets a second, and send no more than as
                           many messages. Without it packets are read as fast as they can
                           be measured, and messages sent as fast as a collector on this
                           host empties its socket, or 2500 a second to any other

  -h, --help               Print this
  -V, --version            Print the version

Exit status: 0 when all went well; 1 when a capture could not be read to its end, or an
output not be written (the records of what was read are still put out where they can
be); 2 when the command line makes no sense; 130 after an interrupt, which ends the run
as if the capture ended there.
";

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The captures in order; `-` is standard input.
    pub captures: Vec<PathBuf>,
    /// What is measured, and how.
    pub meter: Config,
    /// The fields of records, where they are chosen one by one.
    pub template: Option<FieldList>,
    /// Whether layers were asked for.
    has_record: bool,
    /// JSON lines on standard output.
    pub json: bool,
    /// How many of the top flows are shown.
    pub top: usize,
    /// Where to write an IPFIX File.
    pub ipfix_file: Option<PathBuf>,
    /// Where to send messages.
    pub collector: Option<collector::Target>,
    /// How messages are made.
    pub export: collector::Export,
    /// Packets a second at most.
    pub rate: Option<NonZeroU32>,
    /// Packets of a frame at most: results do not depend on it, which a test must be able to show.
    pub frame_size: usize,
}

impl Options {
    /// A run without captures or outputs.
    const fn new() -> Self {
        let families = Families::IP4.union(Families::IP6);
        let record = RecordSet::L3.union(RecordSet::L4).union(RecordSet::VLAN);
        Self {
            captures: Vec::new(),
            meter: Config::new(families, record),
            template: None,
            has_record: false,
            json: false,
            top: 10,
            ipfix_file: None,
            collector: None,
            export: collector::Export::new(),
            rate: None,
            frame_size: FRAME_SIZE,
        }
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
        if let Some(list) = &options.template {
            options.meter = list.metering(options.meter);
        }
        Ok(options)
    }

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), UsageError> {
        match name {
            "json" => self.json = true,
            "fragments" => self.meter.fragments = true,
            "non-ip" => self.meter.families |= Families::OTHER,
            "top" => self.top = number("--top", &parser.value()?, 0..=1_000_000)?,
            "ipfix-file" => self.ipfix_file = Some(file("--ipfix-file", parser.value()?)?),
            "collector" => {
                let value = parser.value()?;
                let target = text("--collector", &value)?.parse();
                let error = |_| UsageError::value("--collector", &value, "HOST:PORT");
                self.collector = Some(target.map_err(error)?);
            }
            "active" => self.meter.active = seconds("--active", &parser.value()?)?,
            "passive" => self.meter.passive = seconds("--passive", &parser.value()?)?,
            "record" => {
                let value = parser.value()?;
                self.meter.record = layers("--record", &value)? | RecordSet::VLAN;
                self.has_record = true;
            }
            "template" => {
                let value = parser.value()?;
                let refused = |error| UsageError::refused("--template", error);
                let fields = FieldList::parse(&text("--template", &value)?).map_err(refused)?;
                fields.check_known(Known::empty(), "in captures").map_err(refused)?;
                self.template = Some(fields);
            }
            "max-flows" => {
                self.meter.max_flows = number("--max-flows", &parser.value()?, 1..=1 << 30)?;
            }
            "domain" => self.export.domain = number("--domain", &parser.value()?, 0..=u32::MAX)?,
            "path-mtu" => {
                let range = collector::MIN_PATH_MTU..=u16::MAX;
                self.export.path_mtu = number("--path-mtu", &parser.value()?, range)?;
            }
            "template-interval" => {
                let value = number("--template-interval", &parser.value()?, 1..=1_000_000_000)?;
                self.export.template_interval = Duration::from_secs(value);
            }
            "rate" => {
                let rate = number("--rate", &parser.value()?, 1..=u32::MAX)?;
                self.rate = NonZeroU32::new(rate);
            }
            "frame-size" => {
                self.frame_size = number("--frame-size", &parser.value()?, 1..=FRAME_SIZE)?;
            }
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
        if self.template.is_some() && self.has_record {
            return Err(UsageError::Conflict("--template", "--record"));
        }
        if self.json && self.file_is_stdout() {
            return Err(UsageError::Conflict("--json", "--ipfix-file -"));
        }
        Ok(())
    }

    /// The templates of the records.
    #[must_use]
    pub fn templates(&self) -> FlowTemplates {
        let Config { record, families, .. } = self.meter;
        match &self.template {
            Some(list) => list.templates(families),
            None => Profile::Rfc.templates(record, families),
        }
    }

    /// Whether the IPFIX File goes to standard output.
    #[must_use]
    pub fn file_is_stdout(&self) -> bool {
        self.ipfix_file.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// Whether standard output is for people.
    #[must_use]
    pub fn prints_report(&self) -> bool {
        !self.json && !self.file_is_stdout()
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
            "a.pcap --json --active 0.5 --passive=30 --record l4,l2 --non-ip --max-flows 7 \
             --collector [::1]:9995 --ipfix-file out --rate 100 --domain 9 --top 3 -",
        )
        .unwrap();
        assert_eq!(options.captures, [PathBuf::from("a.pcap"), "-".into()]);
        assert_eq!(options.meter.record, RecordSet::L2 | RecordSet::L4 | RecordSet::VLAN);
        assert_eq!(options.meter.families, Families::all());
        assert_eq!(options.meter.active, Duration::from_millis(500));
        assert_eq!((options.meter.max_flows, options.export.domain, options.top), (7, 9, 3));
        assert_eq!(options.rate.map(NonZeroU32::get), Some(100));
        assert!(options.json && options.collector.is_some());
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let options = parse("a.pcap").unwrap();
        assert_eq!(options.meter.active, Duration::from_secs(15));
        assert_eq!(options.meter.passive, Duration::from_secs(120));
        assert_eq!(options.meter.max_flows, 1_048_576);
        assert_eq!((options.top, options.export.domain, options.export.path_mtu), (10, 1, 1420));
        assert_eq!(options.export.template_interval, Duration::from_secs(20));
        assert_eq!(options.meter.families, Families::IP4 | Families::IP6);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, error) in [
            ("", "no CAPTURE"),
            ("--json", "no CAPTURE"),
            ("a --record l1", "--record `l1': expected some of l2,l3,l4"),
            ("a --record l3,", "--record `l3,': expected some of l2,l3,l4"),
            ("a --collector 9995", "--collector `9995': expected HOST:PORT"),
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
