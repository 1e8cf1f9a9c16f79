//! Where the messages of an exporter go.

use core::{num::NonZeroU32, time::Duration};

use super::config::ExporterConfig;

/// Names a reliable transport of the engine: one collector over TCP or TLS, or one IPFIX File.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReliableId(pub u32);

/// Octets of the longest message to a reliable transport: whole there at once, and far from RFC 7011's 65,535.
pub const RELIABLE_MESSAGE: usize = 16_384;

/// One destination of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A collector over UDP.
    Udp(ExporterConfig),
    /// A transport that delivers everything, in order. It says itself to which session a message belongs: what is given to it
    /// is not stamped for good yet.
    Reliable(ReliableId),
}

impl Destination {
    /// Octets of the longest message.
    #[must_use]
    pub fn message_limit(&self) -> usize {
        match self {
            Self::Udp(config) => config.message_limit(),
            Self::Reliable(_) => RELIABLE_MESSAGE,
        }
    }

    /// Time between two sendings of a template; `None`: once a session is enough (RFC 7011 section 8.1).
    #[must_use]
    pub fn template_interval(&self) -> Option<Duration> {
        match self {
            Self::Udp(config) => Some(config.template_interval()),
            Self::Reliable(_) => None,
        }
    }

    /// Messages of a stream between two sendings of a template, whatever the time.
    #[must_use]
    pub fn template_messages(&self) -> Option<NonZeroU32> {
        match self {
            Self::Udp(config) => config.template_messages(),
            Self::Reliable(_) => None,
        }
    }

    /// Whether both make the same transport sessions.
    #[must_use]
    pub fn same_session(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Udp(one), Self::Udp(other)) => one.same_session(other),
            (Self::Reliable(one), Self::Reliable(other)) => one == other,
            _ => false,
        }
    }
}

/// What several destinations are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Each gets everything.
    #[default]
    Copy,
    /// The first that can be reached gets everything; the first of all where none can.
    Failover,
    /// Each flow goes to one of those that can be reached, both of its directions to the same. A destination that goes
    /// away or comes back moves only its own flows. What is no flow record goes to all.
    Share,
}

/// What an exporter is told to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Where to; none disables the exporter. No two of them are the same session.
    pub destinations: Vec<Destination>,
    /// What they are for.
    pub policy: Policy,
    /// Octets of messages a second, over all destinations; `None`: as fast as possible. Beyond it records wait where they are.
    pub rate: Option<NonZeroU32>,
}

/// One collector over UDP, or none.
impl From<Option<ExporterConfig>> for Setup {
    fn from(config: Option<ExporterConfig>) -> Self {
        Self { destinations: config.map(Destination::Udp).into_iter().collect(), ..Self::default() }
    }
}
