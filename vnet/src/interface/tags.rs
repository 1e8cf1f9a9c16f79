//! From a frame's tags to its interface, for workers.

use super::{SwIfIndex, TagMatch, TagType, VlanMatch};
use crate::wire::ethernet::{EtherType, Header, VlanTag};
use std::collections::{BTreeMap, BTreeSet};
use zerocopy::FromBytes;

/// The tags of a frame, as far as sub-interfaces look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags {
    /// How many tags there are; 3 stands for more than two.
    pub count: u8,
    /// EtherType of the outer tag; of no meaning without one.
    pub outer_type: TagType,
    /// VLAN identifier of the outer tag, 0..=4095.
    pub outer: u16,
    /// VLAN identifier of the tag behind it, 0..=4095.
    pub inner: u16,
}

impl Tags {
    /// A frame without tags.
    pub const NONE: Self = Self { count: 0, outer_type: TagType::Dot1q, outer: 0, inner: 0 };

    /// Those of a frame that begins with its Ethernet header, the type behind the first two of them, and the octets up to there.
    /// `None` when the frame ends before.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<(Self, EtherType, usize)> {
        let (header, _) = Header::ref_from_prefix(frame).ok()?;
        let mut tags = Self::NONE;
        let mut ethertype = EtherType(header.ethertype.get());
        let mut at = size_of::<Header>();
        while ethertype.is_vlan() && tags.count < 2 {
            let (tag, _) = VlanTag::ref_from_prefix(frame.get(at..)?).ok()?;
            if tags.count == 0 {
                // The types of older double tagging count as 802.1Q, as in VPP.
                tags.outer_type =
                    if ethertype == EtherType::QINQ { TagType::Dot1ad } else { TagType::Dot1q };
                tags.outer = tag.id();
            } else {
                tags.inner = tag.id();
            }
            tags.count += 1;
            ethertype = EtherType(tag.ethertype.get());
            at += size_of::<VlanTag>();
        }
        if ethertype.is_vlan() {
            // More than two: sub-interfaces can tell that there are, nothing is looked for behind.
            tags.count = 3;
        }
        Some((tags, ethertype, at))
    }
}

/// The interface of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagTarget {
    /// This interface takes it.
    Up(SwIfIndex),
    /// This interface would take it, and is down.
    Down(SwIfIndex),
    /// Nobody takes such tags.
    Unknown,
}

/// The tags that an Ethernet interface and its sub-interfaces take. It never changes: a change of sub-interfaces or of
/// their state makes another one.
///
/// Precedences are resolved when it is built, so that a lookup is two loads for one tag, and a short binary search
/// more for two. An interface without tagged sub-interfaces has no table at all.
#[derive(Debug)]
pub struct TagTable {
    untagged: Slot,
    /// Whose tagged frames are that nobody else takes.
    rest: Slot,
    /// Number of the entry of every outer identifier, 802.1Q first, then 802.1ad.
    index: Option<Box<[u16; 2 * VLANS]>>,
    entries: Vec<Outer>,
    inner: Vec<Inner>,
}

const VLANS: usize = 4096;

/// Frames of one outer identifier.
#[derive(Clone, Copy, Debug)]
struct Outer {
    /// With one tag only.
    single: Slot,
    /// With more: where in `inner` to look, from the first piece to the one past the last.
    first: u32,
    last: u32,
}

/// Frames of one outer identifier, with inner identifiers from `from` to the next piece's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inner {
    from: u16,
    /// With two tags, with more.
    slots: [Slot; 2],
}

/// A target in 32 bits: an interface's number, with a mark when it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot(u32);

impl Slot {
    const UNKNOWN: Self = Self(u32::MAX);
    const DOWN: u32 = 1 << 31;

    fn new(interface: SwIfIndex, up: bool) -> Self {
        Self(interface.0 | if up { 0 } else { Self::DOWN })
    }

    #[inline(always)]
    fn target(self) -> TagTarget {
        match self.0 {
            u32::MAX => TagTarget::Unknown,
            number if number & Self::DOWN != 0 => TagTarget::Down(SwIfIndex(number & !Self::DOWN)),
            number => TagTarget::Up(SwIfIndex(number)),
        }
    }
}

/// The main interface as the table is built from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MainInterface {
    pub(super) index: SwIfIndex,
    pub(super) up: bool,
    /// Whether it takes the tagged frames that no sub-interface takes.
    pub(super) layer2: bool,
}

/// A sub-interface as the table is built from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) tags: TagMatch,
    pub(super) interface: SwIfIndex,
    pub(super) up: bool,
}

impl TagTable {
    /// The interface of a frame with such tags.
    #[inline]
    #[must_use]
    pub fn lookup(&self, tags: Tags) -> TagTarget {
        // A tag with identifier 0 carries a priority only (IEEE 802.1Q, priority-tagged frame).
        if tags.count == 0 || (tags.count == 1 && tags.outer == 0) {
            return self.untagged.target();
        }
        self.tagged(tags).unwrap_or(self.rest).target()
    }

    #[inline]
    fn tagged(&self, tags: Tags) -> Option<Slot> {
        let outer = usize::from(tags.outer) + row(tags.outer_type);
        let entry = *self.index.as_ref()?.get(outer)?;
        let entry = self.entries.get(usize::from(entry))?;
        if tags.count == 1 {
            return Some(entry.single);
        }
        let pieces = self.inner.get(entry.first as usize..entry.last as usize)?;
        let piece = pieces.partition_point(|piece| piece.from <= tags.inner).checked_sub(1)?;
        pieces.get(piece)?.slots.get(usize::from(tags.count > 2)).copied()
    }

    /// Whether every frame is this interface's, whatever its tags are, and it is up.
    #[inline]
    #[must_use]
    pub fn is_all_of(&self, interface: SwIfIndex) -> bool {
        let all = Slot::new(interface, true);
        self.index.is_none() && self.untagged == all && self.rest == all
    }

    /// Builds the table of a main interface and its sub-interfaces, no two of which collide.
    pub(super) fn build(main: MainInterface, mut subs: Vec<Candidate>) -> Self {
        subs.sort_by_key(|sub| sub.tags.rank());
        let own = Slot::new(main.index, main.up);
        let rest = if main.layer2 { own } else { Slot::UNKNOWN };
        let untagged = subs.iter().find(|sub| sub.tags == TagMatch::Untagged);
        let untagged = untagged.map_or(own, |sub| Slot::new(sub.interface, sub.up));
        let mut table =
            Self { untagged, rest, index: None, entries: Vec::new(), inner: Vec::new() };
        subs.retain(|sub| sub.tags != TagMatch::Untagged);
        if !subs.is_empty() {
            let mut index = Box::new([0; 2 * VLANS]);
            table.add_type(TagType::Dot1q, &subs, &mut index);
            table.add_type(TagType::Dot1ad, &subs, &mut index);
            table.index = Some(index);
        }
        table
    }

    fn add_type(&mut self, of_type: TagType, subs: &[Candidate], index: &mut [u16; 2 * VLANS]) {
        // One identifier each, which is the usual case, must not cost a look at all sub-interfaces per identifier.
        let mut by_id: BTreeMap<u16, Vec<&Candidate>> = BTreeMap::new();
        let mut wide = Vec::new();
        for sub in subs {
            match sub.tags {
                TagMatch::Tagged { outer_type, .. } if outer_type != of_type => {}
                TagMatch::Tagged { outer: VlanMatch::Id(id), .. } => {
                    by_id.entry(id.number()).or_default().push(sub);
                }
                _ => wide.push(sub),
            }
        }
        let cuts: BTreeSet<u16> = cuts(by_id.keys().map(|id| (*id, *id)).chain(
            wide.iter().filter_map(|sub| match sub.tags {
                TagMatch::Tagged { outer, .. } => limits(outer),
                _ => None,
            }),
        ));
        let ends = cuts.iter().skip(1).copied().chain([VLANS as u16]);
        for (from, end) in cuts.iter().copied().zip(ends) {
            let exact = by_id.get(&from).into_iter().flatten().copied();
            let takes = |sub: &&&Candidate| match sub.tags {
                TagMatch::Tagged { outer, .. } => outer.contains(from),
                _ => true,
            };
            let takers: Vec<_> = exact.chain(wide.iter().filter(takes).copied()).collect();
            let entry = self.add_entry(&takers);
            let row = row(of_type);
            index[row + usize::from(from)..row + usize::from(end)].fill(entry);
        }
    }

    /// Resolves the takers of an outer identifier, which come in order of precedence.
    fn add_entry(&mut self, takers: &[&Candidate]) -> u16 {
        let inner_of = |sub: &Candidate| match sub.tags {
            TagMatch::Tagged { inner, .. } => inner,
            _ => None,
        };
        let rest = self.rest;
        let find = |count, inner| {
            let taker = takers.iter().find(|sub| {
                sub.tags.takes_count(count)
                    && inner_of(sub).is_none_or(|wanted| wanted.contains(inner))
            });
            taker.map_or(rest, |sub| Slot::new(sub.interface, sub.up))
        };
        let first = self.inner.len() as u32;
        let cuts = cuts(takers.iter().filter_map(|sub| limits(inner_of(sub)?)));
        self.inner.extend(cuts.into_iter().map(|from| {
            let slots = [find(2, from), find(3, from)];
            Inner { from, slots }
        }));
        let last = self.inner.len() as u32;
        self.entries.push(Outer { single: find(1, 0), first, last });
        // At most one entry for each of 2 * 4096 identifiers.
        (self.entries.len() - 1) as u16
    }
}

fn row(outer_type: TagType) -> usize {
    match outer_type {
        TagType::Dot1q => 0,
        TagType::Dot1ad => VLANS,
    }
}

/// First and last identifier, when a match is about some of them only.
fn limits(vlan: VlanMatch) -> Option<(u16, u16)> {
    match vlan {
        VlanMatch::Id(id) => Some((id.number(), id.number())),
        VlanMatch::Range(first, last) => Some((first.number(), last.number())),
        VlanMatch::Any => None,
    }
}

/// Where the identifiers 0..=4095 have to be cut, so that every range covers whole pieces.
fn cuts(ranges: impl Iterator<Item = (u16, u16)>) -> BTreeSet<u16> {
    let mut cuts = BTreeSet::from([0]);
    for (first, last) in ranges {
        cuts.insert(first);
        if usize::from(last) + 1 < VLANS {
            cuts.insert(last + 1);
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::VlanId;
    use proptest::prelude::*;

    const MAIN: SwIfIndex = SwIfIndex(1);

    fn id(number: u16) -> VlanMatch {
        VlanMatch::Id(VlanId::new(u32::from(number)).unwrap())
    }

    fn tagged(outer: VlanMatch, inner: Option<VlanMatch>, exact: bool) -> TagMatch {
        TagMatch::Tagged { outer_type: TagType::Dot1q, outer, inner, exact }
    }

    fn dot1q(count: u8, outer: u16, inner: u16) -> Tags {
        Tags { count, outer_type: TagType::Dot1q, outer, inner }
    }

    fn table(subs: &[TagMatch]) -> TagTable {
        let candidates = (10..).zip(subs);
        let candidates = candidates
            .map(|(n, tags)| Candidate { tags: *tags, interface: SwIfIndex(n), up: true })
            .collect();
        TagTable::build(main(true, false), candidates)
    }

    fn main(up: bool, layer2: bool) -> MainInterface {
        MainInterface { index: MAIN, up, layer2 }
    }

    fn up(n: u32) -> TagTarget {
        TagTarget::Up(SwIfIndex(n))
    }

    #[test]
    fn a_specific_match_goes_before_a_wide_one_as_in_vpp() {
        let table = table(&[
            tagged(id(100), Some(id(200)), true),
            tagged(id(100), Some(VlanMatch::Any), true),
            tagged(id(100), None, false),
            TagMatch::Default,
        ]);
        assert_eq!(table.lookup(dot1q(2, 100, 200)), up(10));
        assert_eq!(table.lookup(dot1q(2, 100, 201)), up(11));
        assert_eq!(table.lookup(dot1q(1, 100, 0)), up(12));
        assert_eq!(table.lookup(dot1q(3, 100, 200)), up(12), "more tags than the exact ones take");
        assert_eq!(table.lookup(dot1q(1, 101, 0)), up(13));
        let dot1ad = Tags { outer_type: TagType::Dot1ad, ..dot1q(1, 100, 0) };
        assert_eq!(table.lookup(dot1ad), up(13), "another EtherType is another tag");
        assert_eq!(table.lookup(Tags::NONE), TagTarget::Up(MAIN));
    }

    #[test]
    fn exact_match_refuses_further_tags() {
        let exact = table(&[tagged(id(5), None, true)]);
        assert_eq!(exact.lookup(dot1q(1, 5, 0)), up(10));
        assert_eq!(exact.lookup(dot1q(2, 5, 7)), TagTarget::Unknown);
        let open = table(&[tagged(id(5), None, false)]);
        assert_eq!(open.lookup(dot1q(2, 5, 7)), up(10));
        assert_eq!(open.lookup(dot1q(1, 6, 0)), TagTarget::Unknown);
    }

    #[test]
    fn priority_tagged_frames_are_untagged() {
        assert_eq!(table(&[TagMatch::Default]).lookup(dot1q(1, 0, 0)), TagTarget::Up(MAIN));
        let with_sub = table(&[TagMatch::Untagged]);
        assert_eq!(with_sub.lookup(dot1q(1, 0, 0)), up(10));
        assert_eq!(with_sub.lookup(Tags::NONE), up(10));
        assert_eq!(with_sub.lookup(dot1q(1, 9, 0)), TagTarget::Unknown);
    }

    #[test]
    fn a_bridged_main_interface_takes_what_no_sub_interface_takes() {
        let candidates = |tags| vec![Candidate { tags, interface: SwIfIndex(7), up: true }];
        let tags = tagged(id(5), Some(id(6)), true);
        let table = TagTable::build(main(true, true), candidates(tags));
        assert_eq!(table.lookup(dot1q(2, 5, 6)), up(7));
        for frame in [Tags::NONE, dot1q(1, 5, 0), dot1q(2, 5, 7), dot1q(3, 5, 6), dot1q(1, 9, 0)] {
            assert_eq!(table.lookup(frame), TagTarget::Up(MAIN), "{frame:?}");
        }
        assert!(!table.is_all_of(MAIN));
        assert!(TagTable::build(main(true, true), Vec::new()).is_all_of(MAIN));
        for other in [main(true, false), main(false, true)] {
            assert!(!TagTable::build(other, Vec::new()).is_all_of(MAIN), "{other:?}");
        }
        let untagged = TagTable::build(main(true, true), candidates(TagMatch::Untagged));
        assert_eq!(untagged.lookup(Tags::NONE), up(7));
        assert_eq!(untagged.lookup(dot1q(1, 5, 0)), TagTarget::Up(MAIN));
    }

    #[test]
    fn a_sub_interface_that_is_down_is_not_an_unknown_one() {
        let tags = tagged(id(5), None, true);
        let down = Candidate { tags, interface: SwIfIndex(7), up: false };
        let table = TagTable::build(main(false, false), vec![down]);
        assert_eq!(table.lookup(dot1q(1, 5, 0)), TagTarget::Down(SwIfIndex(7)));
        assert_eq!(table.lookup(Tags::NONE), TagTarget::Down(MAIN));
    }

    #[test]
    fn an_interface_for_every_vlan_takes_little_memory() {
        let subs: Vec<_> = (1..=4095).map(|n| tagged(id(n), None, true)).collect();
        let table = table(&subs);
        assert!((1..=4095_u16).all(|n| table.lookup(dot1q(1, n, 0)) == up(9 + u32::from(n))));
        assert!(
            size_of::<Outer>() * table.entries.len() + size_of::<Inner>() * table.inner.len()
                < 128 << 10
        );
    }

    fn vlan() -> impl Strategy<Value = VlanMatch> {
        let near = || prop::sample::select(vec![1_u32, 2, 3, 4, 5, 4094, 4095]);
        prop_oneof![
            3 => near().prop_map(|n| VlanMatch::Id(VlanId::new(n).unwrap())),
            2 => (near(), near()).prop_map(|(a, b)| {
                let [a, b] = [a.min(b), a.max(b)].map(|n| VlanId::new(n).unwrap());
                VlanMatch::Range(a, b)
            }),
            1 => Just(VlanMatch::Any),
        ]
    }

    fn outer_type() -> impl Strategy<Value = TagType> {
        prop_oneof![3 => Just(TagType::Dot1q), 1 => Just(TagType::Dot1ad)]
    }

    fn tag_match() -> impl Strategy<Value = TagMatch> {
        let tagged = (outer_type(), vlan(), prop::option::of(vlan()), any::<bool>());
        prop_oneof![
            8 => tagged.prop_map(|(outer_type, outer, inner, exact)| {
                TagMatch::Tagged { outer_type, outer, inner, exact }
            }),
            1 => Just(TagMatch::Default),
            1 => Just(TagMatch::Untagged),
        ]
    }

    /// Asks every sub-interface, and takes the one that no other goes before.
    fn naive(subs: &[TagMatch], tags: Tags) -> TagTarget {
        let tags = match tags {
            Tags { count: 1, outer: 0, .. } => Tags::NONE,
            tags => tags,
        };
        let precedence = |vlan: VlanMatch| match vlan {
            VlanMatch::Id(_) => 0,
            VlanMatch::Range(..) => 1,
            VlanMatch::Any => 2,
        };
        let mut best = None;
        for (n, sub) in (10..).zip(subs) {
            let rank = match sub {
                TagMatch::Untagged if tags.count == 0 => 0,
                TagMatch::Default if tags.count > 0 => 1_000,
                TagMatch::Tagged { outer_type, outer, inner, exact } => {
                    let wanted = 1 + u8::from(inner.is_some());
                    let enough = if *exact { tags.count == wanted } else { tags.count >= wanted };
                    let inner_fits = inner.is_none_or(|inner| inner.contains(tags.inner));
                    if !enough
                        || *outer_type != tags.outer_type
                        || !outer.contains(tags.outer)
                        || !inner_fits
                    {
                        continue;
                    }
                    precedence(*outer) * 10 + inner.map_or(9, precedence)
                }
                _ => continue,
            };
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, n));
            }
        }
        match best {
            Some((_, n)) => TagTarget::Up(SwIfIndex(n)),
            None if tags.count == 0 => TagTarget::Up(MAIN),
            None => TagTarget::Unknown,
        }
    }

    proptest! {
        #[test]
        fn every_frame_goes_where_asking_all_sub_interfaces_would_send_it(
            wanted in prop::collection::vec(tag_match(), 0..12),
        ) {
            let mut subs: Vec<TagMatch> = Vec::new();
            for tags in wanted {
                if !subs.iter().any(|other| other.collides(&tags)) {
                    subs.push(tags);
                }
            }
            let table = table(&subs);
            let near = [0, 1, 2, 3, 4, 5, 6, 2000, 4093, 4094, 4095];
            for count in 0..=3 {
                for outer_type in [TagType::Dot1q, TagType::Dot1ad] {
                    for (outer, inner) in near.iter().flat_map(|o| near.map(|i| (*o, i))) {
                        let tags = Tags { count, outer_type, outer, inner };
                        let wanted = naive(&subs, tags);
                        prop_assert_eq!(table.lookup(tags), wanted, "{:?} {:?}", tags, &subs);
                    }
                }
            }
        }
    }
}
