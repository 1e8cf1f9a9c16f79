//! The compiled form of a field list: what is done, one field after the other, for each record.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Field, Value};
use crate::flow::FlowRecord;

/// Writes the fields of a template. No name is looked up and no type asked.
#[derive(Clone, Debug)]
pub(in crate::ipfix) struct Steps {
    steps: Arc<[Step]>,
    saturated: Saturated,
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
    ) -> Self {
        let steps = fields.map(|(field, len)| Step { value: field.value, len }).collect();
        Self { steps, saturated }
    }

    /// Writes `record`; `out` is as long as all fields.
    pub(in crate::ipfix) fn encode(&self, record: &FlowRecord, out: &mut [u8]) {
        let mut rest = out;
        for step in &*self.steps {
            let (field, behind) = rest.split_at_mut(usize::from(step.len).min(rest.len()));
            match step.value {
                Value::Number(value) => {
                    if !write_number(value(record), field) {
                        self.saturated.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Value::Octets(write) => write(record, field),
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
}
