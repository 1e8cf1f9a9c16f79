//! Why an operation is refused.

use vnet::{
    command::{ApiError, OperationError},
    flow::MeterError,
    graph::FeatureError,
    ipfix::{
        export::AddReportError,
        fields::{FieldError, TemplateError},
    },
};

use crate::{Variant, point::MAX_SETTINGS};

/// Why an operation is refused; nothing of it is applied.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// `active` is longer than `passive`.
    #[error("passive must be greater than active, and not {passive} against {active} seconds")]
    Timers {
        /// Seconds.
        active: u32,
        /// Seconds.
        passive: u32,
    },
    /// Parameters hold for all interfaces and cannot change under them.
    #[error("cannot change parameters while flowprobe is enabled on an interface")]
    InUse,
    /// There is no exporter of this name.
    #[error("no such exporter: {0}")]
    NoSuchExporter(String),
    /// There is no such template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// One of the two says what is recorded.
    #[error("give `record' or `template', not both")]
    RecordAndTemplate,
    /// Only the profile `rfc` writes records of other fields than VPP's.
    #[error("templates are written as RFC 7011 has them: leave out `profile vpp'")]
    TemplateProfile,
    /// VPP has fragments without ports.
    #[error(
        "`profile vpp' has fragments as VPP has them: leave out `fragments', or write `profile rfc'"
    )]
    Fragments,
    /// The template has fields of other packets alone.
    #[error("template {template} has no fields for packets of {}", variant.word())]
    NoFields {
        /// Its name.
        template: String,
        /// Whose packets.
        variant: Variant,
    },
    /// Both ends of a flow must be known.
    #[error("records of both directions need the addresses of both ends: add `l3'")]
    OneEnd,
    /// VPP has none.
    #[error("VPP has no records of both directions: leave out `biflow', or say `profile rfc'")]
    BiflowProfile,
    /// VPP has one setting.
    #[error(
        "VPP has one setting for all interfaces, and so has `profile vpp': an interface can have one of its own after \
         `flowprobe params ... profile rfc'"
    )]
    OwnInProfile,
    /// There is nothing to change.
    #[error("say what to change: rx, tx, both, record, template, default, active or passive")]
    NoChange,
    /// Each setting that is in use takes flow tables and a report.
    #[error(
        "the interfaces of a variant can have {} different settings, and those of {} have them: give some of them the same \
         one, or `default'",
        MAX_SETTINGS,
        .0.word()
    )]
    TooManySettings(Variant),
    /// A field cannot be filled of these packets.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Drops have none.
    #[error("packets are dropped in no direction: leave out `rx', `tx' and `both'")]
    NoDirection,
    /// Nothing comes back.
    #[error(
        "records of drops have one direction: give drop a `record' without `biflow', or a template"
    )]
    DropsOneWay,
    /// VPP makes no records of drops.
    #[error(
        "VPP has no records of drops, and neither has `profile vpp': give a template, or another profile"
    )]
    DropsInProfile,
    /// Nothing is recorded.
    #[error("nothing to record: set `flowprobe params record' first")]
    NotConfigured,
    /// No such interface.
    #[error("no such interface")]
    NoSuchInterface,
    /// Frames of a sub-interface are received by its main interface.
    #[error("a sub-interface receives no frames of its own: enable l2 rx on its main interface")]
    SubInterface,
    /// It is enabled already; its directions cannot change.
    #[error("flowprobe {} is already enabled on this interface", .0.word())]
    AlreadyEnabled(Variant),
    /// It is not enabled.
    #[error("flowprobe {} is not enabled on this interface", .0.word())]
    NotEnabled(Variant),
    /// No memory for a flow cache.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// The exporter takes no report.
    #[error(transparent)]
    Report(#[from] AddReportError),
    /// The graph has no place for it.
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for ProbeError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Timers { .. } | Self::SubInterface | Self::NoDirection => ApiError::InvalidValue,
            Self::Field(error) => error.api_error(),
            Self::InUse | Self::OwnInProfile | Self::DropsInProfile | Self::DropsOneWay => {
                ApiError::Unsupported
            }
            Self::TooManySettings(_) => ApiError::Unspecified,
            Self::NotConfigured => ApiError::CannotEnableDisableFeature,
            Self::NoSuchInterface => ApiError::InvalidSwIfIndex,
            Self::AlreadyEnabled(_) => ApiError::EntryAlreadyExists,
            Self::NotEnabled(_) | Self::NoSuchExporter(_) => ApiError::NoSuchEntry,
            Self::Template(error) => error.api_error(),
            Self::RecordAndTemplate
            | Self::TemplateProfile
            | Self::NoChange
            | Self::OneEnd
            | Self::BiflowProfile
            | Self::Fragments
            | Self::NoFields { .. } => ApiError::InvalidValue2,
            Self::Meter(_) | Self::Report(_) | Self::Feature(_) => ApiError::Unspecified,
        }
    }
}
