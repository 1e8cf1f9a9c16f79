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
const VMWARE: u32 = 6876;

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

const fn tunnel(
    id: u16,
    name: &'static str,
    (data_type, semantics): (DataType, Semantics),
    description: &'static str,
) -> VendorElement {
    let (units, range, status) = (Units::None, None, Status::Current);
    let element = Element { id, name, data_type, semantics, units, range, status };
    VendorElement { enterprise: VMWARE, element, description }
}

const ADDRESS: (DataType, Semantics) = (DataType::Ipv4Address, Semantics::Default);
const KIND: (DataType, Semantics) = (DataType::Unsigned8, Semantics::Identifier);
const PORT: (DataType, Semantics) = (DataType::Unsigned16, Semantics::Identifier);
const OCTETS: (DataType, Semantics) = (DataType::OctetArray, Semantics::Default);

/// Cisco's number is that of NetFlow version 9, 37017, without its highest bit.
static ELEMENTS: [VendorElement; 12] = [
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
    tunnel(891, "tunnelType", KIND, "1 VXLAN, 2 GRE, 3 LISP, 4 STT, 5 GRE in IPsec, 7 Geneve"),
    tunnel(892, "tunnelKey", OCTETS, "VNI, GRE key or the like"),
    tunnel(893, "tunnelSourceIPv4Address", ADDRESS, "Source of the outer header"),
    tunnel(894, "tunnelDestinationIPv4Address", ADDRESS, "Destination of the outer header"),
    tunnel(895, "tunnelProtocolIdentifier", KIND, "Protocol of the outer header"),
    tunnel(896, "tunnelSourceTransportPort", PORT, "Source port of the outer header"),
    tunnel(897, "tunnelDestinationTransportPort", PORT, "Destination port of the outer header"),
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
