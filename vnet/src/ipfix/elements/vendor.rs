//! Published elements of vendors, for what the IANA registry has no element for.

use super::{DataType, Element, ElementId, Semantics, Status, Units};

/// An element of a vendor, with the words of RFC 5610.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorElement {
    /// The vendor's enterprise number.
    pub enterprise: u32,
    /// The element under that, with the name that the vendor gave it.
    pub element: Element,
    /// A sentence about it.
    pub description: &'static str,
}

const CISCO: u32 = 9;
const NTOP: u32 = 35632;

const fn packets(
    enterprise: u32,
    id: u16,
    name: &'static str,
    description: &'static str,
) -> VendorElement {
    let element = Element {
        id,
        name,
        data_type: DataType::Unsigned32,
        semantics: Semantics::DeltaCounter,
        units: Units::Packets,
        range: None,
        status: Status::Current,
    };
    VendorElement { enterprise, element, description }
}

/// Cisco's number is that of NetFlow version 9, 37017, without its highest bit.
static ELEMENTS: [VendorElement; 5] = [
    packets(
        CISCO,
        4249,
        "TRANSPORT_EVENT_PACKET_LOSS",
        "TCP segments behind a gap in the sequence numbers: events of loss",
    ),
    packets(
        NTOP,
        109,
        "RETRANSMITTED_IN_PKTS",
        "Retransmitted TCP segments from source to destination",
    ),
    packets(
        NTOP,
        110,
        "RETRANSMITTED_OUT_PKTS",
        "Retransmitted TCP segments from destination to source",
    ),
    packets(NTOP, 111, "OOORDER_IN_PKTS", "TCP segments out of order from source to destination"),
    packets(NTOP, 112, "OOORDER_OUT_PKTS", "TCP segments out of order from destination to source"),
];

impl VendorElement {
    /// All, by enterprise and number.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &ELEMENTS
    }

    /// By number.
    #[must_use]
    pub fn by_id(id: ElementId) -> Option<&'static Self> {
        ELEMENTS.iter().find(|vendor| vendor.id() == id)
    }

    /// By the vendor's name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ELEMENTS.iter().find(|vendor| vendor.element.name == name)
    }

    /// On the wire.
    #[must_use]
    pub const fn id(&self) -> ElementId {
        ElementId { enterprise: self.enterprise, id: self.element.id }
    }
}
