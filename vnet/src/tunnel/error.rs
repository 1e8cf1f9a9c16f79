//! Why there is no tunnel. Nothing is changed then.

use super::Kind;
use crate::{
    command::{ApiError, OperationError},
    fib::FibError,
    graph::GraphError,
    interface::InterfaceError,
};

/// Why there is no tunnel. Nothing is changed then. Texts are VPP's where it has them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// Both ends have one address.
    #[error("{}", match .0 {
        Kind::Gre => "src and dst are identical",
        Kind::Geneve => "local and remote addresses are identical",
        Kind::Vxlan | Kind::Ipip => "src and dst addresses are identical",
    })]
    Identical(Kind),
    /// The ends are of different families.
    #[error("{}", match .0 {
        Kind::Gre => "src and dst address must be the same AF",
        Kind::Ipip => "source and destination must be of same address family",
        Kind::Vxlan | Kind::Geneve => "both IPv4 and IPv6 addresses specified",
    })]
    Families(Kind),
    /// The far end is a group.
    #[error("{} address must be unicast", if *.0 == Kind::Geneve { "remote" } else { "dst" })]
    NotUnicast(Kind),
    /// The near end is a group, or no address.
    #[error("{} address must be unicast", if *.0 == Kind::Geneve { "local" } else { "src" })]
    SourceNotUnicast(Kind),
    /// There is one between these ends.
    #[error("{}", match .0 {
        Kind::Gre => "GRE tunnel already exists...",
        Kind::Ipip => "IPIP tunnel already exists...",
        Kind::Vxlan | Kind::Geneve => "tunnel already exists...",
    })]
    Exists(Kind),
    /// There is none.
    #[error("{}", match .0 {
        Kind::Gre => "GRE tunnel doesn't exist",
        Kind::Ipip => "IPIP tunnel doesn't exist",
        Kind::Vxlan | Kind::Geneve => "tunnel does not exist...",
    })]
    NoSuchTunnel(Kind),
    /// The number is in the name of another one.
    #[error("Instance is in use")]
    InstanceInUse,
    /// There is no such table.
    #[error("{}", match .0 {
        Kind::Gre => format!("outer table ID {} doesn't exist", .1),
        Kind::Ipip => format!("outer fib ID {} doesn't exist", .1),
        Kind::Vxlan | Kind::Geneve => format!("nonexistent encap-vrf-id {}", .1),
    })]
    NoSuchTable(Kind, u32),
    /// Somebody else receives there.
    #[error("port {0} is in use")]
    PortInUse(u16),
    /// There are as many tunnels as there can be.
    #[error("there are {0} tunnels, and no more can be made")]
    Full(usize),
    /// The interface table refuses.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// Forwarding refuses.
    #[error(transparent)]
    Forwarding(#[from] FibError),
    /// The graph refuses.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl OperationError for TunnelError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Identical(_) => ApiError::SameSrcDst,
            Self::Families(Kind::Gre | Kind::Ipip) => ApiError::InvalidProtocol,
            Self::Families(Kind::Vxlan | Kind::Geneve) => ApiError::InvalidValue,
            Self::NotUnicast(_) => ApiError::InvalidDstAddress,
            Self::SourceNotUnicast(_) => ApiError::InvalidSrcAddress,
            Self::Exists(Kind::Gre | Kind::Ipip) => ApiError::IfAlreadyExists,
            Self::Exists(Kind::Vxlan | Kind::Geneve) => ApiError::TunnelExist,
            Self::InstanceInUse => ApiError::InstanceInUse,
            Self::PortInUse(_) => ApiError::ValueExist,
            Self::NoSuchTunnel(_) => ApiError::NoSuchEntry,
            Self::NoSuchTable(..) => ApiError::NoSuchFib,
            Self::Full(_) | Self::Forwarding(_) | Self::Graph(_) => ApiError::Unspecified,
            Self::Interface(error) => error.api_error(),
        }
    }
}
