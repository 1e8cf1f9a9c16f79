//! Dispatch, clock, barrier.
//!
//! A [`Worker`] runs the graph on one thread: inputs first, then frames in the order in which they became pending, until
//! none is left. The main thread is thread 0; between its rounds it runs processes and commands. Workers run beside it, on
//! threads of their own, and stand still at the barrier that [`BarrierHeld`] stands for while it changes what they read; under a
//! virtual clock it runs them itself, in turn.

mod affinity;
pub mod api;
mod barrier;
mod clock;
mod commands;
mod cycles;
mod dispatch;
mod follow;
mod handoff;
mod handoff_commands;
mod interrupt;
mod lending;
mod local;
mod main;
mod node_counters;
mod passes;
mod rouse;
mod rx;
mod shared;
mod show_barrier;
mod show_runtime;
mod show_threads;
mod slot;
mod state;
mod stats;
mod sync;
mod thread;
mod threads;
mod time;
mod workers;

pub use affinity::pin;
pub(crate) use api::register_api;
pub use clock::Clock;
pub(crate) use commands::commands;
pub use cycles::cycles;
pub(crate) use dispatch::Tables;
pub use dispatch::Worker;
pub use handoff::Handoff;
pub(crate) use handoff::{Peers, TRACE_NODE, TraceNode, Way, Ways};
pub use interrupt::{Interrupt, Interrupts};
pub use local::Local;
pub(crate) use local::{Locals, MakeLocal};
pub(crate) use main::InterfaceHook;
pub use main::{FrameTo, Main};
pub(crate) use node_counters::{NodeCounters, NodeWriters};
pub use shared::{BarrierHeld, Dispatching, EngineId, Shared};
pub(crate) use state::ThreadWriters;
pub use state::WorkerState;
pub use stats::{NodeState, NodeStats};
pub use threads::thread_name;
pub use time::{EngineTime, PacketTime};
pub(crate) use workers::{Bed, Launch, Workers};
