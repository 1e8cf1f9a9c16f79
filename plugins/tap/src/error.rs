//! Why there is no TAP interface.

use std::io;

use nodes::interface::DeviceError;
use vnet::command::{ApiError, OperationError};

/// Why a TAP interface is not made or deleted. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The host has no such devices, or the process may not open them.
    #[error(
        "/dev/net/tun cannot be opened: {0}; `modprobe tun' brings it where the module is missing"
    )]
    NoDevice(io::Error),
    /// The process may not.
    #[error("{what}: {error}")]
    NotAllowed {
        /// What was to be done, and what that needs.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The host has an interface of this name.
    #[error("the host has an interface {0} already: another host-if-name, or `attach' to use it")]
    HostNameTaken(String),
    /// The host has none of this name.
    #[error("the host has no interface {0}, without `attach' it is made")]
    NoSuchHost(String),
    /// It has other queues, or is something else.
    #[error(
        "host interface {0} cannot be attached to: it is no TAP (TUN) interface, or has not as many queues"
    )]
    CannotAttach(String),
    /// Another program has it.
    #[error("host interface {0} is in use by another program, or has not as many queues")]
    InUse(String),
    /// There is nothing to attach to.
    #[error("attach: host-if-name is to say to which interface of the host")]
    AttachToNothing,
    /// No such namespace.
    #[error("network namespace {name} cannot be entered: {error}")]
    Namespace {
        /// As the operator wrote it.
        name: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// No such bridge.
    #[error("the host has no interface {0} to be the bridge")]
    NoSuchBridge(String),
    /// The host refuses a setting.
    #[error("host interface {name}: {setting} cannot be set: {error}")]
    Setting {
        /// The host's interface.
        name: String,
        /// What was to be set.
        setting: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// Words of Ethernet, where there is none.
    #[error("{0} makes no sense with `tun', which has no Ethernet header")]
    NoEthernet(&'static str),
    /// The number is taken.
    #[error("there is a TAP or TUN interface with id {0} already")]
    IdTaken(u32),
    /// The interface is something else.
    #[error("interface {0} is no TAP or TUN interface: `show tap' lists them")]
    NotTap(String),
    /// Table or graph refused.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl TapError {
    /// What the kernel said about `what`.
    pub(crate) fn refused(
        what: &'static str,
        error: io::Error,
        other: impl FnOnce(io::Error) -> Self,
    ) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::NotAllowed { what, error },
            _ => other(error),
        }
    }
}

impl OperationError for TapError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Device(error) => error.api_error(),
            Self::HostNameTaken(_) | Self::IdTaken(_) => ApiError::ValueExist,
            Self::NoSuchHost(_) | Self::NoSuchBridge(_) => ApiError::NoSuchEntry,
            Self::AttachToNothing | Self::NoEthernet(_) => ApiError::InvalidValue,
            Self::NotTap(_) => ApiError::InvalidSwIfIndex,
            _ => ApiError::Unspecified,
        }
    }
}
