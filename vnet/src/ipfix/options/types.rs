//! Types of enterprise elements (RFC 5610): collectors cannot look them up in the IANA registry.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use super::subject::{About, Records, Refresh, Subject, View, put_text};
use crate::ipfix::{
    elements::{
        DataType, Element, ElementId, REVERSE_PEN, Registry, Semantics, Units, VendorElement,
    },
    export::TemplateFields,
    template::{FieldSpecifier, VARIABLE_LENGTH},
};

/// What an enterprise element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementType {
    /// Its enterprise and number.
    pub id: ElementId,
    /// Its name.
    pub name: String,
    /// Abstract data type.
    pub data_type: DataType,
    /// What may be done with the values.
    pub semantics: Semantics,
    /// What the values count.
    pub units: Units,
    /// Smallest and largest valid value; `None`: those of the type.
    pub range: Option<(u64, u64)>,
    /// A sentence about it.
    pub description: String,
}

/// Elements that somebody described. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct ElementTypes(Rc<RefCell<Vec<ElementType>>>);

impl ElementTypes {
    pub(super) fn add(&self, element: ElementType) {
        let mut elements = self.0.borrow_mut();
        elements.retain(|other| other.id != element.id);
        elements.push(element);
    }

    fn of(&self, id: ElementId) -> Option<ElementType> {
        match id.enterprise {
            REVERSE_PEN => Element::by_id(id.id).map(|forward| reverse(id, forward)),
            _ => {
                let described = self.0.borrow().iter().find(|element| element.id == id).cloned();
                described.or_else(|| VendorElement::by_id(id).map(ElementType::from))
            }
        }
    }
}

impl From<&VendorElement> for ElementType {
    fn from(vendor: &VendorElement) -> Self {
        let Element { name, data_type, semantics, units, range, .. } = vendor.element;
        let (name, description) = (name.to_owned(), vendor.description.to_owned());
        Self { id: vendor.id(), name, data_type, semantics, units, range, description }
    }
}

/// An element of the reverse direction (RFC 5103) is what its forward one is.
fn reverse(id: ElementId, forward: &Element) -> ElementType {
    ElementType {
        id,
        name: Registry::new().resolve(id).name.into_owned(),
        data_type: forward.data_type,
        semantics: forward.semantics,
        units: forward.units,
        range: forward.range,
        description: format!("{} of the reverse direction (RFC 5103)", forward.name),
    }
}

/// RFC 5610 section 3.9; the first two are the scope.
const FIELDS: [FieldSpecifier; 9] = [
    FieldSpecifier::iana("privateEnterpriseNumber", 4),
    FieldSpecifier::iana("informationElementId", 2),
    FieldSpecifier::iana("informationElementDataType", 1),
    FieldSpecifier::iana("informationElementSemantics", 1),
    FieldSpecifier::iana("informationElementUnits", 2),
    FieldSpecifier::iana("informationElementRangeBegin", 8),
    FieldSpecifier::iana("informationElementRangeEnd", 8),
    FieldSpecifier::iana("informationElementName", VARIABLE_LENGTH),
    FieldSpecifier::iana("informationElementDescription", VARIABLE_LENGTH),
];

/// The subject.
pub(super) struct Types {
    elements: ElementTypes,
}

impl Types {
    pub(super) fn new(elements: ElementTypes) -> Self {
        Self { elements }
    }
}

impl Subject for Types {
    fn about(&self) -> About {
        About {
            word: "types",
            report: "options-types",
            help: "Tell collectors what the enterprise elements of templates are.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        vec![TemplateFields { scopes: 2, ..TemplateFields::data(&FIELDS) }]
    }

    fn refresh(&self) -> Refresh {
        Refresh::WithTemplates
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let of_stream = view.exporter.reports().filter(|report| report.stream == view.stream);
        let fields = of_stream.flat_map(|report| report.templates).flat_map(|t| t.fields());
        let in_use: BTreeSet<ElementId> =
            fields.map(|field| field.element).filter(|id| id.enterprise != 0).collect();
        for element in in_use.into_iter().filter_map(|id| self.elements.of(id)) {
            records.add(0, octets(&element));
        }
    }
}

/// The record of an element. A range of 0 to 0 says that it is that of the type.
fn octets(element: &ElementType) -> Vec<u8> {
    let (first, last) = element.range.unwrap_or_default();
    let mut octets = element.id.enterprise.to_be_bytes().to_vec();
    octets.extend(element.id.id.to_be_bytes());
    octets.extend([element.data_type as u8, element.semantics as u8]);
    octets.extend(u16::from(element.units as u8).to_be_bytes());
    octets.extend(first.to_be_bytes());
    octets.extend(last.to_be_bytes());
    put_text(&mut octets, &element.name);
    put_text(&mut octets, &element.description);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, from the tables of RFC 5610: unsigned64 is 4, deltaCounter 3, octets 2.
    #[test]
    fn the_record_of_a_reverse_element_is_that_of_rfc_5610() {
        let id = ElementId { enterprise: REVERSE_PEN, id: 1 };
        let record = octets(&ElementTypes::default().of(id).unwrap());
        let (fixed, texts) = record.split_at(26);
        assert_eq!(fixed[..10], [0, 0, 0x72, 0x79, 0, 1, 4, 3, 0, 2]);
        assert_eq!(fixed[10..], [0; 16]);
        assert_eq!(texts[0], 22);
        assert_eq!(&texts[1..23], b"reverseOctetDeltaCount");
        assert_eq!(texts[23] as usize, texts.len() - 24);
    }

    /// unsigned32 is 3, deltaCounter 3, packets 3.
    #[test]
    fn the_record_of_a_vendors_element_has_its_name() {
        let id = ElementId { enterprise: 35632, id: 109 };
        let record = octets(&ElementTypes::default().of(id).unwrap());
        assert_eq!(record[..10], [0, 0, 0x8b, 0x30, 0, 109, 3, 3, 0, 3]);
        assert_eq!((record[26], &record[27..48]), (21, &b"RETRANSMITTED_IN_PKTS"[..]));
    }

    #[test]
    fn an_element_that_nobody_described_has_no_type() {
        let elements = ElementTypes::default();
        let id = ElementId { enterprise: 32473, id: 7 };
        assert_eq!(elements.of(id), None);
        let mut element = reverse(id, Element::named("packetDeltaCount").unwrap());
        element.name = "riderCount".to_owned();
        elements.add(element.clone());
        assert_eq!(elements.of(id), Some(element));
    }
}
