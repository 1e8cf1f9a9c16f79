//! `set punt`: which packets for this machine are punted, that nobody here receives.
//!
//! Packets to UDP ports go from the port's place in `ip4-udp-lookup` to `ip4-udp-punt`, those of other protocols from `ip4-local` to
//! `ip4-proto-punt`; both lead to `ip4-punt`, the packet whole again. IPv6 alike.

use std::{cell::RefCell, collections::BTreeSet, fmt, rc::Rc};

use thiserror::Error;
use vnet::{
    command::{ApiError, OperationError},
    fib::Family,
    graph::GraphError,
    plugin::Registrar,
    runtime::Main,
    wire::ip4::protocol,
};

use super::node;
use crate::{ip::IpProtocols, udp::UdpPorts};

/// What can be punted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Datagrams to a port.
    Udp(u16),
    /// Datagrams to all ports at which nobody listens.
    UnknownUdp,
    /// Packets of a protocol.
    Protocol(u8),
}

/// Why something is not punted, or punted still.
#[derive(Debug, Error)]
pub(super) enum PuntError {
    #[error("{1} of {0} have a receiver here")]
    Received(Family, What),
    #[error("{1} of {0} are not punted")]
    NotPunted(Family, What),
    #[error("only UDP (17) and TCP (6) protocols are supported, got {0}")]
    NoPorts(u8),
    #[error("punt TCP ports is not supported yet")]
    TcpPort,
    #[error("there is no punt reason {0}")]
    NoReason(u32),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl OperationError for PuntError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Received(..) => ApiError::ValueExist,
            Self::NotPunted(..) | Self::NoReason(_) => ApiError::NoSuchEntry,
            Self::NoPorts(_) => ApiError::InvalidValue,
            Self::TcpPort => ApiError::Unsupported,
            Self::Graph(_) => ApiError::Unspecified,
        }
    }
}

impl What {
    /// What a protocol with ports and one of these mean; of TCP, which nobody here receives, all.
    pub(super) const fn of_ports(of: u8, port: Option<u16>) -> Result<Self, PuntError> {
        match (of, port) {
            (protocol::UDP, Some(port)) => Ok(Self::Udp(port)),
            (protocol::UDP, None) => Ok(Self::UnknownUdp),
            (protocol::TCP, None) => Ok(Self::Protocol(of)),
            (protocol::TCP, Some(_)) => Err(PuntError::TcpPort),
            _ => Err(PuntError::NoPorts(of)),
        }
    }

    /// The columns of `show punt db`.
    pub(super) fn words(self) -> [String; 2] {
        match self {
            Self::Udp(port) => ["UDP".to_owned(), port.to_string()],
            Self::UnknownUdp => ["UDP".to_owned(), "unknown".to_owned()],
            Self::Protocol(protocol::TCP) => ["TCP".to_owned(), "all".to_owned()],
            Self::Protocol(number) => [number.to_string(), String::new()],
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(port) => write!(f, "datagrams to port {port}"),
            Self::UnknownUdp => f.write_str("datagrams to ports without a listener"),
            Self::Protocol(number) => write!(f, "packets of protocol {number}"),
        }
    }
}

/// What the operator has punted. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub(super) struct Orders {
    protocols: IpProtocols,
    ports: UdpPorts,
    ordered: Rc<RefCell<BTreeSet<(Family, What)>>>,
}

impl Orders {
    /// Without any, and with the nodes.
    pub(super) fn new(r: &mut Registrar, protocols: &IpProtocols, ports: &UdpPorts) -> Self {
        node::specs().into_iter().for_each(|spec| r.node(spec));
        Self { protocols: protocols.clone(), ports: ports.clone(), ordered: Rc::default() }
    }

    /// Has packets punted; nothing changes for those that are.
    pub(super) fn add(&self, main: &mut Main, family: Family, what: What) -> Result<(), PuntError> {
        if self.ordered.borrow().contains(&(family, what)) {
            return Ok(());
        }
        let [udp, proto] = node::names(family);
        let name = if matches!(what, What::Protocol(_)) { proto } else { udp };
        let node = main.graph().require(name)?;
        let is_received = match what {
            What::Udp(port) => self.ports.is_taken(main, family, port),
            What::UnknownUdp => false,
            What::Protocol(number) => self.protocols.is_taken(main, family, number),
        };
        if is_received {
            return Err(PuntError::Received(family, what));
        }
        match what {
            What::Udp(port) => self.ports.register_family(main, family, port, node)?,
            What::UnknownUdp => self.ports.set_unknown(main, family, Some(node))?,
            What::Protocol(number) => self.protocols.register(main, family, number, node)?,
        }
        self.ordered.borrow_mut().insert((family, what));
        Ok(())
    }

    /// Has packets that are punted go where those go that nobody receives.
    pub(super) fn remove(
        &self,
        main: &mut Main,
        family: Family,
        what: What,
    ) -> Result<(), PuntError> {
        if !self.ordered.borrow_mut().remove(&(family, what)) {
            return Err(PuntError::NotPunted(family, what));
        }
        match what {
            What::Udp(port) => self.ports.unregister_family(main, family, port),
            What::UnknownUdp => self.ports.set_unknown(main, family, None)?,
            What::Protocol(number) => self.protocols.unregister(main, family, number),
        }
        Ok(())
    }

    /// All that is punted.
    pub(super) fn all(&self) -> Vec<(Family, What)> {
        self.ordered.borrow().iter().copied().collect()
    }
}
