//! The graph: nodes, their next slots, and feature arcs.
//!
//! A [`Node`] looks at a frame and says, for each packet, which node comes next; the framework owns the loop around it,
//! the enqueueing, the tracing and the counting, so an author can neither leak a packet nor forget a trace. Nodes are
//! objects outside and loops inside: one virtual call a frame, and everything below it monomorphic.
//!
//! The graph itself lives on the main thread ([`Graph`]); each worker has its own instance of every node, made by the
//! node's factory.
//!
//! # Writing a node
//!
//! - What a node does: [`Map`] where one packet at a time is looked at, which is the usual case, or [`Node`] for the whole
//!   frame: several passes over it, one update for all of it, or packets brought in by an input.
//! - Where packets go: an enum made by [`next_nodes!`](crate::next_nodes), whose names are resolved when the engine is
//!   built. [`NoNext`] is for nodes that name none, such as features that let every packet go on.
//! - What is counted: an enum made by [`node_errors!`](crate::node_errors). [`PacketCx::error`] notes on a packet why it is
//!   dropped, and `error-drop` counts it; [`PacketCx::count`] counts whatever becomes of the packet.
//! - What a traced packet leaves: a type made by [`trace_record!`](crate::trace_record), or [`NoTrace`](crate::trace::NoTrace).
//! - Where it runs: [`NodeSpec`] registers it under a name; a [`FeatureSpec`] puts it on a feature arc, before and after
//!   other features, and it runs for packets of the interfaces where it is enabled. An [`ArcSpec`] makes a new arc, which a
//!   node starts with [`PacketCx::start_arc`].
//!
//! A node runs for every packet: it does not allocate, lock, format or panic. A packet that is not as it should be is a
//! counter and a next node.
//!
//! ```
//! use vnet::prelude::*;
//!
//! vnet::next_nodes! { enum Next { Drop => "error-drop", Short => "short" } }
//! vnet::node_errors! { enum Error { Empty => ("empty", "packets without content", Error) } }
//! vnet::trace_record! { struct Trace { bytes: u32 } => "{bytes} bytes" }
//!
//! /// Drops empty packets, sends short ones their own way, and the others to whoever sits on the arc.
//! struct Sort(vnet::graph::ArcIndex);
//!
//! impl Map for Sort {
//!     type Error = Error;
//!     type Next = Next;
//!     type Trace = Trace;
//!
//!     fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
//!         match buffer.len() {
//!             0 => {
//!                 cx.error(buffer, Error::Empty);
//!                 Next::Drop.into()
//!             }
//!             1..64 => Next::Short.into(),
//!             _ => cx.start_arc(self.0, buffer.rx, buffer, Next::Short),
//!         }
//!     }
//!
//!     fn trace(&self, buffer: &Buffer) -> Trace {
//!         Trace { bytes: buffer.len() as u32 }
//!     }
//! }
//!
//! /// Counts all packets of a frame at once, and lets them go on; at the end of the arc, gives them back.
//! struct Tally { seen: Counter<u64>, is_end: bool }
//!
//! impl Node for Tally {
//!     type Error = NoError;
//!     type Next = NoNext;
//!     type Trace = NoTrace;
//!
//!     fn process(&mut self, cx: &mut NodeCx<'_, NoNext, NoError>, frame: &mut Frame) -> Verdict<NoNext> {
//!         cx.add(&self.seen, 0, frame.len() as u64);
//!         if self.is_end { Verdict::Free } else { cx.each(frame, |cx, buffer| cx.next_feature(buffer)) }
//!     }
//!
//!     fn trace(&self, _: &Buffer) -> NoTrace {
//!         NoTrace
//!     }
//! }
//!
//! let plugin = Plugin::new("sort", "1.0", "An example", |r| {
//!     r.node(NodeSpec::map("sort", |at| Sort(at.arc("long"))));
//!     for (name, is_end) in [("short", true), ("long-end", true), ("long-tally", false)] {
//!         let seen = r.counter(&format!("/sort/{name}"), 1)?;
//!         r.node(NodeSpec::internal(name, move |_| Tally { seen: seen.clone(), is_end }));
//!     }
//!     r.arc(ArcSpec::new("long", &["sort"], "long-end"));
//!     r.feature(FeatureSpec::new("long", "long-tally"));
//!     Ok(())
//! });
//! let engine = Engine::builder().plugin(plugin).build()?;
//! engine.with(|main| {
//!     main.switch_feature("long", "long-tally", SwIfIndex(0), true)?;
//!     let sort = main.graph().require("sort")?;
//!     let mut frame = main.frame_to(sort);
//!     for bytes in [0, 10, 100, 1000] {
//!         frame.push(|buffer| {
//!             buffer.rx = SwIfIndex(0);
//!             buffer.append(&[0; 1000][..bytes])
//!         });
//!     }
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! engine.run_until_idle();
//! let runs = engine.command("show runtime")?;
//! assert!(["short", "long-tally", "long-end"].iter().all(|node| runs.contains(node)));
//! assert!(engine.command("show errors")?.contains("packets without content"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapter;
pub mod api;
mod commands;
mod dot;
pub mod feature;
mod gate;
mod lending;
mod next;
mod node;
mod packet_cx;
mod registry;
mod show_node;
mod spec;
mod waiting;

pub(crate) use adapter::{DynNode, RawCx};
pub(crate) use commands::commands;
pub use feature::{
    ArcDoor, ArcIndex, ArcSpec, ArcStart, FeatureError, FeatureSpec, FeatureTables, Features,
    Onward,
};
pub use gate::{Countdown, Gate, Gates};
pub use lending::Borrower;
pub use next::{NextIndex, NextSet, NoNext, Slot};
pub(crate) use next::{Sent, resolve};
pub use node::{Map, Node, NodeCx, Verdict};
pub use packet_cx::PacketCx;
pub use registry::{Graph, GraphError, NodeIndex, NodeInfo};
pub use spec::{InputMode, Instance, NodeFlags, NodeKind, NodeSpec};
pub use waiting::Fate;
