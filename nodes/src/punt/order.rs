//! `set punt`: which packets for this machine are punted, that nobody here receives.
//!
//! Packets to UDP ports go from the port's place in `ip4-udp-lookup` to `ip4-udp-punt`, those of other protocols from `ip4-local` to
//! `ip4-proto-punt`; both lead to `ip4-punt`, the packet whole again. Those of clients go to `ip4-udp-punt-socket` and
//! `ip4-proto-punt-socket` instead, which end them. IPv6 alike.

use std::{cell::RefCell, collections::BTreeMap, fmt, path::PathBuf, rc::Rc};

use thiserror::Error;
use vnet::{
    command::{ApiError, OperationError},
    fib::Family,
    graph::GraphError,
    plugin::Registrar,
    runtime::Main,
    wire::ip4::protocol,
};

use super::{
    node,
    socket::{self, Clients},
};
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
    #[error("Port number required")]
    NoPort,
    #[error("socket is not configured: punt {{ socket PATH }} of the startup file does that")]
    NoSocket,
    #[error("Invalid packet descriptor version")]
    Version,
    #[error("Punt socket: Invalid client path: {}", .0.display())]
    Path(PathBuf),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl OperationError for PuntError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Received(..) => ApiError::ValueExist,
            Self::NotPunted(..) | Self::NoReason(_) => ApiError::NoSuchEntry,
            Self::NoPorts(_) | Self::NoPort | Self::Version | Self::Path(_) => {
                ApiError::InvalidValue
            }
            Self::NoSocket => ApiError::FeatureDisabled,
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

/// Who gets what is punted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    /// The features of the arc, and what is behind them.
    Arc,
    /// A client, at its socket.
    Client(PathBuf),
}

/// What the operator has punted. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub(super) struct Orders {
    protocols: IpProtocols,
    ports: UdpPorts,
    clients: Clients,
    ordered: Rc<RefCell<BTreeMap<(Family, What), Taker>>>,
}

impl Orders {
    /// Without any, and with the nodes.
    pub(super) fn new(
        r: &mut Registrar,
        protocols: &IpProtocols,
        ports: &UdpPorts,
        clients: &Clients,
    ) -> Self {
        node::specs().into_iter().for_each(|spec| r.node(spec));
        Self {
            protocols: protocols.clone(),
            ports: ports.clone(),
            clients: clients.clone(),
            ordered: Rc::default(),
        }
    }

    /// Has packets punted; nothing changes for those that are, but that a client may be at another path now.
    pub(super) fn add(
        &self,
        main: &mut Main,
        family: Family,
        what: What,
        taker: Taker,
    ) -> Result<(), PuntError> {
        let of = (family, what);
        let known = self.ordered.borrow().get(&of).cloned();
        let [udp, proto] = node::names(family);
        let name = match (&taker, what) {
            (Taker::Client(_), What::UnknownUdp) => return Err(PuntError::NoPort),
            (Taker::Client(_), _) => socket::node(family, what),
            (Taker::Arc, What::Protocol(_)) => proto,
            (Taker::Arc, _) => udp,
        };
        let node = main.graph().require(name)?;
        let is_same = |known: &Taker| matches!(known, Taker::Arc) == (taker == Taker::Arc);
        let is_received = match known {
            Some(known) => !is_same(&known),
            None => self.is_received(main, of),
        };
        if is_received {
            return Err(PuntError::Received(family, what));
        }
        if let Taker::Client(path) = &taker {
            self.clients.set(main, of, path)?;
        }
        match what {
            What::Udp(port) => self.ports.register_family(main, family, port, node)?,
            What::UnknownUdp => self.ports.set_unknown(main, family, Some(node))?,
            What::Protocol(number) => self.protocols.register(main, family, number, node)?,
        }
        self.ordered.borrow_mut().insert(of, taker);
        Ok(())
    }

    fn is_received(&self, main: &Main, (family, what): (Family, What)) -> bool {
        match what {
            What::Udp(port) => self.ports.is_taken(main, family, port),
            What::UnknownUdp => false,
            What::Protocol(number) => self.protocols.is_taken(main, family, number),
        }
    }

    /// Has packets that are punted, to a client or not, go where those go that nobody receives.
    pub(super) fn remove(
        &self,
        main: &mut Main,
        family: Family,
        what: What,
        of_client: bool,
    ) -> Result<(), PuntError> {
        let of = (family, what);
        let known = self.ordered.borrow().get(&of).map(|taker| *taker != Taker::Arc);
        if known != Some(of_client) {
            return Err(PuntError::NotPunted(family, what));
        }
        match what {
            What::Udp(port) => self.ports.unregister_family(main, family, port),
            What::UnknownUdp => self.ports.set_unknown(main, family, None)?,
            What::Protocol(number) => self.protocols.unregister(main, family, number),
        }
        self.clients.remove(main, of);
        self.ordered.borrow_mut().remove(&of);
        Ok(())
    }

    /// All that is punted, and to no client.
    pub(super) fn punted(&self) -> Vec<(Family, What)> {
        let ordered = self.ordered.borrow();
        let all = ordered.iter().filter(|(_, taker)| **taker == Taker::Arc);
        all.map(|(of, _)| *of).collect()
    }

    /// All that goes to clients, and where to.
    pub(super) fn clients(&self) -> Vec<(Family, What, PathBuf)> {
        let ordered = self.ordered.borrow();
        let of_client = |(&(family, what), taker): (&(Family, What), &Taker)| match taker {
            Taker::Client(path) => Some((family, what, path.clone())),
            Taker::Arc => None,
        };
        ordered.iter().filter_map(of_client).collect()
    }

    /// Where the engine's own socket is.
    pub(super) fn socket(&self, main: &Main) -> Option<PathBuf> {
        self.clients.own_path(main)
    }
}
