//! Masks: which bits of a packet a table looks at, and the keys that come of it.

use core::fmt;

use crate::flow::hash::crc32c;

/// Bytes of a vector: masks and keys are made of vectors.
pub const VECTOR_BYTES: usize = 16;
/// The longest mask, in vectors.
pub const MAX_VECTORS: usize = 5;
/// The longest mask, in bytes.
pub const MAX_BYTES: usize = MAX_VECTORS * VECTOR_BYTES;
/// The most vectors that a table leaves out in front of its mask.
pub const MAX_SKIP: usize = 127;

/// Sixteen bytes of a packet as two words, each as it lies in memory.
pub(super) type Vector = [u64; 2];

/// The masked bytes of a packet; zero behind the vectors of the mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([Vector; MAX_VECTORS]);

/// One to five vectors of bits to compare, behind some vectors that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    vectors: Key,
    skip: u8,
    len: u8,
}

/// Why bytes do not make a mask, or do not match one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// Nothing would be compared.
    #[error("the mask has no bit set")]
    Empty,
    /// The bits lie too far apart, or `match` is too small.
    #[error("the mask needs {needed} vectors of 16 bytes behind {skip}, {allowed} are allowed")]
    TooLong {
        /// Vectors from the first to the last one with a bit set.
        needed: usize,
        /// Vectors left out in front of them.
        skip: usize,
        /// Five, or what `match` says.
        allowed: usize,
    },
    /// Bits of the mask lie in what `skip` leaves out.
    #[error("skip {skip} leaves out bits of the mask, which begins in vector {first}")]
    Skipped {
        /// Vectors left out.
        skip: usize,
        /// The first vector with a bit set.
        first: usize,
    },
    /// More than anything looks at.
    #[error("skip {0} is more than 127")]
    SkipTooLarge(usize),
    /// A session would say more than its table compares.
    #[error("byte {0} of the match is set where the mask of the table is not")]
    Outside(usize),
}

impl Mask {
    /// The mask of `bytes`, which are counted from where the packet begins. Without `skip`, vectors without a bit in front
    /// are left out; without `match_n`, those behind the last one with a bit.
    ///
    /// # Errors
    /// See [`MaskError`].
    pub fn new(
        bytes: &[u8],
        skip: Option<usize>,
        match_n: Option<usize>,
    ) -> Result<Self, MaskError> {
        let first = bytes.iter().position(|&byte| byte != 0).ok_or(MaskError::Empty)?;
        let last = bytes.iter().rposition(|&byte| byte != 0).ok_or(MaskError::Empty)?;
        let (first, last) = (first / VECTOR_BYTES, last / VECTOR_BYTES);
        let skip = skip.unwrap_or(first);
        if skip > first {
            return Err(MaskError::Skipped { skip, first });
        }
        if skip > MAX_SKIP {
            return Err(MaskError::SkipTooLarge(skip));
        }
        let needed = last + 1 - skip;
        let allowed = match_n.unwrap_or(MAX_VECTORS).min(MAX_VECTORS);
        if needed > allowed {
            return Err(MaskError::TooLong { needed, skip, allowed });
        }
        let vectors = Key::of(&bytes[skip * VECTOR_BYTES..]);
        let len = match_n.unwrap_or(needed) as u8;
        Ok(Self { vectors, skip: skip as u8, len })
    }

    /// Vectors left out in front.
    #[must_use]
    pub fn skip(&self) -> usize {
        self.skip.into()
    }

    /// Vectors compared, `match` in commands.
    #[must_use]
    #[inline]
    pub fn vectors(&self) -> usize {
        self.len.into()
    }

    /// Its bytes, without those left out.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.vectors.bytes(self.vectors())
    }

    /// Whether the `len` bytes from `at` on, counted from where the packet begins, are compared to their last bit.
    #[must_use]
    pub fn is_full(&self, at: usize, len: usize) -> bool {
        let bytes = self.bytes();
        let from = at.checked_sub(self.skip() * VECTOR_BYTES);
        let covered = from.and_then(|from| bytes.get(from..from + len));
        covered.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0xff))
    }

    /// Writes the key of a packet into the vectors of `key` that are compared, and leaves the others. What a packet lacks is
    /// zero.
    #[inline(always)]
    pub(super) fn lay_on(&self, packet: &[u8], key: &mut Key) {
        let (from, n) = (self.skip() * VECTOR_BYTES, self.vectors());
        match packet.get(from..from + n * VECTOR_BYTES) {
            Some(bytes) => self.lay_on_vectors(bytes.as_chunks().0, key),
            None => self.lay_on_end(packet.get(from..).unwrap_or_default(), key),
        }
    }

    /// As [`Self::lay_on`], of the bytes behind those that are left out.
    pub(super) fn lay_on_window(&self, bytes: &[u8; MAX_BYTES], key: &mut Key) {
        self.lay_on_vectors(&bytes.as_chunks().0[..self.vectors()], key);
    }

    #[inline(always)]
    fn lay_on_vectors(&self, bytes: &[[u8; VECTOR_BYTES]], key: &mut Key) {
        for ((key, bytes), mask) in key.0.iter_mut().zip(bytes).zip(&self.vectors.0) {
            let [a, b]: [u64; 2] = zerocopy::transmute!(*bytes);
            *key = [a & mask[0], b & mask[1]];
        }
    }

    /// Of a packet that ends before the mask does.
    #[cold]
    fn lay_on_end(&self, bytes: &[u8], key: &mut Key) {
        let mut padded = [0; MAX_BYTES];
        let n = bytes.len().min(MAX_BYTES);
        padded[..n].copy_from_slice(&bytes[..n]);
        self.lay_on_window(&padded, key);
    }

    /// The key of a session whose packets have `bytes`, counted from where a packet begins.
    pub(super) fn key_of(&self, bytes: &[u8]) -> Key {
        let mut key = Key::ZERO;
        self.lay_on(bytes, &mut key);
        key
    }

    /// As [`Self::key_of`], of bytes that mean what they say: a bit that the mask does not compare is an error.
    pub(super) fn exact_key_of(&self, bytes: &[u8]) -> Result<Key, MaskError> {
        let mask = self.bytes();
        let from = self.skip() * VECTOR_BYTES;
        let compared = |at: usize| at.checked_sub(from).and_then(|at| mask.get(at)).unwrap_or(&0);
        match bytes.iter().enumerate().position(|(at, byte)| byte & !compared(at) != 0) {
            Some(at) => Err(MaskError::Outside(at)),
            None => Ok(self.key_of(bytes)),
        }
    }
}

impl Key {
    /// No bit set.
    pub(super) const ZERO: Self = Self([[0; 2]; MAX_VECTORS]);

    fn of(bytes: &[u8]) -> Self {
        let mut padded = [0; MAX_BYTES];
        let n = bytes.len().min(MAX_BYTES);
        padded[..n].copy_from_slice(&bytes[..n]);
        Self(zerocopy::transmute!(padded))
    }

    pub(super) fn from_vectors(vectors: &[Vector]) -> Self {
        let mut key = Self::ZERO;
        key.0[..vectors.len()].copy_from_slice(vectors);
        key
    }

    /// Its first `n` vectors as bytes.
    #[must_use]
    pub fn bytes(&self, n: usize) -> Vec<u8> {
        self.as_bytes()[..n * VECTOR_BYTES].to_vec()
    }

    /// All of it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; MAX_BYTES] {
        zerocopy::transmute_ref!(&self.0)
    }

    #[inline(always)]
    pub(super) fn vectors(&self, n: usize) -> &[Vector] {
        &self.0[..n]
    }

    /// Of its first `n` vectors.
    #[inline(always)]
    pub(super) fn hash(&self, n: usize) -> u32 {
        crc32c(self.vectors(n).as_flattened())
    }
}

/// Bytes as VPP prints masks and keys: two digits each.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mask_leaves_out_what_it_need_not_compare() {
        let mut bytes = [0; 100];
        bytes[33] = 0xf0;
        bytes[50] = 1;
        let mask = Mask::new(&bytes, None, None).unwrap();
        assert_eq!((mask.skip(), mask.vectors()), (2, 2));
        let mask = Mask::new(&bytes, Some(1), Some(4)).unwrap();
        assert_eq!((mask.skip(), mask.vectors()), (1, 4));
        assert_eq!(mask.bytes()[17], 0xf0);
    }

    #[test]
    fn what_is_no_mask_is_refused_with_the_reason() {
        let set = |at: &[usize]| {
            let mut bytes = vec![0; 4096];
            at.iter().for_each(|&at| bytes[at] = 0xff);
            bytes
        };
        let refused = |bytes: &[u8], skip, n| Mask::new(bytes, skip, n).unwrap_err().to_string();
        assert_eq!(refused(&set(&[]), None, None), "the mask has no bit set");
        assert_eq!(
            refused(&set(&[0, 80]), None, None),
            "the mask needs 6 vectors of 16 bytes behind 0, 5 are allowed"
        );
        assert_eq!(
            refused(&set(&[40]), Some(0), Some(2)),
            "the mask needs 3 vectors of 16 bytes behind 0, 2 are allowed"
        );
        assert_eq!(
            refused(&set(&[20]), Some(2), None),
            "skip 2 leaves out bits of the mask, which begins in vector 1"
        );
        assert_eq!(refused(&set(&[2048]), None, None), "skip 128 is more than 127");
    }

    #[test]
    fn a_session_says_nothing_that_its_table_does_not_compare() {
        let mask = Mask::new(&[0, 0, 0xf0], None, None).unwrap();
        assert!(mask.exact_key_of(&[0, 0, 0x40]).is_ok());
        assert_eq!(mask.exact_key_of(&[0, 0, 0x41]), Err(MaskError::Outside(2)));
        assert_eq!(mask.exact_key_of(&[0, 0, 0x40, 0, 9]), Err(MaskError::Outside(4)));
        assert_eq!(mask.key_of(&[7, 7, 0x4f]), mask.key_of(&[0, 0, 0x40, 9]));
    }

    proptest! {
        #[test]
        fn a_key_is_the_masked_bytes_of_a_packet(
            mask in prop::collection::vec(any::<u8>(), 1..110),
            packet in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let Ok(mask) = Mask::new(&mask, None, None) else { return Ok(()) };
            let from = mask.skip() * VECTOR_BYTES;
            let byte = |(at, mask): (usize, &u8)| packet.get(from + at).unwrap_or(&0) & mask;
            let expected: Vec<u8> = mask.bytes().iter().enumerate().map(byte).collect();
            prop_assert_eq!(mask.key_of(&packet).bytes(mask.vectors()), expected);
        }
    }
}
