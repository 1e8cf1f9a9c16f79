//! The engine's state on the main thread.

use std::{collections::VecDeque, rc::Rc, sync::Arc};

use super::{
    BarrierHeld, Clock, Dispatching, EngineId, EngineTime, Interrupt, Local, NodeCounters, Shared,
    Tables, Worker, handoff::Ways, thread_name, workers::Workers,
};
use crate::{
    action::Actions,
    api,
    buffer::{Buffer, BufferPool, PoolUsage},
    classify::Classifier,
    command::Tree,
    counter::{Combined, CounterError, ErrorCounters, Segment, SystemCounters, ThreadIndex},
    fib::Forwarding,
    frame::Frame,
    graph::{
        FeatureError, FeatureTables, Features, Graph, GraphError, NextIndex, NodeIndex, NodeSpec,
    },
    interface::{
        Devices, Event, InterfaceCounters, InterfaceTable, InterfaceViews, InterfaceWriters,
        RxPlacement, RxQueues, SwIfIndex,
    },
    log::Log,
    plugin::{CommandCx, PluginInfo, Provided},
    process::{ProcessStats, Watched},
    trace::{Taps, TraceCx, TraceFilter, TraceWanted, Tracer},
};

/// Everything that commands and processes see and change, while no packet is on its way on the main thread. Workers go on
/// until something is asked for that they must stand still for; then they do so until the end of the
/// [`Cx::with`](crate::process::Cx::with) that it is inside of.
pub struct Main {
    pub(crate) held: BarrierHeld,
    pub(crate) graph: Graph,
    pub(crate) errors: ErrorCounters,
    pub(crate) segment: Segment,
    pub(crate) system: SystemCounters,
    /// Counts of nodes that other processes read, if they are to.
    pub(crate) node_counters: Option<NodeCounters>,
    pub(crate) features: Features,
    pub(crate) tables: Shared<FeatureTables>,
    pub(crate) worker: Worker,
    pub(crate) workers: Workers,
    pub(crate) ways: Shared<Ways>,
    /// Descriptors whose devices the main thread looks after.
    pub(crate) watched: Watched,
    /// Forwarding was edited since the last quiescent period began.
    pub(crate) unsettled: bool,
    pub(crate) pool: Arc<BufferPool>,
    pub(crate) clock: Clock,
    pub(crate) trace_filter: (TraceFilter, usize),
    pub(crate) stop: bool,
    pub(crate) interfaces: InterfaceTable,
    pub(crate) devices: Devices,
    pub(crate) rx_queues: RxQueues,
    pub(crate) rx_placement: Shared<RxPlacement>,
    pub(crate) rx_version: u64,
    pub(crate) interface_counters: InterfaceCounters,
    pub(crate) views: Shared<InterfaceViews>,
    pub(crate) taps: Shared<Taps>,
    pub(crate) forwarding: Forwarding,
    pub(crate) classifier: Classifier,
    pub(crate) actions: Actions,
    pub(crate) route_counters: Combined,
    pub(crate) log: Log,
    pub(crate) interface_hooks: Vec<InterfaceHook>,
    /// Changes that the framework has followed and the hooks are still to hear of.
    pub(crate) unheard: VecDeque<Event>,
    /// Whether a hook is at work.
    pub(crate) telling: bool,
    pub(crate) plugins: Vec<PluginInfo>,
    pub(crate) provided: Provided,
    pub(crate) cleared_at: EngineTime,
    pub(crate) api: Rc<api::Table>,
    pub(crate) commands: Rc<Tree<CommandCx>>,
}

/// Called for each change of an interface, after the framework has followed it.
pub(crate) type InterfaceHook = Box<dyn FnMut(&mut Main, &Event)>;

impl Main {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> EngineId {
        self.held.engine()
    }

    /// Proof that this is the main thread, to look at what is shared.
    #[must_use]
    pub fn held(&self) -> &BarrierHeld {
        &self.held
    }

    /// Proof that no worker runs, to change what is shared.
    ///
    /// No packet is on its way then, on any thread or between two of them.
    pub fn held_mut(&mut self) -> &mut BarrierHeld {
        self.workers.hold();
        while self.finish_round() {}
        self.own_token()
    }

    /// The token of this engine: a program can exchange those of two, and what this engine's workers stand still for is not what
    /// another one's read.
    fn own_token(&mut self) -> &mut BarrierHeld {
        assert!(self.held.engine() == self.workers.engine(), "a token of another engine");
        &mut self.held
    }

    /// Brings packets to their end that threads have handed over to each other; whether there were any.
    fn finish_round(&mut self) -> bool {
        self.own_token();
        let token: Dispatching<'_> = self.held.lend();
        let tables = Tables { features: self.tables.read(token), ways: self.ways.read(token) };
        let all = core::iter::once(&mut self.worker).chain(self.workers.all());
        all.fold(false, |any, worker| worker.finish(token, tables) | any)
    }

    /// Brings packets to their end that the main thread has put on their way since its round.
    pub(crate) fn finish_pending(&mut self) {
        self.own_token();
        let token: Dispatching<'_> = self.held.lend();
        let tables = Tables { features: self.tables.read(token), ways: self.ways.read(token) };
        self.worker.dispatch(token, tables);
    }

    /// The messages of the binary API, and who answers them.
    #[must_use]
    pub fn api(&self) -> &Rc<api::Table> {
        &self.api
    }

    /// The nodes and their names.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The error counters.
    #[must_use]
    pub fn errors(&self) -> &ErrorCounters {
        &self.errors
    }

    /// The mapping in which all counters lie.
    pub fn segment_mut(&mut self) -> &mut Segment {
        &mut self.segment
    }

    /// The entries that the mapping begins with.
    #[must_use]
    pub fn system_counters(&self) -> &SystemCounters {
        &self.system
    }

    /// Has every thread count the calls, packets and clocks of nodes where other processes read them, from here on: a load and a
    /// store for each of these whenever a node runs.
    ///
    /// # Errors
    /// When they are counted there already, or there is no room.
    pub fn count_nodes(&mut self) -> Result<(), CounterError> {
        let mut counters = NodeCounters::new(&mut self.segment)?;
        counters.follow(&mut self.segment, &self.graph)?;
        let threads = (0..self.threads() as u16).map(ThreadIndex);
        let writers: Result<Vec<_>, _> = threads.map(|thread| counters.writers(thread)).collect();
        let mut writers = writers?.into_iter();
        self.for_each_worker(|_, worker| {
            if let Some(writers) = writers.next() {
                worker.publish_stats(writers);
            }
        });
        self.node_counters = Some(counters);
        Ok(())
    }

    /// Copies the counts of processes, which run on the main thread, to where those of nodes are counted.
    pub fn publish_processes(&self, processes: &[ProcessStats]) {
        let Some(writers) = self.worker.published() else { return };
        for process in processes {
            if let Some(node) = self.graph.find(&process.name) {
                writers.set(node, &process.stats);
            }
        }
    }

    /// The feature arcs.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The main thread's instance of the graph.
    #[must_use]
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The buffer pool.
    #[must_use]
    pub fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// The engine's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Adds a node while the graph runs.
    ///
    /// # Errors
    /// When its name is taken, or it names nodes that do not exist.
    pub fn add_node(&mut self, spec: NodeSpec) -> Result<NodeIndex, GraphError> {
        let added = self.graph.add(vec![spec], &mut self.errors, &mut self.segment)?;
        let (graph, features) = (&self.graph, &self.features);
        self.worker.add_nodes(graph, features, &added);
        self.workers.all().for_each(|worker| worker.add_nodes(graph, features, &added));
        if let Some(counters) = &mut self.node_counters {
            counters.follow(&mut self.segment, &self.graph)?;
        }
        Ok(added[0])
    }

    /// The slot by which `node` reaches `next`, made if need be.
    pub fn add_next(&mut self, node: NodeIndex, next: NodeIndex) -> NextIndex {
        let slot = self.graph.add_next(node, next);
        self.worker.update_nexts(&self.graph);
        self.workers.all().for_each(|worker| worker.update_nexts(&self.graph));
        slot
    }

    /// What sets the interrupt of `node` on the main thread.
    #[must_use]
    pub fn interrupt(&self, node: NodeIndex) -> Interrupt {
        self.worker.interrupt(node)
    }

    /// Enables `feature` on `arc` for the packets of `interface`; as often as it is enabled it must be disabled.
    ///
    /// # Errors
    /// When there is no such feature on such an arc.
    pub fn enable_feature(
        &mut self,
        arc: &str,
        feature: &str,
        interface: SwIfIndex,
        config: u32,
    ) -> Result<(), FeatureError> {
        self.features.enable(arc, feature, interface, config)?;
        self.publish_features();
        Ok(())
    }

    /// Takes one enabling back.
    ///
    /// # Errors
    /// When there is no such feature, or it is not enabled there.
    pub fn disable_feature(
        &mut self,
        arc: &str,
        feature: &str,
        interface: SwIfIndex,
    ) -> Result<(), FeatureError> {
        self.features.disable(arc, feature, interface)?;
        self.publish_features();
        Ok(())
    }

    /// Switches `feature` on `arc` of `interface` on or off, as a plugin's own command does: once.
    ///
    /// # Errors
    /// When there is no such feature, or it is on or off already.
    pub fn switch_feature(
        &mut self,
        arc: &str,
        feature: &str,
        interface: SwIfIndex,
        on: bool,
    ) -> Result<(), FeatureError> {
        match on {
            true if self.features.is_enabled(arc, feature, interface) => {
                let (arc, feature) = (arc.to_owned(), feature.to_owned());
                Err(FeatureError::AlreadyEnabled { arc, feature })
            }
            true => self.enable_feature(arc, feature, interface, 0),
            false => self.disable_feature(arc, feature, interface),
        }
    }

    /// Disables every feature of an interface that goes.
    pub fn forget_features(&mut self, interface: SwIfIndex) {
        self.features.forget(interface);
        self.publish_features();
    }

    fn publish_features(&mut self) {
        let tables = self.features.tables();
        *self.tables.clone().write(self.held_mut()) = tables;
    }

    /// The interface table.
    #[must_use]
    pub fn interfaces(&self) -> &InterfaceTable {
        &self.interfaces
    }

    /// The name of an interface, or its number where it has gone.
    #[must_use]
    pub fn interface_name(&self, interface: SwIfIndex) -> String {
        match self.interfaces.interface(interface) {
            Some(known) => known.name.clone(),
            None => format!("sw_if_index {interface}"),
        }
    }

    /// The counters of all interfaces.
    #[must_use]
    pub fn interface_counters(&self) -> &InterfaceCounters {
        &self.interface_counters
    }

    /// The main thread's writers of those counters, for what devices count beside their nodes.
    #[must_use]
    pub fn interface_writers(&self) -> &InterfaceWriters {
        &self.worker.state.interfaces
    }

    /// The plugins, in load order.
    #[must_use]
    pub fn plugins(&self) -> &[PluginInfo] {
        &self.plugins
    }

    /// What a plugin has [provided](crate::plugin::Registrar::provide), by its type.
    #[must_use]
    pub fn provided<T: 'static>(&self) -> Option<&T> {
        self.provided.get()
    }

    /// Routes, neighbours and adjacencies.
    #[must_use]
    pub fn forwarding(&self) -> &Forwarding {
        &self.forwarding
    }

    /// Routes, neighbours and adjacencies, to change them. Packets may flow meanwhile.
    pub fn forwarding_mut(&mut self) -> &mut Forwarding {
        &mut self.forwarding
    }

    /// Classifier tables.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Actions that rules can name.
    #[must_use]
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// Packets and bytes of each route.
    #[must_use]
    pub fn route_counters(&self) -> &Combined {
        &self.route_counters
    }

    /// What the operator reads.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// A frame to fill with new packets for `node`; they are on their way when it is dropped.
    pub fn frame_to(&mut self, node: NodeIndex) -> FrameTo<'_> {
        let frame = self.worker.state.spare_frame();
        FrameTo { worker: &mut self.worker, node, frame: Some(frame) }
    }

    /// The main thread's value of `key`.
    #[must_use]
    pub fn local<T: Send + 'static>(&self, key: Local<T>) -> Option<&T> {
        self.worker.state.locals.get(key)
    }

    /// One round of dispatch on the main thread, and of each worker that it runs itself; returns the packets that came in.
    pub(crate) fn round(&mut self) -> usize {
        self.own_token();
        let token: Dispatching<'_> = self.held.lend();
        let tables = Tables { features: self.tables.read(token), ways: self.ways.read(token) };
        let received = self.worker.round(token, tables, &self.clock);
        let others = self.workers.in_turn().iter_mut();
        received + others.map(|w| w.round(token, tables, &self.clock)).sum::<usize>()
    }

    /// Records the next packets of an input node on each thread.
    pub fn trace_add(&mut self, wanted: TraceWanted) {
        let classifier = self.classifier.clone();
        let filter = wanted.filter.then_some(&classifier);
        self.for_each_worker(|_, worker| worker.state.tracer.add(wanted, filter));
    }

    /// Forgets all traces, and what was still to be traced.
    pub fn clear_trace(&mut self) {
        self.for_each_worker(|_, worker| worker.state.tracer.clear());
    }

    /// Which traces are shown, and how many of those at most.
    pub fn set_trace_filter(&mut self, filter: TraceFilter, most: usize) {
        self.trace_filter = (filter, most);
    }

    /// What `show trace max N` prints.
    #[must_use]
    pub fn show_trace(&mut self, max: usize) -> String {
        let filter = self.trace_filter;
        let all = self.each_tracer(|number, tracer, graph, cx| {
            let thread = (number, thread_name(number));
            crate::trace::show(tracer, thread, filter, max, graph, cx)
        });
        all.concat()
    }

    /// What each of `most` traced packets of a thread left, from the one at `first` on, and how many there are.
    pub(crate) fn traced(
        &mut self,
        thread: usize,
        first: usize,
        most: usize,
    ) -> (Vec<String>, usize) {
        let filter = self.trace_filter;
        let all = self.each_tracer(|number, tracer, graph, cx| {
            let part = (first, most);
            (number == thread).then(|| crate::trace::texts(tracer, filter, part, graph, cx))
        });
        all.into_iter().flatten().next().unwrap_or_default()
    }

    /// Calls `f` for each thread with what it has recorded.
    fn each_tracer<R>(&mut self, f: impl Fn(usize, &Tracer, &Graph, &TraceCx<'_>) -> R) -> Vec<R> {
        self.workers.hold();
        let adjacency = |index| self.forwarding().describe_adjacency(index, self);
        let cx = &TraceCx {
            errors: self.errors(),
            interface: &|index| self.interface_name(index),
            hardware: &|index| self.interfaces().hardware_of(index).ok().map(|hw| hw.index),
            adjacency: &|index| adjacency(index).unwrap_or_else(|| "(deleted)".to_owned()),
        };
        let all = core::iter::once(&self.worker).chain(self.workers.standing());
        let of_thread =
            |(number, worker): (usize, &Worker)| f(number, &worker.state.tracer, &self.graph, cx);
        all.enumerate().map(of_thread).collect()
    }

    /// The taps.
    #[must_use]
    pub fn taps(&self) -> &Taps {
        self.taps.view(&self.held)
    }

    /// Sets the taps.
    pub fn set_taps(&mut self, taps: Taps) {
        *self.taps.clone().write(self.held_mut()) = taps;
    }

    /// Sets all counts of `show runtime` back.
    pub fn clear_stats(&mut self) {
        self.for_each_worker(|_, worker| worker.clear_stats());
        if let Some(counters) = &self.node_counters {
            self.segment.together(|_| counters.clear());
        }
        self.cleared_at = self.clock.now();
        self.system.last_stats_clear.set(self.cleared_at.since(EngineTime(0)).as_secs());
    }

    /// Sets the counters of all interfaces to 0, also where other processes read them. Workers stand still meanwhile, so that
    /// none brings an old number back.
    pub fn clear_interface_counters(&mut self) {
        self.workers.hold();
        let counters = &self.interface_counters;
        self.segment.together(|_| counters.zero());
    }

    /// The same of one interface.
    pub fn clear_counters_of(&mut self, interface: SwIfIndex) {
        self.workers.hold();
        let counters = &self.interface_counters;
        self.segment.together(|_| counters.zero_of(interface));
    }

    pub(crate) fn seconds_since_clear(&self) -> f64 {
        self.clock.now().since(self.cleared_at).as_secs_f64()
    }

    /// How many buffers are where, those in magazines of threads included. Workers stand still meanwhile.
    pub fn buffer_usage(&mut self) -> PoolUsage {
        self.for_each_worker(|_, worker| worker.state.magazine.publish());
        self.pool.usage()
    }

    /// Ends [`Engine::run`](crate::plugin::Engine::run) after this round.
    pub fn stop(&mut self) {
        self.stop = true;
    }
}

/// A frame of new packets on its way to a node.
pub struct FrameTo<'m> {
    worker: &'m mut Worker,
    node: NodeIndex,
    // Only taken when this is dropped or the frame is full.
    frame: Option<Frame>,
}

impl FrameTo<'_> {
    /// Adds a packet, which `fill` builds in an empty buffer. `None` when the pool has no buffer.
    pub fn push<T>(&mut self, fill: impl FnOnce(&mut Buffer) -> T) -> Option<T> {
        let state = &mut self.worker.state;
        let frame = self.frame.get_or_insert_with(|| state.spare_frame());
        if frame.room() == 0 {
            state.put(self.node, frame);
        }
        let at = frame.len();
        if frame.fill_from(&mut state.magazine, 1) == 0 {
            return None;
        }
        let mut buffers = frame.buffers(state.magazine.base());
        buffers.get(at).map(fill)
    }
}

impl Drop for FrameTo<'_> {
    fn drop(&mut self) {
        if let Some(mut frame) = self.frame.take() {
            self.worker.state.put(self.node, &mut frame);
            self.worker.state.recycle(frame);
        }
    }
}
