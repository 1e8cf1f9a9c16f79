//! What an element is called and how its values are read, with the elements of enterprises added at run time.

use std::{borrow::Cow, collections::HashMap};

use super::{DataType, Element, ElementId, REVERSE_PEN, VendorElement};

/// Name and type of an element, as the decoder and the JSON writer need them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementInfo {
    /// IANA name, `reverse` + IANA name for PEN 29305, the registered name, or `PEN/ID` when nobody knows it.
    pub name: Cow<'static, str>,
    /// Abstract data type; octets when nobody knows it.
    pub data_type: DataType,
}

/// The IANA registry, its reverse elements (RFC 5103), the published ones of vendors that flow records can have, and the enterprise elements that the operator or a plugin added.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    enterprise: HashMap<ElementId, ElementInfo>,
}

/// Why an element was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// IANA's own numbers (0 and the reverse number) are fixed.
    #[error("enterprise number {0} belongs to the IANA registry: give the enterprise's own number")]
    Reserved(u32),
    /// The identifier needs more than 15 bits, or is 0.
    #[error("element id {0} is not within 1..=32767")]
    Id(u16),
    /// JSON keys and commands need a name of letters and digits that begins with a letter.
    #[error("element name {0:?} is not a letter followed by letters and digits")]
    Name(String),
    /// Another name or type is registered under the same number.
    #[error("element {id} is registered already, as {name}")]
    Taken {
        /// The element.
        id: ElementId,
        /// Its name.
        name: String,
    },
}

impl Registry {
    /// The IANA registry and its reverse elements alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an enterprise element. The same element may be added again with the same name and type.
    ///
    /// A decoder resolves names when a template arrives, so that templates which it holds keep their names.
    pub fn register(
        &mut self,
        id: ElementId,
        name: &str,
        data_type: DataType,
    ) -> Result<(), RegisterError> {
        if id.enterprise == 0 || id.enterprise == REVERSE_PEN {
            return Err(RegisterError::Reserved(id.enterprise));
        }
        if id.id == 0 || id.id > ElementId::MAX {
            return Err(RegisterError::Id(id.id));
        }
        let alphanumeric = name.bytes().all(|b| b.is_ascii_alphanumeric());
        if !alphanumeric || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(RegisterError::Name(name.to_owned()));
        }
        let info = ElementInfo { name: Cow::Owned(name.to_owned()), data_type };
        match self.enterprise.get(&id) {
            Some(known) if *known != info => {
                Err(RegisterError::Taken { id, name: known.name.clone().into_owned() })
            }
            _ => {
                self.enterprise.insert(id, info);
                Ok(())
            }
        }
    }

    /// Name and type of any element; never fails, since an unknown element is shown by number and as octets.
    #[must_use]
    pub fn resolve(&self, id: ElementId) -> ElementInfo {
        let known = match id.enterprise {
            0 => Element::by_id(id.id).map(as_it_is),
            REVERSE_PEN => Element::by_id(id.id).map(reverse),
            _ => {
                let registered = self.enterprise.get(&id).cloned();
                registered.or_else(|| VendorElement::by_id(id).map(|v| as_it_is(&v.element)))
            }
        };
        known.unwrap_or_else(|| ElementInfo {
            name: Cow::Owned(id.to_string()),
            data_type: DataType::OctetArray,
        })
    }
}

fn as_it_is(element: &Element) -> ElementInfo {
    ElementInfo { name: Cow::Borrowed(element.name), data_type: element.data_type }
}

/// RFC 5103 section 6.1: `reverse` and the forward name with a capital.
fn reverse(forward: &Element) -> ElementInfo {
    let (first, rest) = forward.name.split_at(1);
    let name = format!("reverse{}{rest}", first.to_ascii_uppercase());
    ElementInfo { name: Cow::Owned(name), data_type: forward.data_type }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: ElementId = ElementId { enterprise: 32473, id: 7 };

    #[test]
    fn reverse_elements_have_the_forward_type() {
        let info = Registry::new().resolve(ElementId { enterprise: REVERSE_PEN, id: 1 });
        assert_eq!(info.name, "reverseOctetDeltaCount");
        assert_eq!(info.data_type, DataType::Unsigned64);
    }

    #[test]
    fn unknown_elements_are_named_by_number() {
        let registry = Registry::new();
        assert_eq!(registry.resolve(MINE).name, "32473/7");
        assert_eq!(registry.resolve(ElementId::iana(30000)).name, "0/30000");
        assert_eq!(registry.resolve(ElementId::iana(30000)).data_type, DataType::OctetArray);
    }

    #[test]
    fn enterprise_elements_can_be_added_once() {
        let mut registry = Registry::new();
        registry.register(MINE, "riderCount", DataType::Unsigned32).unwrap();
        registry.register(MINE, "riderCount", DataType::Unsigned32).unwrap();
        assert_eq!(registry.resolve(MINE).name, "riderCount");
        let again = registry.register(MINE, "riderCount", DataType::Unsigned8);
        assert!(matches!(again, Err(RegisterError::Taken { .. })));
    }

    #[test]
    fn what_cannot_be_sent_or_named_is_refused() {
        let mut registry = Registry::new();
        let mut add = |enterprise, id, name| {
            registry.register(ElementId { enterprise, id }, name, DataType::String)
        };
        assert_eq!(add(0, 1, "x"), Err(RegisterError::Reserved(0)));
        assert_eq!(add(REVERSE_PEN, 1, "x"), Err(RegisterError::Reserved(REVERSE_PEN)));
        assert_eq!(add(1, 0, "x"), Err(RegisterError::Id(0)));
        assert_eq!(add(1, 0x8000, "x"), Err(RegisterError::Id(0x8000)));
        for name in ["", "1x", "a b", "a\"b"] {
            assert_eq!(add(1, 1, name), Err(RegisterError::Name(name.to_owned())));
        }
    }
}
