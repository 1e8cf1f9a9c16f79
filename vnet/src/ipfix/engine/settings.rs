//! What an operator says of an exporter and its collectors, and what comes of it.

use core::{fmt, num::NonZeroU32};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::ipfix::export::{
    ConfigError, Destination, ExporterRequest, Policy, ReliableId, StreamKey,
};

/// The settings of an exporter; `ipfix exporter set` changes them one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The stream of reports that ask for none.
    pub stream: StreamKey,
    /// Source address of packets to IPv4 collectors; unspecified: a socket of the host chooses.
    pub source4: Ipv4Addr,
    /// The same for IPv6.
    pub source6: Ipv6Addr,
    /// What holds for every collector over UDP; collector, port and source in it have no meaning.
    pub common: ExporterRequest,
    /// What several collectors are for.
    pub policy: Policy,
    /// Kilobits of messages a second, over all collectors.
    pub rate_kbps: Option<NonZeroU32>,
    /// Where to.
    pub collectors: Vec<Collector>,
}

/// A collector of an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collector {
    /// Over UDP.
    Udp(SocketAddr),
    /// By a transport that delivers everything, which the engine knows by this number, and operators by this name.
    Reliable(ReliableId, String),
}

/// As operators write it: `udp:192.0.2.9:4739`, `tcp:collector:4739`.
impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Reliable(_, name) => f.write_str(name),
        }
    }
}

impl Settings {
    /// What `set ipfix exporter` says: all of it.
    #[must_use]
    pub fn of_line(request: ExporterRequest) -> Self {
        let mut settings = Self { common: request, ..Self::default() };
        settings.set_source(request.source);
        if !request.collector.is_unspecified() {
            let collector = SocketAddr::new(request.collector, request.port);
            settings.collectors.push(Collector::Udp(collector));
        }
        settings
    }

    /// Says where packets of the family of `source` come from.
    pub fn set_source(&mut self, source: IpAddr) {
        match source {
            IpAddr::V4(source) => self.source4 = source,
            IpAddr::V6(source) => self.source6 = source,
        }
    }

    /// Octets a second.
    #[must_use]
    pub fn rate(&self) -> Option<NonZeroU32> {
        self.rate_kbps.map(|kbps| kbps.saturating_mul(const { NonZeroU32::new(125).unwrap() }))
    }

    /// The destinations. `fib_index` gives the index of the table with an id, among the tables of the collector's family.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn destinations(
        &self,
        fib_index: impl Fn(IpAddr, u32) -> Option<u32>,
    ) -> Result<Vec<Destination>, ConfigError> {
        let destination = |collector: &Collector| match collector {
            Collector::Reliable(id, _) => Ok(Destination::Reliable(*id)),
            Collector::Udp(address) => {
                let config = self.request(*address).check(|id| fib_index(address.ip(), id))?;
                config.map(Destination::Udp).ok_or(ConfigError::Unspecified)
            }
        };
        self.collectors.iter().map(destination).collect()
    }

    fn request(&self, collector: SocketAddr) -> ExporterRequest {
        let source = match collector {
            SocketAddr::V4(_) => IpAddr::from(self.source4),
            SocketAddr::V6(_) => IpAddr::from(self.source6),
        };
        ExporterRequest { collector: collector.ip(), port: collector.port(), source, ..self.common }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stream: StreamKey::DEFAULT,
            source4: Ipv4Addr::UNSPECIFIED,
            source6: Ipv6Addr::UNSPECIFIED,
            common: ExporterRequest::NOTHING,
            policy: Policy::Copy,
            rate_kbps: None,
            collectors: Vec::new(),
        }
    }
}
