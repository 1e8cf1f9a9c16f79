//! From a list of names to keys, families and encoders.

use super::{
    Field, FieldError, InterfaceTexts, Kinds, Role, Value,
    error::unknown,
    forward,
    steps::{Saturated, Steps},
};
use crate::{
    flow::{Config, Families, Keys, Known, Selection},
    ipfix::{
        elements::{DataType, Element, ElementId, REVERSE_PEN, VendorElement},
        profile::{FlowEncoder, FlowTemplates},
        template::{FieldSpecifier, VARIABLE_LENGTH},
    },
};

/// The fields of a template that a user wrote, checked. Clones count their saturated values together.
///
/// A record has those that make sense of its flow: ports are not in records of ICMP, IPv6 addresses not in records of IPv4.
/// Each kind of flow so has a template of its own, and kinds with the same fields share one.
#[derive(Clone, Debug)]
pub struct FieldList {
    fields: Vec<(&'static Field, FieldSpecifier)>,
    saturated: Saturated,
    interfaces: InterfaceTexts,
}

impl FieldList {
    /// Reads `NAME[/OCTETS],...`; a name can be `PEN/ID` instead.
    ///
    /// # Errors
    /// See [`FieldError`].
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let list = Self::read(text)?;
        if list.needs_biflow() {
            list.check_ends()?;
        }
        Ok(list)
    }

    /// [`Self::parse`] where it is known that both ends of flows are among the fields.
    pub(super) fn read(text: &str) -> Result<Self, FieldError> {
        let (saturated, interfaces) = (Saturated::default(), InterfaceTexts::default());
        let mut list = Self { fields: Vec::new(), saturated, interfaces };
        for word in text.split(',') {
            let (field, specifier) = field(word)?;
            if list.fields.iter().any(|(known, _)| known.name == field.name) {
                return Err(FieldError::Twice { name: field.name });
            }
            list.fields.push((field, specifier));
        }
        Ok(list)
    }

    /// The list behind numbers of their full size.
    pub(super) fn behind(self, first: &'static [Field]) -> Self {
        let full = |field: &'static Field| {
            let octets = field.element().and_then(|element| octets_of(element.data_type));
            Some((field, FieldSpecifier::new(field.id()?, octets?)))
        };
        let fields = first.iter().filter_map(full).chain(self.fields).collect();
        Self { fields, ..self }
    }

    /// The same with the names of these interfaces; without, none is known.
    #[must_use]
    pub fn with_interfaces(self, interfaces: InterfaceTexts) -> Self {
        Self { interfaces, ..self }
    }

    /// The fields in their order, with their octets.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, FieldSpecifier)> + '_ {
        self.fields.iter().copied()
    }

    /// Which packets are measured. Those of a family of which alone some field is; of IPv4 and of IPv6 when no field is of one
    /// alone; and frames without IP where no part of the key is of IP, or where the Ethernet type is asked for.
    #[must_use]
    pub fn families(&self) -> Families {
        let names = |kinds: Kinds| self.fields.iter().any(|(field, _)| kinds.contains(field.kinds));
        let (only4, only6) = (names(Kinds::V4), names(Kinds::V6));
        let is_ip_key = |field: &Field| {
            matches!(field.role, Role::Key(_)) && !field.kinds.contains(Kinds::OTHER)
        };
        let asks_type = self.all_keys().contains(Keys::ETHERTYPE);
        let mut families = Families::empty();
        families.set(Families::IP4, only4 || !only6);
        families.set(Families::IP6, only6 || !only4);
        let no_ip_key = !self.fields.iter().any(|(field, _)| is_ip_key(field));
        families.set(Families::OTHER, asks_type || no_ip_key);
        families
    }

    /// What the meter must keep apart, and keep.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            ip4: self.keys(Kinds::V4),
            ip6: self.keys(Kinds::V6),
            other: self.keys(Kinds::OTHER),
            tcp_flags: self.fields.iter().any(|(field, _)| field.name == "tcpControlBits"),
            details: self.fields.iter().any(|(field, _)| field.needs_details),
            biflow: self.needs_biflow(),
            sequence: self.fields.iter().any(|(field, _)| field.needs_sequence),
        }
    }

    /// Whether all fields can be filled of packets that are measured at `point`, where this is `known` of them.
    ///
    /// # Errors
    /// [`FieldError::NotKnown`] of the first that cannot.
    pub fn check_known(&self, known: Known, point: &str) -> Result<(), FieldError> {
        let unknown = self.fields.iter().find(|(field, _)| !known.contains(field.needs));
        unknown.map_or(Ok(()), |(field, _)| {
            let (name, place) = (field.name, field.needs.place());
            Err(FieldError::NotKnown { name, place, point: point.to_owned() })
        })
    }

    /// Whether link headers must be known.
    #[must_use]
    pub fn needs_link(&self) -> bool {
        self.fields.iter().any(|(field, _)| field.needs_link)
    }

    /// What a meter must do for records of this template, where `config` is what was asked of it otherwise. Of no family when
    /// it measures none that the template has fields for.
    #[must_use]
    pub fn metering(&self, config: Config) -> Config {
        let selection = self.selection();
        Config {
            families: config.families & self.families(),
            record: selection.layers(),
            selection: Some(selection),
            ..config
        }
    }

    /// The templates of a meter of `families`, compiled.
    #[must_use]
    pub fn templates(&self, families: Families) -> FlowTemplates {
        FlowTemplates::by_kind(families & self.families(), |kinds| self.encoder(kinds))
    }

    /// Values that did not fit into their fields, and were sent as the largest value that does.
    #[must_use]
    pub fn saturated(&self) -> u64 {
        self.saturated.count()
    }

    pub(super) fn tells_interfaces(&self) -> bool {
        let is_overlay = |field: &Field| matches!(field.value, Value::Overlay(_));
        self.fields.iter().any(|(field, specifier)| specifier.is_variable() || is_overlay(field))
    }

    fn needs_biflow(&self) -> bool {
        self.fields.iter().any(|(field, _)| field.needs_biflow)
    }

    /// The two directions of a flow are known as such by both ends.
    fn check_ends(&self) -> Result<(), FieldError> {
        let families = self.families();
        let has = |kinds, ends| self.keys(kinds).contains(ends);
        let one_port = |kinds| {
            let ports = self.keys(kinds) & Keys::PORTS;
            !ports.is_empty() && ports != Keys::PORTS
        };
        for (family, kinds, ends, missing) in [
            (
                Families::IP4,
                Kinds::V4,
                Keys::ADDRESSES,
                "sourceIPv4Address and destinationIPv4Address",
            ),
            (
                Families::IP6,
                Kinds::V6,
                Keys::ADDRESSES,
                "sourceIPv6Address and destinationIPv6Address",
            ),
            (
                Families::OTHER,
                Kinds::OTHER,
                Keys::MACS,
                "sourceMacAddress and destinationMacAddress",
            ),
        ] {
            if families.contains(family) && !has(kinds, ends) {
                return Err(FieldError::OneEnd { missing });
            }
            if families.contains(family) && one_port(kinds) {
                let missing = "sourceTransportPort and destinationTransportPort";
                return Err(FieldError::OneEnd { missing });
            }
        }
        Ok(())
    }

    pub(super) fn encoder(&self, kinds: Kinds) -> Option<FlowEncoder> {
        let of_kind = self.fields.iter().filter(|(field, _)| field.kinds.contains(kinds));
        let specifiers: Vec<FieldSpecifier> = of_kind.clone().map(|(_, s)| *s).collect();
        let steps = of_kind.map(|&(field, specifier)| (field, specifier.length));
        let steps = Steps::new(steps, self.saturated.clone(), self.interfaces.clone());
        (!specifiers.is_empty()).then(|| FlowEncoder::of_steps(specifiers, steps))
    }

    fn all_keys(&self) -> Keys {
        self.keys(Kinds::all())
    }

    fn keys(&self, kinds: Kinds) -> Keys {
        let of_kind = self.fields.iter().filter(|(field, _)| field.kinds.intersects(kinds));
        of_kind.fold(Keys::empty(), |keys, (field, _)| match field.role {
            Role::Key(key) => keys | key,
            _ => keys,
        })
    }
}

impl core::fmt::Display for FieldList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (at, (field, specifier)) in self.fields.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}", field.name)?;
            let full = field.element().map(|element| octets_of(element.data_type));
            if full != Some(Some(specifier.length)) {
                write!(f, "/{}", specifier.length)?;
            }
        }
        Ok(())
    }
}

/// One field of a list.
fn field(word: &str) -> Result<(&'static Field, FieldSpecifier), FieldError> {
    let (id, octets) = element(word)?;
    let field = Field::all().iter().find(|field| field.id() == Some(id));
    let field = field.ok_or_else(|| FieldError::unfilled(id))?;
    let (Some(data_type), name) = (field.element().map(|e| e.data_type), field.name) else {
        return Err(FieldError::unfilled(id));
    };
    let Some(full) = octets_of(data_type) else { return Err(FieldError::unfilled(id)) };
    let length = match octets {
        None => full,
        Some(octets) if octets == full => full,
        Some(octets) if full == VARIABLE_LENGTH => return Err(FieldError::Text { name, octets }),
        Some(octets) if !is_integer(data_type) => {
            return Err(FieldError::NotReducible { name, full, octets });
        }
        Some(octets) if octets == 0 || octets > full => {
            return Err(FieldError::Octets { name, full, octets });
        }
        Some(octets) => octets,
    };
    Ok((field, FieldSpecifier::new(id, length)))
}

/// The element that a word names, and the octets that it wants for it.
fn element(word: &str) -> Result<(ElementId, Option<u16>), FieldError> {
    let mut parts = word.split('/');
    let first = parts.next().unwrap_or_default();
    let is_number = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
    let not_a_field = || FieldError::Malformed { word: word.to_owned() };
    let found = if is_number {
        let enterprise = first.parse().map_err(|_| not_a_field())?;
        let id = parts.next().and_then(|id| id.parse().ok()).ok_or_else(not_a_field)?;
        ElementId { enterprise, id }
    } else if let Some(element) = Element::named(first) {
        ElementId::iana(element.id)
    } else if let Some(vendor) = VendorElement::named(first) {
        vendor.id()
    } else {
        let element = forward(first).ok_or_else(|| unknown(first))?;
        ElementId { enterprise: REVERSE_PEN, id: element.id }
    };
    let octets =
        parts.next().map(|octets| octets.parse().map_err(|_| not_a_field())).transpose()?;
    if parts.next().is_some() {
        return Err(not_a_field());
    }
    Ok((found, octets))
}

/// RFC 7011 section 6.2 allows no other types to be shortened but float64, of which none is here.
const fn is_integer(data_type: DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Unsigned8 | T::Unsigned16 | T::Unsigned32 | T::Unsigned64 | T::Unsigned256
    )
}

/// Octets of a type that is no list.
const fn octets_of(data_type: DataType) -> Option<u16> {
    use DataType as T;
    Some(match data_type {
        T::Unsigned8 | T::Boolean => 1,
        T::Unsigned16 => 2,
        T::Unsigned32 | T::DateTimeSeconds | T::Ipv4Address => 4,
        T::MacAddress => 6,
        T::Unsigned64
        | T::DateTimeMilliseconds
        | T::DateTimeMicroseconds
        | T::DateTimeNanoseconds => 8,
        T::Ipv6Address => 16,
        T::String => VARIABLE_LENGTH,
        T::Unsigned256 => 32,
        // Of those that are no lists, label stack entries are all that there are here.
        T::OctetArray => 3,
        _ => return None,
    })
}
