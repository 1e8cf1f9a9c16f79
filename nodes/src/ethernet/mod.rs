//! Ethernet frames in.

mod input;

pub(crate) use input::Input;
