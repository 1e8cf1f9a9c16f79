//! Process nodes: async functions on the main thread.
//!
//! A small executor polls them between rounds of dispatch. They wait for events ([`Signal`]), for time under the engine's
//! clock, for file descriptors, and for helper threads that do what blocks. What they change of the engine they change
//! inside [`Cx::with`], which never spans an await.
//!
//! A process is registered with [`Registrar::process`](crate::plugin::Registrar::process) and runs from the building of the
//! engine until it returns or the engine goes. Commands and other processes tell it something through a [`Signal`]; who
//! wants an answer sends a [`Reply`] along. Nodes, which run on other threads too, ring a [`Bell`]. Under a virtual clock
//! time moves only with [`Engine::advance`](crate::plugin::Engine::advance), which runs what falls due in order.
//!
//! ```
//! use std::{cell::Cell, rc::Rc, time::Duration};
//! use vnet::{process::Reply, prelude::*};
//!
//! /// Every ten seconds a round is over; who asks is told how many there were.
//! async fn rounds(cx: Cx, mut questions: Events<Reply<u32>>) {
//!     let mut rounds = 0;
//!     let mut end = cx.now().after(Duration::from_secs(10));
//!     loop {
//!         match cx.until(end, questions.next()).await {
//!             Ok(Some(question)) => question.send(rounds),
//!             // Nobody is left who could ask.
//!             Ok(None) => return,
//!             Err(_elapsed) => {
//!                 rounds += 1;
//!                 end = end.after(Duration::from_secs(10));
//!             }
//!         }
//!     }
//! }
//!
//! let plugin = Plugin::new("rounds", "1.0", "An example", |r| {
//!     let (ask, questions) = events();
//!     r.process("rounds-process", |cx| rounds(cx, questions));
//!     r.command(Command::new("show rounds", "Show the rounds.", move |_, (): ()| {
//!         let (question, answer) = reply();
//!         ask.send(question);
//!         async { format!("{} rounds\n", answer.await.unwrap_or(0)) }
//!     }));
//!     Ok(())
//! });
//! let clock = Clock::virtual_at(PacketTime(0));
//! let engine = Engine::builder().clock(clock).plugin(plugin).build()?;
//! engine.advance(Duration::from_secs(3600));
//! assert_eq!(engine.command("show rounds")?, "360 rounds\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bell;
mod cx;
mod event;
mod executor;
mod mailbox;
mod race;
mod reactor;
mod reply;
mod sleeper;

pub use bell::Bell;
pub use cx::{Cx, Elapsed};
pub use event::{Events, Signal, events};
pub use executor::{Executor, ProcessStats};
pub use mailbox::Mailbox;
pub use race::{Winner, race};
pub use reactor::Interest;
pub use reply::{Reply, reply};
pub use sleeper::Wakeup;
pub(crate) use sleeper::{Sleeper, Watched};
