//! The interface table: what packets come from and go to.
//!
//! A *hardware interface* is something with a device behind it (a port, a packet generator, a loopback, a tunnel); a
//! *software interface* is what forwarding speaks of: every hardware interface has one, and Ethernet ones can have
//! sub-interfaces, which take the frames with certain VLAN tags. [`SwIfIndex`] numbers software interfaces, indices of
//! deleted ones are used again, and `local0` is always number 0, always there and always down.
//!
//! The main thread owns the [`InterfaceTable`] and changes it while workers stand still. Every change leaves an
//! [`Event`] in a queue that the engine drains: forwarding state, features and counters follow from events. Workers read
//! [`InterfaceViews`] made from the table, and [`TagTable`]s, which map a frame's tags to an interface; they count in an
//! [`InterfaceWriters`] of their own.

mod address;
mod addressing;
pub mod api;
mod commands;
mod counters;
mod device;
mod error;
mod event;
mod hardware;
mod index;
#[cfg(test)]
mod model;
mod pool;
mod replace;
mod rotation;
mod runs;
mod rx;
mod rx_commands;
mod show;
mod software;
mod state;
mod sub;
mod sub_commands;
mod table;
mod tags;
mod view;

pub use address::InterfaceAddress;
pub(crate) use commands::commands;
pub use counters::{InterfaceCounters, InterfaceWriters};
pub(crate) use device::Devices;
pub use device::{Device, NoWire, Offloads};
pub use error::InterfaceError;
pub use event::Event;
pub use hardware::{Duplex, HwIfIndex, HwInterface, LinkState, NewHardware, random_mac};
pub use index::SwIfIndex;
pub use rotation::{QueueRotation, RxSources};
pub use runs::Runs;
pub use rx::{NewRxQueue, RxError, RxPlacement, RxQueue, RxQueueId, RxQueues};
pub use show::{Verbosity, show_addresses, show_hardware, show_interfaces, show_tags};
pub use software::{Mtu, MtuKind, Overlay, SwInterface, SwKind, TableBinding};
pub use sub::{OutputTags, SubInterface, TagMatch, TagType, VlanId, VlanMatch};
pub use table::InterfaceTable;
pub use tags::{TagTable, TagTarget, Tags};
pub use view::{InterfaceView, InterfaceViews, TableIds};
