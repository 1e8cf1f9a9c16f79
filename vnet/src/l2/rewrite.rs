//! VLAN tag rewrite: what is done to the tags of frames that come in by an interface, and the reverse to those that leave by it.

use core::fmt;

use super::L2Error;
use crate::{
    buffer::Buffer,
    interface::{SubInterface, TagMatch, TagType, VlanMatch},
    wire::ethernet::{EtherType, Header, VlanTag},
};
use zerocopy::FromBytes;

/// What `set interface l2 tag-rewrite` asks for: tags to take away and tags to put on, of frames that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagRewrite {
    /// Tags to take away, 0 to 2.
    pub pop: u8,
    /// EtherType of the outer one of the tags to put on; an inner one is always an 802.1Q tag.
    pub push_type: TagType,
    /// VLAN identifiers of the tags to put on, 0..=4095, the outer one first.
    pub push: [Option<u16>; 2],
}

impl TagRewrite {
    /// Tags to put on.
    fn pushed(&self) -> usize {
        self.push.iter().flatten().count()
    }

    /// What is done to frames that come in.
    pub(super) fn input(&self) -> Rewrite {
        Rewrite::new(self.pop, self.push_type, self.push)
    }

    /// What is done to frames that leave by `sub`, the sub-interface that it is or `None`: the reverse. Tags to be put on again are
    /// those of the frames that the sub-interface takes; a priority of 0 is theirs.
    pub(super) fn output(&self, sub: Option<&SubInterface>) -> Result<Rewrite, L2Error> {
        let (outer_type, [outer, inner]) = own_tags(sub);
        let known = usize::from(outer.is_some()) + usize::from(inner.is_some());
        if usize::from(self.pop) > known {
            return Err(L2Error::NoTagsToPush { pop: self.pop, known });
        }
        let push = match self.pop {
            0 => [None; 2],
            1 => [outer, None],
            _ => [outer, inner],
        };
        Ok(Rewrite::new(self.pushed() as u8, outer_type, push))
    }
}

/// The tags that all frames have which a sub-interface takes, from the outer one on, as far as they are certain.
fn own_tags(sub: Option<&SubInterface>) -> (TagType, [Option<u16>; 2]) {
    let Some(TagMatch::Tagged { outer_type, outer: VlanMatch::Id(outer), inner, .. }) =
        sub.map(|sub| sub.tags)
    else {
        return (TagType::Dot1q, [None; 2]);
    };
    let inner = match inner {
        Some(VlanMatch::Id(inner)) => Some(inner.number()),
        _ => None,
    };
    (outer_type, [Some(outer.number()), inner])
}

impl fmt::Display for TagRewrite {
    /// The words of the command, as `show bridge-domain` has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.push_type {
            TagType::Dot1q => "dot1q",
            TagType::Dot1ad => "dot1ad",
        };
        match (self.pop, self.pushed()) {
            (pop, 0) => return write!(f, "pop-{pop}"),
            (0, push) => write!(f, "push-{push} {word}")?,
            (pop, push) => write!(f, "trans-{pop}-{push} {word}")?,
        }
        self.push.iter().flatten().try_for_each(|tag| write!(f, " {tag}"))
    }
}

/// Tags to take from frames and tags to put on them, ready to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Octets of tags to take away.
    pop: u8,
    /// Octets of tags to put on, which stand at the end of `tags`.
    push: u8,
    /// Tags as they stand in a frame, each with its EtherType.
    tags: [u8; 8],
}

/// A frame that has fewer tags than are to be taken away, or no room for those to be put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Octets of a tag.
const TAG: usize = size_of::<VlanTag>();
/// Octets of the addresses of a frame.
const ADDRESSES: usize = 12;

impl Rewrite {
    /// Nothing is done.
    pub const NONE: Self = Self { pop: 0, push: 0, tags: [0; 8] };

    fn new(pop: u8, outer_type: TagType, push: [Option<u16>; 2]) -> Self {
        let count = push.iter().flatten().count();
        let mut tags = [0; 2 * TAG];
        let places = tags.chunks_exact_mut(TAG).skip(2 - count);
        for (i, (place, vlan)) in places.zip(push.into_iter().flatten()).enumerate() {
            let ethertype = if i == 0 { outer_type.ethertype() } else { EtherType::VLAN };
            let bytes = [ethertype.0, vlan].map(u16::to_be_bytes);
            place.copy_from_slice(bytes.as_flattened());
        }
        Self { pop: pop * TAG as u8, push: (count * TAG) as u8, tags }
    }

    /// Whether there is anything to be done.
    #[inline]
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.pop == 0 && self.push == 0
    }

    /// Rewrites the tags of a frame, whose Ethernet header is at the current position. Where there is one more tag behind, or
    /// none, is left alone.
    ///
    /// # Errors
    /// When it does not fit; the frame is as it was.
    pub fn apply(&self, buffer: &mut Buffer) -> Result<(), Unfit> {
        let bytes = buffer.current();
        let (header, mut rest) = Header::ref_from_prefix(bytes).map_err(|_| Unfit)?;
        let addresses: [u8; ADDRESSES] = bytes[..ADDRESSES].try_into().map_err(|_| Unfit)?;
        let mut ethertype = EtherType(header.ethertype.get());
        for _ in 0..usize::from(self.pop) / TAG {
            let (tag, behind) = VlanTag::ref_from_prefix(rest).map_err(|_| Unfit)?;
            if !ethertype.is_vlan() {
                return Err(Unfit);
            }
            (ethertype, rest) = (EtherType(tag.ethertype.get()), behind);
        }
        let (pop, push) = (usize::from(self.pop), usize::from(self.push));
        if push > pop && !buffer.push(push - pop) {
            return Err(Unfit);
        }
        // There are at least the octets of a header and of the tags to be taken away, or room was made for more.
        let moved = push >= pop || buffer.advance(pop - push);
        debug_assert!(moved, "the tags were viewed");
        let tags = &self.tags[2 * TAG - push..];
        let start = buffer.current_mut();
        start[..ADDRESSES].copy_from_slice(&addresses);
        start[ADDRESSES..ADDRESSES + push].copy_from_slice(tags);
        buffer.l2_offset = buffer.current_data();
        Ok(())
    }
}

/// Which frames may leave by a sub-interface: those that it would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EfpFilter(pub(super) SubInterface);

impl EfpFilter {
    /// Whether the frame at the current position may leave.
    #[must_use]
    pub fn takes(&self, buffer: &Buffer) -> bool {
        crate::interface::Tags::read(buffer.current())
            .is_some_and(|(tags, ..)| self.0.tags.takes(tags))
    }
}
