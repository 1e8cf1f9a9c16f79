//! Sub-interfaces: which tagged frames they take.

use super::{InterfaceError, SwIfIndex};
use core::fmt;

/// A VLAN identifier that a sub-interface can be bound to, 1..=4095. (0 marks a frame that has a priority, no VLAN.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// Largest identifier.
    pub const MAX: Self = Self(4095);

    /// The identifier of a number.
    pub fn new(number: u32) -> Result<Self, InterfaceError> {
        match u16::try_from(number) {
            Ok(id @ 1..=4095) => Ok(Self(id)),
            _ => Err(InterfaceError::InvalidVlan { vlan: number }),
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// EtherType of an outer tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagType {
    /// 0x8100, IEEE 802.1Q.
    Dot1q,
    /// 0x88a8, IEEE 802.1ad.
    Dot1ad,
}

/// Which VLAN identifiers a tag may have. Ordered by precedence: one identifier goes before a range, a range before
/// any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VlanMatch {
    /// This one.
    Id(VlanId),
    /// From the first to the second, both included.
    Range(VlanId, VlanId),
    /// Any.
    Any,
}

impl VlanMatch {
    /// Whether a tag's identifier (0..=4095) is meant.
    #[must_use]
    pub fn contains(self, vlan: u16) -> bool {
        match self {
            Self::Id(id) => id.0 == vlan,
            Self::Range(first, last) => (first.0..=last.0).contains(&vlan),
            Self::Any => true,
        }
    }

    /// Whether two matches of the same precedence have an identifier in common, so that neither goes before the other.
    pub(super) fn collides(self, other: Self) -> bool {
        match (self, other) {
            (Self::Id(a), Self::Id(b)) => a == b,
            (Self::Range(a, b), Self::Range(c, d)) => a <= d && c <= b,
            (Self::Any, Self::Any) => true,
            _ => false,
        }
    }

    /// Rank in the order of precedence.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Id(_) => 0,
            Self::Range(..) => 1,
            Self::Any => 2,
        }
    }

    fn check(self) -> Result<(), InterfaceError> {
        match self {
            Self::Range(first, last) if first > last => {
                Err(InterfaceError::InvalidVlan { vlan: u32::from(last.0) })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for VlanMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// Which frames of its super-interface a sub-interface takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagMatch {
    /// Frames without a tag, or with a mere priority tag, instead of the super-interface.
    Untagged,
    /// Tagged frames that no other sub-interface takes.
    Default,
    /// Frames with these tags.
    Tagged {
        /// EtherType of the outer tag. (An inner one is always 802.1Q.)
        outer_type: TagType,
        /// The outer tag.
        outer: VlanMatch,
        /// The tag behind it; `None` asks for one tag only.
        inner: Option<VlanMatch>,
        /// Whether frames with more tags are refused. Only such interfaces can have addresses.
        exact: bool,
    },
}

impl TagMatch {
    /// What a bare sub-interface id stands for: one 802.1Q tag of that identifier, and no other.
    #[must_use]
    pub const fn exact_dot1q(vlan: VlanId) -> Self {
        let (outer_type, outer) = (TagType::Dot1q, VlanMatch::Id(vlan));
        Self::Tagged { outer_type, outer, inner: None, exact: true }
    }

    /// Whether the number of tags is fixed, so that the interface can route.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Untagged | Self::Tagged { exact: true, .. })
    }

    /// Whether two sub-interfaces of one interface would claim the same frames with the same precedence.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Untagged, Self::Untagged) | (Self::Default, Self::Default) => true,
            (
                Self::Tagged { outer_type: t1, outer: o1, inner: i1, .. },
                Self::Tagged { outer_type: t2, outer: o2, inner: i2, .. },
            ) => {
                let inner = match (i1, i2) {
                    (None, None) => true,
                    (Some(a), Some(b)) => a.collides(*b),
                    _ => false,
                };
                t1 == t2 && o1.collides(*o2) && inner
            }
            _ => false,
        }
    }

    /// Refuses ranges that end before they begin.
    pub(super) fn check(&self) -> Result<(), InterfaceError> {
        match self {
            Self::Untagged | Self::Default => Ok(()),
            Self::Tagged { outer, inner, .. } => {
                outer.check()?;
                inner.map_or(Ok(()), VlanMatch::check)
            }
        }
    }

    /// Rank in the order of precedence, the highest precedence first: the outer tag decides before the inner one, an
    /// inner tag before none, all of them before the default.
    pub(super) fn rank(&self) -> (u8, u8) {
        match self {
            Self::Tagged { outer, inner, .. } => (outer.rank(), inner.map_or(3, VlanMatch::rank)),
            Self::Default => (3, 3),
            Self::Untagged => (4, 4),
        }
    }

    /// Whether it takes frames with so many tags (3 stands for more).
    pub(super) fn takes_count(&self, count: u8) -> bool {
        match self {
            Self::Untagged => count == 0,
            Self::Default => count > 0,
            Self::Tagged { inner, exact, .. } => {
                let wanted = if inner.is_some() { 2 } else { 1 };
                if *exact { count == wanted } else { count >= wanted }
            }
        }
    }
}

impl fmt::Display for TagMatch {
    /// The words of `create sub-interfaces`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Tagged { outer_type, outer, inner, exact } = self else {
            return f.write_str(if *self == Self::Untagged { "untagged" } else { "default" });
        };
        let word = match outer_type {
            TagType::Dot1q => "dot1q",
            TagType::Dot1ad => "dot1ad",
        };
        write!(f, "{word} {outer}")?;
        if let Some(inner) = inner {
            write!(f, " inner-dot1q {inner}")?;
        }
        if *exact { f.write_str(" exact-match") } else { Ok(()) }
    }
}

/// What makes a software interface a sub-interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubInterface {
    /// The interface above.
    pub super_if: SwIfIndex,
    /// Its id there; the name is `<super>.<id>`.
    pub id: u32,
    /// The frames that it takes.
    pub tags: TagMatch,
}
