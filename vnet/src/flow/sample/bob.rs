//! The hash function BOB (Jenkins 1996; RFC 5475 appendix A.2).

const GOLDEN_RATIO: u32 = 0x9e37_79b9;

/// The hash of `bytes`, with an initial value that tells hashes apart.
#[inline]
pub(super) fn hash(bytes: &[u8], initial: u32) -> u32 {
    let mut state = [GOLDEN_RATIO, GOLDEN_RATIO, initial];
    let (blocks, rest) = bytes.as_chunks::<12>();
    for block in blocks {
        state = mix(add(state, block));
    }
    // The lowest octet of the last word is that of the length.
    let mut block = [0; 12];
    let (low, high) = rest.split_at(rest.len().min(8));
    block[..low.len()].copy_from_slice(low);
    block[9..9 + high.len()].copy_from_slice(high);
    state[2] = state[2].wrapping_add(bytes.len() as u32);
    mix(add(state, &block))[2]
}

#[inline(always)]
fn add([a, b, c]: [u32; 3], block: &[u8; 12]) -> [u32; 3] {
    let word =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    [a.wrapping_add(word(0)), b.wrapping_add(word(4)), c.wrapping_add(word(8))]
}

#[inline(always)]
fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for [first, second, third] in [[13, 8, 13], [12, 16, 5], [3, 10, 15]] {
        a = a.wrapping_sub(b).wrapping_sub(c) ^ c >> first;
        b = b.wrapping_sub(c).wrapping_sub(a) ^ a << second;
        c = c.wrapping_sub(a).wrapping_sub(b) ^ b >> third;
    }
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Digest::JHash 0.10 of CPAN.
    #[test]
    fn hashes_are_those_of_another_program() {
        let counted: Vec<u8> = (0..36).collect();
        for (bytes, expected) in [
            (&b"a"[..], 703_514_648),
            (b"hello world", 447_289_830),
            (b"abcdefghijkl", 186_334_885),
            (&counted, 903_634_801),
        ] {
            assert_eq!(hash(bytes, 0), expected, "{bytes:?}");
        }
        assert_ne!(hash(b"a", 1), hash(b"a", 0));
    }
}
