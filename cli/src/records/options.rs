//! What is measured and where its records go, as command lines say it.

use core::time::Duration;
use std::path::PathBuf;

use vnet::{
    flow::{Config, Families, Known, RecordSet},
    ipfix::{
        fields::FieldList,
        profile::{FlowTemplates, Profile},
        reliable::{Rotation, TlsFiles},
    },
};

use super::{
    collector,
    target::{NotATarget, Target, Way},
};
use crate::args::{UsageError, file, layers, number, seconds, text};

/// What `--help` says of outputs.
macro_rules! output_help {
    () => {
        "\
Output:
      --json               Print one JSON object a flow record, and nothing else
      --ipfix-file FILE    Write an IPFIX File (RFC 5655); `-' is standard output
      --collector [tcp:|tls:]HOST:PORT
                           Send IPFIX messages, over UDP unless said; [ADDRESS]:PORT for
                           IPv6
      --top N              Print the N flows with most octets (default 10)
"
    };
}

/// What `--help` says of metering.
macro_rules! metering_help {
    () => {
        "\
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
      --inner              Measure what tunnels carry in place of them: IP in IP, GRE,
                           VXLAN, Geneve, GTP-U
      --fragments          Count later fragments in the flow of the first one of their
                           datagram, which alone has ports
      --non-ip             Measure what is not IP as flows of MAC addresses and Ethernet
                           type
      --max-flows N        Hold N flows of IPv4, of IPv6 and of others each before any is
                           evicted (default 1048576)
"
    };
}

/// What `--help` says of messages.
macro_rules! export_help {
    () => {
        "\
Export:
      --domain N           Observation domain of the messages (default 1)
      --path-mtu BYTES     Longest IP packet to the collector (default 1420)
      --template-interval S
                           Over UDP, send the templates again after S seconds, and in any
                           case after 64 messages (default 20)
      --tls-ca FILE        Authorities that may vouch for the collector, in PEM
      --tls-cert FILE      Our certificate, in PEM, where the collector asks for one
      --tls-key FILE       Its key
      --tls-name NAME      The name that the collector's certificate must have, if it is
                           not HOST
"
    };
}

pub(crate) use {export_help, metering_help, output_help};

/// What is measured, and where its records go.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What is measured, and how.
    pub meter: Config,
    /// What tunnels carry is measured in place of them.
    pub inner: bool,
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
    /// When the IPFIX File is complete, and another one is begun.
    pub rotation: Rotation,
    /// Where to send messages.
    pub collector: Option<Target>,
    /// How messages are made.
    pub export: collector::Export,
    tls: Tls,
}

/// The options of TLS, as they come.
#[derive(Clone, Debug, Default)]
struct Tls {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    name: Option<String>,
}

impl Recording {
    /// VPP's timers, IPv4 and IPv6, by addresses, ports and VLAN; no outputs.
    pub(crate) const fn new() -> Self {
        let families = Families::IP4.union(Families::IP6);
        let record = RecordSet::L3.union(RecordSet::L4).union(RecordSet::VLAN);
        Self {
            meter: Config::new(families, record),
            inner: false,
            template: None,
            has_record: false,
            json: false,
            top: 10,
            ipfix_file: None,
            rotation: Rotation { size: None, age: None },
            collector: None,
            export: collector::Export::new(),
            tls: Tls { ca: None, cert: None, key: None, name: None },
        }
    }

    /// Takes an option, whose name has come without dashes; `false` when it is none of these. `from` says where packets come
    /// from.
    pub(crate) fn option(
        &mut self,
        name: &str,
        parser: &mut lexopt::Parser,
        from: &str,
    ) -> Result<bool, UsageError> {
        match name {
            "json" => self.json = true,
            "inner" => self.inner = true,
            "fragments" => self.meter.fragments = true,
            "non-ip" => self.meter.families |= Families::OTHER,
            "top" => self.top = number("--top", &parser.value()?, 0..=1_000_000)?,
            "ipfix-file" => self.ipfix_file = Some(file("--ipfix-file", parser.value()?)?),
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
                fields.check_known(Known::empty(), from).map_err(refused)?;
                self.template = Some(fields);
            }
            "max-flows" => {
                self.meter.max_flows = number("--max-flows", &parser.value()?, 1..=1 << 30)?;
            }
            _ => return self.export_option(name, parser),
        }
        Ok(true)
    }

    fn export_option(
        &mut self,
        name: &str,
        parser: &mut lexopt::Parser,
    ) -> Result<bool, UsageError> {
        match name {
            "collector" => {
                let value = parser.value()?;
                let target = text("--collector", &value)?.parse();
                let error = |NotATarget| UsageError::value("--collector", &value, "HOST:PORT");
                self.collector = Some(target.map_err(error)?);
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
            "tls-ca" => self.tls.ca = Some(file("--tls-ca", parser.value()?)?),
            "tls-cert" => self.tls.cert = Some(file("--tls-cert", parser.value()?)?),
            "tls-key" => self.tls.key = Some(file("--tls-key", parser.value()?)?),
            "tls-name" => self.tls.name = Some(text("--tls-name", &parser.value()?)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Looks at what goes together, when all options have come.
    pub(crate) fn complete(&mut self) -> Result<(), UsageError> {
        if self.template.is_some() && self.has_record {
            return Err(UsageError::Conflict("--template", "--record"));
        }
        if self.json && self.file_is_stdout() {
            return Err(UsageError::Conflict("--json", "--ipfix-file -"));
        }
        let Rotation { size, age } = self.rotation;
        let rotates = [(size.is_some(), "--rotate-size"), (age.is_some(), "--rotate-interval")];
        if let Some((_, option)) = rotates.into_iter().find(|(given, _)| *given) {
            match &self.ipfix_file {
                None => return Err(UsageError::Missing("--ipfix-file")),
                Some(_) if self.file_is_stdout() => {
                    return Err(UsageError::Conflict(option, "--ipfix-file -"));
                }
                Some(_) => {}
            }
        }
        self.tls_files()?;
        if let Some(list) = &self.template {
            self.meter = list.metering(self.meter.clone());
        }
        Ok(())
    }

    /// The files of TLS; `None` where messages do not go that way.
    pub(crate) fn tls_files(&self) -> Result<Option<TlsFiles>, UsageError> {
        let Tls { ca, cert, key, name } = &self.tls;
        let is_tls = self.collector.as_ref().is_some_and(|target| target.way == Way::Tls);
        if !is_tls {
            let given = [("--tls-ca", ca), ("--tls-cert", cert), ("--tls-key", key)];
            let given = given.into_iter().find(|(_, value)| value.is_some());
            let option = given.map(|(option, _)| option);
            return match option.or(name.as_ref().map(|_| "--tls-name")) {
                Some(option) => Err(UsageError::Refused {
                    option,
                    reason: "the collector is not tls:HOST:PORT".to_owned(),
                }),
                None => Ok(None),
            };
        }
        let ca = ca.clone().ok_or(UsageError::Missing("--tls-ca"))?;
        let own = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(UsageError::Missing("--tls-key")),
            (None, Some(_)) => return Err(UsageError::Missing("--tls-cert")),
        };
        Ok(Some(TlsFiles { ca, own, name: name.clone() }))
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
