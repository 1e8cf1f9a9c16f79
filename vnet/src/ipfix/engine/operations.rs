//! What operators do to exporters and their collectors.

use core::fmt;
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use super::{
    Collector, ExporterId, Ipfix, Settings,
    state::{Slot, State},
};
use crate::{
    command::{ApiError, OperationError},
    ipfix::{
        export::{ConfigError, Counters, Destination, StreamConflict},
        reliable::{Limits, Loss, Rotation, Status, Target, TlsError, TlsFiles, TlsIdentity},
    },
    log::Level,
    runtime::Main,
};

/// A collector that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectorRequest {
    /// Over UDP.
    Udp(SocketAddr),
    /// Over TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Over TLS.
    Tls {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Certificates and keys.
        files: TlsFiles,
    },
    /// An IPFIX File.
    File {
        /// Its path.
        path: PathBuf,
        /// When it is complete.
        rotation: Rotation,
    },
}

/// Why an exporter or a collector is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    /// There is one of this name.
    #[error("exporter {0} exists already")]
    Exists(String),
    /// There is none of this name.
    #[error("no such exporter: {0}")]
    NoSuchExporter(String),
    /// VPP's exporter stays.
    #[error("exporter 0 cannot be deleted: `set ipfix exporter' without a collector disables it")]
    Default,
    /// Somebody reports by it.
    #[error("exporter {exporter} is in use by {by}")]
    InUse {
        /// The exporter.
        exporter: String,
        /// Names of its reports.
        by: String,
    },
    /// The exporter sends there already.
    #[error("exporter {exporter} has collector {collector} already")]
    CollectorExists {
        /// The exporter.
        exporter: String,
        /// The collector.
        collector: String,
    },
    /// The exporter does not send there.
    #[error("exporter {exporter} has no collector {collector}")]
    NoSuchCollector {
        /// The exporter.
        exporter: String,
        /// The collector.
        collector: String,
    },
    /// A setting does not go with the others.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Domain or source port belong to another stream.
    #[error(transparent)]
    Stream(#[from] StreamConflict),
    /// Certificates or keys are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The spool cannot be made.
    #[error("{what}: {source}")]
    Io {
        /// What it is about.
        what: String,
        /// The host's answer.
        source: io::Error,
    },
}

impl OperationError for ExporterError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Exists(_) | Self::CollectorExists { .. } => ApiError::ValueExist,
            Self::NoSuchExporter(_) | Self::NoSuchCollector { .. } => ApiError::NoSuchEntry,
            Self::Default | Self::InUse { .. } => ApiError::Unsupported,
            Self::Config(error) => error.api_error(),
            Self::Stream(_) | Self::Tls(_) => ApiError::InvalidValue,
            Self::Io { .. } => ApiError::Unspecified,
        }
    }
}

/// A collector as operators see it.
#[derive(Clone, Debug)]
pub(super) struct CollectorState {
    pub(super) exporter: String,
    pub(super) collector: Collector,
    pub(super) destination: Option<Destination>,
    pub(super) reachable: bool,
    /// What was given to it.
    pub(super) given: Counters,
    /// Of a reliable transport.
    pub(super) status: Option<Status>,
}

/// A spool was there, whose engine was killed.
fn tell_of_spool(main: &Main, spool: &str, Loss { messages, records }: Loss) {
    let text = format!(
        "spool {spool}: an engine that was killed left {messages} messages with {records} records, which are lost"
    );
    main.log().write(main.log().class("ipfix", ""), Level::Warn, text);
}

impl Ipfix {
    /// A new exporter without collectors.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn add_exporter(&self, name: &str) -> Result<Self, ExporterError> {
        if self.named(name).is_some() {
            return Err(ExporterError::Exists(name.to_owned()));
        }
        let id = self.shared.state.borrow_mut().add(name);
        Ok(Self { shared: self.shared.clone(), id })
    }

    /// Takes the exporter away. What is open leaves first.
    ///
    /// # Errors
    /// When it has reports, or is VPP's.
    pub fn delete_exporter(self, main: &mut Main) -> Result<(), ExporterError> {
        if self.id == ExporterId::DEFAULT {
            return Err(ExporterError::Default);
        }
        // Reports that retire do so now, if they can.
        self.run(main);
        let mut by: Vec<&str> = self
            .with_exporter(|exporter| exporter.reports().map(|report| report.key.name).collect());
        by.dedup();
        if !by.is_empty() {
            let (exporter, by) = (self.name(), by.join(", "));
            return Err(ExporterError::InUse { exporter, by });
        }
        self.shared.state.borrow_mut().delete(main, self.id, &self.options());
        Ok(())
    }

    /// Changes settings, all that `change` changes or none.
    ///
    /// # Errors
    /// See [`ExporterError`].
    pub fn change(
        &self,
        main: &mut Main,
        change: impl FnOnce(&mut Settings),
    ) -> Result<(), ExporterError> {
        let old = self.settings();
        let mut new = old.clone();
        change(&mut new);
        let (from, to) = (old.stream, new.stream);
        self.apply(main, new)?;
        if let Err(conflict) = self.rename_stream(main, from, to) {
            self.apply(main, old)?;
            return Err(conflict.into());
        }
        Ok(())
    }

    /// Adds a collector. A reliable transport begins at once, and goes on trying.
    ///
    /// # Errors
    /// See [`ExporterError`].
    pub fn add_collector(
        &self,
        main: &mut Main,
        request: CollectorRequest,
        limits: &Limits,
    ) -> Result<(), ExporterError> {
        let name = request.to_string();
        let mut settings = self.settings();
        if settings.collectors.iter().any(|known| known.to_string() == name) {
            let (exporter, collector) = (self.name(), name);
            return Err(ExporterError::CollectorExists { exporter, collector });
        }
        let collector = match request.target()? {
            Err(address) => Collector::Udp(address),
            Ok(target) => {
                let clock = main.clock().clone();
                let mut state = self.shared.state.borrow_mut();
                let opened = state.reliable.open(target, limits, clock);
                let what = limits
                    .spool
                    .as_ref()
                    .map_or_else(String::new, |(path, _)| path.display().to_string());
                let id =
                    opened.map_err(|source| ExporterError::Io { what: what.clone(), source })?;
                let lost = state.reliable.status(id).map(|status| status.lost);
                if let Some(lost) = lost.filter(|lost| lost.messages > 0) {
                    tell_of_spool(main, &what, lost);
                }
                Collector::Reliable(id, name)
            }
        };
        settings.collectors.push(collector.clone());
        let applied = self.apply(main, settings);
        if let (Err(_), Collector::Reliable(id, _)) = (&applied, collector) {
            self.shared.state.borrow_mut().reliable.close(id);
        }
        Ok(applied?)
    }

    /// Takes a collector away, after what was ready for it was sent.
    ///
    /// # Errors
    /// When the exporter has no such collector.
    pub fn delete_collector(
        &self,
        main: &mut Main,
        request: &CollectorRequest,
    ) -> Result<(), ExporterError> {
        let collector = request.to_string();
        let mut settings = self.settings();
        let before = settings.collectors.len();
        settings.collectors.retain(|known| known.to_string() != collector);
        if settings.collectors.len() == before {
            let exporter = self.name();
            return Err(ExporterError::NoSuchCollector { exporter, collector });
        }
        Ok(self.apply(main, settings)?)
    }

    /// All exporters, VPP's first.
    #[must_use]
    pub fn exporters(&self) -> Vec<Self> {
        let state = self.shared.state.borrow();
        let of = |slot: &Slot| Self { shared: self.shared.clone(), id: slot.id };
        state.slots.iter().map(of).collect()
    }

    /// The collectors of this exporter.
    pub(super) fn collectors(&self) -> Vec<CollectorState> {
        let mut state = self.shared.state.borrow_mut();
        let State { slots, kernel, reliable, .. } = &mut *state;
        let Some(slot) = slots.iter().find(|slot| slot.id == self.id) else { return Vec::new() };
        let destinations: Vec<Destination> = slot.exporter.destinations().copied().collect();
        let collectors = slot.settings.collectors.iter().cloned().enumerate();
        let mut state = |(at, collector): (usize, Collector)| {
            let (reachable, status) = match &collector {
                Collector::Reliable(id, _) => (reliable.is_reachable(*id), reliable.status(*id)),
                Collector::Udp(_) => match destinations.get(at) {
                    Some(Destination::Udp(config)) => (kernel.is_reachable(slot.id, config), None),
                    _ => (true, None),
                },
            };
            CollectorState {
                exporter: slot.name.clone(),
                collector,
                destination: destinations.get(at).copied(),
                reachable,
                given: slot.exporter.destination_counters(at),
                status,
            }
        };
        collectors.map(&mut state).collect()
    }
}

/// The name of the collector: where to.
impl fmt::Display for CollectorRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = |host: &str| match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        match self {
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Tcp { host, port } => write!(f, "tcp:{}:{port}", bracketed(host)),
            Self::Tls { host, port, .. } => write!(f, "tls:{}:{port}", bracketed(host)),
            Self::File { path, .. } => write!(f, "file:{}", path.display()),
        }
    }
}

impl CollectorRequest {
    /// What a sender is to be told; the address of one over UDP is the error.
    fn target(&self) -> Result<Result<Target, SocketAddr>, TlsError> {
        Ok(Ok(match self.clone() {
            Self::Udp(address) => return Ok(Err(address)),
            Self::Tcp { host, port } => Target::Tcp { host, port },
            Self::Tls { host, port, files } => {
                let identity = Arc::new(TlsIdentity::load(files, &host)?);
                Target::Tls { host, port, identity }
            }
            Self::File { path, rotation } => Target::File { path, rotation },
        }))
    }
}
