//! What `set ipfix exporter` says, checked once and for good.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

/// The port of collectors, and of the streams of reports that do not choose another.
pub const DEFAULT_PORT: u16 = 4739;
/// Longest IP packet that an exporter is told to send when nobody knows the path: RFC 7011 section 10.3.3.
pub const DEFAULT_PATH_MTU: u16 = 512;
/// Smallest path MTU: what every IPv4 link must carry.
pub const MIN_PATH_MTU: u16 = 68;
/// Largest path MTU: exported packets are never fragmented, and tunnels need their share.
pub const MAX_PATH_MTU: u16 = 1450;
/// The largest differentiated services code point (RFC 2474).
pub const MAX_DSCP: u8 = 63;
/// Seconds between two sendings of a template.
pub const DEFAULT_TEMPLATE_INTERVAL: u32 = 20;

/// How messages leave the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// As packets of the engine's own, through `ip4-lookup` or `ip6-lookup`.
    Graph,
    /// Through UDP sockets of the host, one a stream, each with a port that the host chooses.
    Kernel,
}

/// The words of one `set ipfix exporter` line, and what can be said of an exporter beyond that. A word that is not given has
/// the value of [`Self::NOTHING`]: lines are not incremental.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterRequest {
    /// `collector`; unspecified (0.0.0.0) disables the exporter.
    pub collector: IpAddr,
    /// `port` of the collector.
    pub port: u16,
    /// `src`.
    pub source: IpAddr,
    /// `fib-id`: the table in which the collector is looked up.
    pub fib_id: Option<u32>,
    /// `path-mtu`, octets of the IP packet.
    pub path_mtu: u32,
    /// `template-interval`, seconds.
    pub template_interval: u32,
    /// `udp-checksum`; IPv6 has one in any case.
    pub udp_checksum: bool,
    /// `via kernel` or not.
    pub via: Via,
    /// Differentiated services code point of packets, 0 to 63.
    pub dscp: u8,
    /// Templates are sent again after so many messages of a stream, too.
    pub template_messages: Option<NonZeroU32>,
    /// Whether a socket of the host has the source port of its stream, which the host chooses otherwise.
    pub fixed_port: bool,
}

impl ExporterRequest {
    /// A line without words, which disables the exporter.
    pub const NOTHING: Self = Self {
        collector: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: DEFAULT_PORT,
        source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        fib_id: None,
        path_mtu: DEFAULT_PATH_MTU as u32,
        template_interval: DEFAULT_TEMPLATE_INTERVAL,
        udp_checksum: false,
        via: Via::Graph,
        dscp: 0,
        template_messages: None,
        fixed_port: false,
    };

    /// Checks the words in VPP's order; `Ok(None)` disables the exporter. `fib_index` gives the index of the table
    /// with an id, among the tables of the collector's family.
    pub fn check(
        self,
        fib_index: impl FnOnce(u32) -> Option<u32>,
    ) -> Result<Option<ExporterConfig>, ConfigError> {
        let fib = match self.fib_id {
            None => None,
            Some(id) => Some(Fib { id, index: fib_index(id).ok_or(ConfigError::NoSuchFib(id))? }),
        };
        let enabled = !self.collector.is_unspecified();
        if enabled && self.source.is_unspecified() && self.via == Via::Graph {
            return Err(ConfigError::NoSource);
        }
        let endpoints = match (self.collector, self.source) {
            (IpAddr::V4(collector), IpAddr::V4(source)) => Endpoints::V4 { source, collector },
            (IpAddr::V6(collector), IpAddr::V6(source)) => Endpoints::V6 { source, collector },
            (IpAddr::V6(collector), IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => {
                Endpoints::V6 { source: Ipv6Addr::UNSPECIFIED, collector }
            }
            (IpAddr::V4(collector), IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => {
                Endpoints::V4 { source: Ipv4Addr::UNSPECIFIED, collector }
            }
            _ => return Err(ConfigError::Families),
        };
        if self.path_mtu > u32::from(MAX_PATH_MTU) {
            return Err(ConfigError::PathMtuTooBig);
        }
        if self.path_mtu < u32::from(MIN_PATH_MTU) {
            return Err(ConfigError::PathMtuTooSmall);
        }
        if self.port == 0 {
            return Err(ConfigError::Port);
        }
        if self.template_interval == 0 {
            return Err(ConfigError::TemplateInterval);
        }
        if self.dscp > MAX_DSCP {
            return Err(ConfigError::Dscp(self.dscp));
        }
        Ok(enabled.then_some(ExporterConfig {
            endpoints,
            port: self.port,
            fib,
            // Within 68..=1450 by the checks above.
            path_mtu: self.path_mtu as u16,
            template_interval: self.template_interval,
            udp_checksum: self.udp_checksum,
            via: self.via,
            dscp: self.dscp,
            template_messages: self.template_messages,
            fixed_port: self.fixed_port,
        }))
    }
}

/// Why a line is refused; nothing of it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `fib-id` names no table.
    #[error("fib ID {0} doesn't exist")]
    NoSuchFib(u32),
    /// Packets of the engine's own need a source address.
    #[error("src address required")]
    NoSource,
    /// IPv4 and IPv6 mixed.
    #[error("collector and src must be of the same IP version")]
    Families,
    /// Above [`MAX_PATH_MTU`].
    #[error("too big path-mtu value, maximum is {MAX_PATH_MTU}")]
    PathMtuTooBig,
    /// Below [`MIN_PATH_MTU`].
    #[error("too small path-mtu value, minimum is {MIN_PATH_MTU}")]
    PathMtuTooSmall,
    /// Port 0.
    #[error("port must be 1 to 65535")]
    Port,
    /// Templates cannot be sent without pause.
    #[error("too small template-interval value, minimum is 1")]
    TemplateInterval,
    /// A collector without an address.
    #[error("a collector must have an address")]
    Unspecified,
    /// The exporter was deleted.
    #[error("no such exporter")]
    NoSuchExporter,
    /// Above [`MAX_DSCP`].
    #[error("dscp {0}: 0 to {MAX_DSCP}")]
    Dscp(u8),
}

/// The table in which the exporter's packets are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fib {
    /// Table id, as configured.
    pub id: u32,
    /// Index of the table.
    pub index: u32,
}

/// Both ends of the exporter's packets, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoints {
    /// IPv4.
    V4 {
        /// The exporter; unspecified when the host's socket chooses.
        source: Ipv4Addr,
        /// The collector.
        collector: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// The exporter; unspecified when the host's socket chooses.
        source: Ipv6Addr,
        /// The collector.
        collector: Ipv6Addr,
    },
}

impl Endpoints {
    /// The exporter's address.
    #[must_use]
    pub fn source(self) -> IpAddr {
        match self {
            Self::V4 { source, .. } => source.into(),
            Self::V6 { source, .. } => source.into(),
        }
    }

    /// The collector's address.
    #[must_use]
    pub fn collector(self) -> IpAddr {
        match self {
            Self::V4 { collector, .. } => collector.into(),
            Self::V6 { collector, .. } => collector.into(),
        }
    }

    /// Octets of the IP and UDP headers.
    #[must_use]
    pub fn header_len(self) -> usize {
        match self {
            Self::V4 { .. } => 28,
            Self::V6 { .. } => 48,
        }
    }
}

/// Where an enabled exporter sends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterConfig {
    endpoints: Endpoints,
    port: u16,
    fib: Option<Fib>,
    path_mtu: u16,
    template_interval: u32,
    udp_checksum: bool,
    via: Via,
    dscp: u8,
    template_messages: Option<NonZeroU32>,
    fixed_port: bool,
}

impl ExporterConfig {
    /// Addresses of both ends.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints
    }

    /// UDP port of the collector.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The table for the collector; `None`: the default one.
    #[must_use]
    pub fn fib(&self) -> Option<Fib> {
        self.fib
    }

    /// Octets of the longest IP packet.
    #[must_use]
    pub fn path_mtu(&self) -> u16 {
        self.path_mtu
    }

    /// Octets of the longest message: the path MTU without the IP and UDP headers.
    #[must_use]
    pub fn message_limit(&self) -> usize {
        usize::from(self.path_mtu) - self.endpoints.header_len()
    }

    /// Time between two sendings of a template, at least a second.
    #[must_use]
    pub fn template_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.template_interval))
    }

    /// Whether packets over IPv4 carry a UDP checksum; over IPv6 they always do.
    #[must_use]
    pub fn udp_checksum(&self) -> bool {
        self.udp_checksum
    }

    /// The way out.
    #[must_use]
    pub fn via(&self) -> Via {
        self.via
    }

    /// Messages of a stream between two sendings of a template, where that is bounded.
    #[must_use]
    pub fn template_messages(&self) -> Option<NonZeroU32> {
        self.template_messages
    }

    /// The octet of packets that was called type of service and traffic class.
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        self.dscp << 2
    }

    /// Whether a socket of the host has the source port of its stream.
    #[must_use]
    pub fn fixed_port(&self) -> bool {
        self.fixed_port
    }

    /// Whether both configurations make the same transport sessions. If not, sequence numbers begin anew and all
    /// templates are due.
    #[must_use]
    pub fn same_session(&self, other: &Self) -> bool {
        (self.endpoints, self.port, self.via, self.fixed_port)
            == (other.endpoints, other.port, other.via, other.fixed_port)
    }
}

/// The line that `set ipfix exporter` prints.
impl fmt::Display for ExporterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Collector {}, src address {}, fib index {}, path MTU {}, template resend interval {}s, udp checksum {}{}",
            self.endpoints.collector(),
            self.endpoints.source(),
            self.fib.map_or(-1, |fib| i64::from(fib.index)),
            self.path_mtu,
            self.template_interval,
            if self.udp_checksum { "enabled" } else { "disabled" },
            match self.via {
                Via::Graph => "",
                Via::Kernel => ", via kernel",
            }
        )
    }
}

/// What `set ipfix exporter` prints when the collector is 0.0.0.0.
pub const DISABLED_LINE: &str = "IPFIX Collector is disabled";

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ExporterRequest {
        ExporterRequest {
            collector: "192.0.2.9".parse().unwrap(),
            source: "192.0.2.1".parse().unwrap(),
            ..ExporterRequest::NOTHING
        }
    }

    fn error(request: ExporterRequest) -> String {
        request.check(|_| None).unwrap_err().to_string()
    }

    #[test]
    fn an_accepted_line_is_echoed_as_vpp_does() {
        let config = request().check(|_| None).unwrap().unwrap();
        assert_eq!(
            config.to_string(),
            "Collector 192.0.2.9, src address 192.0.2.1, fib index -1, path MTU 512, \
             template resend interval 20s, udp checksum disabled"
        );
        let full = ExporterRequest {
            fib_id: Some(7),
            path_mtu: 1450,
            template_interval: 1,
            udp_checksum: true,
            ..request()
        };
        let config = full.check(|id| (id == 7).then_some(2)).unwrap().unwrap();
        assert_eq!(
            config.to_string(),
            "Collector 192.0.2.9, src address 192.0.2.1, fib index 2, path MTU 1450, \
             template resend interval 1s, udp checksum enabled"
        );
    }

    #[test]
    fn a_line_without_collector_disables() {
        assert_eq!(ExporterRequest::NOTHING.check(|_| None), Ok(None));
    }

    #[test]
    fn refused_lines_say_why() {
        let no_source = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        assert_eq!(
            error(ExporterRequest { fib_id: Some(9), ..request() }),
            "fib ID 9 doesn't exist"
        );
        let both_wrong = ExporterRequest { fib_id: Some(9), source: no_source, ..request() };
        assert_eq!(error(both_wrong), "fib ID 9 doesn't exist");
        assert_eq!(
            error(ExporterRequest { source: no_source, ..request() }),
            "src address required"
        );
        let mixed = ExporterRequest { source: "2001:db8::1".parse().unwrap(), ..request() };
        assert_eq!(error(mixed), "collector and src must be of the same IP version");
        assert_eq!(
            error(ExporterRequest { path_mtu: 1451, ..request() }),
            "too big path-mtu value, maximum is 1450"
        );
        assert_eq!(
            error(ExporterRequest { path_mtu: 67, ..request() }),
            "too small path-mtu value, minimum is 68"
        );
        assert_eq!(error(ExporterRequest { port: 0, ..request() }), "port must be 1 to 65535");
        assert_eq!(
            error(ExporterRequest { template_interval: 0, ..request() }),
            "too small template-interval value, minimum is 1"
        );
    }

    #[test]
    fn the_host_may_choose_the_source() {
        for collector in ["192.0.2.9", "2001:db8::9"] {
            let kernel = ExporterRequest {
                collector: collector.parse().unwrap(),
                via: Via::Kernel,
                ..ExporterRequest::NOTHING
            };
            let config = kernel.check(|_| None).unwrap().unwrap();
            assert!(config.endpoints().source().is_unspecified());
            assert_eq!(config.endpoints().collector(), kernel.collector);
            assert!(config.to_string().ends_with(", udp checksum disabled, via kernel"));
        }
    }

    #[test]
    fn messages_leave_room_for_the_headers() {
        let config = request().check(|_| None).unwrap().unwrap();
        assert_eq!(config.message_limit(), 484);
        let six = ExporterRequest {
            collector: "2001:db8::9".parse().unwrap(),
            source: "2001:db8::1".parse().unwrap(),
            ..request()
        };
        assert_eq!(six.check(|_| None).unwrap().unwrap().message_limit(), 464);
    }
}
