//! `--collector`: flow records as IPFIX messages over UDP, TCP or TLS.
//!
//! A replay waits for its collector, and fails with it. A live probe waits for nobody: what cannot be sent is counted, and told
//! once until it can be sent again.

use core::{num::NonZeroU32, time::Duration};
use std::{
    io,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use vnet::{
    flow::FlowRecord,
    ipfix::{
        export::{Counters, Outgoing, Outlet, SendError, Stream, StreamKey},
        message::{MAX_MESSAGE_LEN, PackError},
        profile::{FlowTemplates, Framing},
        reliable::{Item, TlsError, TlsFiles},
        template::{Template, TemplateError, TemplateId},
    },
};

use super::{
    datagrams::{self, Datagrams},
    session::Session,
    target::{Target, Way},
};

/// Smallest path MTU with room for the longest record and the longest template, alone in a message over IPv6.
pub const MIN_PATH_MTU: u16 = 256;
/// Messages after which the templates are sent again, since the ones before may have been lost.
const TEMPLATE_MESSAGES: u64 = 64;
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
    pub(crate) const fn new() -> Self {
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
    /// Certificates or keys are of no use.
    #[error("collector {target}: {source}")]
    Tls {
        /// As given.
        target: Target,
        /// What is wrong with them.
        source: TlsError,
    },
    /// The collector did not take everything.
    #[error("collector {target}: {messages} messages could not be delivered: {reason}")]
    Undelivered {
        /// As given.
        target: Target,
        /// How many.
        messages: u64,
        /// Why not.
        reason: String,
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

/// Who is held up by a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Whoever makes the records waits; at most so many messages a second where that is said.
    Patient(Option<NonZeroU32>),
    /// Nobody: what cannot be sent is counted.
    Live,
}

/// A transport session with one stream of records.
pub struct Collector {
    target: Target,
    flows: FlowTemplates,
    templates: Vec<Template>,
    stream: Stream,
    link: Link,
    is_live: bool,
    /// Seconds since 1970.
    export_time: u32,
    /// When, and after how many messages, the templates are to be sent again.
    templates_due: (Instant, u64),
    template_interval: Duration,
}

/// The way there.
enum Link {
    Datagrams(Datagrams),
    Session(Session),
}

impl Collector {
    /// Begins a session with `target`, and sends the templates.
    ///
    /// # Errors
    /// When there is no such host, no way to it, or nobody listens on its port as far as can be told; where nobody waits, only the
    /// first of these, and over UDP.
    pub fn connect(
        target: Target,
        tls: Option<TlsFiles>,
        export: Export,
        feed: Feed,
        flows: FlowTemplates,
    ) -> Result<Self, CollectorError> {
        let (link, limit) = match target.way {
            Way::Udp => {
                let datagrams = Datagrams::connect(&target, feed)?;
                let limit = usize::from(export.path_mtu) - datagrams.headers();
                (Link::Datagrams(datagrams), limit)
            }
            Way::Tcp | Way::Tls => {
                let limit = usize::from(export.path_mtu).min(MAX_MESSAGE_LEN);
                (Link::Session(Session::begin(&target, tls, feed)?), limit)
            }
        };
        let templates = (0..).zip(flows.encoders()).map(|(ordinal, encoder)| {
            Template::new(TemplateId::from_ordinal(ordinal), 0, encoder.fields())
        });
        let templates = match templates.collect::<Result<Vec<_>, TemplateError>>() {
            Ok(templates) => templates,
            Err(error) => {
                return Err(CollectorError::Unsendable { target, reason: error.to_string() });
            }
        };
        let key = StreamKey { domain: export.domain, source_port: 0 };
        let mut collector = Self {
            target,
            flows,
            templates,
            stream: Stream::new(key, limit),
            link,
            is_live: feed == Feed::Live,
            export_time: 0,
            templates_due: (Instant::now(), 0),
            template_interval: export.template_interval,
        };
        collector.tick()?;
        collector.begin(export.domain)?;
        Ok(collector)
    }

    /// Tells the templates, for the first time.
    fn begin(&mut self, domain: u32) -> Result<(), CollectorError> {
        if let Link::Session(session) = &mut self.link {
            for template in &self.templates {
                session.push(Item::Template { domain, template: template.clone() });
            }
            return Ok(());
        }
        self.add_templates()?;
        self.flush()?;
        self.check_refusal()
    }

    /// Adds a record; its message is sent when it is full.
    ///
    /// # Errors
    /// When a message could not be sent, and somebody waits for that. Its records are lost, and counted in [`Self::counters`].
    pub fn record(&mut self, record: &FlowRecord) -> Result<(), CollectorError> {
        // Every family that is measured has its template.
        let Some((slot, encoder)) = self.flows.select(record) else { return Ok(()) };
        let template = &self.templates[slot.index()];
        let len = encoder.len_of(record);
        let before = self.stream.counters().messages;
        let export_time = self.export_time;
        let Self { stream, link, .. } = self;
        let mut send = |outgoing: Outgoing<'_>| link.send(&outgoing);
        let mut outlet = Outlet { export_time: export_time.into(), send: &mut send, failure: None };
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
        let repeats = matches!(self.link, Link::Datagrams(_)) && sent > 0;
        if repeats && (sent >= messages || Instant::now() >= time) {
            self.add_templates()?;
        }
        Ok(())
    }

    /// Sends what is ready, full message or not, so that records do not wait for others.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn send_ready(&mut self) -> Result<(), CollectorError> {
        self.tick()?;
        self.flush()
    }

    /// Sends what is not sent yet, and waits until it is delivered where that can be told.
    ///
    /// # Errors
    /// As [`Self::record`], and when not everything was delivered.
    pub fn finish(&mut self) -> Result<(), CollectorError> {
        self.tick()?;
        self.flush()?;
        match &mut self.link {
            Link::Datagrams(_) => self.check_refusal(),
            Link::Session(session) => session.finish().map_err(|(messages, reason)| {
                CollectorError::Undelivered { target: self.target.clone(), messages, reason }
            }),
        }
    }

    /// What was sent; what a session has not delivered when it is finished was not.
    #[must_use]
    pub fn counters(&self) -> Counters {
        match &self.link {
            Link::Datagrams(_) => self.stream.counters(),
            Link::Session(session) => session.settled(self.stream.counters()),
        }
    }

    /// Datagrams that a collector on this host had no room for, its other exporters' among them; `None` when that cannot be
    /// told.
    #[must_use]
    pub fn dropped(&mut self) -> Option<u64> {
        match &mut self.link {
            Link::Datagrams(datagrams) => datagrams.dropped(),
            Link::Session(_) => None,
        }
    }

    /// What has gone wrong, or is well again, since the last call, where nobody waits.
    pub fn news(&mut self) -> Option<String> {
        let target = &self.target;
        match &mut self.link {
            Link::Session(session) => {
                session.news().map(|news| format!("collector {target}: {news}"))
            }
            Link::Datagrams(datagrams) => datagrams.news(),
        }
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
        let mut send = |outgoing: Outgoing<'_>| link.send(&outgoing);
        let mut outlet = Outlet { export_time: export_time.into(), send: &mut send, failure: None };
        let added = templates
            .iter()
            .try_for_each(|template| stream.template(template, Framing::RFC, &mut outlet));
        let failure = outlet.failure.take();
        self.settle(failure, added)
    }

    fn flush(&mut self) -> Result<(), CollectorError> {
        let export_time = self.export_time;
        let Self { stream, link, .. } = self;
        let mut send = |outgoing: Outgoing<'_>| link.send(&outgoing);
        let mut outlet = Outlet { export_time: export_time.into(), send: &mut send, failure: None };
        stream.flush(&mut outlet);
        let failure = outlet.failure.take();
        self.settle(failure, Ok(()))
    }

    fn settle(
        &mut self,
        failure: Option<SendError>,
        added: Result<(), PackError>,
    ) -> Result<(), CollectorError> {
        let failed = match failure {
            None => Ok(()),
            Some(SendError::Io(source)) => Err(datagrams::error(&self.target, source)),
            Some(other) => Err(datagrams::error(&self.target, io::Error::other(other))),
        };
        let target = || self.target.clone();
        let unsendable =
            |e: PackError| CollectorError::Unsendable { target: target(), reason: e.to_string() };
        match failed.and(added.map_err(unsendable)) {
            Err(error) if self.is_live => {
                self.note(&error);
                Ok(())
            }
            result => result,
        }
    }

    #[cold]
    fn note(&mut self, error: &CollectorError) {
        if let Link::Datagrams(datagrams) = &mut self.link {
            datagrams.note(error.to_string());
        }
    }

    /// A refusal comes back as an error of the socket, at once from this host.
    fn check_refusal(&self) -> Result<(), CollectorError> {
        match &self.link {
            Link::Datagrams(datagrams) if !self.is_live => datagrams.check_refusal(&self.target),
            _ => Ok(()),
        }
    }
}

impl Link {
    fn send(&mut self, outgoing: &Outgoing<'_>) -> Result<(), SendError> {
        match self {
            Self::Datagrams(datagrams) => datagrams.send(outgoing.message),
            Self::Session(session) => session.send(outgoing),
        }
    }
}
