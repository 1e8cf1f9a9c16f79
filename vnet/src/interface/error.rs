//! Why a change of the interface table was refused.

use super::{HwIfIndex, InterfaceAddress, SwIfIndex, TagMatch};
use crate::command::{ApiError, OperationError};
use std::net::IpAddr;

/// Why a change of the interface table was refused. Nothing of a refused change is done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// No interface has this index.
    #[error("there is no interface with sw_if_index {sw_if_index}")]
    NoSuchInterface {
        /// The index.
        sw_if_index: SwIfIndex,
    },
    /// No hardware interface has this index.
    #[error("there is no hardware interface with hw_if_index {hw_if_index}")]
    NoSuchHardware {
        /// The index.
        hw_if_index: HwIfIndex,
    },
    /// No interface has this name.
    #[error("unknown interface {name:?}: `show interface` lists them")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// `local0` cannot do that.
    #[error("local0 is always there, always down, and has no addresses")]
    Local0,
    /// Interfaces have names of their own.
    #[error("there is an interface {name} already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Names are 1 to 63 visible ASCII characters.
    #[error("{name:?} is no interface name: 1 to 63 visible ASCII characters are expected")]
    BadName {
        /// The name.
        name: String,
    },
    /// Tags are at most 63 bytes.
    #[error("the tag of {name} would have {bytes} bytes, at most 63 are possible")]
    TagTooLong {
        /// The interface.
        name: String,
        /// Bytes of the tag.
        bytes: usize,
    },
    /// Only hardware interfaces can do that.
    #[error("{name} is a sub-interface: that is only possible with the interface above it")]
    NotHardware {
        /// The interface.
        name: String,
    },
    /// Only Ethernet interfaces can do that.
    #[error("{name} is not an Ethernet interface")]
    NotEthernet {
        /// The interface.
        name: String,
    },
    /// Only sub-interfaces can do that.
    #[error("{name} is not a sub-interface")]
    NotASubInterface {
        /// The interface.
        name: String,
    },
    /// The id is taken.
    #[error("{name} has a sub-interface {id} already")]
    SubInterfaceExists {
        /// The interface above.
        name: String,
        /// The id.
        id: u32,
    },
    /// Another sub-interface takes the same frames.
    #[error("{tags} is already in use by {by}")]
    TagsInUse {
        /// The match asked for.
        tags: TagMatch,
        /// Name of the sub-interface that has it.
        by: String,
    },
    /// Not a VLAN identifier, or a range that ends before it begins.
    #[error("invalid VLAN {vlan}: identifiers are 1 to 4095, ranges go upwards")]
    InvalidVlan {
        /// The number.
        vlan: u32,
    },
    /// A sub-interface is up only below an interface that is up.
    #[error("super-interface {name} must be up")]
    SuperDown {
        /// The interface above.
        name: String,
    },
    /// The device cannot be used.
    #[error("{name} stays down: {reason}")]
    Device {
        /// The interface.
        name: String,
        /// What the device says.
        reason: String,
    },
    /// The device cannot take such packets.
    #[error("{name} takes packets of at most {most} bytes, not of {bytes}")]
    Mtu {
        /// The interface.
        name: String,
        /// Bytes asked for.
        bytes: u32,
        /// Most possible.
        most: u32,
    },
    /// An interface has a unicast MAC address.
    #[error("an interface's MAC address has to be a unicast address other than zero")]
    MacNotUnicast,
    /// The prefix length does not fit the family.
    #[error("prefix length {length} does not fit {address}")]
    PrefixLength {
        /// The address.
        address: IpAddr,
        /// The length.
        length: u8,
    },
    /// A link-local address is alone in its prefix.
    #[error("prefix length of link-local address must be 128")]
    LinkLocalLength,
    /// An interface without exact-match has no addresses.
    #[error("sub-interface without exact-match doesn't support IP addressing")]
    NotExact,
    /// An interface that takes more than one VLAN does not route.
    #[error("{name} takes {tags}: frames that it sends would have no certain VLAN tags")]
    NoOutputTags {
        /// The interface.
        name: String,
        /// What it takes.
        tags: TagMatch,
    },
    /// The interface has the address.
    #[error("{address} is on {name} already")]
    DuplicateAddress {
        /// The interface.
        name: String,
        /// The address.
        address: InterfaceAddress,
    },
    /// A prefix is on one link only.
    #[error("failed to add {new} on {name}, which conflicts with {old} for interface {by}")]
    AddressConflict {
        /// The interface.
        name: String,
        /// The address asked for.
        new: InterfaceAddress,
        /// The address that excludes it.
        old: InterfaceAddress,
        /// Name of the interface that has that one.
        by: String,
    },
    /// The interface does not have the address.
    #[error("{address} not found for interface {name}")]
    AddressNotFound {
        /// The interface.
        name: String,
        /// The address.
        address: InterfaceAddress,
    },
    /// The link-local address stays as long as the interface.
    #[error("the link-local address of {name} cannot be deleted, only replaced")]
    LinkLocalStays {
        /// The interface.
        name: String,
    },
    /// The table of an interface is set before its addresses.
    #[error("{name} has, borrows or lends addresses: its table cannot change while it does")]
    HasAddresses {
        /// The interface.
        name: String,
    },
    /// Not an interface whose addresses could be used.
    #[error("{name} cannot use the addresses of {donor}: {reason}")]
    Unnumbered {
        /// The interface.
        name: String,
        /// The interface whose addresses it should use.
        donor: String,
        /// What is in the way.
        reason: &'static str,
    },
}

impl InterfaceError {
    /// The number that VPP's binary API has for it.
    #[must_use]
    pub fn api_number(&self) -> i32 {
        self.api_error().code()
    }
}

impl OperationError for InterfaceError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchInterface { .. }
            | Self::NoSuchHardware { .. }
            | Self::UnknownName { .. } => ApiError::InvalidSwIfIndex,
            // What cannot be done to it is not done by that number.
            Self::Local0 => ApiError::InvalidSwIfIndex,
            Self::BadName { .. }
            | Self::TagTooLong { .. }
            | Self::Mtu { .. }
            | Self::MacNotUnicast => ApiError::InvalidValue,
            Self::InvalidVlan { .. } => ApiError::InvalidVlan,
            Self::TagsInUse { .. } => ApiError::VlanAlreadyExists,
            Self::PrefixLength { .. } | Self::LinkLocalLength => ApiError::AddressLengthMismatch,
            Self::AddressNotFound { .. } => ApiError::AddressNotFoundForInterface,
            Self::LinkLocalStays { .. } => ApiError::AddressNotDeletable,
            Self::SubInterfaceExists { .. } => ApiError::SubifAlreadyExists,
            Self::Unnumbered { .. } | Self::SuperDown { .. } => ApiError::UnexpectedIntfState,
            Self::NameTaken { .. } => ApiError::IfAlreadyExists,
            Self::NotHardware { .. } => ApiError::InvalidInterface,
            Self::NotASubInterface { .. } => ApiError::InvalidSubSwIfIndex,
            Self::AddressConflict { .. } => ApiError::AddressInUse,
            Self::HasAddresses { .. } => ApiError::AddressFoundForInterface,
            Self::NotExact | Self::NoOutputTags { .. } => ApiError::Unsupported,
            Self::DuplicateAddress { .. } => ApiError::DuplicateIfAddress,
            Self::NotEthernet { .. } => ApiError::NonEthernet,
            Self::Device { .. } => ApiError::Unspecified,
        }
    }
}
