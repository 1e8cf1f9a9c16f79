//! Plugins and the engine that they extend.
//!
//! A plugin crate exports `pub fn plugin() -> Plugin`. What it brings, it registers with the [`Registrar`]: nodes, arcs,
//! features, counters, commands, processes, reports. The engine is built from a list of plugins; there is no linker magic and
//! no life before `main`. Names are resolved when all plugins have registered, so their order matters only where a plugin
//! asks for it ([`Plugin::load_after`]), and what does not fit together is an error of [`Builder::build`] that says what.
//!
//! An engine belongs to the thread that built it. A program drives it: [`Engine::run`] until somebody stops it,
//! [`Engine::run_until_idle`] and, under a virtual clock, [`Engine::advance`] in tests. Between two rounds it looks at and
//! changes what the engine knows with [`Engine::with`], and runs commands with [`Engine::command`].
//!
//! ```
//! use vnet::prelude::*;
//!
//! /// The plugin's operations, for commands and for whoever builds the engine.
//! #[derive(Clone)]
//! struct Greeter(&'static str);
//!
//! impl Greeter {
//!     fn greet(&self, main: &Main) -> String {
//!         format!("{}, {} nodes\n", self.0, main.graph().nodes().len())
//!     }
//! }
//!
//! fn plugin(words: &'static str) -> Plugin {
//!     Plugin::new("greeter", env!("CARGO_PKG_VERSION"), "Says hello", move |r| {
//!         let greeter = Greeter(words);
//!         r.provide(greeter.clone());
//!         r.command(Command::sync("greet", "Say hello.", move |cx: CommandCx, (): ()| {
//!             cx.with(|main| greeter.greet(main))
//!         }));
//!         Ok(())
//!     })
//! }
//!
//! let engine = Engine::builder().plugin(plugin("Hello")).build()?;
//! let said = engine.command("greet")?;
//! assert!(said.starts_with("Hello, "));
//!
//! let greeter: Greeter = engine.provided().ok_or("the plugin is there")?;
//! assert_eq!(engine.with(|main| greeter.greet(main)), said);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod commands;
mod context;
mod end;
mod engine;
mod provided;
mod registrar;
mod stanza;

pub use context::{Command, CommandCx};
pub use engine::{BuildError, Builder, CommandFailed, Engine};
pub(crate) use provided::Provided;
pub use registrar::{Plugin, PluginInfo, Registrar};
pub use stanza::{Stanza, StanzaWord};
