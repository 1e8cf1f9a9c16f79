//! Types of VPP's API for Ethernet.

crate::api! {
    /// The file `ethernet_types.api`.
    file ETHERNET_TYPES = "ethernet_types", [1, 0, 0], 0xf24103d6 aliases { mac_address = [u8; 6] };
}
