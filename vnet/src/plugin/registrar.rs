//! What a plugin registers.

use std::{
    cell::RefCell,
    error::Error,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    rc::Rc,
};

use crate::{
    action::{Action, ActionError, Actions, MakePerform, Perform, Performers},
    api::Api,
    classify::{Classifier, Shard},
    counter::{Counter, CounterError, Counters, Element, Segment},
    fib::{ForwardingReader, MAX_INTERFACES},
    graph::{ArcSpec, FeatureSpec, Gates, NodeSpec},
    interface::{Event, InterfaceViews, RxPlacement, SwIfIndex},
    ipfix::{
        engine::Ipfix,
        export::{AddReportError, Report, ReportId, ReportKey},
    },
    process::Cx,
    runtime::{Clock, EngineId, Handoff, InterfaceHook, Local, Main, MakeLocal, Shared},
    trace::Taps,
};

use super::{Builder, Command, Provided, Stanza};

type Settings = Box<dyn FnOnce(Builder) -> Builder>;
type Register = Box<dyn FnOnce(&mut Registrar) -> Result<(), Box<dyn Error>>>;

/// A plugin: its name, and what it registers.
pub struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) description: &'static str,
    pub(crate) load_after: Vec<&'static str>,
    stanzas: Vec<Stanza>,
    pub(super) settings: Option<Settings>,
    pub(crate) register: Register,
}

impl Plugin {
    /// The plugin `name`, which `register` puts into an engine.
    pub fn new(
        name: &'static str,
        version: &'static str,
        description: &'static str,
        register: impl FnOnce(&mut Registrar) -> Result<(), Box<dyn Error>> + 'static,
    ) -> Self {
        let register = Box::new(register);
        let (load_after, stanzas, settings) = (Vec::new(), Vec::new(), None);
        Self { name, version, description, load_after, stanzas, settings, register }
    }

    /// It is registered after the plugin `name`, where the engine has that.
    #[must_use]
    pub fn load_after(mut self, name: &'static str) -> Self {
        self.load_after.push(name);
        self
    }

    /// What it reads from the startup file; each call adds a stanza.
    #[must_use]
    pub fn reads(mut self, stanza: Stanza) -> Self {
        self.stanzas.push(stanza);
        self
    }

    /// What it has the engine built with: `settings` is called before anything is made or registered.
    #[must_use]
    pub fn builds_with(mut self, settings: impl FnOnce(Builder) -> Builder + 'static) -> Self {
        self.settings = Some(Box::new(settings));
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it reads from the startup file; for the program, which applies what is there before it builds the engine.
    #[must_use]
    pub fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }
}

type ProcessStart = Box<dyn FnOnce(Cx) -> Pin<Box<dyn Future<Output = ()>>>>;
type StartHook = Box<dyn FnOnce(&mut Main) -> Result<(), Box<dyn Error>>>;
pub(super) type DrainHook = Box<dyn FnOnce(&mut Main)>;
pub(crate) type StopHook = Box<dyn FnOnce(&mut Main) -> Result<(), Box<dyn Error>>>;

/// What `show plugins` prints of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it is.
    pub description: &'static str,
}

/// Collects what plugins bring, before the graph is built.
pub struct Registrar {
    pub(crate) engine: EngineId,
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) arcs: Vec<ArcSpec>,
    pub(crate) features: Vec<FeatureSpec>,
    pub(crate) processes: Vec<(String, ProcessStart)>,
    pub(crate) hooks: Vec<StartHook>,
    pub(super) drain_hooks: Vec<DrainHook>,
    pub(crate) stop_hooks: Vec<StopHook>,
    pub(crate) commands: Vec<Command>,
    pub(crate) interface_hooks: Vec<InterfaceHook>,
    pub(crate) locals: Vec<MakeLocal>,
    pub(super) handoffs: Vec<String>,
    pub(super) segment: Segment,
    pub(super) counters: Counters,
    pub(super) provided: Provided,
    views: Shared<InterfaceViews>,
    taps: Shared<Taps>,
    rx_placement: Shared<RxPlacement>,
    forwarding: ForwardingReader,
    classifier: Classifier,
    actions: Actions,
    gates: Local<Gates>,
    pub(super) ipfix: Ipfix,
    pub(super) api: Api,
    pub(super) runtime_dir: PathBuf,
}

impl Registrar {
    pub(crate) fn new(
        engine: EngineId,
        views: Shared<InterfaceViews>,
        taps: Shared<Taps>,
        rx_placement: Shared<RxPlacement>,
        forwarding: ForwardingReader,
        segment: Segment,
        clock: Clock,
    ) -> Self {
        let (shards, make_shard) = Local::new(0, |_| Shard::default());
        let make: Rc<RefCell<Vec<MakePerform>>> = Rc::default();
        let of_threads = make.clone();
        let (performers, make_performers) = Local::new(1, move |thread| {
            Performers(of_threads.borrow().iter().map(|make| make(thread)).collect())
        });
        let (gates, make_gates) = Local::new(2, |_| Gates::default());
        Self {
            engine,
            nodes: Vec::new(),
            arcs: Vec::new(),
            features: Vec::new(),
            processes: Vec::new(),
            hooks: Vec::new(),
            drain_hooks: Vec::new(),
            stop_hooks: Vec::new(),
            commands: Vec::new(),
            interface_hooks: Vec::new(),
            locals: vec![make_shard, make_performers, make_gates],
            handoffs: Vec::new(),
            segment,
            counters: Counters::default(),
            provided: Provided::default(),
            views,
            taps,
            rx_placement,
            forwarding,
            classifier: Classifier::new(engine, shards),
            actions: Actions::new(make, performers),
            gates,
            ipfix: Ipfix::new(clock),
            api: Api::default(),
            runtime_dir: PathBuf::new(),
        }
    }

    /// A value that nodes read and commands change.
    pub fn shared<T>(&self, value: T) -> Shared<T> {
        Shared::new(self.engine, value)
    }

    /// A value of which each thread has its own, for several nodes of that thread.
    pub fn local<T: Send + 'static>(&mut self, make: impl Fn(usize) -> T + 'static) -> Local<T> {
        let (key, make) = Local::new(self.locals.len(), make);
        self.locals.push(make);
        key
    }

    /// A counter of `elements` elements, by its name in the stats segment, for nodes to [add](crate::graph::PacketCx::add)
    /// to. The type says what it counts: `u64` is a number, [`Count`](crate::counter::Count) packets and bytes.
    ///
    /// # Errors
    /// When the name is taken or too long, or there is no room for that many elements.
    pub fn counter<E: Element>(
        &mut self,
        name: &str,
        elements: usize,
    ) -> Result<Counter<E>, CounterError> {
        self.counters.add(&mut self.segment, name, elements)
    }

    /// As [`Self::counter`], but readers see no element of it: until it is [made longer](crate::counter::CounterVector::validate) for
    /// them, or by [windows](Segment::window).
    ///
    /// # Errors
    /// As there.
    pub fn unseen_counter<E: Element>(
        &mut self,
        name: &str,
        elements: usize,
    ) -> Result<Counter<E>, CounterError> {
        self.counters.reserve(&mut self.segment, name, elements)
    }

    /// A counter with an element for each interface, by its number: readers see as many as there are interfaces.
    ///
    /// # Errors
    /// When the name is taken or too long, or there is no room.
    pub fn interface_counter<E: Element + 'static>(
        &mut self,
        name: &str,
    ) -> Result<Counter<E>, CounterError> {
        let counter = self.unseen_counter::<E>(name, MAX_INTERFACES)?;
        let of_hook = counter.clone();
        self.on_interface_event(move |_, event| {
            if let Event::Added { sw_if_index: SwIfIndex(index), .. } = *event {
                // Room was reserved for all.
                let seen = of_hook.validate(index as usize + 1);
                debug_assert!(seen.is_ok());
                of_hook.zero(index);
            }
        });
        Ok(counter)
    }

    /// Adds a node.
    pub fn node(&mut self, spec: NodeSpec) {
        self.nodes.push(spec);
    }

    /// Adds a feature arc.
    pub fn arc(&mut self, arc: ArcSpec) {
        self.arcs.push(arc);
    }

    /// Adds a feature.
    pub fn feature(&mut self, feature: FeatureSpec) {
        self.features.push(feature);
    }

    /// Adds a way by which nodes hand packets over to other threads, where they go on at `node`; `show handoff` lists it under
    /// that name.
    pub fn handoff(&mut self, node: &str) -> Handoff {
        self.handoffs.push(node.to_owned());
        Handoff((self.handoffs.len() - 1) as u16)
    }

    /// Adds a command.
    pub fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// The messages of the binary API and who answers them, to add to.
    pub fn api(&mut self) -> &mut Api {
        &mut self.api
    }

    /// Adds a process node: `start` is called when the graph is built, and what it returns runs on the main thread.
    pub fn process<F: Future<Output = ()> + 'static>(
        &mut self,
        name: &str,
        start: impl FnOnce(Cx) -> F + 'static,
    ) {
        self.nodes.push(NodeSpec::process(name));
        self.processes.push((name.to_owned(), Box::new(|cx| Box::pin(start(cx)))));
    }

    /// What workers know of interfaces.
    #[must_use]
    pub fn interface_views(&self) -> Shared<InterfaceViews> {
        self.views.clone()
    }

    /// Who is to see packets, for the nodes that receive, send or drop them.
    #[must_use]
    pub fn taps(&self) -> Shared<Taps> {
        self.taps.clone()
    }

    /// Who looks after which receive queue, for the input nodes of devices.
    #[must_use]
    pub fn rx_placement(&self) -> Shared<RxPlacement> {
        self.rx_placement.clone()
    }

    /// Routes and adjacencies, as nodes read them.
    #[must_use]
    pub fn forwarding(&self) -> ForwardingReader {
        self.forwarding.clone()
    }

    /// Classifier tables, for nodes that look packets up and for commands that change them.
    #[must_use]
    pub fn classifier(&self) -> Classifier {
        self.classifier.clone()
    }

    /// Adds an action that rules of other plugins can name, and how a thread's own part of it is made by the thread's number.
    ///
    /// # Errors
    /// When the name is taken, or there are too many.
    pub fn action<P: Perform>(
        &mut self,
        name: &str,
        action: impl Action,
        make: impl Fn(usize) -> P + 'static,
    ) -> Result<(), ActionError> {
        self.actions.add(name, action, Box::new(move |thread| Box::new(make(thread))))
    }

    /// The actions, for those who have rules.
    #[must_use]
    pub fn actions(&self) -> Actions {
        self.actions.clone()
    }

    /// The gates of each thread, for features that are [gated](FeatureSpec::gated) and for nodes that let packets pass.
    #[must_use]
    pub fn gates(&self) -> Local<Gates> {
        self.gates
    }

    /// The folder for sockets that were given no path.
    #[must_use]
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// The engine's IPFIX exporter, to which reports are added.
    #[must_use]
    pub fn ipfix(&self) -> Ipfix {
        self.ipfix.clone()
    }

    /// Adds a report to the engine's exporter, on the stream that reports share. `name` tells it from those of others.
    ///
    /// # Errors
    /// When there is a report of that name, or no template is left for one.
    pub fn report(
        &mut self,
        name: &'static str,
        report: impl Report + 'static,
    ) -> Result<ReportId, AddReportError> {
        let key = ReportKey { name, opaque: 0 };
        self.ipfix.add_report(key, self.ipfix.stream(), Box::new(report))
    }

    /// Gives `value` to the program that builds the engine, which finds it by its type with
    /// [`Engine::provided`](super::Engine::provided): the plugin's way for others to call its operations. Of several values of
    /// a type the last stays.
    pub fn provide<T: 'static>(&mut self, value: T) {
        self.provided.add(value);
    }

    /// Calls `hook` for each change of an interface: what a plugin keeps for an interface goes with it.
    pub fn on_interface_event(&mut self, hook: impl FnMut(&mut Main, &Event) + 'static) {
        self.interface_hooks.push(Box::new(hook));
    }

    /// Calls `hook` when the graph is built, before the first packet.
    pub fn on_start(
        &mut self,
        hook: impl FnOnce(&mut Main) -> Result<(), Box<dyn Error>> + 'static,
    ) {
        self.hooks.push(Box::new(hook));
    }

    /// Calls `hook` before the exporter sends for the last time, when the engine is asked to [stop](super::Engine::stop): what a
    /// plugin has measured is to become records then.
    pub fn on_drain(&mut self, hook: impl FnOnce(&mut Main) + 'static) {
        self.drain_hooks.push(Box::new(hook));
    }

    /// Calls `hook` at the end, when the engine is asked to [stop](super::Engine::stop): what a plugin still holds for files and the like
    /// is to be written then.
    pub fn on_stop(
        &mut self,
        hook: impl FnOnce(&mut Main) -> Result<(), Box<dyn Error>> + 'static,
    ) {
        self.stop_hooks.push(Box::new(hook));
    }
}
