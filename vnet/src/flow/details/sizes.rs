//! What is kept of the flows of a switch: how long its packets are, and which flow is older.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{DetailMeters, Extra};
use crate::{
    flow::{Observed, order::Links},
    wire::{
        ip4, ip6,
        walk::{Link, Transport},
    },
};

/// What a switch wants to know of a frame beyond its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) struct Framed {
    /// Octets that count as those of IP, 0 where the frame carries something else.
    pub(in crate::flow) octets: u32,
    /// Priority of the outermost tag.
    pub(in crate::flow) priority: u8,
    /// Which packet of the meter it is.
    pub(in crate::flow) number: u64,
}

/// Sums over the packets of a flow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(in crate::flow) struct Sizes {
    squares: u64,
    least: u32,
    most: u32,
    links: Links,
}

const _: () = assert!(size_of::<Sizes>() == 32);

impl Extra for Sizes {
    type Sample = Framed;
    const NONE: Framed = Framed { octets: 0, priority: 0, number: 0 };
    const IS_ORDERED: bool = true;

    // The staging of a switch knows more than these are given, and fills in the rest.
    fn of4(_: &Observed<'_>, _: &Link, _: &ip4::Header, transport: &Transport) -> Framed {
        Framed { octets: transport.octets, ..Self::NONE }
    }

    fn of6(_: &Observed<'_>, _: &Link, _: &ip6::Header, transport: &Transport) -> Framed {
        Framed { octets: transport.octets, ..Self::NONE }
    }

    fn of_frame(_: &Observed<'_>, _: &Link) -> Framed {
        Self::NONE
    }

    fn set_side(_: &mut Framed, _: bool, _: bool) {}

    /// A length of zero is as none: it is neither the least nor the greatest.
    #[inline(always)]
    fn add(&mut self, &Framed { octets, .. }: &Framed) {
        let square = u64::from(octets) * u64::from(octets);
        self.squares = self.squares.saturating_add(square);
        // Less one, none is the greatest of all.
        let less_one = |octets: u32| octets.wrapping_sub(1);
        self.least = less_one(self.least).min(less_one(octets)).wrapping_add(1);
        self.most = self.most.max(octets);
    }

    fn start_over(&mut self) {
        (self.squares, self.least, self.most) = (0, 0, 0);
    }

    fn told(&self) -> Option<DetailMeters> {
        Some(DetailMeters {
            squares: self.squares,
            min_octets: self.least,
            max_octets: self.most,
            ..DetailMeters::NONE
        })
    }

    #[inline(always)]
    fn links(&mut self) -> Option<&mut Links> {
        Some(&mut self.links)
    }

    #[inline(always)]
    fn number(&self) -> u64 {
        self.links.number()
    }

    #[inline(always)]
    fn number_of(framed: &Framed) -> u64 {
        framed.number
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    #[test]
    fn the_least_of_lengths_is_no_zero() {
        let mut sizes = Sizes::new_zeroed();
        for octets in [0, 90, 46, 0, 1500] {
            sizes.add(&Framed { octets, ..Sizes::NONE });
        }
        let told = sizes.told().unwrap();
        assert_eq!((told.min_octets, told.max_octets), (46, 1500));
        assert_eq!(told.squares, 90 * 90 + 46 * 46 + 1500 * 1500);
        sizes.start_over();
        sizes.add(&Sizes::NONE);
        assert_eq!((sizes.least, sizes.most), (0, 0));
    }

    #[test]
    fn a_sum_of_squares_stays_at_its_largest() {
        let mut sizes = Sizes::new_zeroed();
        for _ in 0..2 {
            sizes.add(&Framed { octets: u32::MAX, ..Sizes::NONE });
        }
        assert_eq!(sizes.told().unwrap().squares, u64::MAX);
    }
}
