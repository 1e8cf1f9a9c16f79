//! What can be wrong with features.

use thiserror::Error;

use crate::command::{ApiError, OperationError};

/// Why features cannot be arranged or enabled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// Two arcs of the same name.
    #[error("feature arc `{0}' is registered twice")]
    DuplicateArc(String),
    /// A feature on an arc that does not exist.
    #[error("feature `{feature}' is for the arc `{arc}', which does not exist")]
    UnknownArc {
        /// The arc named.
        arc: String,
        /// The feature that names it.
        feature: String,
    },
    /// The same node twice on an arc.
    #[error("feature `{feature}' is registered twice on the arc `{arc}'")]
    DuplicateFeature {
        /// The arc.
        arc: String,
        /// The node.
        feature: String,
    },
    /// A constraint names a node that is not on the arc.
    #[error(
        "feature `{feature}' on the arc `{arc}' is to run {word} `{named}', which is not on that arc"
    )]
    UnknownNeighbor {
        /// The arc.
        arc: String,
        /// The feature whose constraint it is.
        feature: String,
        /// `before` or `after`.
        word: &'static str,
        /// The node named.
        named: String,
    },
    /// The constraints contradict each other.
    #[error(
        "features of the arc `{arc}' cannot be ordered: each of {features} must run before another one of them"
    )]
    Cycle {
        /// The arc.
        arc: String,
        /// The nodes on the cycle.
        features: String,
    },
    /// A node that the graph does not have.
    #[error("the arc `{arc}' names the node `{node}', which does not exist")]
    UnknownNode {
        /// The arc.
        arc: String,
        /// The node.
        node: String,
    },
    /// Enabling what is not on the arc.
    #[error("no feature `{feature}' on the arc `{arc}'")]
    NoSuchFeature {
        /// The arc.
        arc: String,
        /// The feature.
        feature: String,
    },
    /// Switching on what is on.
    #[error("feature `{feature}' is already enabled on the arc `{arc}' of that interface")]
    AlreadyEnabled {
        /// The arc.
        arc: String,
        /// The feature.
        feature: String,
    },
    /// Disabling what is not enabled.
    #[error("feature `{feature}' is not enabled on the arc `{arc}' of that interface")]
    NotEnabled {
        /// The arc.
        arc: String,
        /// The feature.
        feature: String,
    },
}

impl OperationError for FeatureError {
    fn api_error(&self) -> ApiError {
        ApiError::InvalidValue
    }
}
