//! ICMPv6 for this machine.

mod input;

pub use input::Icmp6Types;
pub(crate) use input::register;
