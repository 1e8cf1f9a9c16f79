//! The program as its user meets it: commands, sockets and a terminal.

mod common;
mod control;
mod exec;
mod reference;
mod startup;
mod terminal;
mod vppctl;
