//! What interfaces are called, and of which overlay network they are, for records that tell it.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    flow::FlowRecord,
    interface::{InterfaceTable, Overlay, SwIfIndex},
    ipfix::options::{description, put_text},
};

/// Names and descriptions of the interfaces of an engine, as they are written into records. Clones are the same ones.
///
/// They are looked up when a record is written, so that they are those of the last look at the interfaces. An interface that is
/// gone keeps its name until another one has its number: its last records are written after it.
#[derive(Clone, Debug, Default)]
pub struct InterfaceTexts(Arc<RwLock<BTreeMap<SwIfIndex, Texts>>>);

/// Texts of variable length (RFC 7011 section 7), their length before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Texts {
    name: Vec<u8>,
    description: Vec<u8>,
    /// Of which overlay network it is: numbers.
    overlay: Overlay,
}

/// Which text of a record's ingress interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Name,
    Description,
}

/// Of an interface that is not known.
const EMPTY: [u8; 1] = [0];

impl InterfaceTexts {
    /// Looks at the interfaces that there are.
    pub(in crate::ipfix) fn look(&self, table: &InterfaceTable) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for interface in table.interfaces() {
            // What a sub-interface sends and receives are frames of the interface above.
            let above = interface.sub().map(|sub| sub.super_if);
            let overlay =
                above.and_then(|above| table.interface(above)).unwrap_or(interface).overlay;
            let mut texts = Texts { overlay, ..Texts::default() };
            put_text(&mut texts.name, &interface.name);
            put_text(&mut texts.description, description(table, interface));
            if known.get(&interface.index) != Some(&texts) {
                known.insert(interface.index, texts);
            }
        }
    }

    /// The overlay network of the interface at which a record's packets were seen; zeros where that is of none.
    pub(super) fn overlay(&self, record: &FlowRecord) -> Overlay {
        // Where packets leave is known of those that leave.
        let leaves = record.egress != SwIfIndex::NONE;
        let seen_at = if leaves { record.egress } else { record.ingress };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&seen_at).map_or_else(Overlay::default, |texts| texts.overlay)
    }

    /// Gives the octets of a text of a record to `f`.
    pub(super) fn with<T>(&self, text: Text, record: &FlowRecord, f: impl FnOnce(&[u8]) -> T) -> T {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(&record.ingress) {
            None => f(&EMPTY),
            Some(texts) => f(match text {
                Text::Name => &texts.name,
                Text::Description => &texts.description,
            }),
        }
    }
}
