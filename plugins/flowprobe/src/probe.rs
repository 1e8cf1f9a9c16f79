//! What is enabled where, and the operations that change it.

use std::{
    cell::{RefCell, RefMut},
    collections::BTreeMap,
    rc::Rc,
};

use vnet::{
    flow::{DEFAULT_MAX_FLOWS, FlowRecord, Meter, Scope},
    graph::FeatureError,
    interface::{Event, SwIfIndex},
    ipfix::{
        engine::{FlowQueues, Ipfix, QueueCounters},
        export::{ReportId, ReportKey},
        fields::Lease,
        profile::Profile,
    },
    plugin::Registrar,
    runtime::Main,
};

use crate::{
    ProbeError,
    node::{self, LocalPoint, Point},
    params::{Params, ParamsRequest},
    recording::Recording,
    reliability,
    sampling::Settings,
    variant::{Directions, Variant},
    walker::{self, Alarm},
};

/// The flowprobe of an engine. Clones are the same one; it belongs to the main thread.
#[derive(Clone)]
pub struct FlowProbe(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    points: [LocalPoint; 3],
    default_profile: Profile,
    state: RefCell<State>,
    sampling: RefCell<Settings>,
}

struct State {
    exporter: Ipfix,
    params: Params,
    /// Octets of the flow tables of a variant on a thread, where that was said.
    cache: Option<u64>,
    /// What is recorded in place of the layers.
    template: Option<Lease>,
    enabled: BTreeMap<(SwIfIndex, Variant), Directions>,
    reports: [Option<Active>; 3],
    /// Reports that went, and may still have something to say.
    retired: [Vec<FlowQueues>; 3],
    /// What became of the records of those that have said everything.
    settled: [QueueCounters; 3],
    /// Tells the reports of a variant apart: one that goes may still have something to say when the next one comes.
    generation: u64,
}

impl State {
    /// Keeps of reports that have said everything only their counts.
    fn settle(&mut self, variant: Variant) {
        let settled = &mut self.settled[variant as usize];
        self.retired[variant as usize].retain(|queues| {
            let waits = queues.waiting() > 0;
            if !waits {
                *settled += queues.counters();
            }
            waits
        });
    }
}

/// A variant that is enabled on some interface.
struct Active {
    id: ReportId,
    queues: FlowQueues,
    /// Flows that each table holds.
    room: usize,
}

impl FlowProbe {
    /// Adds nodes, features and processes to an engine. Parameters that say no profile mean `default_profile`.
    pub(crate) fn register(r: &mut Registrar, default_profile: Profile) -> Self {
        let points = [(); 3].map(|()| r.local(|_| None::<Point>));
        let alarm = Alarm::default();
        for variant in Variant::ALL {
            node::register(r, variant, points[variant as usize], &alarm);
        }
        walker::register(r, points, &alarm);
        let state = State {
            exporter: r.ipfix(),
            params: Params::none(default_profile),
            cache: None,
            template: None,
            enabled: BTreeMap::new(),
            reports: [const { None }; 3],
            retired: [const { Vec::new() }; 3],
            settled: [QueueCounters::default(); 3],
            generation: 0,
        };
        let (state, sampling) = (RefCell::new(state), RefCell::default());
        let probe = Self(Rc::new(Inner { points, default_profile, state, sampling }));
        reliability::register(&probe);
        let follower = probe.clone();
        r.on_interface_event(move |main, event| {
            if let Event::Deleted { sw_if_index, .. } = event {
                follower.forget(main, *sw_if_index);
                follower.forget_sampling(main, *sw_if_index);
            }
        });
        let drained = probe.clone();
        r.on_drain(move |main| drained.flush(main));
        probe
    }

    /// The exporter to which the records go.
    #[must_use]
    pub fn exporter(&self) -> Ipfix {
        self.0.state.borrow().exporter.clone()
    }

    /// What is recorded, and when.
    #[must_use]
    pub fn params(&self) -> Params {
        self.0.state.borrow().params
    }

    /// The profile of parameters that say none.
    #[must_use]
    pub fn default_profile(&self) -> Profile {
        self.0.default_profile
    }

    /// Changes what is recorded, and when.
    ///
    /// # Errors
    /// [`ProbeError::Timers`], and [`ProbeError::InUse`] while anything is enabled.
    pub fn set_params(&self, request: ParamsRequest) -> Result<(), ProbeError> {
        self.set(request.check(self.0.default_profile)?, None)
    }

    /// Has records of a template that a user made, in place of layers.
    ///
    /// # Errors
    /// As [`Self::set_params`], [`ProbeError::Template`] and [`ProbeError::TemplateProfile`].
    pub fn set_template(&self, request: ParamsRequest, name: &str) -> Result<(), ProbeError> {
        if request.profile == Some(Profile::Vpp) {
            return Err(ProbeError::TemplateProfile);
        }
        let params = request.check(Profile::Rfc)?;
        let lease = self.exporter().named_templates().lease(name, "flowprobe")?;
        let record = lease.list().selection().layers();
        self.set(Params { record, ..params }, Some(lease))
    }

    /// The name of the template of which records are.
    #[must_use]
    pub fn template(&self) -> Option<String> {
        self.0.state.borrow().template.as_ref().map(|lease| lease.name().to_owned())
    }

    fn set(&self, params: Params, template: Option<Lease>) -> Result<(), ProbeError> {
        let mut state = self.0.state.borrow_mut();
        if !state.enabled.is_empty() {
            return Err(ProbeError::InUse);
        }
        (state.params, state.template) = (params, template);
        Ok(())
    }

    /// Measures the packets of `interface`. Variants do not exclude each other.
    ///
    /// # Errors
    /// See [`ProbeError`].
    pub fn enable(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        variant: Variant,
        directions: Directions,
    ) -> Result<(), ProbeError> {
        if self.params().record.is_empty() && self.template().is_none() {
            return Err(ProbeError::NotConfigured);
        }
        let known = main.interfaces().interface(interface).ok_or(ProbeError::NoSuchInterface)?;
        if variant == Variant::L2 && directions != Directions::Tx && known.sub().is_some() {
            return Err(ProbeError::SubInterface);
        }
        if self.0.state.borrow().enabled.contains_key(&(interface, variant)) {
            return Err(ProbeError::AlreadyEnabled(variant));
        }
        let is_first = self.0.state.borrow().reports[variant as usize].is_none();
        if is_first {
            self.start(main, variant)?;
        }
        if let Err(error) = switch_on(main, interface, variant, directions) {
            // The first that was not switched on ends this.
            drop(switch_off(main, interface, variant, directions));
            if is_first {
                self.stop(main, variant);
            }
            return Err(error.into());
        }
        self.0.state.borrow_mut().enabled.insert((interface, variant), directions);
        self.refresh_sampling(main);
        Ok(())
    }

    /// Measures the packets of `interface` no more, in whichever direction they were. Records of its flows are made and
    /// sent first.
    ///
    /// # Errors
    /// [`ProbeError::NotEnabled`].
    pub fn disable(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        variant: Variant,
    ) -> Result<(), ProbeError> {
        let stored = self.0.state.borrow_mut().enabled.remove(&(interface, variant));
        let directions = stored.ok_or(ProbeError::NotEnabled(variant))?;
        let switched = switch_off(main, interface, variant, directions);
        self.end(main, interface, variant);
        self.refresh_sampling(main);
        Ok(switched?)
    }

    /// Makes the records of all flows: metering is over, or what was measured is wanted now. Flows that go on are new ones.
    pub fn flush(&self, main: &mut Main) {
        for variant in Variant::ALL {
            self.flush_variant(main, variant, Scope::All);
        }
    }

    /// What is enabled, by interface.
    #[must_use]
    pub fn enabled(&self) -> Vec<(SwIfIndex, Variant, Directions)> {
        let state = self.0.state.borrow();
        state.enabled.iter().map(|(&(interface, variant), &d)| (interface, variant, d)).collect()
    }

    /// What became of the records of a variant, and how many wait.
    #[must_use]
    pub fn queue_counters(&self, variant: Variant) -> (QueueCounters, usize) {
        let state = self.0.state.borrow();
        let now = state.reports[variant as usize].iter().map(|active| &active.queues);
        let all = now.chain(&state.retired[variant as usize]);
        let (mut sum, mut waiting) = (state.settled[variant as usize], 0);
        for queues in all {
            sum += queues.counters();
            waiting += queues.waiting();
        }
        (sum, waiting)
    }

    pub(crate) fn directions(&self, interface: SwIfIndex, variant: Variant) -> Option<Directions> {
        self.0.state.borrow().enabled.get(&(interface, variant)).copied()
    }

    pub(crate) fn set_enabled(&self, interface: SwIfIndex, variant: Variant, to: Directions) {
        self.0.state.borrow_mut().enabled.insert((interface, variant), to);
    }

    /// Has records go to the exporter of this name.
    ///
    /// # Errors
    /// When there is none; and [`ProbeError::InUse`] while anything is enabled.
    pub fn set_exporter(&self, name: &str) -> Result<(), ProbeError> {
        let mut state = self.0.state.borrow_mut();
        if !state.enabled.is_empty() {
            return Err(ProbeError::InUse);
        }
        let named = state.exporter.named(name);
        state.exporter = named.ok_or_else(|| ProbeError::NoSuchExporter(name.to_owned()))?;
        Ok(())
    }

    /// Has flow tables take no more memory than so many octets a variant and thread.
    ///
    /// # Errors
    /// [`ProbeError::InUse`] while anything is enabled.
    pub fn set_cache(&self, octets: u64) -> Result<(), ProbeError> {
        let mut state = self.0.state.borrow_mut();
        if !state.enabled.is_empty() {
            return Err(ProbeError::InUse);
        }
        state.cache = Some(octets);
        Ok(())
    }

    /// Flows that each table of a variant holds without evicting any.
    pub(crate) fn room(&self, variant: Variant) -> usize {
        let active = &self.0.state.borrow().reports[variant as usize];
        active.as_ref().map_or(DEFAULT_MAX_FLOWS, |active| active.room)
    }

    pub(crate) fn keep_timers(&self, active: u32, passive: u32) {
        let params = &mut self.0.state.borrow_mut().params;
        (params.active, params.passive) = (active, passive);
    }

    pub(crate) fn settings(&self) -> RefMut<'_, Settings> {
        self.0.sampling.borrow_mut()
    }

    pub(crate) fn point(&self, variant: Variant) -> LocalPoint {
        self.0.points[variant as usize]
    }

    /// A meter on every thread, and a report.
    fn start(&self, main: &mut Main, variant: Variant) -> Result<(), ProbeError> {
        let mut state = self.0.state.borrow_mut();
        let State { params, template, cache, .. } = &*state;
        let recording = Recording::new(params, template.as_ref(), *cache, variant)?;
        let Recording { config, templates, with_link } = recording;
        let exporter = state.exporter.clone();
        let queues = exporter.flow_queues(templates);
        let mut made = Ok(());
        main.for_each_local(self.point(variant), |place| match Meter::new(&config) {
            Ok(meter) => {
                let outbox = queues.outbox();
                *place = Some(Point { meter, outbox, with_link, sampling: None });
            }
            Err(error) => made = Err(error),
        });
        let key = ReportKey { name: variant.report(), opaque: state.generation };
        let added = made.map_err(ProbeError::from).and_then(|()| {
            Ok(exporter.add_report(key, exporter.stream(), Box::new(queues.clone()))?)
        });
        match added {
            Ok(id) => {
                state.generation += 1;
                state.reports[variant as usize] =
                    Some(Active { id, queues, room: config.max_flows });
                Ok(())
            }
            Err(error) => {
                main.for_each_local(self.point(variant), |place| *place = None);
                Err(error)
            }
        }
    }

    /// Takes meters and report away; records that wait are sent.
    fn stop(&self, main: &mut Main, variant: Variant) {
        main.for_each_local(self.point(variant), |place| *place = None);
        let mut state = self.0.state.borrow_mut();
        if let Some(Active { id, queues, .. }) = state.reports[variant as usize].take() {
            state.exporter.retire_report(id);
            state.retired[variant as usize].push(queues);
            state.settle(variant);
        }
    }

    /// `interface` is measured no more: its flows end, and so does the variant with its last interface.
    fn end(&self, main: &mut Main, interface: SwIfIndex, variant: Variant) {
        let is_last = !self.0.state.borrow().enabled.keys().any(|(_, other)| *other == variant);
        let scope = if is_last { Scope::All } else { Scope::Interface(interface) };
        self.flush_variant(main, variant, scope);
        if is_last {
            self.stop(main, variant);
        }
    }

    /// An interface is gone, and its features with it.
    fn forget(&self, main: &mut Main, interface: SwIfIndex) {
        for variant in Variant::ALL {
            let was_enabled = self.0.state.borrow_mut().enabled.remove(&(interface, variant));
            if was_enabled.is_some() {
                self.end(main, interface, variant);
            } else {
                // Packets that left or came by it may be in flows of other interfaces. Its number will be another one's.
                self.flush_variant(main, variant, Scope::Interface(interface));
            }
        }
    }

    pub(crate) fn flush_variant(&self, main: &mut Main, variant: Variant, scope: Scope) {
        let state = self.0.state.borrow();
        let Some(active) = &state.reports[variant as usize] else { return };
        let now = main.clock().wall();
        main.for_each_local(self.point(variant), |place| {
            if let Some(point) = place {
                point.meter.advance(now);
                point.meter.flush(scope, &mut |record: &FlowRecord| active.queues.append(record));
            }
        });
    }
}

fn switch_on(
    main: &mut Main,
    interface: SwIfIndex,
    variant: Variant,
    directions: Directions,
) -> Result<(), FeatureError> {
    for &direction in directions.each() {
        for arc in variant.arcs(direction) {
            main.enable_feature(arc, variant.node(direction), interface, 0)?;
        }
    }
    Ok(())
}

fn switch_off(
    main: &mut Main,
    interface: SwIfIndex,
    variant: Variant,
    directions: Directions,
) -> Result<(), FeatureError> {
    for &direction in directions.each() {
        for arc in variant.arcs(direction) {
            main.disable_feature(arc, variant.node(direction), interface)?;
        }
    }
    Ok(())
}
