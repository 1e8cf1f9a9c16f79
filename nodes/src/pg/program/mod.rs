//! A stream compiled: a template of its packets, and what to do to each copy of it.
//!
//! Where all fields are fixed, a packet costs a copy of the template. Otherwise the values of all varying fields are
//! computed for [`BATCH`] packets at a time, field by field; then the 8-byte words of the packet in which they lie, and
//! from those the checksums: a checksum is the sum over what is fixed, taken once, plus the varying bits that it covers.
//! Checksums become part of the words in which they lie. Then the packets are written: the template, and over it the
//! words. Nothing is read back.

mod compile;

use vnet::{
    buffer::{DATA_SIZE, Notes, Template},
    frame::Buffers,
};

use super::Size;

/// Packets whose fields are computed together.
pub(super) const BATCH: usize = 64;

type Lanes<T> = [T; BATCH];

/// Words of a packet that lie in its first buffer.
const WORDS: usize = DATA_SIZE / 8;

/// The packets of a stream.
pub(super) struct Program {
    /// A packet of the largest size.
    template: Box<[u8]>,
    size: Size,
    /// Offset and size of each header, and of the payload.
    pub(super) groups: Vec<(usize, usize)>,
    fields: Vec<Field>,
    words: Vec<Word>,
    checksums: Vec<Checksum>,
}

/// Where the numbers of a field come from.
#[derive(Clone, Copy, Debug)]
enum Field {
    /// `low ..= low + span`, one after the other.
    Increment { low: u64, span: u64 },
    /// Drawn from `low ..= low + span`.
    Random { low: u64, span: u64, seed: u64 },
    /// The packet's size, which is field 0, less this.
    SizeLess(usize),
}

/// Eight bytes of the packet in which something varies, as a big-endian number.
struct Word {
    /// Its position in the packet, in words.
    at: usize,
    /// Its fixed bits.
    base: u64,
    /// Fields, each with the place of its last bit: shifted to the left, or to the right where that is negative.
    parts: Vec<(usize, i32)>,
}

struct Checksum {
    /// The word in which its field lies.
    word: usize,
    /// How far to the left of the word's end.
    shift: u32,
    /// Sum over what is fixed.
    base: u64,
    /// Words, each with the varying bits of it that are covered.
    covers: Vec<(usize, u64)>,
    /// Fields that are in the pseudo header.
    pseudo: Vec<usize>,
    never_zero: bool,
}

/// How far a stream has come: for each field, its place in its sequence.
#[derive(Default)]
pub(super) struct Cursor(Box<[u64]>);

/// Room for what a batch needs.
#[derive(Default)]
pub(super) struct Scratch {
    fields: Box<[Lanes<u64>]>,
    words: Box<[Lanes<u64>]>,
}

impl Program {
    /// Sizes of the packets.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// A packet of the largest size, as far as it fits one buffer.
    pub(super) fn template(&self, notes: &Notes) -> Template {
        Template::new(self.template.get(..self.size.max).unwrap_or(&self.template), notes)
    }

    /// The start of all sequences.
    pub(super) fn start(&self) -> Cursor {
        Cursor(vec![0; self.fields.len()].into())
    }

    /// Room for the values of a batch.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            fields: vec![[0; BATCH]; self.fields.len()].into(),
            words: vec![[0; BATCH]; self.words.len()].into(),
        }
    }

    /// Computes the values of the next `n` packets, at most [`BATCH`].
    #[inline]
    pub(super) fn evaluate(&self, cursor: &Cursor, n: usize, scratch: &mut Scratch) {
        let n = n.min(BATCH);
        for (i, (field, &place)) in self.fields.iter().zip(&cursor.0).enumerate() {
            let Some((before, [out, ..])) = scratch.fields.split_at_mut_checked(i) else { return };
            match *field {
                Field::Increment { low, span } => count(&mut out[..n], low, span, place),
                Field::Random { low, span, seed } => {
                    for (k, out) in out[..n].iter_mut().enumerate() {
                        *out = low.wrapping_add(draw(seed, place.wrapping_add(k as u64), span));
                    }
                }
                Field::SizeLess(less) => {
                    let Some(sizes) = before.first() else { return };
                    for (out, size) in out[..n].iter_mut().zip(sizes) {
                        *out = size.wrapping_sub(less as u64);
                    }
                }
            }
        }
        for (word, out) in self.words.iter().zip(&mut scratch.words) {
            word.evaluate(&scratch.fields, out);
        }
        for checksum in &self.checksums {
            checksum.evaluate(&scratch.fields, &mut scratch.words);
        }
    }

    /// Moves on by `n` packets.
    #[inline]
    pub(super) fn advance(&self, cursor: &mut Cursor, n: usize) {
        for (field, place) in self.fields.iter().zip(&mut cursor.0) {
            *place = match *field {
                Field::Increment { span, .. } => add_within(*place, n as u64, span),
                Field::Random { .. } => place.wrapping_add(n as u64),
                Field::SizeLess(_) => 0,
            };
        }
    }

    /// Size of packet `i` of the batch.
    #[inline]
    pub(super) fn size_of(&self, scratch: &Scratch, i: usize) -> usize {
        if self.size.min == self.size.max {
            return self.size.max;
        }
        scratch.fields.first().and_then(|sizes| sizes.get(i)).map_or(0, |&size| size as usize)
    }

    /// Bytes of the first `n` packets of the batch.
    #[inline]
    pub(super) fn bytes(&self, scratch: &Scratch, n: usize) -> u64 {
        (0..n).map(|i| self.size_of(scratch, i) as u64).sum()
    }

    /// Makes the packets of the batch of copies of the template.
    #[inline]
    pub(super) fn write(&self, scratch: &Scratch, buffers: &mut Buffers<'_>) {
        // The number of words is a constant of the loop over packets, so that there is no loop inside it.
        match (&*self.words, &*scratch.words) {
            ([], _) => {}
            (words, _) if words.iter().any(|word| word.at >= WORDS) => {
                self.write_words(scratch, buffers);
            }
            ([a], [v]) => write_words([a], [v], buffers),
            ([a, b], [v, w]) => write_words([a, b], [v, w], buffers),
            ([a, b, c], [v, w, x]) => write_words([a, b, c], [v, w, x], buffers),
            _ => self.write_words(scratch, buffers),
        }
        if self.size.min != self.size.max {
            for (buffer, i) in buffers.iter_mut().zip(0..BATCH) {
                let size = self.size_of(scratch, i);
                buffer.truncate(size);
                buffer.wire_length = size as u32;
            }
        }
    }

    /// [`write_words`] for any number of words. What lies behind the first buffer does not vary.
    fn write_words(&self, scratch: &Scratch, buffers: &mut Buffers<'_>) {
        for (word, values) in self.words.iter().zip(&scratch.words) {
            for (buffer, value) in buffers.iter_mut().zip(values) {
                if let Some(to) = buffer.data_mut().as_chunks_mut().0.get_mut(word.at) {
                    *to = value.to_be_bytes();
                }
            }
        }
    }

    /// What a packet of `size` bytes has behind its first buffer.
    pub(super) fn tail(&self, size: usize) -> &[u8] {
        self.template.get(DATA_SIZE..size).unwrap_or(&[])
    }
}

/// Writes `N` words, each in the first buffer, into each packet of a batch.
#[inline]
fn write_words<const N: usize>(
    words: [&Word; N],
    values: [&Lanes<u64>; N],
    buffers: &mut Buffers<'_>,
) {
    let places = words.map(|word| word.at % WORDS);
    for (buffer, i) in buffers.iter_mut().zip(0..BATCH) {
        let (data, _) = buffer.data_mut().as_chunks_mut();
        for (place, values) in places.iter().zip(values) {
            data[*place] = values[i].to_be_bytes();
        }
    }
}

impl Word {
    /// The values of the word in each packet.
    #[inline]
    fn evaluate(&self, fields: &[Lanes<u64>], out: &mut Lanes<u64>) {
        let mut parts =
            self.parts.iter().filter_map(|&(field, shift)| Some((fields.get(field)?, shift)));
        let Some((values, shift)) = parts.next() else {
            *out = [self.base; BATCH];
            return;
        };
        let by = shift.unsigned_abs();
        if shift >= 0 {
            out.iter_mut().zip(values).for_each(|(out, value)| *out = self.base | value << by);
        } else {
            out.iter_mut().zip(values).for_each(|(out, value)| *out = self.base | value >> by);
        }
        for (values, shift) in parts {
            let by = shift.unsigned_abs();
            if shift >= 0 {
                out.iter_mut().zip(values).for_each(|(out, value)| *out |= value << by);
            } else {
                out.iter_mut().zip(values).for_each(|(out, value)| *out |= value >> by);
            }
        }
    }
}

impl Checksum {
    /// Puts its field into each packet's word.
    #[inline]
    fn evaluate(&self, fields: &[Lanes<u64>], words: &mut [Lanes<u64>]) {
        // Most often it covers one word, in which it lies itself, and one pass is enough.
        if let ([(covered, mask)], []) = (&*self.covers, &*self.pseudo)
            && *covered == self.word
            && let Some(word) = words.get_mut(self.word)
        {
            for word in word {
                *word |= self.field(self.base + halves(*word & mask)) << self.shift;
            }
            return;
        }
        let mut sums = [self.base; BATCH];
        let covers = self.covers.iter().filter_map(|&(word, mask)| Some((words.get(word)?, mask)));
        for (values, mask) in covers {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += halves(value & mask);
            }
        }
        for values in self.pseudo.iter().filter_map(|&field| fields.get(field)) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
        let Some(word) = words.get_mut(self.word) else { return };
        for (word, &sum) in word.iter_mut().zip(&sums) {
            *word |= self.field(sum) << self.shift;
        }
    }

    /// The field for a sum, host order.
    #[inline(always)]
    fn field(&self, sum: u64) -> u64 {
        let zero = if self.never_zero { 0xffff } else { 0 };
        match !fold(sum) & 0xffff {
            0 => zero,
            checksum => checksum,
        }
    }
}

/// The sum of both halves of a word: 32-bit words add up to the same checksum as 16-bit ones.
#[inline]
fn halves(word: u64) -> u64 {
    (word >> 32) + (word & 0xffff_ffff)
}

/// A sum of at most 2^14 32-bit words, carries added back in until 16 bits are left.
#[inline(always)]
fn fold(sum: u64) -> u64 {
    // Below 2^47, below 2^32, at most 0x1fffe, and then 16 bits.
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

/// `low + place`, one more each time, `low` again behind `low + span`.
#[inline]
fn count(mut out: &mut [u64], low: u64, span: u64, mut place: u64) {
    while !out.is_empty() {
        // Values up to the end of the range, less one.
        let left = span.saturating_sub(place);
        let run = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1).min(out.len());
        let (now, later) = out.split_at_mut(run);
        let first = low.wrapping_add(place);
        for (k, out) in now.iter_mut().enumerate() {
            *out = first.wrapping_add(k as u64);
        }
        place = 0;
        out = later;
    }
}

/// Number `n` of the sequence that `seed` starts, in `0..=span`. The bias of a value is below `span` / 2^64.
#[inline]
fn draw(seed: u64, n: u64, span: u64) -> u64 {
    // SplitMix64 (Steele, Lea, Flood 2014): a counter, well mixed, so that any place can be gone to at once.
    let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    ((u128::from(z) * (u128::from(span) + 1)) >> 64) as u64
}

/// `place + n` in a circle of `span + 1` places.
#[inline]
fn add_within(place: u64, n: u64, span: u64) -> u64 {
    let left = span.saturating_sub(place);
    match n.checked_sub(left) {
        // The first step beyond the end leads to place 0; here `span` is below `n`, so adding 1 is no overflow.
        Some(beyond @ 1..) => (beyond - 1) % span.saturating_add(1),
        _ => place + n,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sequences_count_as_a_circle_does(
            low in any::<u64>(),
            span in prop_oneof![0u64..100, any::<u64>(), Just(u64::MAX)],
            start in any::<u64>(),
            steps in proptest::collection::vec(0usize..=BATCH, 1..20),
        ) {
            let circle = u128::from(span) + 1;
            let mut place = (u128::from(start) % circle) as u64;
            for n in steps {
                let mut values = [0; BATCH];
                count(&mut values[..n], low, span, place);
                for (k, &value) in values[..n].iter().enumerate() {
                    let expected = (u128::from(place) + k as u128) % circle;
                    prop_assert_eq!(value, low.wrapping_add(expected as u64));
                }
                let expected = (u128::from(place) + n as u128) % circle;
                place = add_within(place, n as u64, span);
                prop_assert_eq!(u128::from(place), expected);
            }
        }

        #[test]
        fn what_is_drawn_lies_in_its_range(seed in any::<u64>(), n in any::<u64>(), span in any::<u64>()) {
            prop_assert!(draw(seed, n, span) <= span);
            prop_assert_eq!(draw(seed, n, 0), 0);
        }

        #[test]
        fn folding_keeps_the_sum_modulo_65535(words in proptest::collection::vec(any::<u32>(), 0..40)) {
            let sum: u64 = words.iter().map(|&w| u64::from(w)).sum();
            let folded = fold(sum);
            prop_assert!(folded <= 0xffff);
            prop_assert_eq!(folded % 65535, sum % 65535);
            prop_assert_eq!(folded == 0, sum == 0);
        }
    }
}
