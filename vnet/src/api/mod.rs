//! VPP's binary API: messages, their descriptions, and who answers them. The sockets are a plugin's.
//!
//! Messages are written down once, by [`api!`](crate::api!): from that come the Rust types, their octets, the checksums by
//! which clients find them, and the JSON from which clients learn them. Who owns an object registers the file of its messages
//! and their handlers with [`Registrar::api`](crate::plugin::Registrar::api); a handler calls the same typed operation as the
//! command, and an error has the number that VPP has for it.
//!
//! ```
//! use vnet::{api::Api, command::ApiError};
//!
//! vnet::api! {
//!     file LIGHTS = "lights", [1, 0, 0], 0x12345678;
//!     call lamp_set = 0xb4d8fd37 { lamp: u32, on: bool } -> lamp_set_reply = 0xe8d4e804 {};
//!     dump lamp_dump = 0x51077d14 {} -> lamp_details = 0x8a20e79f { lamp: u32, name: [string; 64] };
//! }
//!
//! fn register(api: &mut Api) {
//!     api.file(&LIGHTS);
//!     api.call(|_cx, request: lamp_set| match request.lamp {
//!         0..8 => Ok(()),
//!         _ => Err(ApiError::NoSuchEntry),
//!     });
//!     api.dump(|_cx, _: lamp_dump| (0..8).map(|lamp| lamp_details { lamp, name: "lamp".into() }));
//! }
//! ```
//!
//! Requests of a client are answered in their order, and nobody else waits for one that takes its time
//! ([`Api::call_waiting`], [`Api::walk`]). A request that is in a file and has no handler is answered `UNIMPLEMENTED`.

mod client;
mod common;
mod declare;
mod definition;
mod events;
mod json;
pub mod memclnt;
mod message;
mod registry;
pub mod vpe;
mod wire;

pub use client::{Client, FRAME_HEADER, MAX_BEHIND};
pub use common::{ethernet_types, fib_types, interface_types, ip_types, mfib_types};
pub use definition::{
    Definition, EnumDefinition, Field, File, Header, Item, Service, Shape, plain_name, type_name,
};
pub use events::Subscribers;
pub use memclnt::{
    message_table_entry, sockclnt_create, sockclnt_create_reply, sockclnt_delete,
    sockclnt_delete_reply,
};
pub use message::{Ask, Call, Dump, Event, Get, Message, Retval, to_bytes};
pub use registry::{Answer, Api, ApiCx, Entry, Part, Table, TableError};
pub use wire::{Defect, DefectKind, Reader, Text, Wire, Writer};

use crate::plugin::Registrar;

/// What every engine answers: who is there, which messages there are, which program this is.
pub(crate) fn register(registrar: &mut Registrar) {
    let api = registrar.api();
    memclnt::register(api);
    for file in [
        &interface_types::INTERFACE_TYPES,
        &ethernet_types::ETHERNET_TYPES,
        &ip_types::IP_TYPES,
        &fib_types::FIB_TYPES,
        &mfib_types::MFIB_TYPES,
    ] {
        api.file(file);
    }
    vpe::register(api);
}
