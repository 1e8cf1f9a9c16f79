//! The fields that flow records can have, and templates that users make of them.
//!
//! `table` has a line for each information element that a meter can fill: whether it is part of the flow key or how it is
//! put together from the packets of a flow, of which packets it makes sense, and how its value is taken from a record. A
//! [`FieldList`] is what a user wrote; it is compiled once into the encoders of a [`FlowTemplates`], and says what the meter
//! must keep apart. [`NamedTemplates`] are those of an engine.
//!
//! | file | idea |
//! |---|---|
//! | `table` | the elements, a line each |
//! | `list` | from a list of names to keys, families and encoders |
//! | `both` | lists for layers with both directions |
//! | `interfaces` | what interfaces are called |
//! | `steps` | the compiled form of a list |
//! | `error` | why a list is refused, and what was meant |
//! | `named` | templates by name, and who uses them |
//! | `commands` | `ipfix template add`, `ipfix template del`, `show ipfix element` |
//!
//! [`FlowTemplates`]: super::profile::FlowTemplates

mod both;
mod commands;
mod error;
mod interfaces;
mod list;
mod named;
mod steps;
mod table;
#[cfg(test)]
mod tests;

use super::elements::{Element, ElementId, REVERSE_PEN, VendorElement};
use crate::flow::{Families, FlowRecord, Keys, Known};
use crate::interface::Overlay;
use interfaces::Text;

pub use both::BiflowFields;
pub(in crate::ipfix) use commands::{described, register};
pub use error::FieldError;
pub use interfaces::InterfaceTexts;
pub use list::FieldList;
pub use named::{Lease, NamedTemplates, TemplateError};
pub(in crate::ipfix) use steps::Steps;

/// How the value of an element comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It tells flows apart.
    Key(Keys),
    /// Added up over the packets of the record.
    Sum,
    /// Of the first packet of the record.
    First,
    /// Of the last packet of the record.
    Last,
    /// The least of the packets of the record.
    Min,
    /// The greatest of the packets of the record.
    Max,
    /// The OR of the packets of the record.
    Or,
    /// Added up over all packets of the flow, those of earlier records included.
    Total,
    /// Made of other values.
    Derived,
}

impl Role {
    /// For people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Sum => "sum",
            Self::First => "first",
            Self::Last => "last",
            Self::Min => "min",
            Self::Max => "max",
            Self::Or => "or",
            Self::Total => "total",
            Self::Derived => "derived",
        }
    }
}

bitflags::bitflags! {
    /// Kinds of flows, by what their records can have in them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Kinds: u8 {
        /// Frames without IP.
        const OTHER = 1;
        /// IPv4 but for ICMP.
        const IP4 = 1 << 1;
        /// ICMP over IPv4.
        const ICMP4 = 1 << 2;
        /// IPv6 but for ICMPv6.
        const IP6 = 1 << 3;
        /// ICMPv6 over IPv6.
        const ICMP6 = 1 << 4;
    }
}

impl Kinds {
    /// All of IPv4.
    pub const V4: Self = Self::IP4.union(Self::ICMP4);
    /// All of IPv6.
    pub const V6: Self = Self::IP6.union(Self::ICMP6);
    /// All of IP.
    pub const IP: Self = Self::V4.union(Self::V6);
    /// What has ports.
    pub const PORTS: Self = Self::IP4.union(Self::IP6);

    /// The families to which they belong.
    #[must_use]
    pub fn families(self) -> Families {
        let mut families = Families::empty();
        families.set(Families::IP4, self.intersects(Self::V4));
        families.set(Families::IP6, self.intersects(Self::V6));
        families.set(Families::OTHER, self.intersects(Self::OTHER));
        families
    }
}

/// How the octets of a value are taken from a record.
#[derive(Clone, Copy, Debug)]
enum Value {
    /// An unsigned integer of any size.
    Number(fn(&FlowRecord) -> u64),
    /// Bits of any number, the lowest word first.
    Flags(fn(&FlowRecord) -> [u64; 4]),
    /// Octets of the size of the element.
    Octets(fn(&FlowRecord, &mut [u8])),
    /// Text of variable length, of the interface on which packets came in.
    Text(Text),
    /// A number of the overlay network of the interface at which packets were seen.
    Overlay(fn(Overlay) -> u64),
}

/// An element that flow records can have.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the IANA registry, or that of its vendor; of the reverse direction with `reverse` before it (RFC 5103).
    pub name: &'static str,
    /// Whether it is of records with both directions alone.
    pub needs_biflow: bool,
    /// How its value comes about.
    pub role: Role,
    /// Of which flows it makes sense.
    pub kinds: Kinds,
    /// Whether the link header must be known for it.
    pub needs_link: bool,
    /// Whether it is among the details of a record.
    pub needs_details: bool,
    /// Whether TCP's sequence numbers are followed for it.
    pub needs_sequence: bool,
    /// What must be known of packets that is not in them.
    pub needs: Known,
    value: Value,
}

impl Field {
    /// What it is in the IANA registry, or to its vendor: of an element of the reverse direction that of the forward one.
    #[must_use]
    pub fn element(&self) -> Option<&'static Element> {
        let vendor = || VendorElement::named(self.name).map(|vendor| &vendor.element);
        forward(self.name).or_else(|| Element::named(self.name)).or_else(vendor)
    }

    /// Its identifier on the wire.
    #[must_use]
    pub fn id(&self) -> Option<ElementId> {
        let of = |element: &Element, enterprise| ElementId { enterprise, id: element.id };
        match forward(self.name) {
            Some(element) => Some(of(element, REVERSE_PEN)),
            None => {
                let vendor = || VendorElement::named(self.name).map(VendorElement::id);
                Element::named(self.name).map(|element| of(element, 0)).or_else(vendor)
            }
        }
    }

    /// All, in the order of their enterprises and identifiers.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &table::FIELDS
    }

    /// By name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|field| field.name == name)
    }
}

/// The element of which `name` is the reverse direction: `reverse` and the name with a capital (RFC 5103 section 6.1).
fn forward(name: &str) -> Option<&'static Element> {
    let capital = name.strip_prefix("reverse")?;
    Element::all().iter().find(|element| {
        let (first, rest) = element.name.split_at(1);
        let front = capital.strip_suffix(rest).unwrap_or_default();
        front == first.to_ascii_uppercase()
    })
}
