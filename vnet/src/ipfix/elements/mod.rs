//! Information elements (RFC 7012): the whole IANA registry as a static table, and elements of enterprises beside it.
//!
//! `elements.tsv` holds the facts and `table.rs` is rendered from it by the test module `generate`, which fails when
//! the two differ and writes the table anew when `PELOTON_RENDER=1` is set.

#[cfg(test)]
mod generate;
mod kind;
mod registry;
mod table;
mod vendor;

use core::fmt;

pub use kind::{DataType, Semantics, Status, Units};
pub use registry::{ElementInfo, RegisterError, Registry};
pub use vendor::VendorElement;

/// The enterprise number under which RFC 5103 puts the reverse direction of every IANA element.
pub const REVERSE_PEN: u32 = 29305;

/// Names an information element: an IANA number, or a number of an enterprise's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId {
    /// Private enterprise number; 0 for the IANA registry, which is sent without an enterprise number.
    pub enterprise: u32,
    /// Element identifier, 15 bits: the enterprise bit of the wire form is not part of it.
    pub id: u16,
}

impl ElementId {
    /// The largest element identifier.
    pub const MAX: u16 = 0x7fff;

    /// An element of the IANA registry.
    #[must_use]
    pub const fn iana(id: u16) -> Self {
        Self { enterprise: 0, id }
    }

    /// The registry's entry, if this is an IANA element that it knows.
    #[must_use]
    pub fn element(self) -> Option<&'static Element> {
        if self.enterprise == 0 { Element::by_id(self.id) } else { None }
    }
}

/// As logs and JSON keys name an element that no registry knows: `PEN/ID`.
impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.enterprise, self.id)
    }
}

/// One entry of the IANA registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Element identifier.
    pub id: u16,
    /// Name, as registered.
    pub name: &'static str,
    /// Abstract data type.
    pub data_type: DataType,
    /// What may be done with the values.
    pub semantics: Semantics,
    /// What the values count.
    pub units: Units,
    /// Smallest and largest valid value, where the registry limits them.
    pub range: Option<(u64, u64)>,
    /// Whether exporters should still send it.
    pub status: Status,
}

impl Element {
    /// All entries, by rising identifier.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &table::ELEMENTS
    }

    /// The entry with this identifier: one array index.
    #[must_use]
    pub fn by_id(id: u16) -> Option<&'static Self> {
        let slot = *table::BY_ID.get(usize::from(id))?;
        table::ELEMENTS.get(usize::from(slot))
    }

    /// The entry with exactly this name: a binary search, also in constants.
    #[must_use]
    pub const fn named(name: &str) -> Option<&'static Self> {
        let (mut low, mut high) = (0, table::BY_NAME.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let element = &table::ELEMENTS[table::BY_NAME[middle] as usize];
            match compare(name.as_bytes(), element.name.as_bytes()) {
                0 => return Some(element),
                i if i < 0 => high = middle,
                _ => low = middle + 1,
            }
        }
        None
    }
}

/// Order of two strings of octets: negative, 0 or positive. `Ord` cannot be called in constants.
const fn compare(a: &[u8], b: &[u8]) -> i32 {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] as i32 - b[i] as i32;
        }
        i += 1;
    }
    (a.len() > i) as i32 - (b.len() > i) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_found_by_id_and_by_name() {
        assert_eq!(Element::all().len(), 502);
        for e in Element::all() {
            assert_eq!(Element::by_id(e.id), Some(e));
            assert_eq!(Element::named(e.name), Some(e));
        }
    }

    #[test]
    fn what_is_not_registered_is_not_found() {
        for id in [0, 105, 127, 534, ElementId::MAX, u16::MAX] {
            assert_eq!(Element::by_id(id), None, "{id}");
        }
        for name in ["", "octetDeltaCoun", "octetDeltaCountt", "OctetDeltaCount", "zzz", "a"] {
            assert_eq!(Element::named(name), None, "{name}");
        }
        assert_eq!(ElementId { enterprise: 9, id: 1 }.element(), None);
    }

    #[test]
    fn facts_of_the_registry_are_kept() {
        let e = Element::named("sourceIPv4PrefixLength").unwrap();
        assert_eq!((e.id, e.data_type), (9, DataType::Unsigned8));
        assert_eq!((e.units, e.range, e.status), (Units::Bits, Some((0, 32)), Status::Current));
        let e = Element::named("tcpControlBits").unwrap();
        assert_eq!((e.id, e.data_type, e.semantics), (6, DataType::Unsigned16, Semantics::Flags));
        assert_eq!(Element::named("tcpOptionsFull").unwrap().data_type, DataType::Unsigned256);
        assert_eq!(Element::all().iter().filter(|e| e.status == Status::Deprecated).count(), 17);
    }
}
