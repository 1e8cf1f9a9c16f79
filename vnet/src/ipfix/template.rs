//! Templates: what the fields of a data record are (RFC 7011 sections 3.2 and 3.4).

use core::{fmt, num::NonZeroU16};

use super::elements::{Element, ElementId};

/// The length in a field specifier that says "each record gives the length" (RFC 7011 section 7).
pub const VARIABLE_LENGTH: u16 = 65535;
/// Set the most significant bit of the element identifier: an enterprise number follows.
pub(super) const ENTERPRISE_BIT: u16 = 0x8000;

/// Identifier of a template, unique within its transport session and observation domain: 256 or more, since smaller
/// numbers are those of the sets that carry templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(NonZeroU16);

impl TemplateId {
    /// The first one.
    pub const FIRST: Self = Self::from_ordinal(0);
    /// How many there are.
    pub const COUNT: u16 = u16::MAX - 255;

    /// `None` for the numbers below 256.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) if id.get() >= 256 => Some(Self(id)),
            _ => None,
        }
    }

    /// The `ordinal`-th identifier, counted from 0; wraps after [`Self::COUNT`].
    #[must_use]
    pub const fn from_ordinal(ordinal: u16) -> Self {
        match NonZeroU16::new(256 + ordinal % Self::COUNT) {
            Some(id) => Self(id),
            None => unreachable!(),
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldSpecifier {
    /// Which element.
    pub element: ElementId,
    /// Octets in each record, or [`VARIABLE_LENGTH`].
    pub length: u16,
}

impl FieldSpecifier {
    /// A field of an IANA element, by name.
    ///
    /// # Panics
    /// When there is no such element. Meant for constants, where that is a compile error.
    #[must_use]
    pub const fn iana(name: &str, length: u16) -> Self {
        match Element::named(name) {
            Some(element) => Self { element: ElementId::iana(element.id), length },
            None => panic!("no IANA information element has this name"),
        }
    }

    /// A field of any element.
    #[must_use]
    pub const fn new(element: ElementId, length: u16) -> Self {
        Self { element, length }
    }

    /// Whether each record gives the length.
    #[must_use]
    pub const fn is_variable(self) -> bool {
        self.length == VARIABLE_LENGTH
    }

    /// Fewest octets in a record: a value of variable length has at least its length octet.
    #[must_use]
    pub const fn min_len(self) -> usize {
        if self.is_variable() { 1 } else { self.length as usize }
    }

    /// Octets of the specifier itself: 8 with an enterprise number, else 4.
    #[must_use]
    pub const fn wire_len(self) -> usize {
        if self.element.enterprise == 0 { 4 } else { 8 }
    }

    /// Writes the specifier and returns what is left of `out`, which has room for [`Self::wire_len`] octets.
    fn write(self, out: &mut [u8]) -> &mut [u8] {
        let (specifier, rest) = out.split_at_mut(self.wire_len());
        let bit = if self.element.enterprise == 0 { 0 } else { ENTERPRISE_BIT };
        specifier[..2].copy_from_slice(&(self.element.id | bit).to_be_bytes());
        specifier[2..4].copy_from_slice(&self.length.to_be_bytes());
        if self.element.enterprise != 0 {
            specifier[4..].copy_from_slice(&self.element.enterprise.to_be_bytes());
        }
        rest
    }
}

/// A template record or options template record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    id: TemplateId,
    scopes: u16,
    fields: Box<[FieldSpecifier]>,
    min_record_len: usize,
    is_variable: bool,
}

/// Why fields do not make a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A record of this template would have no octets, so that records could not be counted.
    #[error("a template needs a field that is not empty")]
    Empty,
    /// More empty fields than a record has octets: a message could then ask for any amount of work and output.
    #[error(
        "{empty} empty fields for at least {octets} octets of a record, expected at most as many"
    )]
    TooManyEmptyFields {
        /// Fields of length 0.
        empty: usize,
        /// Octets of the shortest record.
        octets: usize,
    },
    /// The field count has 16 bits, and the record must fit into a message.
    #[error("{0} fields do not fit into a message")]
    TooManyFields(usize),
    /// The scope fields are the first of the fields.
    #[error("{scopes} of {fields} fields cannot be scope")]
    Scope {
        /// Scope fields asked for.
        scopes: u16,
        /// Fields in all.
        fields: usize,
    },
    /// An element identifier has 15 bits.
    #[error("element id {0} needs more than 15 bits")]
    ElementId(u16),
}

impl Template {
    /// A template; `scopes` of its first fields are scope fields, which makes it an options template when there are any.
    pub fn new(
        id: TemplateId,
        scopes: u16,
        fields: impl Into<Box<[FieldSpecifier]>>,
    ) -> Result<Self, TemplateError> {
        let fields = fields.into();
        if usize::from(scopes) > fields.len() {
            return Err(TemplateError::Scope { scopes, fields: fields.len() });
        }
        if let Some(field) = fields.iter().find(|f| f.element.id > ElementId::MAX) {
            return Err(TemplateError::ElementId(field.element.id));
        }
        let min_record_len = fields.iter().map(|f| f.min_len()).sum();
        let is_variable = fields.iter().any(|f| f.is_variable());
        let template = Self { id, scopes, fields, min_record_len, is_variable };
        let octets = min_record_len;
        if octets == 0 {
            return Err(TemplateError::Empty);
        }
        let empty = template.fields.iter().filter(|f| f.length == 0).count();
        if empty > octets {
            return Err(TemplateError::TooManyEmptyFields { empty, octets });
        }
        if template.wire_len() > usize::from(u16::MAX) {
            return Err(TemplateError::TooManyFields(template.fields.len()));
        }
        Ok(template)
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> TemplateId {
        self.id
    }

    /// Number of scope fields; 0 when this is not an options template.
    #[must_use]
    pub fn scopes(&self) -> u16 {
        self.scopes
    }

    /// Whether its records are options data records.
    #[must_use]
    pub fn is_options(&self) -> bool {
        self.scopes > 0
    }

    /// The fields, in the order of the record, scope fields first.
    #[must_use]
    pub fn fields(&self) -> &[FieldSpecifier] {
        &self.fields
    }

    /// Octets of the shortest data record.
    #[must_use]
    pub fn min_record_len(&self) -> usize {
        self.min_record_len
    }

    /// Octets of every data record, when no field has variable length.
    #[must_use]
    pub fn record_len(&self) -> Option<usize> {
        (!self.is_variable).then_some(self.min_record_len)
    }

    /// Whether a data record can have so many octets.
    #[inline]
    #[must_use]
    pub fn has_records_of(&self, octets: usize) -> bool {
        octets == self.min_record_len || self.is_variable && octets > self.min_record_len
    }

    /// Octets of the template record.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        let header = if self.is_options() { 6 } else { 4 };
        header + self.fields.iter().map(|f| f.wire_len()).sum::<usize>()
    }

    /// Writes the template record into `out`, which has [`Self::wire_len`] octets.
    pub(super) fn write(&self, out: &mut [u8]) {
        let (header, mut rest) = out.split_at_mut(if self.is_options() { 6 } else { 4 });
        header[..2].copy_from_slice(&self.id.get().to_be_bytes());
        // `new` made sure of the count: each field has at least four octets of a message.
        header[2..4].copy_from_slice(&(self.fields.len() as u16).to_be_bytes());
        if self.is_options() {
            header[4..].copy_from_slice(&self.scopes.to_be_bytes());
        }
        for field in &self.fields {
            rest = field.write(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_ids_begin_at_256() {
        assert_eq!(TemplateId::new(0), None);
        assert_eq!(TemplateId::new(255), None);
        assert_eq!(TemplateId::new(256), Some(TemplateId::FIRST));
        assert_eq!(TemplateId::from_ordinal(TemplateId::COUNT - 1).get(), u16::MAX);
        assert_eq!(TemplateId::from_ordinal(TemplateId::COUNT), TemplateId::FIRST);
    }

    #[test]
    fn what_cannot_be_sent_is_no_template() {
        let id = TemplateId::FIRST;
        let octets = FieldSpecifier::iana("octetDeltaCount", 8);
        assert_eq!(Template::new(id, 0, []), Err(TemplateError::Empty));
        let empty = FieldSpecifier { length: 0, ..octets };
        assert_eq!(Template::new(id, 0, [empty]), Err(TemplateError::Empty));
        assert!(Template::new(id, 0, [vec![empty; 8], vec![octets]].concat()).is_ok());
        let mostly_empty = Template::new(id, 0, [vec![empty; 9], vec![octets]].concat());
        let expected = TemplateError::TooManyEmptyFields { empty: 9, octets: 8 };
        assert_eq!(mostly_empty, Err(expected));
        let scopes = Template::new(id, 2, [octets]);
        assert_eq!(scopes, Err(TemplateError::Scope { scopes: 2, fields: 1 }));
        let many = Template::new(id, 0, vec![octets; 16384]);
        assert_eq!(many, Err(TemplateError::TooManyFields(16384)));
        let wide = FieldSpecifier::new(ElementId::iana(0x8001), 4);
        assert_eq!(Template::new(id, 0, [wide]), Err(TemplateError::ElementId(0x8001)));
    }

    #[test]
    fn variable_fields_have_no_record_length() {
        let name = FieldSpecifier::iana("interfaceName", VARIABLE_LENGTH);
        let port = FieldSpecifier::iana("sourceTransportPort", 2);
        let template = Template::new(TemplateId::FIRST, 0, [port, name]).unwrap();
        assert_eq!(template.record_len(), None);
        assert_eq!(template.min_record_len(), 3);
    }
}
