//! Process nodes: async functions on the main thread.
//!
//! A small executor polls them between rounds of dispatch. They wait for events ([`Signal`]), for time under the engine's
//! clock, for file descriptors, and for helper threads that do what blocks. What they change of the engine they change
//! inside [`Cx::with`], which never spans an await.

mod bell;
mod cx;
mod event;
mod executor;
mod reactor;
mod reply;

pub use bell::Bell;
pub use cx::{Cx, Elapsed};
pub use event::{Events, Signal, events};
pub use executor::{Executor, ProcessStats};
pub use reactor::{Interest, Wakeup};
pub use reply::{Reply, reply};
