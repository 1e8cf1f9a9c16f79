//! What an interface does with frames.

use super::{BdIndex, EfpFilter, Epoch, Rewrite, Switching, TagRewrite};
use crate::interface::SwIfIndex;

/// Where the frames go that an interface receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are for the interface, or not.
    Routed,
    /// They are switched in a bridge domain.
    Bridged(BdIndex),
    /// They all leave by another interface.
    Connected(SwIfIndex),
}

/// What an interface is to its bridge domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// One of many.
    #[default]
    Member,
    /// The one that routes.
    Bvi,
    /// The one to which frames to unknown stations go.
    UuFwd,
}

/// Layer 2 of an interface.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Where frames go.
    pub mode: Mode,
    /// What it is to its domain.
    pub role: Role,
    /// Its split-horizon group.
    pub shg: u8,
    /// What is done to frames that it receives, where the domain does so.
    pub switching: Switching,
    /// Which of its entries hold.
    pub(super) epoch: Epoch,
    /// How often its entries were flushed, as far as VPP counts.
    pub sequence: u8,
    /// What is done to the tags, as it was ordered.
    pub tag_rewrite: Option<TagRewrite>,
    /// The same for frames that come in.
    pub input: Rewrite,
    /// The same for frames that leave.
    pub output: Rewrite,
    /// Which frames may leave.
    pub efp_filter: Option<EfpFilter>,
}

impl Port {
    /// An interface that routes.
    pub(super) const ROUTED: Self = Self {
        mode: Mode::Routed,
        role: Role::Member,
        shg: 0,
        switching: Switching::all(),
        epoch: Epoch(0),
        sequence: 0,
        tag_rewrite: None,
        input: Rewrite::NONE,
        output: Rewrite::NONE,
        efp_filter: None,
    };

    /// Its bridge domain.
    #[must_use]
    pub const fn domain(&self) -> Option<BdIndex> {
        match self.mode {
            Mode::Bridged(domain) => Some(domain),
            Mode::Routed | Mode::Connected(_) => None,
        }
    }

    /// Whether something is to be done to frames before they leave by it.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_none() || self.efp_filter.is_some()
    }

    /// Whether split horizon keeps frames of an interface with the group `from` from this one.
    #[must_use]
    pub const fn is_behind_horizon(&self, from: u8) -> bool {
        from != 0 && from == self.shg
    }
}
