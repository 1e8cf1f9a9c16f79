//! CRC32C of a flow key, a search in tags, and prefetching a slot.
#![allow(unsafe_code, reason = "SSE4.2, AVX2 and prefetch intrinsics; each has a safe face here")]

/// CRC32C (Castagnoli) of the words' little-endian bytes, without the final complement.
///
/// Its low bits are as well spread as its high ones, so a table may take any of them.
#[inline(always)]
#[must_use]
pub fn crc32c(words: &[u64]) -> u32 {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse4.2"))]
    {
        let mut crc = u64::from(u32::MAX);
        for word in words {
            // SAFETY: the instruction is part of SSE4.2, which the cfg above says the target has.
            crc = unsafe { core::arch::x86_64::_mm_crc32_u64(crc, *word) };
        }
        crc as u32
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.2")))]
    {
        crc32c_portable(words)
    }
}

/// A bit for each of the tags that equals `tag`, the lowest for the first.
#[inline(always)]
pub(super) fn equal_tags(tags: &[u8; 32], tag: u8) -> u32 {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        use core::arch::x86_64::{
            __m256i, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set1_epi8,
        };
        // SAFETY: any 32 bytes are a vector of 32 bytes.
        let tags: __m256i = unsafe { core::mem::transmute(*tags) };
        // SAFETY: AVX2, which the cfg above says the target has; so for the next two.
        let wanted = unsafe { _mm256_set1_epi8(tag.cast_signed()) };
        // SAFETY: as above.
        let equal = unsafe { _mm256_cmpeq_epi8(tags, wanted) };
        // SAFETY: as above.
        unsafe { _mm256_movemask_epi8(equal) }.cast_unsigned()
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    {
        equal_tags_portable(tags, tag)
    }
}

/// Asks for all cache lines of element `at` of a table, to be there when it is looked at. One that does not exist does no harm.
#[inline(always)]
pub fn prefetch_in<T>(table: &[T], at: usize) {
    prefetch(table.as_ptr(), at);
}

/// Asks for all cache lines of element `at` of an array, to be there when it is written. One that does not exist does no harm.
#[inline(always)]
pub(crate) fn prefetch<T>(array: *const T, at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first: *const i8 = array.wrapping_add(at).cast();
        for line in 0..size_of::<T>().div_ceil(64) {
            let at = first.wrapping_add(line * 64);
            // SAFETY: a prefetch reads nothing and cannot fault, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _: (*const T, usize) = (array, at);
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
fn equal_tags_portable(tags: &[u8; 32], tag: u8) -> u32 {
    tags.iter().rev().fold(0, |bits, &other| bits << 1 | u32::from(other == tag))
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse4.2"))))]
fn crc32c_portable(words: &[u64]) -> u32 {
    let mut crc = u32::MAX;
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        crc = (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse4.2"))))]
const TABLE: [u32; 256] = {
    /// The polynomial 0x1edc6f41 with its bits reversed.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (POLYNOMIAL * (value & 1));
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_3720_vectors() {
        // RFC 3720 appendix B.4: 32 bytes of zeros, of ones, and counting up.
        assert_eq!(!crc32c(&[0; 4]), 0x8a91_36aa);
        assert_eq!(!crc32c(&[u64::MAX; 4]), 0x62a8_ab43);
        let up: [u8; 32] = core::array::from_fn(|at| at as u8);
        let words: [u64; 4] = zerocopy::transmute!(up);
        assert_eq!(!crc32c(&words.map(u64::from_le)), 0x46dd_794e);
    }

    proptest! {
        #[test]
        fn portable_hash_agrees(words: [u64; 8]) {
            prop_assert_eq!(crc32c(&words), crc32c_portable(&words));
        }

        #[test]
        fn portable_search_agrees(tags in proptest::array::uniform32(0_u8..4), tag in 0_u8..5) {
            let bits = equal_tags(&tags, tag);
            prop_assert_eq!(bits, equal_tags_portable(&tags, tag));
            for (at, other) in tags.into_iter().enumerate() {
                prop_assert_eq!(bits >> at & 1 == 1, other == tag);
            }
        }
    }
}
