//! Why an operation on host interfaces is refused.

use std::io;

use nodes::interface::DeviceError;
use thiserror::Error;
use vnet::{
    command::{ApiError, OperationError},
    interface::InterfaceError,
};

/// Why an operation on host interfaces is refused.
#[derive(Debug, Error)]
pub enum HostError {
    /// The host has none of that name.
    #[error("the host has no interface `{0}': `ip link' lists those of this network namespace")]
    NoSuchLink(String),
    /// Packets of the interface begin with something else.
    #[error("packets of the host's interface `{name}' begin with {found}: {advice}")]
    WrongLayer {
        /// Its name.
        name: String,
        /// What they begin with.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// There is no such interface here.
    #[error(
        "there is no host interface `{0}': `show interface' lists those that there are as host-<name>"
    )]
    NoSuchInterface(String),
    /// The process may not.
    #[error("host interface `{name}': cannot {what}: {error} ({needs} is needed)")]
    NotPermitted {
        /// The host's name of it.
        name: String,
        /// What failed.
        what: &'static str,
        /// What the kernel says.
        error: io::Error,
        /// The capability.
        needs: &'static str,
    },
    /// The kernel refuses.
    #[error("host interface `{name}': cannot {what}: {error}")]
    System {
        /// The host's name of it.
        name: String,
        /// What failed.
        what: &'static str,
        /// What the kernel says.
        error: io::Error,
    },
    /// Table or graph refuse.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl HostError {
    /// What the kernel refused of an interface.
    pub(crate) fn of(name: &str, what: &'static str, error: io::Error) -> Self {
        let name = name.to_owned();
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Self::System { name, what, error };
        }
        // Opening a packet socket takes the one, what changes the host the other.
        let needs = if what == OPEN { "CAP_NET_RAW" } else { "CAP_NET_ADMIN" };
        Self::NotPermitted { name, what, error, needs }
    }
}

/// What fails without CAP_NET_RAW.
pub(crate) const OPEN: &str = "open a packet socket";

impl OperationError for HostError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchLink(_) => ApiError::InvalidInterface,
            Self::NoSuchInterface(_) => ApiError::NoSuchEntry,
            Self::WrongLayer { .. } => ApiError::InvalidValue,
            Self::Device(DeviceError::Interface(InterfaceError::NameTaken { .. })) => {
                ApiError::IfAlreadyExists
            }
            Self::Device(error) => error.api_error(),
            Self::NotPermitted { .. } | Self::System { .. } => ApiError::SyscallError1,
        }
    }
}
