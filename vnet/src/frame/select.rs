//! Picking the packets of one next slot out of a frame.
//!
//! A frame whose packets go different ways is looked at once for each way: the slots are compared eight at a time, and the
//! indices of those that match are moved together. No branch depends on the packets.
#![allow(
    unsafe_code,
    reason = "vector instructions; each is safe on the targets for which it is compiled"
)]

use super::FRAME_SIZE;
use crate::buffer::BufferIndex;

/// Packets that are looked at together.
const GROUP: usize = 8;
const GROUPS: usize = FRAME_SIZE / GROUP;

/// The packets of a frame that have not been picked yet.
pub(crate) struct Selection<'a> {
    nexts: &'a [u16; FRAME_SIZE],
    indices: &'a [BufferIndex; FRAME_SIZE],
    /// For each group a bit for each packet that is left.
    left: [u8; GROUPS],
}

/// Room for what is picked; a group is stored whole, whatever of it counts.
pub(crate) type Picked = [BufferIndex; FRAME_SIZE + GROUP];

impl<'a> Selection<'a> {
    /// The first `n` packets: `nexts` says where each goes.
    pub(crate) fn new(
        nexts: &'a [u16; FRAME_SIZE],
        indices: &'a [BufferIndex; FRAME_SIZE],
        n: usize,
    ) -> Self {
        let left = core::array::from_fn(|group| match n.saturating_sub(group * GROUP) {
            here @ 0..GROUP => !(0xff << here),
            _ => 0xff,
        });
        Self { nexts, indices, left }
    }

    /// Where the first packet that is left goes; `None` when none is.
    pub(crate) fn first(&self) -> Option<u16> {
        let (group, bits) = self.left.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        self.nexts.get(group * GROUP + bits.trailing_zeros() as usize).copied()
    }

    /// Picks all that are left and go to `next`, in order, to the start of `picked`; how many there were.
    pub(crate) fn pick(&mut self, next: u16, picked: &mut Picked) -> usize {
        let (nexts, _) = self.nexts.as_chunks::<GROUP>();
        let (indices, _) = self.indices.as_chunks::<GROUP>();
        let mut n = 0;
        for ((nexts, indices), left) in nexts.iter().zip(indices).zip(&mut self.left) {
            let matching = matching(nexts, next) & *left;
            *left &= !matching;
            // At most as many were picked as there are packets in the groups before, so a group of room is left.
            let Some(room) = picked.get_mut(n..).and_then(|room| room.first_chunk_mut()) else {
                break;
            };
            *room = together(indices, matching);
            n += matching.count_ones() as usize;
        }
        n
    }
}

/// The two steps by vector instructions.
#[cfg(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "bmi2"))]
mod vector {
    use core::{
        arch::x86_64::{
            __m128i, __m256i, _mm_cmpeq_epi16, _mm_cvtsi64_si128, _mm_movemask_epi8,
            _mm_packs_epi16, _mm_set1_epi16, _mm256_cvtepu8_epi32, _mm256_permutevar8x32_epi32,
            _pdep_u64, _pext_u64,
        },
        mem::transmute,
    };

    use super::{BufferIndex, GROUP};

    /// See [`portable::matching`](super::portable::matching).
    #[inline]
    pub(super) fn matching(nexts: &[u16; GROUP], next: u16) -> u8 {
        // SAFETY: eight words of 16 bits are a vector of 128 bits, of which any bits are valid.
        let nexts = unsafe { transmute::<[u16; GROUP], __m128i>(*nexts) };
        // SAFETY: SSE2 is part of every x86-64 target.
        let next = unsafe { _mm_set1_epi16(next.cast_signed()) };
        // SAFETY: as above.
        let equal = unsafe { _mm_cmpeq_epi16(nexts, next) };
        // SAFETY: as above.
        let bytes = unsafe { _mm_packs_epi16(equal, equal) };
        // SAFETY: as above. The low half of the bits is for the eight words, the high half says it again.
        (unsafe { _mm_movemask_epi8(bytes) }) as u8
    }

    /// See [`portable::together`](super::portable::together).
    #[inline]
    pub(super) fn together(indices: &[BufferIndex; GROUP], bits: u8) -> [BufferIndex; GROUP] {
        // One byte for each bit, and then the numbers of those that are set.
        // SAFETY: the target has BMI2.
        let bytes = unsafe { _pdep_u64(u64::from(bits), 0x0101_0101_0101_0101) } * 0xff;
        // SAFETY: as above.
        let numbers = unsafe { _pext_u64(0x0706_0504_0302_0100, bytes) };
        // SAFETY: SSE2 is part of every x86-64 target.
        let numbers = unsafe { _mm_cvtsi64_si128(numbers.cast_signed()) };
        // SAFETY: the target has AVX2.
        let numbers = unsafe { _mm256_cvtepu8_epi32(numbers) };
        // SAFETY: eight words of 32 bits are a vector of 256 bits, of which any bits are valid.
        let words = unsafe { transmute::<[BufferIndex; GROUP], __m256i>(*indices) };
        // SAFETY: the target has AVX2.
        let words = unsafe { _mm256_permutevar8x32_epi32(words, numbers) };
        // SAFETY: the other way round; each word is one of `indices`.
        unsafe { transmute::<__m256i, [BufferIndex; GROUP]>(words) }
    }
}

/// The two steps for any target.
#[cfg(any(
    test,
    not(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "bmi2"))
))]
mod portable {
    use super::{BufferIndex, GROUP};

    /// A bit for each slot that is `next`.
    #[inline]
    pub(super) fn matching(nexts: &[u16; GROUP], next: u16) -> u8 {
        nexts.iter().enumerate().fold(0, |bits, (i, &of)| bits | u8::from(of == next) << i)
    }

    /// The elements that have their bit in `bits`, in order, and behind them any of `indices`.
    #[inline]
    pub(super) fn together(indices: &[BufferIndex; GROUP], bits: u8) -> [BufferIndex; GROUP] {
        let mut together = *indices;
        let mut n = 0;
        for (i, &index) in indices.iter().enumerate() {
            together[n] = index;
            n += usize::from(bits >> i & 1);
        }
        together
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "bmi2")))]
use portable::{matching, together};
#[cfg(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "bmi2"))]
use vector::{matching, together};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vector_and_portable_code_agree() {
        let indices = core::array::from_fn(|i| BufferIndex(100 + i as u32));
        for bits in 0..=u8::MAX {
            let n = bits.count_ones() as usize;
            assert_eq!(together(&indices, bits)[..n], portable::together(&indices, bits)[..n]);
            for (next, other) in [(0, 1), (7, u16::MAX), (0x8000, 0x7fff), (u16::MAX, 0)] {
                let nexts = core::array::from_fn(|i| if bits >> i & 1 == 1 { next } else { other });
                assert_eq!(matching(&nexts, next), bits);
                assert_eq!(portable::matching(&nexts, next), bits);
            }
        }
    }

    proptest! {
        #[test]
        fn each_packet_is_picked_once_in_order_with_those_of_its_next(
            nexts in prop_oneof![
                proptest::collection::vec(0u16..3, 0..=FRAME_SIZE),
                proptest::collection::vec(any::<u16>(), 0..=FRAME_SIZE),
            ],
        ) {
            let n = nexts.len();
            let mut all = [7; FRAME_SIZE];
            all[..n].copy_from_slice(&nexts);
            let indices = core::array::from_fn(|i| BufferIndex(i as u32));
            let mut selection = Selection::new(&all, &indices, n);
            let mut picked = [BufferIndex::NONE; FRAME_SIZE + GROUP];
            let mut seen = Vec::new();
            while let Some(next) = selection.first() {
                let expected = (0..n).filter(|&i| nexts[i] == next).map(|i| BufferIndex(i as u32));
                let got = selection.pick(next, &mut picked);
                prop_assert_eq!(&picked[..got], expected.collect::<Vec<_>>());
                prop_assert!(!seen.contains(&next));
                seen.push(next);
            }
            prop_assert!(nexts.iter().all(|next| seen.contains(next)));
        }
    }
}
