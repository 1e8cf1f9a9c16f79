//! The graph: nodes, their next slots, and feature arcs.
//!
//! A [`Node`] looks at a frame and says, for each packet, which node comes next; the framework owns the loop around it,
//! the enqueueing, the tracing and the counting, so an author can neither leak a packet nor forget a trace. Nodes are
//! objects outside and loops inside: one virtual call a frame, and everything below it monomorphic.
//!
//! The graph itself lives on the main thread ([`Graph`]); each worker has its own instance of every node, made by the
//! node's factory.

mod commands;
mod dot;
mod feature;
mod next;
mod node;
mod registry;
mod show_node;
mod spec;

pub(crate) use commands::commands;
pub use feature::{
    ArcIndex, ArcSpec, ArcStart, FeatureError, FeatureSpec, FeatureTables, Features,
};
pub use next::{NextIndex, NextSet, NoNext, Slot};
pub(crate) use next::{Sent, resolve};
pub(crate) use node::{DynNode, RawCx};
pub use node::{Map, Node, NodeCx, PacketCx, Verdict};
pub use registry::{Graph, GraphError, NodeIndex, NodeInfo};
pub use spec::{InputMode, Instance, NodeFlags, NodeKind, NodeSpec};
