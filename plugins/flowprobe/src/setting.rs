//! What meters do: for all interfaces, and for one that has something of its own.

use core::{fmt, time::Duration};
use std::{collections::BTreeMap, rc::Rc};

use vnet::{
    flow::RecordSet,
    interface::SwIfIndex,
    ipfix::{fields::Lease, profile::Profile},
};

use crate::{Directions, Params, ProbeError, Variant};

/// What is recorded of flows.
#[derive(Clone)]
pub(crate) enum Recorded {
    /// Layers.
    Layers(Layers),
    /// The fields of a template that a user made.
    Template(Rc<Lease>),
}

/// Layers that are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Which.
    pub set: RecordSet,
    /// Whether a record has both directions of a flow, the initiator's first (RFC 5103).
    pub biflow: bool,
}

/// What a meter does. Interfaces with the same setting share meters and a report.
#[derive(Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) recorded: Recorded,
    pub(crate) timers: Timers,
    pub(crate) profile: Profile,
    /// Whether later fragments are counted in the flows of the first ones.
    pub(crate) fragments: bool,
}

/// Seconds; see [`Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timers {
    pub(crate) active: u32,
    pub(crate) passive: u32,
}

/// What an interface has of its own.
#[derive(Clone, Default)]
pub(crate) struct Own {
    pub(crate) recorded: Option<Recorded>,
    pub(crate) timers: Option<Timers>,
}

/// What was asked for, whether it is measured or not.
#[derive(Clone)]
pub(crate) struct Configured {
    /// Of all interfaces that have nothing of their own.
    pub(crate) all: Setting,
    pub(crate) own: BTreeMap<(SwIfIndex, Variant), Own>,
}

impl Recorded {
    /// Whether nothing is.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Layers(layers) if layers.set.is_empty())
    }

    /// The template, where it is one.
    pub(crate) fn template(&self) -> Option<&Rc<Lease>> {
        match self {
            Self::Layers(_) => None,
            Self::Template(lease) => Some(lease),
        }
    }

    /// The layers of which something is recorded.
    fn layers(&self) -> Layers {
        match self {
            Self::Layers(layers) => *layers,
            Self::Template(lease) => {
                let selection = lease.list().selection();
                Layers { set: selection.layers(), biflow: selection.biflow }
            }
        }
    }
}

/// A template that is in use keeps its name, and its fields.
impl PartialEq for Recorded {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Layers(one), Self::Layers(other)) => one == other,
            (Self::Template(one), Self::Template(other)) => one.name() == other.name(),
            _ => false,
        }
    }
}

/// A blank and a word for each layer, as VPP prints them.
impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(lease) => write!(f, " template {}", lease.name()),
            Self::Layers(Layers { set, biflow }) => {
                let named = LAYERS.iter().filter(|(layer, _)| set.contains(*layer));
                named.map(|(_, word)| word).try_for_each(|word| write!(f, " {word}"))?;
                f.write_str(if *biflow { " biflow" } else { "" })
            }
        }
    }
}

/// The words of `record`.
pub(crate) const LAYERS: [(RecordSet, &str); 3] =
    [(RecordSet::L2, "l2"), (RecordSet::L3, "l3"), (RecordSet::L4, "l4")];

impl Timers {
    /// With others where some are given.
    ///
    /// # Errors
    /// [`ProbeError::Timers`].
    pub(crate) fn changed(
        self,
        active: Option<u32>,
        passive: Option<u32>,
    ) -> Result<Self, ProbeError> {
        let (active, passive) = (active.unwrap_or(self.active), passive.unwrap_or(self.passive));
        if passive > 0 && active > passive {
            return Err(ProbeError::Timers { active, passive });
        }
        Ok(Self { active, passive })
    }

    pub(crate) fn active(self) -> Duration {
        Duration::from_secs(self.active.into())
    }

    pub(crate) fn passive(self) -> Duration {
        Duration::from_secs(self.passive.into())
    }
}

impl fmt::Display for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " active: {} passive: {}", self.active, self.passive)
    }
}

impl Setting {
    pub(crate) fn params(&self) -> Params {
        let Timers { active, passive } = self.timers;
        let Layers { set: record, biflow } = self.recorded.layers();
        Params { record, biflow, active, passive, profile: self.profile, fragments: self.fragments }
    }

    /// Whether all fields of its template can be filled where packets are measured.
    ///
    /// # Errors
    /// [`ProbeError::Field`].
    pub(crate) fn check_fields(
        &self,
        variant: Variant,
        directions: Directions,
    ) -> Result<(), ProbeError> {
        let Some(lease) = self.recorded.template() else { return Ok(()) };
        for &direction in directions.each() {
            let point = format!("by {} of template {}", variant.at(direction), lease.name());
            lease.list().check_known(variant.known(direction), &point)?;
        }
        Ok(())
    }
}

/// As `show flowprobe params` has it, but for the profile.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.recorded, self.timers)
    }
}

impl Own {
    /// Its timers with others where some are given; who has one has both, the other one as it is now.
    pub(crate) fn changed_timers(
        &self,
        active: Option<u32>,
        passive: Option<u32>,
        of_all: Timers,
    ) -> Result<Option<Timers>, ProbeError> {
        if active.is_none() && passive.is_none() {
            return Ok(self.timers);
        }
        self.timers.unwrap_or(of_all).changed(active, passive).map(Some)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.recorded.is_none() && self.timers.is_none()
    }
}

impl Configured {
    /// What an interface is measured with.
    pub(crate) fn setting(&self, interface: SwIfIndex, variant: Variant) -> Setting {
        let mut setting = self.all.clone();
        if let Some(own) = self.own.get(&(interface, variant)) {
            if let Some(recorded) = &own.recorded {
                setting.recorded = recorded.clone();
            }
            if let Some(timers) = own.timers {
                setting.timers = timers;
            }
        }
        setting
    }

    /// A template that is in use here already.
    pub(crate) fn lease(&self, name: &str) -> Option<Rc<Lease>> {
        let own = self.own.values().filter_map(|own| own.recorded.as_ref());
        let mut leases = own.chain([&self.all.recorded]).filter_map(Recorded::template);
        leases.find(|lease| lease.name() == name).cloned()
    }
}
