//! Sub-interfaces: which tagged frames they take.

use super::{InterfaceError, SwIfIndex, Tags};
use crate::wire::ethernet::{EtherType, VlanTag};
use arrayvec::ArrayVec;
use core::fmt;
use zerocopy::IntoBytes;

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

impl TagType {
    /// Its EtherType.
    #[must_use]
    pub const fn ethertype(self) -> EtherType {
        match self {
            Self::Dot1q => EtherType::VLAN,
            Self::Dot1ad => EtherType::QINQ,
        }
    }
}

/// The VLAN tags of the frames that an interface sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputTags {
    /// None.
    Untagged,
    /// One.
    Single(TagType, VlanId),
    /// Two, of which the inner one is an 802.1Q tag.
    Double(TagType, VlanId, VlanId),
}

impl OutputTags {
    /// How long they are.
    pub(crate) const fn octets(self) -> u16 {
        match self {
            Self::Untagged => 0,
            Self::Single(..) => 4,
            Self::Double(..) => 8,
        }
    }

    /// What stands between a frame's addresses and its payload of type `payload`: the tags, of priority 0, and the
    /// type; 2, 6 or 10 bytes.
    #[must_use]
    pub fn header(self, payload: EtherType) -> ArrayVec<u8, 10> {
        let tag = |vlan: VlanId, next: EtherType| VlanTag {
            control: vlan.number().into(),
            ethertype: next.0.into(),
        };
        let (first, tags) = match self {
            Self::Untagged => (payload, [None, None]),
            Self::Single(outer, vlan) => (outer.ethertype(), [Some(tag(vlan, payload)), None]),
            Self::Double(outer, vlan, inner) => {
                let tags = [tag(vlan, EtherType::VLAN), tag(inner, payload)];
                (outer.ethertype(), tags.map(Some))
            }
        };
        let mut bytes: ArrayVec<u8, 10> = first.0.to_be_bytes().into_iter().collect();
        for tag in tags.iter().flatten() {
            bytes.extend(tag.as_bytes().iter().copied());
        }
        bytes
    }
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
        /// Whether frames with more tags are refused.
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

    /// Whether the number of tags is fixed.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Untagged | Self::Tagged { exact: true, .. })
    }

    /// The tags that every frame has which it takes, so that what the interface sends can have them too; `None` when
    /// frames of different tags are taken.
    #[must_use]
    pub const fn output_tags(&self) -> Option<OutputTags> {
        let Self::Tagged { outer_type, outer: VlanMatch::Id(outer), inner, exact: true } = *self
        else {
            return if matches!(self, Self::Untagged) { Some(OutputTags::Untagged) } else { None };
        };
        match inner {
            None => Some(OutputTags::Single(outer_type, outer)),
            Some(VlanMatch::Id(inner)) => Some(OutputTags::Double(outer_type, outer, inner)),
            Some(VlanMatch::Range(..) | VlanMatch::Any) => None,
        }
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

    /// Whether it would take a frame with these tags, were there no other sub-interface.
    #[must_use]
    pub fn takes(&self, tags: Tags) -> bool {
        let is_priority = tags.count == 1 && tags.outer == 0;
        let count = if is_priority { 0 } else { tags.count };
        let fits = match self {
            Self::Untagged | Self::Default => true,
            Self::Tagged { outer_type, outer, inner, .. } => {
                *outer_type == tags.outer_type
                    && outer.contains(tags.outer)
                    && inner.is_none_or(|inner| inner.contains(tags.inner))
            }
        };
        fits && self.takes_count(count)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_with_the_bytes_that_ieee_802_1q_and_802_1ad_give() {
        let id = |number| VlanId::new(number).unwrap();
        let cases: [(OutputTags, &[u8]); 4] = [
            (OutputTags::Untagged, &[0x08, 0x00]),
            (OutputTags::Single(TagType::Dot1q, id(100)), &[0x81, 0x00, 0x00, 100, 0x08, 0x00]),
            (OutputTags::Single(TagType::Dot1ad, id(4095)), &[0x88, 0xa8, 0x0f, 0xff, 0x08, 0x00]),
            (
                OutputTags::Double(TagType::Dot1ad, id(256), id(1)),
                &[0x88, 0xa8, 0x01, 0x00, 0x81, 0x00, 0x00, 0x01, 0x08, 0x00],
            ),
        ];
        for (tags, bytes) in cases {
            assert_eq!(tags.header(EtherType::IP4).as_slice(), bytes, "{tags:?}");
        }
    }

    #[test]
    fn only_one_certain_set_of_tags_can_be_put_on_a_frame() {
        let id = |number| VlanMatch::Id(VlanId::new(number).unwrap());
        let tagged = |outer, inner, exact| {
            TagMatch::Tagged { outer_type: TagType::Dot1q, outer, inner, exact }.output_tags()
        };
        assert_eq!(TagMatch::Untagged.output_tags(), Some(OutputTags::Untagged));
        assert_eq!(TagMatch::Default.output_tags(), None);
        assert!(tagged(id(1), None, true).is_some());
        assert!(tagged(id(1), Some(id(2)), true).is_some());
        assert_eq!(tagged(id(1), None, false), None, "more tags may follow");
        for wide in [VlanMatch::Any, VlanMatch::Range(VlanId(1), VlanId(2))] {
            assert_eq!(tagged(wide, None, true), None);
            assert_eq!(tagged(wide, Some(id(2)), true), None);
            assert_eq!(tagged(id(1), Some(wide), true), None);
        }
    }
}
