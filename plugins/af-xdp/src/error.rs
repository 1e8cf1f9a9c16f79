//! Why an operation on AF_XDP interfaces is refused.

use std::io;

use nodes::interface::DeviceError;
use thiserror::Error;
use vnet::command::{ApiError, OperationError};

/// Why an operation on AF_XDP interfaces is refused.
#[derive(Debug, Error)]
pub enum XdpError {
    /// The host has none of that name.
    #[error("the host has no interface `{0}': `ip link' lists those of this network namespace")]
    NoSuchLink(String),
    /// Packets of the interface do not begin with an Ethernet header.
    #[error("`{0}' is no Ethernet interface: it cannot be used")]
    NotEthernet(String),
    /// The device has fewer queues.
    #[error(
        "`{name}' has {has} receive queues, not {asked}: `ethtool -L {name}' changes that, `num-rx-queues all' takes all"
    )]
    Queues {
        /// The host's name of it.
        name: String,
        /// How many it has.
        has: u32,
        /// How many were asked for.
        asked: u32,
    },
    /// Somebody else has the interface.
    #[error(
        "`{name}' is in use: cannot {what}: {error} (`ip link show {name}' shows a program of somebody else's, `ss --xdp' sockets)"
    )]
    Busy {
        /// The host's name of it.
        name: String,
        /// What failed.
        what: &'static str,
        /// What the kernel says.
        error: io::Error,
    },
    /// The driver has no zero-copy.
    #[error(
        "the driver of `{name}' has no zero-copy ({error}): without `zero-copy' the kernel copies packets"
    )]
    NoZeroCopy {
        /// The host's name of it.
        name: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// Devices can do nothing with the engine's buffers.
    #[error(
        "zero-copy needs buffers in huge pages (they are in {0}): reserve some by `sysctl vm.nr_hugepages', or leave out `zero-copy'"
    )]
    SmallPages(String),
    /// Packets are longer than a buffer.
    #[error(
        "the MTU of `{name}' is {mtu}, at most {most} are possible where packets must fit one buffer, since the kernel or driver \
         lacks XDP of several (Linux 6.6): `ip link set {name} mtu {most}'"
    )]
    Mtu {
        /// The host's name of it.
        name: String,
        /// Its MTU.
        mtu: u32,
        /// The largest one possible.
        most: u32,
    },
    /// The interface is none of these.
    #[error("{0} is no AF_XDP interface: `show hardware-interfaces' shows which are")]
    NotXdp(String),
    /// The process may not.
    #[error("`{name}': cannot {what}: {error} ({needs} is needed)")]
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
    #[error("`{name}': cannot {what}: {error}")]
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

/// What fails without CAP_NET_RAW.
pub(crate) const OPEN: &str = "open its sockets";
/// What fails when another socket has the queue.
pub(crate) const BIND: &str = "bind a socket";
/// What fails when more memory would be locked than is allowed.
pub(crate) const REGISTER: &str = "lock the buffers in memory";

impl XdpError {
    /// What the kernel refused of an interface.
    pub(crate) fn of(name: &str, what: &'static str, error: io::Error) -> Self {
        let name = name.to_owned();
        match error.raw_os_error() {
            Some(libc::EBUSY | libc::EEXIST) => Self::Busy { name, what, error },
            Some(libc::EPERM | libc::EACCES) => {
                let needs = match what {
                    OPEN => "CAP_NET_RAW",
                    "load the program" | "make a map of sockets" => "CAP_BPF with CAP_NET_ADMIN",
                    _ => "CAP_NET_ADMIN",
                };
                Self::NotPermitted { name, what, error, needs }
            }
            Some(libc::ENOBUFS) if what == REGISTER => {
                let needs = "CAP_IPC_LOCK, or a larger `ulimit -l',";
                Self::NotPermitted { name, what, error, needs }
            }
            _ => Self::System { name, what, error },
        }
    }
}

impl OperationError for XdpError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchLink(_) => ApiError::InvalidInterface,
            Self::NotEthernet(_) | Self::Queues { .. } | Self::Mtu { .. } => ApiError::InvalidValue,
            Self::NotXdp(_) => ApiError::InvalidSwIfIndex,
            Self::NoZeroCopy { .. } | Self::SmallPages(_) => ApiError::Unsupported,
            Self::Device(error) => error.api_error(),
            Self::Busy { .. } | Self::NotPermitted { .. } | Self::System { .. } => {
                ApiError::SyscallError1
            }
        }
    }
}
