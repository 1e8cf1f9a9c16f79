//! Settings of interfaces, and how what is measured follows them.
//!
//! Interfaces with the same setting share a metering. When settings change, flows end under what they were measured with: no
//! record is of two settings. Where nothing but the timers of a metering changes it goes on with others; else an interface
//! goes to the metering of its new setting.

use vnet::{flow::Scope, interface::SwIfIndex, ipfix::profile::Profile, runtime::Main};

use crate::{
    Directions, FlowProbe, ProbeError,
    metering::{Metering, MeteringId},
    point::MAX_SETTINGS,
    probe::{Measured, State},
    recording::Recording,
    setting::{Configured, Layers, Own, Recorded, Setting},
    variant::Variant,
};

/// What an interface is to have of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnRequest {
    /// What is recorded.
    pub record: OwnRecord,
    /// `active`, seconds. Who has one timer of its own has both: the other one stays as it is.
    pub active: Option<u32>,
    /// `passive`, seconds.
    pub passive: Option<u32>,
}

/// What is recorded of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnRecord {
    /// As before.
    #[default]
    Kept,
    /// What is recorded of all interfaces; and the timers are those of all.
    Default,
    /// Layers.
    Layers(Layers),
    /// The fields of a template that a user made.
    Template(String),
}

/// What is to be done for a variant.
struct Plan {
    variant: Variant,
    /// With what each interface that is measured should be.
    wanted: Vec<(SwIfIndex, Setting)>,
    /// Meterings that go on with other timers.
    retimed: Vec<(MeteringId, Setting)>,
}

impl FlowProbe {
    /// Gives an interface a setting of its own, or takes it, for each of `variants`: all of it, or nothing. It can be measured
    /// meanwhile: its flows end first.
    ///
    /// # Errors
    /// See [`ProbeError`].
    pub fn set_own(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        variants: &[Variant],
        request: OwnRequest,
    ) -> Result<(), ProbeError> {
        let configured = self.with_own(main, interface, variants, request)?;
        self.follow(main, configured, None)
    }

    /// What is configured when that was done.
    pub(crate) fn with_own(
        &self,
        main: &Main,
        interface: SwIfIndex,
        variants: &[Variant],
        request: OwnRequest,
    ) -> Result<Configured, ProbeError> {
        main.interfaces().interface(interface).ok_or(ProbeError::NoSuchInterface)?;
        let mut configured = self.look().configured.clone();
        let OwnRequest { record, active, passive } = request;
        let recorded = match &record {
            OwnRecord::Kept | OwnRecord::Default => None,
            OwnRecord::Layers(layers) => Some(Recorded::Layers(*layers)),
            OwnRecord::Template(name) => Some(self.template_named(name)?),
        };
        let is_own = recorded.is_some() || active.is_some() || passive.is_some();
        if is_own && configured.all.profile == Profile::Vpp {
            return Err(ProbeError::OwnInProfile);
        }
        for &variant in variants {
            let before = configured.own.remove(&(interface, variant));
            let before = before.filter(|_| record != OwnRecord::Default).unwrap_or_default();
            let timers = before.changed_timers(active, passive, configured.all.timers)?;
            let own = Own { recorded: recorded.clone().or(before.recorded), timers };
            if !own.is_nothing() {
                configured.own.insert((interface, variant), own);
            }
        }
        if let [variant] = variants {
            // Of one that is named it is told at once that there is nothing to record.
            Recording::new(&configured.setting(interface, *variant), None, *variant)?;
        }
        Ok(configured)
    }

    /// Ends flows after these times from now on, but for those of interfaces with timers of their own; `None` leaves one as it
    /// is.
    ///
    /// # Errors
    /// [`ProbeError::Timers`], and what [`Self::set_own`] has for settings that were the same before.
    pub fn set_timers(
        &self,
        main: &mut Main,
        active: Option<u32>,
        passive: Option<u32>,
    ) -> Result<(), ProbeError> {
        let mut configured = self.look().configured.clone();
        configured.all.timers = configured.all.timers.changed(active, passive)?;
        self.follow(main, configured, None)
    }

    /// Whether there is room for one more setting, if it is one more.
    pub(crate) fn check_room(&self, setting: &Setting, variant: Variant) -> Result<(), ProbeError> {
        let state = self.look();
        let now = &state.meterings[variant as usize].now;
        check_room(now.iter().map(|metering| &metering.setting).chain([setting]), variant)
    }

    /// Measures as is configured now. An interface can be `turned`: it will then be measured in these directions.
    pub(crate) fn follow(
        &self,
        main: &mut Main,
        configured: Configured,
        turned: Option<(SwIfIndex, Variant, Directions)>,
    ) -> Result<(), ProbeError> {
        let plans = Variant::ALL.map(|variant| self.look().plan(&configured, variant, turned));
        let plans = plans.into_iter().collect::<Result<Vec<Plan>, _>>()?;
        let started = plans.iter().try_for_each(|plan| self.start_wanted(main, plan));
        if started.is_ok() {
            self.state().configured = configured;
            plans.iter().for_each(|plan| self.carry_out(main, plan));
        }
        for variant in Variant::ALL {
            self.stop_unused(main, variant);
            self.refresh(main, variant);
        }
        started
    }

    /// Starts what is wanted and is not there, nor will be with other timers.
    fn start_wanted(&self, main: &mut Main, plan: &Plan) -> Result<(), ProbeError> {
        let Plan { variant, wanted, retimed } = plan;
        for (_, setting) in wanted {
            let is_retimed = retimed.iter().any(|(_, other)| other == setting);
            // One that gets other timers is there no more.
            let is_there = self.look().meterings[*variant as usize].now.iter().any(|metering| {
                metering.setting == *setting && retimed.iter().all(|(id, _)| *id != metering.id)
            });
            if !is_retimed && !is_there {
                self.start(main, *variant, setting.clone())?;
            }
        }
        Ok(())
    }

    /// Has each interface measured by the metering of its setting. Flows end where it was measured.
    fn carry_out(&self, main: &mut Main, plan: &Plan) {
        let Plan { variant, wanted, retimed } = plan;
        for (id, setting) in retimed {
            self.retime(main, *variant, *id, setting.clone());
        }
        for (interface, setting) in wanted {
            let Some(Measured { directions, metering }) = self.measured(*interface, *variant)
            else {
                continue;
            };
            let to = self.look().meterings[*variant as usize].of_setting(setting);
            if let Some(to) = to.filter(|to| *to != metering) {
                self.flush_metering(main, *variant, metering, Scope::Interface(*interface));
                self.set_measured(*interface, *variant, Measured { directions, metering: to });
            }
        }
    }
}

impl State {
    /// What is to be done for a variant.
    fn plan(
        &self,
        configured: &Configured,
        variant: Variant,
        turned: Option<(SwIfIndex, Variant, Directions)>,
    ) -> Result<Plan, ProbeError> {
        let of_variant = self.enabled.iter().filter(|((_, other), _)| *other == variant);
        let mut wanted = Vec::new();
        for (&(interface, _), measured) in of_variant {
            let setting = configured.setting(interface, variant);
            if setting.recorded.is_nothing() {
                return Err(ProbeError::NotConfigured);
            }
            let turned = turned.filter(|&(turned, of, _)| (turned, of) == (interface, variant));
            let directions = turned.map_or(measured.directions, |(.., directions)| directions);
            setting.check_fields(variant, directions)?;
            wanted.push((interface, setting));
        }
        check_room(wanted.iter().map(|(_, setting)| setting), variant)?;
        let retimed = self.retimed(variant, &wanted);
        Ok(Plan { variant, wanted, retimed })
    }

    /// Meterings whose interfaces all want the same but other timers, which no other one has.
    fn retimed(
        &self,
        variant: Variant,
        wanted: &[(SwIfIndex, Setting)],
    ) -> Vec<(MeteringId, Setting)> {
        let mut retimed: Vec<(MeteringId, Setting)> = Vec::new();
        for Metering { id, setting, .. } in &self.meterings[variant as usize].now {
            let of = |interface: &SwIfIndex| self.enabled.get(&(*interface, variant));
            let is_here = |interface| of(interface).is_some_and(|m| m.metering == *id);
            let mut here = wanted.iter().filter(|(interface, _)| is_here(interface));
            let Some((_, first)) = here.next() else { continue };
            let is_like = first != setting && first.recorded == setting.recorded;
            let is_taken = self.meterings[variant as usize].of_setting(first).is_some()
                || retimed.iter().any(|(_, other)| other == first);
            if is_like && !is_taken && here.all(|(_, other)| other == first) {
                retimed.push((*id, first.clone()));
            }
        }
        retimed
    }
}

fn check_room<'s>(
    settings: impl Iterator<Item = &'s Setting>,
    variant: Variant,
) -> Result<(), ProbeError> {
    let mut different: Vec<&Setting> = Vec::new();
    for setting in settings {
        if !different.contains(&setting) {
            different.push(setting);
        }
    }
    if different.len() > MAX_SETTINGS {
        return Err(ProbeError::TooManySettings(variant));
    }
    Ok(())
}
