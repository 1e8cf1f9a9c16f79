//! What can be wrong with what is asked for.

use vnet::{
    command::{ApiError, OperationError},
    flow::MeterError,
    graph::FeatureError,
    ipfix::{engine::ExporterError, export::AddReportError},
    l2::BdId,
};

use crate::options::MAX_ACTIVE;

/// Why nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum IpfixBridgeError {
    /// Nothing is said of the bridge domain.
    #[error("bridge domain {0} has no IPFIX exporter")]
    NoBridge(BdId),
    /// There is no such set.
    #[error("no such collector set: {0}")]
    NoSet(u32),
    /// A zero, or more than there is: bridge domains are 1 to 16777215.
    #[error("bridge domain {0}: expected 1 to {max}", max = BdId::MAX)]
    BadDomain(u32),
    /// Samples go to the set.
    #[error("collector set {set} is in use by {users} sample actions")]
    InUse {
        /// The set.
        set: u32,
        /// How many samplers use it.
        users: usize,
    },
    /// Above what times of records hold.
    #[error("cache_active_timeout {0}: expected 0 to {MAX_ACTIVE} seconds")]
    ActiveTimeout(u32),
    /// More exporters than a thread tells apart.
    #[error("too many exporters, at most {max}", max = crate::point::MAX_EXPORTERS)]
    TooMany,
    /// The exporter of the engine.
    #[error(transparent)]
    Exporter(#[from] ExporterError),
    /// The report.
    #[error(transparent)]
    Report(#[from] AddReportError),
    /// A gate of the observation points.
    #[error(transparent)]
    Gate(#[from] vnet::command::Error),
    /// The flow tables.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// The observation points.
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for IpfixBridgeError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoBridge(_) | Self::NoSet(_) => ApiError::NoSuchEntry,
            Self::BadDomain(_) | Self::ActiveTimeout(_) => ApiError::InvalidValue,
            Self::InUse { .. } => ApiError::Unsupported,
            Self::Exporter(error) => error.api_error(),
            Self::TooMany | Self::Gate(_) | Self::Report(_) | Self::Meter(_) | Self::Feature(_) => {
                ApiError::Unspecified
            }
        }
    }
}
