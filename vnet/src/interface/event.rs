//! What happened to interfaces.

use super::{HwIfIndex, InterfaceAddress, LinkState, MtuKind, SwIfIndex, TableBinding};
use crate::fib::Family;
use std::net::Ipv6Addr;

/// A change of the table. Events come in the order of the changes; when an interface is deleted, what it had (its
/// sub-interfaces, its addresses) goes first, each with an event of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A software interface came into being, down. Its index may have belonged to another one before.
    Added {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// Its name.
        name: String,
    },
    /// A software interface is gone.
    Deleted {
        /// The interface that was.
        sw_if_index: SwIfIndex,
        /// Its last name.
        name: String,
    },
    /// An interface has another name.
    Renamed {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// Its name before.
        old: String,
        /// Its name now.
        new: String,
    },
    /// An interface was set up or down.
    Admin {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// Whether it is up now.
        up: bool,
    },
    /// An interface punts what it receives while it is down, or does so no more.
    Punt {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// Whether it does.
        on: bool,
    },
    /// The link of a hardware interface changed.
    Link {
        /// The hardware interface.
        hw_if_index: HwIfIndex,
        /// Its link now.
        link: LinkState,
    },
    /// An MTU of an interface changed.
    Mtu {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// Which of its MTUs.
        kind: MtuKind,
        /// Bytes; 0 is "not set".
        bytes: u32,
    },
    /// A hardware interface has another MAC address.
    Mac {
        /// The hardware interface.
        hw_if_index: HwIfIndex,
        /// The address now.
        mac: [u8; 6],
    },
    /// A hardware interface takes all frames, or only those for it.
    Promiscuous {
        /// The hardware interface.
        hw_if_index: HwIfIndex,
        /// Whether it takes all.
        on: bool,
    },
    /// An address was added.
    AddressAdded {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// The address.
        address: InterfaceAddress,
        /// The table whose packets it takes.
        table: TableBinding,
    },
    /// An address was removed.
    AddressRemoved {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// The address.
        address: InterfaceAddress,
        /// The table whose packets it took.
        table: TableBinding,
    },
    /// An IPv6 link-local address was set, or went with its interface.
    LinkLocal {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// The address now.
        address: Option<Ipv6Addr>,
    },
    /// An IPv6 address of an interface may be somebody else's, or has turned out not to be.
    Tentative {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// The address.
        address: Ipv6Addr,
        /// Whether it is not used now.
        on: bool,
    },
    /// An interface's packets are looked up in another table.
    Table {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// Of this family.
        family: Family,
        /// The table now.
        table: TableBinding,
    },
    /// An interface uses another one's addresses, or does so no more.
    Unnumbered {
        /// The interface.
        sw_if_index: SwIfIndex,
        /// The one whose addresses it uses.
        donor: Option<SwIfIndex>,
    },
    /// An interface bridges, connects or routes what it receives, other than before.
    Layer2 {
        /// The interface.
        sw_if_index: SwIfIndex,
    },
    /// The tag table of a hardware interface has to be fetched again.
    Tags {
        /// The hardware interface.
        hw_if_index: HwIfIndex,
    },
}
