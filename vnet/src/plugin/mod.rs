//! Plugins and the engine that they extend.
//!
//! A plugin crate exports `pub fn plugin() -> Plugin`. What it brings, it registers: nodes, arcs, features, commands, processes. The
//! engine is built from a list of plugins; there is no linker magic and no life before `main`.

mod commands;
mod context;
mod end;
mod engine;
mod registrar;

pub use context::{Command, CommandCx};
pub use engine::{BuildError, Builder, Engine};
pub use registrar::{Plugin, PluginInfo, Registrar};
