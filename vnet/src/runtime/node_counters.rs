//! What `show runtime` knows of nodes, for readers in other processes: `/sys/node/...` and `/nodes/<node>/...`.

use super::NodeStats;
use crate::{
    counter::{CounterError, NameVector, Segment, Simple, SimpleWriter, ThreadIndex, segment_name},
    graph::{Graph, NodeIndex},
};

/// Nodes that have room in the counters: as many as a graph can have.
const CAPACITY: usize = 0x7fff;

/// Counters of nodes, by their numbers.
pub(crate) struct NodeCounters {
    names: NameVector,
    clocks: Simple,
    vectors: Simple,
    calls: Simple,
    suspends: Simple,
    /// Nodes that have their names in the segment.
    named: usize,
}

/// One thread's writers of them.
pub(crate) struct NodeWriters {
    clocks: SimpleWriter,
    vectors: SimpleWriter,
    calls: SimpleWriter,
    suspends: SimpleWriter,
}

impl NodeCounters {
    pub(crate) fn new(segment: &mut Segment) -> Result<Self, CounterError> {
        Ok(Self {
            names: segment.names("/sys/node/names", CAPACITY)?,
            clocks: segment.simple("/sys/node/clocks", CAPACITY)?,
            vectors: segment.simple("/sys/node/vectors", CAPACITY)?,
            calls: segment.simple("/sys/node/calls", CAPACITY)?,
            suspends: segment.simple("/sys/node/suspends", CAPACITY)?,
            named: 0,
        })
    }

    pub(crate) fn writers(&self, thread: ThreadIndex) -> Result<NodeWriters, CounterError> {
        Ok(NodeWriters {
            clocks: self.clocks.writer(thread)?,
            vectors: self.vectors.writer(thread)?,
            calls: self.calls.writer(thread)?,
            suspends: self.suspends.writer(thread)?,
        })
    }

    /// Makes the nodes known that the graph has got since.
    pub(crate) fn follow(
        &mut self,
        segment: &mut Segment,
        graph: &Graph,
    ) -> Result<(), CounterError> {
        segment.together(|segment| {
            let counters = [
                ("clocks", &self.clocks),
                ("vectors", &self.vectors),
                ("calls", &self.calls),
                ("suspends", &self.suspends),
            ];
            for (_, counter) in counters {
                counter.validate(graph.nodes().len())?;
            }
            for (index, node) in graph.nodes().skip(self.named) {
                let (number, name) = (u32::from(index.0), segment_name(&node.name));
                segment.set_name(&self.names, number, &node.name)?;
                for (counter, _) in counters {
                    let path = format!("/nodes/{name}/{counter}");
                    segment.link(&path, &format!("/sys/node/{counter}"), number)?;
                }
            }
            self.named = graph.nodes().len();
            Ok(())
        })
    }

    /// While no thread counts.
    pub(crate) fn clear(&self) {
        let counters = [&self.clocks, &self.vectors, &self.calls, &self.suspends];
        counters.into_iter().for_each(Simple::zero_all);
    }
}

impl NodeWriters {
    /// One more run.
    #[inline]
    pub(crate) fn add(&self, node: NodeIndex, vectors: u64, clocks: u64) {
        let node = u32::from(node.0);
        self.clocks.add(node, clocks);
        self.vectors.add(node, vectors);
        self.calls.add(node, 1);
    }

    /// All counts of a node.
    pub(crate) fn set(&self, node: NodeIndex, stats: &NodeStats) {
        let node = u32::from(node.0);
        self.clocks.set(node, stats.clocks);
        self.vectors.set(node, stats.vectors);
        self.calls.set(node, stats.calls);
        self.suspends.set(node, stats.suspends);
    }
}
