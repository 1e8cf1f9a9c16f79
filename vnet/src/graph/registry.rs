//! The graph as the main thread knows it: every node, its name, and its next slots.

use std::collections::HashMap;

use thiserror::Error;

use super::{
    InputMode, NextIndex, NodeFlags, NodeKind, NodeSpec,
    spec::{Factory, Instance},
};
use crate::{
    counter::{CounterError, ErrorCounters, ErrorIndex, ErrorReason, Segment},
    graph::DynNode,
    trace::FormatTrace,
};

/// Names a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct NodeIndex(pub u16);

/// The most nodes that a next slot can name.
const MAX_NODES: usize = 0x7fff;

/// Why a graph cannot be built or changed.
#[derive(Debug, Error)]
pub enum GraphError {
    /// Two nodes of the same name.
    #[error("node `{0}' is registered twice")]
    Duplicate(String),
    /// A next slot names a node that does not exist.
    #[error("node `{node}' names `{next}' as next, which does not exist")]
    UnknownNext {
        /// The node.
        node: String,
        /// What it names.
        next: String,
    },
    /// A sibling that does not exist.
    #[error("node `{node}' is to be a sibling of `{sibling}', which does not exist")]
    UnknownSibling {
        /// The node.
        node: String,
        /// What it names.
        sibling: String,
    },
    /// A sibling whose next nodes differ.
    #[error("node `{node}' lists next nodes that differ from those of its sibling `{sibling}'")]
    SiblingDiffers {
        /// The node.
        node: String,
        /// The other.
        sibling: String,
    },
    /// No such node.
    #[error("no node `{0}'")]
    Unknown(String),
    /// Too many nodes.
    #[error("no room for node `{0}': there can be at most 32767")]
    Full(String),
    /// No room for its counters.
    #[error(transparent)]
    Counter(#[from] CounterError),
}

/// A node as the main thread knows it.
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub kind: NodeKind,
    /// How it gets to run, if it is an input.
    pub mode: InputMode,
    /// What it is for.
    pub flags: NodeFlags,
    /// The nodes of its next slots.
    pub nexts: Vec<NodeIndex>,
    /// The node with which it shares them.
    pub sibling_of: Option<NodeIndex>,
    pub(crate) error_base: ErrorIndex,
    pub(crate) format_trace: FormatTrace,
    factory: Option<Factory>,
}

/// Every node, by index and by name.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<NodeInfo>,
    by_name: HashMap<String, NodeIndex>,
}

impl Graph {
    /// Adds `specs`, which may name each other, and resolves their next slots. On an error nothing is added.
    ///
    /// # Errors
    /// When names are unknown or used twice, or there is no room.
    pub(crate) fn add(
        &mut self,
        specs: Vec<NodeSpec>,
        errors: &mut ErrorCounters,
        segment: &mut Segment,
    ) -> Result<Vec<NodeIndex>, GraphError> {
        let first = self.nodes.len();
        if first + specs.len() > MAX_NODES {
            return Err(GraphError::Full(specs[0].name.clone()));
        }
        let mut names = self.by_name.clone();
        for (i, spec) in specs.iter().enumerate() {
            let index = NodeIndex((first + i) as u16);
            if names.insert(spec.name.clone(), index).is_some() {
                return Err(GraphError::Duplicate(spec.name.clone()));
            }
        }
        let mut added = Vec::with_capacity(specs.len());
        let mut counters = Vec::with_capacity(specs.len());
        for spec in specs {
            let nexts = spec
                .nexts
                .iter()
                .map(|next| {
                    names.get(next).copied().ok_or_else(|| GraphError::UnknownNext {
                        node: spec.name.clone(),
                        next: next.clone(),
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            let sibling_of = match &spec.sibling_of {
                None => None,
                Some(sibling) => Some(names.get(sibling).copied().ok_or_else(|| {
                    GraphError::UnknownSibling { node: spec.name.clone(), sibling: sibling.clone() }
                })?),
            };
            counters.push(spec.errors);
            added.push(NodeInfo {
                name: spec.name,
                kind: spec.kind,
                mode: spec.mode,
                flags: spec.flags,
                nexts,
                sibling_of,
                error_base: ErrorIndex(0),
                format_trace: spec.format_trace,
                factory: spec.factory,
            });
        }
        self.share_with_siblings(&mut added, first)?;
        for (info, counters) in added.iter_mut().zip(counters) {
            let reasons: Vec<ErrorReason> = counters.iter().map(Into::into).collect();
            info.error_base = errors.register(segment, &info.name, &reasons)?;
        }
        self.nodes.extend(added);
        self.by_name = names;
        Ok((first..self.nodes.len()).map(|i| NodeIndex(i as u16)).collect())
    }

    fn share_with_siblings(&self, added: &mut [NodeInfo], first: usize) -> Result<(), GraphError> {
        for i in 0..added.len() {
            let Some(sibling) = added[i].sibling_of else { continue };
            let at = sibling.0 as usize;
            let of = if at < first { &self.nodes[at] } else { &added[at - first] };
            let (nexts, name) = (of.nexts.clone(), of.name.clone());
            if !nexts.starts_with(&added[i].nexts) {
                let node = added[i].name.clone();
                return Err(GraphError::SiblingDiffers { node, sibling: name });
            }
            added[i].nexts = nexts;
        }
        Ok(())
    }

    /// The slot by which `node` reaches `next`: the one it has, or a new one, which all its siblings get as well.
    pub(crate) fn add_next(&mut self, node: NodeIndex, next: NodeIndex) -> NextIndex {
        let root = self.nodes[node.0 as usize].sibling_of.unwrap_or(node);
        let nexts = &self.nodes[root.0 as usize].nexts;
        if let Some(slot) = nexts.iter().position(|&n| n == next) {
            return NextIndex(slot as u16);
        }
        let slot = NextIndex(nexts.len() as u16);
        for (i, info) in self.nodes.iter_mut().enumerate() {
            if i == root.0 as usize || info.sibling_of == Some(root) {
                info.nexts.push(next);
            }
        }
        slot
    }

    /// The node called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeIndex> {
        self.by_name.get(name).copied()
    }

    /// The node called `name`, or an error that says so.
    ///
    /// # Errors
    /// When there is none.
    pub fn require(&self, name: &str) -> Result<NodeIndex, GraphError> {
        self.find(name).ok_or_else(|| GraphError::Unknown(name.to_owned()))
    }

    /// What is known of `node`.
    #[must_use]
    pub fn node(&self, node: NodeIndex) -> &NodeInfo {
        &self.nodes[node.0 as usize]
    }

    pub(crate) fn node_mut(&mut self, node: NodeIndex) -> &mut NodeInfo {
        &mut self.nodes[node.0 as usize]
    }

    /// All nodes, in the order of their indices.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeIndex, &NodeInfo)> {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeIndex(i as u16), n))
    }

    /// The nodes that have `node` in a next slot.
    #[must_use]
    pub fn previous(&self, node: NodeIndex) -> Vec<NodeIndex> {
        self.nodes().filter(|(_, n)| n.nexts.contains(&node)).map(|(i, _)| i).collect()
    }

    /// Makes the instance of `node` for a thread; `None` for processes.
    pub(crate) fn instantiate(
        &self,
        node: NodeIndex,
        at: &Instance<'_>,
    ) -> Option<Box<dyn DynNode>> {
        self.node(node).factory.as_ref().map(|make| make(at))
    }
}
