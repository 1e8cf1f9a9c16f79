//! The engine: a graph, its processes, and the loop that runs both.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    error::Error,
    future::Future,
    io,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use thiserror::Error;

use super::{
    CommandCx, Plugin, PluginInfo, Registrar,
    commands::{framework_commands, register_api},
    registrar::{DrainHook, StopHook},
};
use crate::{
    api::{self, TableError},
    buffer::{ArenaError, BufferPool, Magazine},
    classify,
    command::{self, Reply, Session, Terminal, Tree, TreeError},
    counter::{
        CounterError, ErrorCounters, ErrorIndex, Segment, SegmentSize, SystemCounters, ThreadIndex,
    },
    error::{self, DropError, DropNode, ErrorSet},
    fib::{FibError, Forwarding, MAX_ROUTES},
    graph::{FeatureError, Features, Graph, GraphError},
    interface::{
        Devices, InterfaceCounters, InterfaceTable, InterfaceViews, RxPlacement, RxQueues,
    },
    ipfix::engine::Ipfix,
    log::{Log, Stamp},
    process::{Cx, Executor},
    runtime::{
        BarrierHeld, Bed, Clock, EngineId, EngineTime, Interrupts, Locals, Main, Peers, Shared,
        TRACE_NODE, ThreadWriters, TraceNode, Way, Ways, Worker, WorkerState, Workers,
    },
    trace::{Taps, TraceFilter},
};

/// Buffers that an engine has unless told otherwise, as VPP has for each NUMA node.
const BUFFERS: u32 = 16384;
/// Workers that an engine can have: each has a magazine of the pool.
const MAX_WORKERS: usize = 128;
/// The longest sleep: what no descriptor and no timer announces is noticed after this.
const MAX_SLEEP: Duration = Duration::from_millis(10);
/// Rounds without a sleep after which descriptors are looked at all the same: with full frames that is about a millisecond,
/// so that whoever waits for a descriptor is served under load, at a cost that does not show.
const ROUNDS_A_LOOK: u32 = 128;
/// Time after which they are looked at when processes ran: commands may make a round as long as a hundred others.
const LOOK: Duration = Duration::from_micros(200);

/// Why there is no engine.
#[derive(Debug, Error)]
pub enum BuildError {
    /// No memory for buffers.
    #[error(transparent)]
    Buffers(#[from] ArenaError),
    /// The nodes do not fit together.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The features do not fit together.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// No memory for forwarding tables.
    #[error(transparent)]
    Forwarding(#[from] FibError),
    /// No room for counters.
    #[error(transparent)]
    Counter(#[from] CounterError),
    /// Nothing to sleep on.
    #[error("cannot wait for events: {0}")]
    Reactor(#[from] io::Error),
    /// More workers than there can be.
    #[error("{0} workers: there can be at most {MAX_WORKERS}")]
    Workers(usize),
    /// No thread for a worker.
    #[error("{0}")]
    Thread(io::Error),
    /// A plugin refused.
    #[error("plugin `{plugin}': {source}")]
    Plugin {
        /// Which one.
        plugin: &'static str,
        /// What it said.
        source: Box<dyn Error>,
    },
    /// Two commands of the same words.
    #[error(transparent)]
    Command(#[from] TreeError),
    /// Messages of the binary API and their handlers do not fit together.
    #[error(transparent)]
    Api(#[from] TableError),
    /// Two plugins of the same name.
    #[error("plugin `{0}' is listed twice")]
    DuplicatePlugin(&'static str),
    /// Plugins that are to be loaded after each other.
    #[error("plugins {0} are each to be loaded after another one of them")]
    PluginCycle(String),
    /// A start hook failed.
    #[error("at start: {0}")]
    Start(Box<dyn Error>),
}

/// A command that was refused or failed: what a user would read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CommandFailed(String);

/// Puts an engine together.
pub struct Builder {
    plugins: Vec<Plugin>,
    clock: Clock,
    buffers: u32,
    workers: Vec<Option<usize>>,
    segment: SegmentSize,
    runtime_dir: PathBuf,
}

impl Builder {
    /// Adds a plugin.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Which clock to follow; a real one unless said otherwise.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many buffers to have; 16384 unless said otherwise.
    #[must_use]
    pub fn buffers(mut self, n: u32) -> Self {
        self.buffers = n;
        self
    }

    /// How many workers to have beside the main thread; none unless said otherwise. Under a virtual clock the main thread runs
    /// them in turn, so that what happens depends on nothing but the input.
    #[must_use]
    pub fn workers(self, n: usize) -> Self {
        self.workers_on(vec![None; n])
    }

    /// As [`Self::workers`]: one for each element, kept on the core that it names.
    #[must_use]
    pub fn workers_on(mut self, cores: Vec<Option<usize>>) -> Self {
        self.workers = cores;
        self
    }

    /// How large the counters' segment is, and of what memory.
    #[must_use]
    pub fn segment(mut self, size: SegmentSize) -> Self {
        self.segment = size;
        self
    }

    /// The folder in which plugins make sockets that were given no path; `/run/vpp` unless said otherwise, where clients of VPP
    /// look.
    #[must_use]
    pub fn runtime_dir(mut self, folder: PathBuf) -> Self {
        self.runtime_dir = folder;
        self
    }

    /// Builds the graph and starts the processes.
    ///
    /// # Errors
    /// When plugins contradict each other, or there is no memory.
    pub fn build(mut self) -> Result<Engine, BuildError> {
        let settings: Vec<_> = self.plugins.iter_mut().filter_map(|p| p.settings.take()).collect();
        self = settings.into_iter().fold(self, |builder, set| set(builder));
        let engine = EngineId::new();
        let views = Shared::new(engine, InterfaceViews::default());
        let mut forwarding = Forwarding::new()?;
        let clock = self.clock.clone();
        let log = Log::new(move || Stamp {
            engine: clock.now(),
            wall: UNIX_EPOCH + Duration::from_nanos(clock.wall().0),
        });
        let taps = Shared::new(engine, Taps::default());
        let count = self.workers.len();
        if count > MAX_WORKERS {
            return Err(BuildError::Workers(count));
        }
        let threads = 0..=count as u16;
        let mut segment = Segment::sized(1 + count as u16, self.segment)?;
        let system = SystemCounters::new(&mut segment)?;
        system.boottime.set(self.clock.wall().0 / 1_000_000_000);

        let rx_placement = Shared::new(engine, RxPlacement::default());
        let mut registrar = Registrar::new(
            engine,
            views.clone(),
            taps.clone(),
            rx_placement.clone(),
            forwarding.reader(),
            segment,
            self.clock.clone(),
        );
        registrar.runtime_dir = self.runtime_dir;
        registrar.node(DropNode::spec(views.clone(), taps.clone()));
        error::register_arc(&mut registrar);
        register_api(&mut registrar);
        registrar.node(TraceNode::spec());
        let mut plugins = Vec::new();
        for plugin in in_order(self.plugins)? {
            let Plugin { name, version, description, .. } = plugin;
            plugins.push(PluginInfo { name, version, description });
            (plugin.register)(&mut registrar)
                .map_err(|source| BuildError::Plugin { plugin: plugin.name, source })?;
        }
        registrar.ipfix().register(&mut registrar);
        let classifier = registrar.classifier();
        let actions = registrar.actions();
        classify::register(&mut registrar);
        let Registrar {
            nodes,
            arcs,
            features,
            processes,
            hooks,
            drain_hooks,
            stop_hooks,
            ipfix,
            interface_hooks,
            locals,
            handoffs,
            mut segment,
            counters,
            provided,
            commands,
            api,
            ..
        } = registrar;

        let executor = Executor::new(self.clock.clone())?;
        let pool = BufferPool::new(self.buffers)?;
        let mut errors = ErrorCounters::new(&mut segment)?;
        let interface_counters = InterfaceCounters::new(&mut segment)?;
        let route_counters = segment.combined("/net/route/to", MAX_ROUTES)?;
        forwarding.count_by(route_counters.clone())?;
        let mut graph = Graph::default();
        let added = graph.add(nodes, &mut errors, &mut segment)?;
        let drop_node = graph.require("error-drop")?;
        let features = Features::solve(arcs, features, drop_node, |name| graph.find(name))?;
        // What `Buffer::reset` puts into a packet is "no reason noted".
        let no_reason = graph.node(drop_node).error_base.plus(DropError::None.code());
        assert_eq!(no_reason, ErrorIndex::NONE, "error-drop registers first");
        let no_such_next = graph.node(drop_node).error_base.plus(DropError::NoSuchNext.code());

        let beds = (0..count).map(|_| Bed::new()).collect::<Result<Vec<_>, _>>()?;
        let of_main = Interrupts::new(executor.reactor.wakeup());
        let interrupts = core::iter::once(&of_main).chain(beds.iter().map(|bed| &bed.interrupts));
        let interrupts: Arc<[_]> = interrupts.cloned().collect();
        let trace_node = graph.require(TRACE_NODE)?;
        let mut workers = Vec::new();
        for (thread, own) in threads.map(ThreadIndex).zip(&*interrupts) {
            let number = usize::from(thread.0);
            let writers = ThreadWriters {
                errors: errors.writer(thread)?,
                interfaces: interface_counters.writers(thread)?,
                routes: route_counters.writer(thread)?,
                counters: counters.writers(thread)?,
            };
            let mut state = WorkerState::new(
                number,
                Magazine::new(pool.clone()),
                writers,
                Locals::new(&locals, number),
                Peers { interrupts: interrupts.clone(), trace_node },
            );
            state.set_drop(drop_node, no_such_next);
            let mut worker = Worker::new(state, own.clone());
            worker.add_nodes(&graph, &features, &added);
            workers.push(worker);
        }
        let worker = workers.remove(0);
        let way = |name: String| {
            let node = graph.require(&name)?;
            Ok(Way::new(name, node, 1 + count))
        };
        let ways = handoffs.into_iter().map(way).collect::<Result<_, GraphError>>()?;
        let mut main = Main {
            held: BarrierHeld::new(engine),
            tables: Shared::new(engine, features.tables()),
            graph,
            errors,
            segment,
            system,
            node_counters: None,
            features,
            worker,
            workers: Workers::new(engine, workers, &beds),
            ways: Shared::new(engine, Ways(ways)),
            watched: executor.reactor.watched(),
            unsettled: false,
            pool,
            clock: self.clock,
            trace_filter: (TraceFilter::None, usize::MAX),
            stop: false,
            interfaces: InterfaceTable::new(),
            devices: Devices::default(),
            rx_queues: RxQueues::default(),
            rx_placement,
            rx_version: 0,
            interface_counters,
            views,
            taps,
            forwarding,
            classifier,
            actions,
            route_counters,
            log,
            interface_hooks,
            unheard: VecDeque::new(),
            telling: false,
            plugins,
            provided,
            cleared_at: EngineTime(0),
            api: Rc::new(api::Table::new(api)?),
            commands: Rc::new(Tree::new()),
        };
        // Lets counters and workers know of local0.
        main.change_interfaces(|_| ());
        for hook in hooks {
            hook(&mut main).map_err(BuildError::Start)?;
        }
        let mut tree = Tree::new();
        command::add_builtins(&mut tree)?;
        commands.into_iter().chain(framework_commands()).try_for_each(|c| tree.add(c))?;
        let tree = Rc::new(tree);
        main.commands = tree.clone();
        let engine = Engine {
            main: Rc::new(RefCell::new(main)),
            executor,
            tree,
            rounds: Cell::new(0),
            looked: Cell::new(Instant::now()),
            interrupts: of_main,
            drain_hooks: RefCell::new(drain_hooks),
            stop_hooks: RefCell::new(stop_hooks),
            ipfix,
        };
        for (name, start) in processes {
            engine.executor.spawn_named(&name, start(engine.cx()));
        }
        if !engine.executor.clock.is_virtual() {
            engine
                .with(|main| main.start_workers(beds, &self.workers))
                .map_err(BuildError::Thread)?;
        }
        Ok(engine)
    }
}

/// Plugins so that each comes after those that it names; otherwise as listed.
fn in_order(mut plugins: Vec<Plugin>) -> Result<Vec<Plugin>, BuildError> {
    for (i, plugin) in plugins.iter().enumerate() {
        if plugins[..i].iter().any(|p| p.name == plugin.name) {
            return Err(BuildError::DuplicatePlugin(plugin.name));
        }
    }
    let mut ordered: Vec<Plugin> = Vec::with_capacity(plugins.len());
    while !plugins.is_empty() {
        let waits = |p: &Plugin| p.load_after.iter().any(|n| plugins.iter().any(|o| o.name == *n));
        let Some(next) = plugins.iter().position(|p| !waits(p)) else {
            let names: Vec<_> = plugins.iter().map(|p| format!("`{}'", p.name)).collect();
            return Err(BuildError::PluginCycle(names.join(", ")));
        };
        ordered.push(plugins.remove(next));
    }
    Ok(ordered)
}

/// A running engine. It belongs to the thread that made it, the main thread.
pub struct Engine {
    main: Rc<RefCell<Main>>,
    executor: Rc<Executor>,
    tree: Rc<Tree<CommandCx>>,
    /// Rounds since descriptors were looked at.
    rounds: Cell<u32>,
    /// When descriptors were looked at last.
    looked: Cell<Instant>,
    /// Those of the main thread.
    interrupts: Arc<Interrupts>,
    pub(super) drain_hooks: RefCell<Vec<DrainHook>>,
    pub(super) stop_hooks: RefCell<Vec<StopHook>>,
    pub(super) ipfix: Ipfix,
}

impl Engine {
    /// Starts to put an engine together.
    #[must_use]
    pub fn builder() -> Builder {
        let (plugins, workers) = (Vec::new(), Vec::new());
        Builder {
            plugins,
            clock: Clock::real(),
            buffers: BUFFERS,
            workers,
            segment: SegmentSize::default(),
            runtime_dir: PathBuf::from("/run/vpp"),
        }
    }

    /// The way to the engine that processes have.
    #[must_use]
    pub fn cx(&self) -> Cx {
        Cx::new(self.main.clone(), self.executor.clone())
    }

    /// Looks at and changes the engine between two rounds of the main thread.
    pub fn with<T>(&self, f: impl FnOnce(&mut Main) -> T) -> T {
        Main::lend(&self.main, f)
    }

    /// What a plugin has [provided](Registrar::provide), by its type; `None` when the engine has no such plugin.
    #[must_use]
    pub fn provided<T: Clone + 'static>(&self) -> Option<T> {
        self.with(|main| main.provided().cloned())
    }

    /// All commands.
    #[must_use]
    pub fn commands(&self) -> &Tree<CommandCx> {
        &self.tree
    }

    /// Begins a session, in which commands can be run.
    #[must_use]
    pub fn session(&self, terminal: Terminal) -> CommandCx {
        CommandCx::new(self.cx(), Session::new(terminal), self.tree.clone())
    }

    /// Runs what a user typed in `session`, and the engine beside it until that is done. Under a virtual clock a command that
    /// waits for a time does not end; the reply then says so.
    #[must_use]
    pub fn execute(&self, session: &CommandCx, input: &[u8]) -> Reply {
        let (session, input) = (session.clone(), input.to_vec());
        let run = async move { command::execute(session, &input).await };
        self.run_until(run).unwrap_or_else(|| Reply {
            ok: false,
            text: "the command waits for a time, and the clock stands still\n".to_owned(),
            output_length: 0,
        })
    }

    /// Runs `line` in a session of its own, as programs and tests do, and returns what it prints.
    ///
    /// # Errors
    /// When the command is refused or fails.
    pub fn command(&self, line: &str) -> Result<String, CommandFailed> {
        let Reply { ok, text, .. } = self.execute(&self.session(Terminal::PLAIN), line.as_bytes());
        if ok { Ok(text) } else { Err(CommandFailed(text.trim_end().to_owned())) }
    }

    /// One round of dispatch, then every process that is ready; whether anything happened.
    pub fn poll(&self) -> bool {
        self.rounds.set(self.rounds.get() + 1);
        if self.rounds.get() >= ROUNDS_A_LOOK {
            self.look(Duration::ZERO);
        }
        let received = self.main.borrow_mut().round();
        let ran = self.executor.run();
        let swept = self.main.borrow_mut().sweep_forwarding();
        // Processes are what edits.
        self.main.borrow_mut().settle_forwarding(ran > 0 || swept);
        if ran > 0 && self.looked.get().elapsed() >= LOOK {
            self.rounds.set(ROUNDS_A_LOOK);
        }
        received > 0 || ran > 0 || swept
    }

    /// Looks which descriptors are ready, for at most `timeout`.
    fn look(&self, timeout: Duration) {
        self.rounds.set(0);
        self.executor.reactor.wait(timeout, &self.interrupts);
        self.looked.set(Instant::now());
    }

    /// Runs until nothing is left to do at this time: no input brings packets, no process is ready.
    pub fn run_until_idle(&self) {
        while self.poll()
            || self.main.borrow().has_pending()
            || (self.executor.has_helpers() && self.sleep())
        {}
    }

    /// Moves a virtual clock on by `d`: what falls due runs in order, each at its time.
    pub fn advance(&self, d: Duration) {
        let clock = &self.executor.clock;
        let end = clock.now().after(d);
        self.run_until_idle();
        while let Some(due) = self.executor.next_timer().filter(|&at| at <= end) {
            clock.move_to(due);
            self.run_until_idle();
        }
        clock.move_to(end);
        self.run_until_idle();
    }

    /// Runs the engine until `future` is done, and returns what it gives. Under a virtual clock time stands still
    /// meanwhile, so a future that waits for a time never ends: `None` is returned when nothing is left to do.
    pub fn run_until<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Option<T> {
        let done = Rc::new(RefCell::new(None));
        let result = done.clone();
        self.executor.spawn(async move {
            let value = future.await;
            *result.borrow_mut() = Some(value);
        });
        loop {
            let busy = self.poll();
            if let Some(value) = done.borrow_mut().take() {
                return Some(value);
            }
            if !busy && !self.sleep() {
                return None;
            }
        }
    }

    /// Runs until [`Main::stop`] is called.
    pub fn run(&self) {
        while !self.main.borrow().stop {
            if !self.poll() {
                self.sleep();
            }
        }
    }

    /// Sleeps until something can happen. Not at all while an input polls; `false` when nothing ever will.
    fn sleep(&self) -> bool {
        let busy = self.main.borrow().is_busy() || self.executor.is_ready();
        if self.executor.clock.is_virtual() {
            let helped = !busy && self.executor.has_helpers();
            if helped {
                self.executor.reactor.wait(MAX_SLEEP, &self.interrupts);
            }
            return busy || helped;
        }
        let timeout = match self.executor.next_timer() {
            Some(at) => at.since(self.now()).min(MAX_SLEEP),
            None => MAX_SLEEP,
        };
        self.main.borrow_mut().worker.state.magazine.publish();
        let timeout = if !busy && self.interrupts.begin_sleep() { timeout } else { Duration::ZERO };
        self.look(timeout);
        self.interrupts.end_sleep();
        true
    }

    /// Engine time.
    #[must_use]
    pub fn now(&self) -> EngineTime {
        self.executor.clock.now()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Processes hold the engine that holds them.
        self.executor.clear();
    }
}
