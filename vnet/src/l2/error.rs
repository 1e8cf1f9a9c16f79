//! Why a change of layer 2 was refused.

use super::{BdId, Entry};
use crate::{
    command::{ApiError, OperationError},
    interface::{InterfaceError, SwIfIndex},
};

/// Why a change of layer 2 was refused. Nothing of a refused change is done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum L2Error {
    /// The interface table refused.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// No domain has this number.
    #[error("no bridge domain {0}")]
    NoSuchDomain(BdId),
    /// There is one already.
    #[error("there is a bridge domain {0} already: `set bridge-domain' changes it")]
    DomainExists(BdId),
    /// Interfaces are in it.
    #[error("bridge domain {id} has {members} interfaces: `set interface l3' takes them out of it")]
    DomainInUse {
        /// The domain.
        id: BdId,
        /// How many there are.
        members: usize,
    },
    /// Nodes tell so many apart.
    #[error("there are 65534 bridge domains, and no more can be made")]
    TooManyDomains,
    /// One interface a domain routes.
    #[error("bridge domain {id} has a BVI already: {by}")]
    BviExists {
        /// The domain.
        id: BdId,
        /// The name of its BVI.
        by: String,
    },
    /// One interface a domain takes frames to unknown stations.
    #[error("bridge domain {id} has an interface for unknown unicast already: {by}")]
    UuFwdExists {
        /// The domain.
        id: BdId,
        /// The name of the interface.
        by: String,
    },
    /// Only an interface whose other end is the engine itself can route for a domain.
    #[error("{0} cannot be a BVI: a loopback interface or one made by `bvi create' is expected")]
    NotABvi(String),
    /// An interface made to be a BVI can be nothing else.
    #[error("{0} can only be the BVI of a bridge domain")]
    OnlyABvi(String),
    /// Entries have 24 bits for an interface.
    #[error("interface number {0} is too large to be bridged: {max} is the most", max = Entry::MAX_PORT)]
    IndexTooLarge(SwIfIndex),
    /// Frames that come in by an interface cannot all leave by it.
    #[error("{0} cannot be connected to itself")]
    ConnectedToItself(String),
    /// The interface is not where it was expected.
    #[error("{name} is not in bridge domain {id}")]
    NotAMember {
        /// The interface.
        name: String,
        /// The domain.
        id: BdId,
    },
    /// The interface is not bridged or connected.
    #[error("{0} is in layer 3 mode: `set interface l2 bridge|xconnect' comes first")]
    NotLayer2(String),
    /// What is popped off must be pushed on frames that leave.
    #[error(
        "cannot pop {pop} tags: frames that leave need them again, and the interface has {known} certain ones"
    )]
    NoTagsToPush {
        /// Tags to be popped.
        pop: u8,
        /// Tags that the interface's frames have for certain.
        known: usize,
    },
    /// There are certain tags on frames of sub-interfaces only.
    #[error("{0} is not a sub-interface: there are no certain tags that its frames must have")]
    NoFilter(String),
    /// Entries are about stations.
    #[error("{0} is no station's address: a unicast address other than zero is expected")]
    NotUnicast(String),
    /// There is no such entry.
    #[error("bridge domain {id} has no entry for {mac}")]
    NoSuchEntry {
        /// The domain.
        id: BdId,
        /// The address.
        mac: String,
    },
    /// The address of a BVI comes and goes with it.
    #[error("{0} is the address of a BVI, which comes and goes with it")]
    BviEntry(String),
    /// The table could not take it.
    #[error("there is no room for {0} in the MAC table before it has grown")]
    Full(String),
    /// There is no such pair.
    #[error("bridge domain {id} has no MAC address for {address}")]
    NoSuchArpEntry {
        /// The domain.
        id: BdId,
        /// The address.
        address: core::net::IpAddr,
    },
}

impl OperationError for L2Error {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Interface(error) => error.api_error(),
            Self::NoSuchDomain(_) | Self::NoSuchEntry { .. } | Self::NoSuchArpEntry { .. } => {
                ApiError::NoSuchEntry
            }
            Self::DomainExists(_) => ApiError::BdAlreadyExists,
            Self::DomainInUse { .. } => ApiError::BdInUse,
            Self::BviExists { .. } => ApiError::BdAlreadyHasBvi,
            Self::UuFwdExists { .. } => ApiError::ValueExist,
            Self::NotAMember { .. } | Self::NotUnicast(_) => ApiError::InvalidValue,
            Self::ConnectedToItself(_) => ApiError::SameSrcDst,
            Self::IndexTooLarge(_) | Self::NotLayer2(_) => ApiError::InvalidSwIfIndex,
            Self::TooManyDomains | Self::Full(_) => ApiError::Unspecified,
            Self::NotABvi(_) | Self::OnlyABvi(_) | Self::NoFilter(_) => ApiError::InvalidInterface,
            Self::NoTagsToPush { .. } => ApiError::InvalidVlanTagCount,
            Self::BviEntry(_) => ApiError::Unsupported,
        }
    }
}
