//! Single numbers.

use super::mapping::Region;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

/// The one handle that writes a scalar or a gauge. Its value lies in the directory entry itself; readers see a change
/// without a new epoch.
#[derive(Debug)]
pub struct Scalar {
    value: Arc<Region>,
}

impl Scalar {
    pub(super) fn new(value: Arc<Region>) -> Self {
        Self { value }
    }

    /// Sets the value.
    pub fn set(&self, value: u64) {
        if let Some(word) = self.value.words().first() {
            word.store(value, Relaxed);
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value.words().first().map_or(0, |word| word.load(Relaxed))
    }
}
