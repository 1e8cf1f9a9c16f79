//! The compiled form of a field list: what is done, one field after the other, for each record.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Field, InterfaceTexts, Value};
use crate::flow::FlowRecord;

/// Writes the fields of a template. No name is looked up and no type asked.
#[derive(Clone, Debug)]
pub(in crate::ipfix) struct Steps {
    steps: Arc<[Step]>,
    saturated: Saturated,
    interfaces: InterfaceTexts,
}

/// Counts values that did not fit into their fields. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Saturated(Arc<AtomicU64>);

#[derive(Clone, Copy, Debug)]
struct Step {
    value: Value,
    len: u16,
}

impl Saturated {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Steps {
    /// Of fields with their octets.
    pub(super) fn new<'f>(
        fields: impl Iterator<Item = (&'f Field, u16)>,
        saturated: Saturated,
        interfaces: InterfaceTexts,
    ) -> Self {
        let steps = fields.map(|(field, len)| Step { value: field.value, len }).collect();
        Self { steps, saturated, interfaces }
    }

    /// Octets of the texts of `record` beyond the one that each has at least.
    pub(in crate::ipfix) fn texts_len(&self, record: &FlowRecord) -> usize {
        let text = |step: &Step| match step.value {
            Value::Text(text) => self.interfaces.with(text, record, |octets| octets.len() - 1),
            _ => 0,
        };
        self.steps.iter().map(text).sum()
    }

    /// Writes `record`; `out` is as long as all fields.
    pub(in crate::ipfix) fn encode(&self, record: &FlowRecord, out: &mut [u8]) {
        let mut rest = out;
        for step in &*self.steps {
            if let Value::Text(text) = step.value {
                let len = self.interfaces.with(text, record, |octets| {
                    let len = octets.len().min(rest.len());
                    rest[..len].copy_from_slice(&octets[..len]);
                    len
                });
                rest = &mut rest[len..];
                continue;
            }
            let (field, behind) = rest.split_at_mut(usize::from(step.len).min(rest.len()));
            match step.value {
                Value::Number(value) => {
                    if !write_number(value(record), field) {
                        self.saturated.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Value::Flags(value) => {
                    if !write_flags(value(record), field) {
                        self.saturated.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Value::Octets(write) => write(record, field),
                Value::Overlay(value) => {
                    // They are sent with fewer octets than they have by nobody who wants to know all.
                    let _: bool = write_number(value(self.interfaces.overlay(record)), field);
                }
                Value::Text(_) => (),
            }
            rest = behind;
        }
    }
}

/// Writes `value`, big-endian, or the largest value that fits, and says whether it fitted.
fn write_number(value: u64, out: &mut [u8]) -> bool {
    let octets = value.to_be_bytes();
    let unused = octets.len().saturating_sub(out.len());
    if octets[..unused].iter().any(|&octet| octet != 0) {
        out.fill(0xff);
        return false;
    }
    let zeros = out.len() - (octets.len() - unused);
    out[..zeros].fill(0);
    out[zeros..].copy_from_slice(&octets[unused..]);
    true
}

/// Writes the low bits of `value`, big-endian, and says whether there are no others.
fn write_flags(value: [u64; 4], out: &mut [u8]) -> bool {
    let mut octets = value.iter().flat_map(|word| word.to_le_bytes());
    for (octet, value) in out.iter_mut().rev().zip(&mut octets) {
        *octet = value;
    }
    octets.all(|octet| octet == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_fit_are_as_large_as_can_be() {
        for (value, expected, fits) in [
            (0x0102_0304, &[1, 2, 3, 4][..], true),
            (0x0102_0304, &[0, 0, 0, 0, 1, 2, 3, 4], true),
            (0x0102_0304, &[0xff, 0xff, 0xff], false),
            (u64::MAX, &[0xff; 8], true),
            (255, &[255], true),
            (256, &[255], false),
        ] {
            let mut out = vec![0xee; expected.len()];
            assert_eq!((write_number(value, &mut out), out), (fits, expected.to_vec()), "{value}");
        }
    }

    #[test]
    fn flags_are_numbered_from_the_last_bit_on() {
        let mut out = [0xee; 2];
        assert!(write_flags([0x0d, 0, 0, 0], &mut out));
        assert_eq!(out, [0, 0x0d]);
        assert!(!write_flags([1 << 16 | 2, 0, 0, 0], &mut out));
        assert_eq!(out, [0, 2]);
        let mut out = [0xee; 32];
        assert!(write_flags([1, 0, 0, 1 << 63], &mut out));
        assert_eq!((out[0], out[31], out[1..31].iter().max()), (0x80, 1, Some(&0)));
    }
}
