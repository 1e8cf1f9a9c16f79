//! The link types that are not read, by the numbers of the tcpdump.org registry.

use core::fmt;

use vnet::wire::link::LinkType;

/// The link type that a file names by `number`.
pub(super) fn from_number(number: u32) -> Result<LinkType, UnsupportedLinkType> {
    u16::try_from(number).ok().and_then(LinkType::from_number).ok_or(UnsupportedLinkType(number))
}

/// A link type that the engine does not read, by its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsupportedLinkType(pub u32);

impl UnsupportedLinkType {
    /// The registry's name of the number, for those that people meet.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "NULL",
            6 => "IEEE802_5",
            8 => "SLIP",
            9 => "PPP",
            10 => "FDDI",
            50 => "PPP_HDLC",
            51 => "PPP_ETHER",
            104 => "C_HDLC",
            105 => "IEEE802_11",
            107 => "FRELAY",
            108 => "LOOP",
            117 => "PFLOG",
            119 => "IEEE802_11_PRISM",
            122 => "IP_OVER_FC",
            127 => "IEEE802_11_RADIOTAP",
            147..=162 => "USER",
            187 => "BLUETOOTH_HCI_H4",
            189 => "USB_LINUX",
            192 => "PPI",
            195 => "IEEE802_15_4_WITHFCS",
            201 => "BLUETOOTH_HCI_H4_WITH_PHDR",
            215 => "IEEE802_15_4_NONASK_PHY",
            220 => "USB_LINUX_MMAPPED",
            227 => "CAN_SOCKETCAN",
            231 => "DBUS",
            239 => "NFLOG",
            247 => "INFINIBAND",
            249 => "USBPCAP",
            252 => "WIRESHARK_UPPER_PDU",
            253 => "NETLINK",
            272 => "NORDIC_BLE",
            280 => "VPP_DISPATCH",
            _ => return None,
        })
    }
}

impl fmt::Display for UnsupportedLinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "link type {} ({}) is not read; Ethernet (1), RAW (101), LINUX_SLL (113) and LINUX_SLL2 (276) are",
            self.0,
            self.name().unwrap_or("no name known")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_type_that_is_not_read_is_named_by_number_and_name() {
        let text = from_number(105).unwrap_err().to_string();
        assert!(text.starts_with("link type 105 (IEEE802_11) is not read"), "{text}");
        let text = from_number(65_537).unwrap_err().to_string();
        assert!(text.starts_with("link type 65537 (no name known)"), "{text}");
    }
}
