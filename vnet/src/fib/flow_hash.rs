//! What the hashes of flows are made of, by table, as the operator chooses.
//!
//! Who looks up a packet asks first whether anything was chosen at all.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::io;

use super::{
    Family, FibError, FibIndex, Forwarding, ForwardingReader, MAX_TABLES, TableId, map::Zeroed,
};
use crate::wire::flow_hash::{FIELDS, HashFields};

/// Places of tables: those of operators, and that of link-local addresses.
const PLACES: usize = MAX_TABLES + 1;

/// What readers see. All of it is zero as long as nothing was chosen.
pub(super) struct FlowHashes {
    chosen: AtomicBool,
    router: AtomicU32,
    /// By table: the bits that differ from those of the default.
    ip4: Zeroed<AtomicU32, PLACES>,
    ip6: Zeroed<AtomicU32, PLACES>,
}

impl FlowHashes {
    pub(super) fn new() -> io::Result<Self> {
        let (chosen, router) = (AtomicBool::new(false), AtomicU32::new(0));
        Ok(Self { chosen, router, ip4: Zeroed::new()?, ip6: Zeroed::new()? })
    }

    fn of_family(&self, family: Family) -> &[AtomicU32] {
        match family {
            Family::Ip4 => &self.ip4[..],
            Family::Ip6 => &self.ip6[..],
        }
    }

    fn of(&self, family: Family, fib: FibIndex) -> HashFields {
        let differ = self.of_family(family).get(fib.0 as usize);
        let differ = differ.map_or(0, |bits| bits.load(Ordering::Relaxed));
        HashFields::from_bits_truncate(differ ^ HashFields::DEFAULT.bits())
    }

    pub(super) fn set(&self, family: Family, fib: FibIndex, fields: HashFields) {
        if let Some(place) = self.of_family(family).get(fib.0 as usize) {
            place.store((fields ^ HashFields::DEFAULT).bits(), Ordering::Relaxed);
        }
        self.settle();
    }

    fn set_router(&self, router: u32) {
        self.router.store(router, Ordering::Relaxed);
        self.settle();
    }

    fn settle(&self) {
        let mut all = self.ip4[..].iter().chain(&self.ip6[..]).chain([&self.router]);
        let chosen = all.any(|place| place.load(Ordering::Relaxed) != 0);
        self.chosen.store(chosen, Ordering::Release);
    }
}

impl ForwardingReader {
    /// Whether flows of any table are hashed otherwise than by default.
    #[inline]
    #[must_use]
    pub fn has_flow_hashes(&self) -> bool {
        self.shared().flow_hashes.chosen.load(Ordering::Acquire)
    }

    /// What the hashes of flows are made of in a table, and the number that goes into all.
    #[must_use]
    pub fn flow_hash(&self, family: Family, fib: FibIndex) -> (HashFields, u32) {
        let hashes = &self.shared().flow_hashes;
        (hashes.of(family, fib), hashes.router.load(Ordering::Relaxed))
    }
}

impl Forwarding {
    /// Chooses what the hashes of flows are made of in a table: `set ip flow-hash`.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn set_flow_hash(
        &mut self,
        family: Family,
        id: TableId,
        fields: HashFields,
    ) -> Result<(), FibError> {
        let fib = self.table(family, id)?;
        self.shared.flow_hashes.set(family, fib, fields);
        Ok(())
    }

    /// Chooses a number that goes into all hashes, so that routers in a row do not all decide alike; 0 is none.
    pub fn set_flow_hash_router(&mut self, router: u32) {
        self.shared.flow_hashes.set_router(router);
    }

    /// The words of what the hashes of flows are made of in a table, each with a blank behind it.
    pub(super) fn describe_flow_hash(&self, family: Family, fib: FibIndex) -> String {
        let fields = self.shared.flow_hashes.of(family, fib);
        let words = FIELDS.iter().filter(|(field, _)| fields.contains(*field));
        words.map(|(_, word)| format!("{word} ")).collect()
    }
}
