//! Dispatch, clock, barrier.
//!
//! A [`Worker`] runs the graph on one thread: inputs first, then frames in the order in which they became pending, until
//! none is left. The main thread is worker 0; between its rounds it runs processes and commands, under the barrier that
//! [`BarrierHeld`] stands for.

mod clock;
mod commands;
mod cycles;
mod dispatch;
mod follow;
mod interrupt;
mod local;
mod main;
mod shared;
mod state;
mod stats;
mod time;

pub use clock::Clock;
pub(crate) use commands::commands;
pub use cycles::cycles;
pub use dispatch::Worker;
pub use interrupt::{Interrupt, Interrupts};
pub use local::Local;
pub(crate) use local::{Locals, MakeLocal};
pub(crate) use main::InterfaceHook;
pub use main::{FrameTo, Main};
pub use shared::{BarrierHeld, Dispatching, EngineId, Shared};
pub use state::WorkerState;
pub use stats::{NodeState, NodeStats};
pub use time::{EngineTime, PacketTime};
