//! Replacing the addresses of all interfaces: those that are not added again until the end go.

use std::collections::BTreeSet;

use super::{InterfaceAddress, InterfaceError, InterfaceTable, SwIfIndex};

/// Addresses that were there at the beginning and were not added again.
pub(super) type Stale = BTreeSet<(SwIfIndex, InterfaceAddress)>;

impl InterfaceTable {
    /// From here on, adding an address that is there already is how to keep it.
    pub fn begin_replacing_addresses(&mut self) {
        let of = |sw: &super::SwInterface| {
            let index = sw.index;
            sw.addresses.clone().into_iter().map(move |address| (index, address))
        };
        self.stale = self.interfaces().flat_map(of).collect();
    }

    /// Removes all addresses that were there at the beginning and were not added again.
    ///
    /// # Errors
    /// When one of them cannot be removed; the others are.
    pub fn end_replacing_addresses(&mut self) -> Result<(), InterfaceError> {
        let stale = std::mem::take(&mut self.stale);
        let removed = stale.into_iter().map(|(on, address)| self.remove_address(on, address));
        // All of them, whatever becomes of one.
        removed.collect::<Vec<_>>().into_iter().collect()
    }
}
