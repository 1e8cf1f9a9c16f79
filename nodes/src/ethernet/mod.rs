//! Ethernet frames in.

mod input;
mod tagged;

pub(crate) use input::Input;
