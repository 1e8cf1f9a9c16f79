//! Why an operation on lists is refused; nothing of it is applied.

use vnet::{
    command::{ApiError, OperationError},
    graph::FeatureError,
};

use crate::direction::Direction;

/// Why an operation on lists is refused; nothing of it is applied.
#[derive(Debug, thiserror::Error)]
pub enum AclError {
    /// No list has this number.
    #[error("no ACL with index {0}")]
    NoSuchAcl(u32),
    /// No MACIP list has this number.
    #[error("no MACIP ACL with index {0}")]
    NoSuchMacip(u32),
    /// A list that interfaces have cannot go.
    #[error("ACL {acl} is applied {} on {interface}: take it from there first", direction.bound())]
    InUse {
        /// The list.
        acl: u32,
        /// In which direction.
        direction: Direction,
        /// The name of the interface.
        interface: String,
    },
    /// As [`Self::InUse`], of a MACIP list.
    #[error("MACIP ACL {acl} is applied on {interface}: take it from there first")]
    MacipInUse {
        /// The list.
        acl: u32,
        /// The name of the interface.
        interface: String,
    },
    /// The interface has the list.
    #[error("ACL {acl} is applied {} there already", direction.bound())]
    Applied {
        /// The list.
        acl: u32,
        /// In which direction.
        direction: Direction,
    },
    /// The interface does not have the list.
    #[error("ACL {acl} is not applied {} there", direction.bound())]
    NotApplied {
        /// The list.
        acl: u32,
        /// In which direction.
        direction: Direction,
    },
    /// The interface has a MACIP list.
    #[error("the interface has MACIP ACL {0} already")]
    MacipApplied(u32),
    /// The interface does not have that MACIP list.
    #[error("the interface does not have MACIP ACL {0}")]
    MacipNotApplied(u32),
    /// There is no room for counters of so many rules.
    #[error("no room for {rules} rules more: all lists together have at most {limit}")]
    TooManyRules {
        /// Rules that were to be added.
        rules: usize,
        /// The most.
        limit: usize,
    },
    /// The system has no memory for sessions.
    #[error("no memory for {0} sessions")]
    NoMemory(u32),
    /// An action of a rule was refused.
    #[error("rule {rule}: {why}")]
    Action {
        /// Which rule.
        rule: usize,
        /// What the action said.
        why: String,
    },
    /// The nodes are not there.
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for AclError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchAcl(_) | Self::NoSuchMacip(_) => ApiError::NoSuchEntry,
            Self::InUse { direction: Direction::Input, .. }
            | Self::Applied { direction: Direction::Input, .. } => ApiError::AclInUseInbound,
            Self::InUse { .. } | Self::Applied { .. } => ApiError::AclInUseOutbound,
            Self::MacipApplied(_) | Self::MacipInUse { .. } => ApiError::ValueExist,
            Self::NotApplied { .. } | Self::MacipNotApplied(_) => ApiError::NoSuchEntry,
            Self::TooManyRules { .. } | Self::NoMemory(_) => ApiError::Unspecified,
            Self::Action { .. } => ApiError::InvalidValue,
            Self::Feature(_) => ApiError::CannotEnableDisableFeature,
        }
    }
}
