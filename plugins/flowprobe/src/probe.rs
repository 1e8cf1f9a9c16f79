//! What is enabled where, and the operations that change it.

use std::{
    cell::{Ref, RefCell, RefMut},
    collections::BTreeMap,
    rc::Rc,
};

use vnet::{
    flow::{Alarm, Scope},
    graph::FeatureError,
    interface::{Event, SwIfIndex},
    ipfix::{
        engine::{Ipfix, QueueCounters},
        profile::Profile,
    },
    plugin::Registrar,
    runtime::Main,
};

use crate::{
    ProbeError,
    metering::{MeteringId, Meterings},
    node,
    params::{Params, ParamsRequest},
    point::{LocalPoint, Point},
    recording::Recording,
    reliability,
    sampling::Settings,
    setting::{Configured, Recorded, Setting},
    variant::{Directions, Variant},
    walker,
};

const VARIANTS: usize = Variant::ALL.len();

/// The flowprobe of an engine. Clones are the same one; it belongs to the main thread.
#[derive(Clone)]
pub struct FlowProbe(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    points: [LocalPoint; VARIANTS],
    default_profile: Profile,
    state: RefCell<State>,
    sampling: RefCell<Settings>,
}

pub(crate) struct State {
    pub(crate) exporter: Ipfix,
    pub(crate) configured: Configured,
    /// Octets of the flow tables of a setting, variant and thread, where that was said.
    pub(crate) cache: Option<u64>,
    pub(crate) enabled: BTreeMap<(SwIfIndex, Variant), Measured>,
    pub(crate) meterings: [Meterings; VARIANTS],
    /// The metering that was begun last.
    pub(crate) last: Option<MeteringId>,
}

/// A variant of an interface that is measured.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) directions: Directions,
    pub(crate) metering: MeteringId,
}

impl FlowProbe {
    /// Adds nodes, features and processes to an engine. Parameters that say no profile mean `default_profile`.
    pub(crate) fn register(r: &mut Registrar, default_profile: Profile) -> Self {
        let points = [(); VARIANTS].map(|()| r.local(|_| None::<Point>));
        let alarm = Alarm::default();
        for variant in Variant::ALL {
            node::register(r, variant, points[variant as usize], &alarm);
        }
        walker::register(r, points, &alarm);
        let state = State {
            exporter: r.ipfix(),
            configured: Configured {
                all: Params::none(default_profile).into(),
                own: BTreeMap::new(),
            },
            cache: None,
            enabled: BTreeMap::new(),
            meterings: Default::default(),
            last: None,
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
        self.look().exporter.clone()
    }

    /// What is recorded, and when, of interfaces that have nothing of their own.
    #[must_use]
    pub fn params(&self) -> Params {
        self.look().configured.all.params()
    }

    /// The profile of parameters that say none.
    #[must_use]
    pub fn default_profile(&self) -> Profile {
        self.0.default_profile
    }

    /// Changes what is recorded, and when.
    ///
    /// # Errors
    /// [`ProbeError::Timers`], [`ProbeError::OneEnd`], [`ProbeError::BiflowProfile`], [`ProbeError::OwnInProfile`], and
    /// [`ProbeError::InUse`] while anything is enabled.
    pub fn set_params(&self, request: ParamsRequest) -> Result<(), ProbeError> {
        let params = request.check(self.0.default_profile)?;
        if params.biflow && params.profile == Profile::Vpp {
            return Err(ProbeError::BiflowProfile);
        }
        let setting = Setting::from(params);
        Recording::new(&setting, None, Variant::Ip4)?;
        self.set(setting)
    }

    /// Has records of a template that a user made, in place of layers.
    ///
    /// # Errors
    /// As [`Self::set_params`], [`ProbeError::Template`] and [`ProbeError::TemplateProfile`].
    pub fn set_template(&self, request: ParamsRequest, name: &str) -> Result<(), ProbeError> {
        if request.profile == Some(Profile::Vpp) {
            return Err(ProbeError::TemplateProfile);
        }
        let setting = Setting::from(request.check(Profile::Rfc)?);
        self.set(Setting { recorded: self.template_named(name)?, ..setting })
    }

    /// The name of the template of which records are, likewise.
    #[must_use]
    pub fn template(&self) -> Option<String> {
        let state = self.look();
        state.configured.all.recorded.template().map(|lease| lease.name().to_owned())
    }

    /// Takes a template into use, once however many settings have it.
    pub(crate) fn template_named(&self, name: &str) -> Result<Recorded, ProbeError> {
        let state = self.look();
        let lease = match state.configured.lease(name) {
            Some(lease) => lease,
            None => Rc::new(state.exporter.named_templates().lease(name, "flowprobe")?),
        };
        Ok(Recorded::Template(lease))
    }

    fn set(&self, all: Setting) -> Result<(), ProbeError> {
        let mut state = self.idle()?;
        let configured = &mut state.configured;
        if all.profile == Profile::Vpp && !configured.own.is_empty() {
            return Err(ProbeError::OwnInProfile);
        }
        configured.all = all;
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
        let setting = self.look().configured.setting(interface, variant);
        if setting.recorded.is_nothing() {
            return Err(ProbeError::NotConfigured);
        }
        check_directions(main, interface, variant, directions)?;
        setting.check_fields(variant, directions)?;
        if self.measured(interface, variant).is_some() {
            return Err(ProbeError::AlreadyEnabled(variant));
        }
        self.check_room(&setting, variant)?;
        let known = self.look().meterings[variant as usize].of_setting(&setting);
        let metering = known.map_or_else(|| self.start(main, variant, setting), Ok)?;
        if let Err(error) = switch_on(main, interface, variant, directions) {
            // The first that was not switched on ends this.
            drop(switch_off(main, interface, variant, directions));
            self.stop_unused(main, variant);
            return Err(error.into());
        }
        self.set_measured(interface, variant, Measured { directions, metering });
        self.refresh(main, variant);
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
        let stored = self.state().enabled.remove(&(interface, variant));
        let Measured { directions, .. } = stored.ok_or(ProbeError::NotEnabled(variant))?;
        let switched = switch_off(main, interface, variant, directions);
        self.end(main, interface, variant);
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
        let enabled = &self.look().enabled;
        enabled
            .iter()
            .map(|(&(interface, variant), m)| (interface, variant, m.directions))
            .collect()
    }

    /// What became of the records of a variant, and how many wait.
    #[must_use]
    pub fn queue_counters(&self, variant: Variant) -> (QueueCounters, usize) {
        self.look().meterings[variant as usize].counters()
    }

    pub(crate) fn measured(&self, interface: SwIfIndex, variant: Variant) -> Option<Measured> {
        self.look().enabled.get(&(interface, variant)).copied()
    }

    pub(crate) fn set_measured(&self, interface: SwIfIndex, variant: Variant, to: Measured) {
        self.state().enabled.insert((interface, variant), to);
    }

    /// Has records go to the exporter of this name.
    ///
    /// # Errors
    /// When there is none; and [`ProbeError::InUse`] while anything is enabled.
    pub fn set_exporter(&self, name: &str) -> Result<(), ProbeError> {
        let mut state = self.idle()?;
        let named = state.exporter.named(name);
        state.exporter = named.ok_or_else(|| ProbeError::NoSuchExporter(name.to_owned()))?;
        Ok(())
    }

    /// Has flow tables take no more memory than so many octets a setting, variant and thread.
    ///
    /// # Errors
    /// [`ProbeError::InUse`] while anything is enabled.
    pub fn set_cache(&self, octets: u64) -> Result<(), ProbeError> {
        self.idle()?.cache = Some(octets);
        Ok(())
    }

    /// The state while nothing is enabled.
    fn idle(&self) -> Result<RefMut<'_, State>, ProbeError> {
        let state = self.state();
        if state.enabled.is_empty() { Ok(state) } else { Err(ProbeError::InUse) }
    }

    pub(crate) fn look(&self) -> Ref<'_, State> {
        self.0.state.borrow()
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.0.state.borrow_mut()
    }

    pub(crate) fn settings(&self) -> RefMut<'_, Settings> {
        self.0.sampling.borrow_mut()
    }

    pub(crate) fn point(&self, variant: Variant) -> LocalPoint {
        self.0.points[variant as usize]
    }

    /// `interface` is measured no more: its flows end, and so does what measured nothing else.
    fn end(&self, main: &mut Main, interface: SwIfIndex, variant: Variant) {
        self.flush_variant(main, variant, Scope::Interface(interface));
        self.stop_unused(main, variant);
        self.refresh(main, variant);
    }

    /// Takes meterings away that measure no interface.
    pub(crate) fn stop_unused(&self, main: &mut Main, variant: Variant) {
        let is_used = |state: &State, id| state.enabled.values().any(|m| m.metering == id);
        let unused: Vec<MeteringId> = {
            let state = self.look();
            let ids = state.meterings[variant as usize].now.iter().map(|metering| metering.id);
            ids.filter(|id| !is_used(&state, *id)).collect()
        };
        for id in unused {
            self.stop(main, variant, id);
        }
    }

    /// Tells the threads what is measured and how.
    pub(crate) fn refresh(&self, main: &mut Main, variant: Variant) {
        self.assign(main, variant);
        self.refresh_sampling(main);
    }

    /// An interface is gone, and its features with it.
    fn forget(&self, main: &mut Main, interface: SwIfIndex) {
        for variant in Variant::ALL {
            self.state().configured.own.remove(&(interface, variant));
            self.state().enabled.remove(&(interface, variant));
            // Packets that left or came by it may be in flows of other interfaces. Its number will be another one's.
            self.end(main, interface, variant);
        }
    }
}

/// Frames of a sub-interface are received by its main interface, and drops have no direction.
pub(crate) fn check_directions(
    main: &Main,
    interface: SwIfIndex,
    variant: Variant,
    directions: Directions,
) -> Result<(), ProbeError> {
    let known = main.interfaces().interface(interface).ok_or(ProbeError::NoSuchInterface)?;
    if variant == Variant::Drop && directions != variant.directions() {
        return Err(ProbeError::NoDirection);
    }
    if variant == Variant::L2 && directions != Directions::Tx && known.sub().is_some() {
        return Err(ProbeError::SubInterface);
    }
    Ok(())
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
