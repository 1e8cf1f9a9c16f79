//! `--collector`: flow records as IPFIX messages over UDP.

use core::{num::NonZeroU32, str::FromStr, time::Duration};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use vnet::{
    flow::FlowRecord,
    ipfix::{
        export::{Counters, Outgoing, Outlet, SendError, Stream, StreamKey},
        message::PackError,
        profile::{FlowTemplates, Framing},
        template::{Template, TemplateError, TemplateId},
    },
};

use super::pace::Pace;

/// Smallest path MTU with room for the longest record and the longest template, alone in a message over IPv6.
pub const MIN_PATH_MTU: u16 = 256;
/// Messages after which the templates are sent again, since the ones before may have been lost.
const TEMPLATE_MESSAGES: u64 = 64;
/// Octets of IP and UDP headers.
const HEADERS: [usize; 2] = [28, 48];

/// Where messages go: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
}

/// Not of the form `HOST:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT")]
pub struct NotATarget;

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let (host, port) = text.rsplit_once(':').ok_or(NotATarget)?;
        let port = port.parse().ok().filter(|&port| port != 0).ok_or(NotATarget)?;
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(inner) => inner.filter(|host| host.parse::<Ipv6Addr>().is_ok()),
            // An address of IPv6 without brackets would swallow the port.
            None => Some(host).filter(|host| !host.is_empty() && !host.contains(':')),
        };
        Ok(Self { host: host.ok_or(NotATarget)?.to_owned(), port })
    }
}

impl core::fmt::Display for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// How messages are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// Observation domain.
    pub domain: u32,
    /// Octets of the longest IP packet, at least [`MIN_PATH_MTU`].
    pub path_mtu: u16,
    /// Time between two sendings of the templates.
    pub template_interval: Duration,
}

impl Export {
    /// Domain 1; packets that fit an Ethernet frame with a tunnel header or two around them; RFC 7011 leaves the interval
    /// to the exporter, and VPP has 20 seconds.
    pub(super) const fn new() -> Self {
        Self { domain: 1, path_mtu: 1420, template_interval: Duration::from_secs(20) }
    }
}

/// Why records do not reach the collector.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The host's name means nothing.
    #[error("collector {target}: {source}")]
    Resolve {
        /// As given.
        target: Target,
        /// What the system said.
        source: io::Error,
    },
    /// There is no way to it.
    #[error("collector {target}: cannot connect: {source}")]
    Connect {
        /// As given.
        target: Target,
        /// What the system said.
        source: io::Error,
    },
    /// The collector's host says that nobody listens.
    #[error("collector {target}: nobody listens there (connection refused)")]
    Refused {
        /// As given.
        target: Target,
    },
    /// A message is longer than the way allows.
    #[error("collector {target}: messages are too long for the path; try a smaller --path-mtu")]
    TooLong {
        /// As given.
        target: Target,
    },
    /// A message was not sent.
    #[error("collector {target}: cannot send: {source}")]
    Send {
        /// As given.
        target: Target,
        /// What the system said.
        source: io::Error,
    },
    /// The fields make no template, or no message has room for a record.
    #[error("collector {target}: {reason}")]
    Unsendable {
        /// As given.
        target: Target,
        /// Why.
        reason: String,
    },
}

/// A UDP transport session with one stream of records.
pub struct Collector {
    target: Target,
    flows: FlowTemplates,
    templates: Vec<Template>,
    stream: Stream,
    link: Link,
    /// Seconds since 1970.
    export_time: u32,
    /// When, and after how many messages, the templates are to be sent again.
    templates_due: (Instant, u64),
    template_interval: Duration,
}

/// The socket and how fast it is used.
struct Link {
    socket: UdpSocket,
    pace: Pace,
}

impl Collector {
    /// Begins a session with `target` and sends the templates. Without `rate`, messages a second, they are paced so that a
    /// collector keeps up.
    ///
    /// # Errors
    /// When there is no such host, no way to it, or nobody listens on its port as far as can be told.
    pub fn connect(
        target: Target,
        export: Export,
        rate: Option<NonZeroU32>,
        flows: FlowTemplates,
    ) -> Result<Self, CollectorError> {
        let (socket, address) = connect(&target)?;
        let headers = HEADERS[usize::from(address.is_ipv6())];
        let limit = usize::from(export.path_mtu) - headers;
        let templates = (0..).zip(flows.encoders()).map(|(ordinal, encoder)| {
            Template::new(TemplateId::from_ordinal(ordinal), 0, encoder.fields())
        });
        let templates = match templates.collect::<Result<Vec<_>, TemplateError>>() {
            Ok(templates) => templates,
            Err(error) => {
                return Err(CollectorError::Unsendable { target, reason: error.to_string() });
            }
        };
        let pace = match rate {
            Some(rate) => Pace::fixed(rate.get()),
            None => Pace::to(&socket, address),
        };
        let key = StreamKey { domain: export.domain, source_port: 0 };
        let mut collector = Self {
            target,
            flows,
            templates,
            stream: Stream::new(key, limit),
            link: Link { socket, pace },
            export_time: 0,
            templates_due: (Instant::now(), 0),
            template_interval: export.template_interval,
        };
        collector.tick()?;
        collector.add_templates()?;
        collector.flush()?;
        collector.check_refusal()?;
        Ok(collector)
    }

    /// Adds a record; its message is sent when it is full.
    ///
    /// # Errors
    /// When a message could not be sent. Its records are lost, and counted in [`Self::counters`].
    pub fn record(&mut self, record: &FlowRecord) -> Result<(), CollectorError> {
        // Every family that is measured has its template.
        let Some((slot, encoder)) = self.flows.select(record) else { return Ok(()) };
        let template = &self.templates[slot.index()];
        let len = encoder.len_of(record);
        let before = self.stream.counters().messages;
        let export_time = self.export_time;
        let Self { stream, link, .. } = self;
        let mut send = |outgoing: Outgoing<'_>| link.send(outgoing.message);
        let mut outlet = Outlet { export_time, send: &mut send, failure: None };
        let added =
            stream.record(template.id(), len, &mut outlet, |out| encoder.encode(record, out));
        let failure = outlet.failure.take();
        self.settle(failure, added)?;
        if self.stream.counters().messages != before {
            self.tick()?;
        }
        Ok(())
    }

    /// Looks at the clock: for export times, and for the templates.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn tick(&mut self) -> Result<(), CollectorError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The header has 32 bits, which wrap in 2106.
        self.export_time = since.as_secs() as u32;
        let (time, messages) = self.templates_due;
        let sent = self.stream.counters().messages;
        if sent > 0 && (sent >= messages || Instant::now() >= time) {
            self.add_templates()?;
        }
        Ok(())
    }

    /// Sends what is not sent yet.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn finish(&mut self) -> Result<(), CollectorError> {
        self.tick()?;
        self.flush()?;
        self.check_refusal()
    }

    /// What was sent.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.stream.counters()
    }

    /// Datagrams that a collector on this host had no room for, its other exporters' among them; `None` when that cannot be
    /// told.
    #[must_use]
    pub fn dropped(&mut self) -> Option<u64> {
        self.link.pace.dropped()
    }

    /// As it was given.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    fn add_templates(&mut self) -> Result<(), CollectorError> {
        let sent = self.stream.counters().messages;
        self.templates_due = (Instant::now() + self.template_interval, sent + TEMPLATE_MESSAGES);
        let export_time = self.export_time;
        let Self { stream, link, templates, .. } = self;
        let mut send = |outgoing: Outgoing<'_>| link.send(outgoing.message);
        let mut outlet = Outlet { export_time, send: &mut send, failure: None };
        let added = templates
            .iter()
            .try_for_each(|template| stream.template(template, Framing::RFC, &mut outlet));
        let failure = outlet.failure.take();
        self.settle(failure, added)
    }

    fn flush(&mut self) -> Result<(), CollectorError> {
        let export_time = self.export_time;
        let Self { stream, link, .. } = self;
        let mut send = |outgoing: Outgoing<'_>| link.send(outgoing.message);
        let mut outlet = Outlet { export_time, send: &mut send, failure: None };
        stream.flush(&mut outlet);
        let failure = outlet.failure.take();
        self.settle(failure, Ok(()))
    }

    fn settle(
        &self,
        failure: Option<SendError>,
        added: Result<(), PackError>,
    ) -> Result<(), CollectorError> {
        let target = || self.target.clone();
        match failure {
            None => {}
            Some(SendError::Io(source)) => return Err(self.error(source)),
            Some(other) => return Err(self.error(io::Error::other(other))),
        }
        added.map_err(|e| CollectorError::Unsendable { target: target(), reason: e.to_string() })
    }

    /// A refusal comes back as an error of the socket, at once from this host.
    fn check_refusal(&self) -> Result<(), CollectorError> {
        match self.link.socket.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(self.error(error)),
        }
    }

    fn error(&self, source: io::Error) -> CollectorError {
        let target = self.target.clone();
        match source.raw_os_error() {
            Some(libc::ECONNREFUSED) => CollectorError::Refused { target },
            Some(libc::EMSGSIZE) => CollectorError::TooLong { target },
            _ => CollectorError::Send { target, source },
        }
    }
}

impl Link {
    fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.pace.wait(message.len());
        loop {
            match self.socket.send(message) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A socket that is connected to the first of the target's addresses to which there is a way.
fn connect(target: &Target) -> Result<(UdpSocket, SocketAddr), CollectorError> {
    let resolve = |source| CollectorError::Resolve { target: target.clone(), source };
    let connect = |source| CollectorError::Connect { target: target.clone(), source };
    let mut failure = None;
    for address in (target.host.as_str(), target.port).to_socket_addrs().map_err(resolve)? {
        let own: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((own, 0))
            .and_then(|socket| socket.connect(address).map(|()| (socket, address)));
        match socket {
            Ok(connected) => return Ok(connected),
            Err(error) => failure = Some(error),
        }
    }
    Err(connect(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_host_and_a_port() {
        for text in ["127.0.0.1:9995", "[::1]:4739", "collector.example:1"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", ":1", "a", "a:", "a:0", "a:65536", "::1:4739", "[::1]", "[a]:1", "[::1:1"]
        {
            assert_eq!(text.parse::<Target>(), Err(NotATarget), "{text}");
        }
    }
}
