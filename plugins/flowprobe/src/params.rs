//! What `flowprobe params` says.

use vnet::{flow::RecordSet, ipfix::profile::Profile};

use crate::{
    ProbeError,
    setting::{Layers, Recorded, Setting, Timers},
};

/// Seconds after which a record of a live flow is made.
pub const DEFAULT_ACTIVE: u32 = 15;
/// Seconds without packets after which a flow ends.
pub const DEFAULT_PASSIVE: u32 = 120;

/// The words of one line; what is not given has its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamsRequest {
    /// `record [l2] [l3] [l4]`. With nothing recorded no interface can be measured.
    pub record: RecordSet,
    /// `record ... biflow`.
    pub biflow: bool,
    /// `active`, seconds.
    pub active: Option<u32>,
    /// `passive`, seconds.
    pub passive: Option<u32>,
    /// `profile`.
    pub profile: Option<Profile>,
    /// `fragments`.
    pub fragments: bool,
}

/// What is recorded, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The layers.
    pub record: RecordSet,
    /// Whether a record has both directions of a flow, the initiator's first (RFC 5103).
    pub biflow: bool,
    /// Seconds; 0 makes one record a packet.
    pub active: u32,
    /// Seconds; 0 is never.
    pub passive: u32,
    /// How records are written, and put into messages.
    pub profile: Profile,
    /// Whether later fragments are counted in the flow of the first one.
    pub fragments: bool,
}

impl Params {
    /// Before anything was said.
    #[must_use]
    pub const fn none(profile: Profile) -> Self {
        let (active, passive) = (DEFAULT_ACTIVE, DEFAULT_PASSIVE);
        let record = RecordSet::empty();
        Self { record, biflow: false, active, passive, profile, fragments: false }
    }
}

impl From<Params> for Setting {
    fn from(params: Params) -> Self {
        let Params { record: set, biflow, active, passive, profile, fragments } = params;
        let recorded = Recorded::Layers(Layers { set, biflow });
        Self { recorded, timers: Timers { active, passive }, profile, fragments }
    }
}

impl ParamsRequest {
    /// Fills in the defaults, that of the profile being `profile`, and then compares.
    ///
    /// # Errors
    /// [`ProbeError::Timers`], and [`ProbeError::Fragments`].
    pub fn check(self, profile: Profile) -> Result<Params, ProbeError> {
        let defaults = Timers { active: DEFAULT_ACTIVE, passive: DEFAULT_PASSIVE };
        let Timers { active, passive } = defaults.changed(self.active, self.passive)?;
        let profile = self.profile.unwrap_or(profile);
        let Self { record, biflow, fragments, .. } = self;
        if fragments && profile == Profile::Vpp {
            return Err(ProbeError::Fragments);
        }
        Ok(Params { record, biflow, active, passive, profile, fragments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(active: Option<u32>, passive: Option<u32>) -> Option<(u32, u32)> {
        let (record, biflow, profile, fragments) = (RecordSet::L3, false, None, false);
        let request = ParamsRequest { record, biflow, active, passive, profile, fragments };
        request.check(Profile::Rfc).ok().map(|p| (p.active, p.passive))
    }

    #[test]
    fn timers_are_compared_after_the_defaults_are_filled_in() {
        assert_eq!(check(None, None), Some((15, 120)));
        assert_eq!(check(None, Some(30)), Some((15, 30)));
        assert_eq!(check(None, Some(10)), None);
        assert_eq!(check(Some(300), None), None);
        assert_eq!(check(Some(300), Some(0)), Some((300, 0)));
        assert_eq!(check(Some(0), Some(5)), Some((0, 5)));
        assert_eq!(check(Some(20), Some(20)), Some((20, 20)));
    }
}
