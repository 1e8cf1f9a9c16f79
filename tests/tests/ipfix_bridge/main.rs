//! IPFIX of bridge domains and collector sets in a whole engine: frames go in, messages come out at a socket.

mod bad_input;
mod beside;
mod cache;
mod collectors;
mod commands;
mod defects;
mod judges;
mod open_vswitch;
mod readings;
mod sample;
mod sampling;
mod scene;
mod templates;
mod tunnels;
