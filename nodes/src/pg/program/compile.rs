//! From a stream's definition to a program.

use core::ops::Range;
use std::collections::BTreeMap;

use vnet::wire::checksum::Sum;

use super::{Checksum, Field, Program, Word, draw};
use crate::pg::{
    Data, Size, SpecError, StreamSpec, Value,
    layout::{self, Bits, Layout},
    spec::{DEFAULT_SIZE, MAX_SIZE},
};

impl Program {
    /// Compiles a stream. For a replayed capture this only checks what can be wrong with the rest of the definition.
    pub(in crate::pg) fn compile(spec: &StreamSpec) -> Result<Self, SpecError> {
        let mut layout = match &spec.data {
            Data::Packet(packet) => Layout::new(packet)?,
            Data::Replay(_) => Layout::default(),
        };
        let size = settle_size(spec, &mut layout)?;
        let mut compiler = Compiler { size, layout, fields: Vec::new(), placed: Vec::new() };
        if size.min != size.max {
            compiler.fields.push(field(size.min as u64, size.max as u64, size.random, spec.seed));
        }
        compiler.lengths();
        compiler.varying(spec.seed);
        Ok(compiler.finish())
    }
}

/// The sizes of the packets, after VPP's checks in VPP's order.
fn settle_size(spec: &StreamSpec, layout: &mut Layout) -> Result<Size, SpecError> {
    let size = match (&spec.data, spec.size) {
        (Data::Replay(replay), _) => {
            let (min, max) = replay.sizes();
            Size { min, max, random: false }
        }
        (Data::Packet(_), given) => {
            let limits = given.unwrap_or_else(|| Size::fixed(DEFAULT_SIZE));
            layout.cut(limits.max);
            if limits.max < limits.min {
                return Err(SpecError::SizeOrder);
            }
            let data = layout.bytes.len();
            if limits.min < data {
                return Err(SpecError::SizeBelowHeaders(data));
            }
            // Without a size the data decides.
            given.unwrap_or_else(|| Size::fixed(data))
        }
    };
    if spec.buffer_size == 0 {
        return Err(SpecError::BufferSize);
    }
    if size.max > MAX_SIZE {
        return Err(SpecError::SizeAboveMax(size.max));
    }
    if size.min == 0 && matches!(spec.data, Data::Packet(_)) {
        return Err(SpecError::SizeZero);
    }
    Ok(size)
}

struct Compiler {
    size: Size,
    layout: Layout,
    fields: Vec<Field>,
    /// Where the fields go that are not only for the size.
    placed: Vec<(Bits, usize)>,
}

impl Compiler {
    /// Lengths are constant where the size is.
    fn lengths(&mut self) {
        for length in core::mem::take(&mut self.layout.lengths) {
            if self.size.min == self.size.max {
                let value = self.size.max.saturating_sub(length.less);
                self.layout.set(length.bits, value as u16 as u128);
            } else {
                self.placed.push((length.bits, self.fields.len()));
                self.fields.push(Field::SizeLess(length.less));
            }
        }
    }

    fn varying(&mut self, seed: u64) {
        for (i, varying) in core::mem::take(&mut self.layout.varying).into_iter().enumerate() {
            let (low, high, random) = match varying.value {
                Value::Fixed(value) => (value, value, false),
                Value::Increment { low, high } => (low, high, false),
                Value::Random { low, high } => (low, high, true),
            };
            // The layout has no varying field of more than 64 bits. Each draws from a sequence of its own.
            let (low, high) = (low.min(high) as u64, low.max(high) as u64);
            let seed = draw(seed, i as u64 + 1, u64::MAX);
            self.placed.push((varying.bits, self.fields.len()));
            self.fields.push(field(low, high, random, seed));
        }
    }

    fn finish(mut self) -> Program {
        let mut words: BTreeMap<usize, (u64, Vec<(usize, i32)>)> = BTreeMap::new();
        for &(bits, field) in &self.placed {
            let end = bits.at + bits.width;
            for at in bits.at / 64..end.div_ceil(64) {
                let shift = (at as i32 + 1) * 64 - end as i32;
                let (mask, parts) = words.entry(at).or_default();
                *mask |= shifted(u64::MAX >> (64 - bits.width), shift);
                parts.push((field, shift));
            }
        }
        let varying: Vec<(usize, u64)> = words.iter().map(|(&at, &(mask, _))| (at, mask)).collect();
        let mut computed = Vec::new();
        for checksum in core::mem::take(&mut self.layout.checksums) {
            let (base, covers, pseudo) = self.checksum(&checksum, &varying);
            let at = checksum.at / 8;
            let shift = 48 - (checksum.at % 8) as u32 * 8;
            let never_zero = checksum.never_zero;
            let of = Checksum { word: at, shift, base, covers, pseudo, never_zero };
            if of.covers.is_empty() && of.pseudo.is_empty() {
                let bits = Bits { at: checksum.at * 8, width: 16 };
                self.layout.set(bits, u128::from(of.field(of.base)));
            } else {
                words.entry(at).or_default();
                computed.push(of);
            }
        }
        // So far words were called by their position in the packet.
        let position = |at: usize| words.keys().position(|&word| word == at).unwrap_or(usize::MAX);
        for checksum in &mut computed {
            checksum.word = position(checksum.word);
            checksum.covers.iter_mut().for_each(|(word, _)| *word = position(*word));
        }
        // Whole words, so that the last one has its base, too.
        let mut template = self.layout.bytes;
        template.resize(self.size.max.max(template.len()).next_multiple_of(8), 0);
        let base = |at: usize| {
            let bytes = template.as_chunks::<8>().0.get(at);
            u64::from_be_bytes(bytes.copied().unwrap_or_default())
        };
        let words =
            words.into_iter().map(|(at, (_, parts))| Word { at, base: base(at), parts }).collect();
        Program {
            words,
            template: template.into(),
            size: self.size,
            groups: self.layout.groups,
            fields: self.fields,
            checksums: computed,
        }
    }

    /// The sum over what is fixed, the varying words with the bits that are covered, and the fields in the pseudo header.
    /// `words` are the positions of all varying words, and which of their bits vary.
    fn checksum(
        &mut self,
        checksum: &layout::Checksum,
        words: &[(usize, u64)],
    ) -> (u64, Vec<(usize, u64)>, Vec<usize>) {
        let data = self.layout.bytes.as_slice();
        let to = checksum.to.unwrap_or(data.len()).clamp(checksum.from, data.len());
        let mut ranges = [checksum.from..to, 0..0];
        let mut sum = Sum::EMPTY;
        let mut pseudo = Vec::new();
        if let Some(header) = &checksum.pseudo {
            ranges[1] = header.addresses.clone();
            sum = sum.bytes(&data[header.addresses.clone()]).bytes(&[0, header.protocol]);
            match header.length {
                Some(bits) => {
                    sum = sum.bytes(&data[bits.at / 8..][..2]);
                    let of = self.placed.iter().find(|(placed, _)| *placed == bits);
                    pseudo.extend(of.map(|&(_, field)| field));
                }
                None if self.size.min == self.size.max => {
                    let length = self.size.max - checksum.from;
                    sum = sum.bytes(&(length as u16).to_be_bytes());
                }
                None => {
                    pseudo.push(self.fields.len());
                    self.fields.push(Field::SizeLess(checksum.from));
                }
            }
        }
        // The part of odd length comes last. What a larger packet has behind its data is zero and adds nothing.
        sum = sum.bytes(&data[checksum.from..to]);
        let covers = words.iter().map(|&(at, bits)| (at, bits & covered(at, &ranges)));
        let covers = covers.filter(|&(_, mask)| mask != 0).collect();
        (u64::from(!sum.checksum()), covers, pseudo)
    }
}

/// `value` to the left by `shift`, or to the right where that is negative; bits that fall off are lost.
fn shifted(value: u64, shift: i32) -> u64 {
    let by = shift.unsigned_abs();
    if shift >= 0 { value.unbounded_shl(by) } else { value.unbounded_shr(by) }
}

/// The bits of word `at` of the packet that lie in one of `ranges` of bytes.
fn covered(at: usize, ranges: &[Range<usize>]) -> u64 {
    let bytes = at * 8..at * 8 + 8;
    bytes.fold(0, |mask, byte| {
        mask << 8 | if ranges.iter().any(|r| r.contains(&byte)) { 0xff } else { 0 }
    })
}

fn field(low: u64, high: u64, random: bool, seed: u64) -> Field {
    let span = high - low;
    if random { Field::Random { low, span, seed } } else { Field::Increment { low, span } }
}
