//! Four words as one vector: what is counted of a flow, and what a packet adds to it.
//!
//! As vectors they are loaded and stored whole. Words that are stored one by one and loaded together soon after, as happens
//! when a flow has many packets in a row, would wait for each store to reach the cache.
#![allow(unsafe_code, reason = "AVX2 intrinsics with a safe face; portable twins agree")]

pub(super) type Words = [u64; 4];

/// Whether the two have a bit in common.
#[inline(always)]
pub(super) fn intersects(words: &Words, mask: &Words) -> bool {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        use core::arch::x86_64::_mm256_testz_si256;
        // SAFETY: AVX, which the cfg above says the target has.
        (unsafe { _mm256_testz_si256(load(words), load(mask)) }) == 0
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    {
        intersects_portable(words, mask)
    }
}

/// `words` with `added` added. Bits of `joined` are joined (or) instead, and the last word is replaced.
#[inline(always)]
pub(super) fn add(words: &mut Words, added: &Words, joined: &Words) {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        use core::arch::x86_64::{
            _mm256_add_epi64, _mm256_and_si256, _mm256_andnot_si256, _mm256_blend_epi32,
        };
        let added = load(added);
        // SAFETY: AVX2, which the cfg above says the target has; so for all below.
        let twice = unsafe { _mm256_and_si256(added, load(joined)) };
        // SAFETY: as above.
        let rest = unsafe { _mm256_andnot_si256(twice, load(words)) };
        // SAFETY: as above.
        let sums = unsafe { _mm256_add_epi64(rest, added) };
        // SAFETY: as above. The mask has the two halves of the last word.
        let sums = unsafe { _mm256_blend_epi32::<0b1100_0000>(sums, added) };
        // SAFETY: of the same size, and any bytes are valid integers.
        *words = unsafe { core::mem::transmute::<core::arch::x86_64::__m256i, Words>(sums) };
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    add_portable(words, added, joined);
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
#[inline(always)]
const fn load(words: &Words) -> core::arch::x86_64::__m256i {
    // SAFETY: of the same size, and any bytes are a vector.
    unsafe { core::mem::transmute(*words) }
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
fn intersects_portable(words: &Words, mask: &Words) -> bool {
    words.iter().zip(mask).any(|(word, mask)| word & mask != 0)
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
fn add_portable(words: &mut Words, added: &Words, joined: &Words) {
    for ((word, added), joined) in words.iter_mut().zip(added).zip(joined) {
        *word = (*word & !(added & joined)).wrapping_add(*added);
    }
    words[3] = added[3];
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn portable_words_agree(words: Words, added: Words, mask: Words, few in 0_u32..64) {
            prop_assert_eq!(intersects(&words, &mask), intersects_portable(&words, &mask));
            let one = [0, 1 << few, 0, 0];
            prop_assert_eq!(intersects(&words, &one), words[1] >> few & 1 == 1);
            let (mut sums, mut twin) = (words, words);
            add(&mut sums, &added, &mask);
            add_portable(&mut twin, &added, &mask);
            prop_assert_eq!(sums, twin);
        }
    }
}
