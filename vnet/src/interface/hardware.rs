//! Hardware interfaces.

use super::{Offloads, SwIfIndex, TagTable};
use core::fmt;
use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// Index of a hardware interface, as `show hardware-interfaces` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HwIfIndex(pub u32);

impl fmt::Display for HwIfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Duplex mode of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duplex {
    /// The device does not say.
    Unknown,
    /// One direction at a time.
    Half,
    /// Both directions at once.
    Full,
}

/// What a device says of its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkState {
    /// Whether packets can pass.
    pub up: bool,
    /// Speed in kbit/s; `None` when the device does not say.
    pub speed: Option<u32>,
    /// Duplex mode.
    pub duplex: Duplex,
}

impl LinkState {
    /// No link, nothing known.
    pub const DOWN: Self = Self { up: false, speed: None, duplex: Duplex::Unknown };
}

/// What a device says when it registers an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHardware {
    /// Name of the interface, of its main software interface too: `pg0`.
    pub name: String,
    /// Class of the device: `pg`, `af-packet`, `Loopback`.
    pub device_class: &'static str,
    /// The device's number within its class.
    pub device_instance: u32,
    /// MAC address; `None` makes an interface without Ethernet, which has no sub-interfaces.
    pub mac: Option<[u8; 6]>,
    /// Largest frame that the device takes, in bytes, Ethernet header included.
    pub max_frame_size: u32,
    /// Packet MTU of the main software interface at first, in bytes; 9000 unless the device knows better.
    pub mtu: u32,
    /// The device's own number for sending, which the table only keeps: a next slot of `interface-output`.
    pub tx_next: u16,
}

/// A hardware interface.
#[derive(Clone, Debug)]
pub struct HwInterface {
    /// Its index.
    pub index: HwIfIndex,
    /// Its main software interface.
    pub sw_if_index: SwIfIndex,
    /// Its name.
    pub name: String,
    /// The name that its device registered it by, which stays when the interface is renamed.
    pub device_name: String,
    /// Class of its device.
    pub device_class: &'static str,
    /// Its device's number within the class.
    pub device_instance: u32,
    /// MAC address; `None` without Ethernet.
    pub mac: Option<[u8; 6]>,
    /// What its device said last of the link.
    pub link: LinkState,
    /// Largest frame in bytes, Ethernet header included.
    pub max_frame_size: u32,
    /// Largest packet that it is to take, as the operator has set it for the device: at first the packet MTU that this came with.
    pub link_mtu: u32,
    /// Whether it takes frames for other MAC addresses too.
    pub promiscuous: bool,
    /// What its device does with packets to which something is still to be done.
    pub offloads: Offloads,
    /// The device's own number for sending.
    pub tx_next: u16,
    /// Sub-interfaces by their id.
    pub subs: BTreeMap<u32, SwIfIndex>,
    /// Tags to sub-interfaces, for workers; `None` when it has to be built again.
    pub(super) tags: Option<Arc<TagTable>>,
}

impl HwInterface {
    /// Bytes of the Ethernet header, which a packet MTU does not count.
    pub const FRAME_OVERHEAD: u32 = 14;

    /// Whether frames have Ethernet headers.
    #[must_use]
    pub fn is_ethernet(&self) -> bool {
        self.mac.is_some()
    }

    /// Largest packet behind an Ethernet header, in bytes.
    #[must_use]
    pub fn max_packet_size(&self) -> u32 {
        self.max_frame_size.saturating_sub(Self::FRAME_OVERHEAD)
    }
}

/// A MAC address for an interface that is given none: a unicast one of local scope, `02:fe` and four octets by chance, as VPP's are.
#[must_use]
pub fn random_mac() -> [u8; 6] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0_u8).to_be_bytes();
    [0x02, 0xfe, a, b, c, d]
}
