//! The receive queues of an input node, in turn.

use std::collections::BTreeMap;

use super::{RxPlacement, RxQueueId};
use crate::{
    error::ErrorSet,
    graph::{NextSet, NodeCx},
    runtime::Shared,
};

/// What the input node of a device class has to know of its receive queues, `T` of each; written under the barrier.
pub type RxSources<T> = BTreeMap<RxQueueId, T>;

/// Which queues an input node empties on its thread, and which of them comes first. It is the node's, and keeps nothing of the
/// queues themselves: one that goes is gone for all threads at once, whether they have something to do or not.
pub struct QueueRotation<T> {
    placement: Shared<RxPlacement>,
    sources: Shared<RxSources<T>>,
    version: u64,
    mine: Vec<RxQueueId>,
    first: usize,
}

impl<T> QueueRotation<T> {
    /// Of a node that has not run yet.
    #[must_use]
    pub fn new(placement: Shared<RxPlacement>, sources: Shared<RxSources<T>>) -> Self {
        Self { placement, sources, version: 0, mine: Vec::new(), first: 0 }
    }

    /// The queues of the node that runs, on its thread, each once. Each gets to be the first in its turn, so that none is shut out
    /// for good where those before it fill the frame.
    #[inline]
    pub fn turn<'s, 'd: 's, N: NextSet, E: ErrorSet>(
        &'s mut self,
        cx: &NodeCx<'d, N, E>,
    ) -> impl Iterator<Item = &'s T> + use<'s, N, E, T> {
        if let Some(mine) = cx.new_rx_queues(&self.placement, &mut self.version) {
            self.mine = mine;
            self.first = 0;
        }
        let (count, first) = (self.mine.len(), self.first);
        self.first = if first + 1 < count { first + 1 } else { 0 };
        let sources = self.sources.read(cx.token());
        let in_order = self.mine.iter().cycle().skip(first).take(count);
        in_order.filter_map(|id| sources.get(id))
    }
}
