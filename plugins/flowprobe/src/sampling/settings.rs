//! Which interfaces are sampled, and how.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, Hasher, RandomState},
};

use vnet::{
    command::{ApiError, OperationError},
    flow::{
        Direction, Scope,
        sample::{Method, MethodError, Sampled, Sampler},
    },
    interface::SwIfIndex,
    runtime::Main,
};

use super::sites::{Selector, Sites};
use crate::{FlowProbe, Variant, point::Point};

/// Why sampling is not changed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// No such interface.
    #[error("no such interface")]
    NoSuchInterface,
    /// It is not sampled.
    #[error("this interface is not sampled")]
    NotSampled,
    /// The method selects nothing.
    #[error(transparent)]
    Method(#[from] MethodError),
}

impl OperationError for SamplingError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchInterface => ApiError::InvalidSwIfIndex,
            Self::NotSampled => ApiError::NoSuchEntry,
            Self::Method(_) => ApiError::InvalidValue,
        }
    }
}

/// How an interface is sampled.
#[derive(Clone, Copy)]
struct Setting {
    method: Method,
    seed: u64,
    generation: u64,
}

/// The settings of all interfaces.
#[derive(Default)]
pub(crate) struct Settings {
    settings: BTreeMap<SwIfIndex, Setting>,
    generations: u64,
    selectors: u64,
}

/// A site that is sampled, on one thread, and what its selector has seen.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The interface.
    pub interface: SwIfIndex,
    /// Whose meter measures what is selected.
    pub variant: Variant,
    /// On receipt or on sending.
    pub direction: Direction,
    /// How packets are selected.
    pub method: Method,
    /// What the selector began with.
    pub seed: u64,
    /// The selector: selectorId of options records.
    pub selector: u64,
    /// What it has seen since it began.
    pub sampled: Sampled,
}

impl FlowProbe {
    /// Samples the packets of `interface` wherever it is measured, from now on; `None` measures all of them. Without a seed,
    /// methods that need one choose it, and hashes are those of the seed 0.
    ///
    /// # Errors
    /// See [`SamplingError`].
    pub fn set_sampling(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        method: Option<Method>,
        seed: Option<u64>,
    ) -> Result<(), SamplingError> {
        let method = method.map(Method::check).transpose()?;
        if main.interfaces().interface(interface).is_none() {
            return Err(SamplingError::NoSuchInterface);
        }
        if method.is_none() && !self.settings().settings.contains_key(&interface) {
            return Err(SamplingError::NotSampled);
        }
        self.flush_interface(main, interface);
        let mut settings = self.settings();
        settings.generations += 1;
        let generation = settings.generations;
        match method {
            Some(method) => {
                let seed = seed.unwrap_or_else(|| default_seed(method));
                settings.settings.insert(interface, Setting { method, seed, generation });
            }
            None => drop(settings.settings.remove(&interface)),
        }
        drop(settings);
        self.refresh_sampling(main);
        Ok(())
    }

    /// How interfaces are sampled, measured or not, with their seeds.
    #[must_use]
    pub fn sampling(&self) -> Vec<(SwIfIndex, Method, u64)> {
        let settings = self.settings();
        settings.settings.iter().map(|(&interface, s)| (interface, s.method, s.seed)).collect()
    }

    /// All sites that are sampled.
    #[must_use]
    pub fn sampled_sites(&self, main: &mut Main) -> Vec<Site> {
        let settings = self.settings();
        let mut sites = Vec::new();
        for variant in Variant::ALL {
            main.for_each_local(self.point(variant), |place| {
                let Some(of_thread) = place.as_ref().and_then(Point::sites) else { return };
                for (direction, interface) in of_thread.places() {
                    let selector = of_thread.get(direction, interface);
                    let setting = settings.settings.get(&interface);
                    if let (Some(selector), Some(&Setting { method, seed, .. })) =
                        (selector, setting)
                    {
                        let (selector, sampled) = (selector.id, selector.sampler.sampled());
                        let site =
                            Site { interface, variant, direction, method, seed, selector, sampled };
                        sites.push(site);
                    }
                }
            });
        }
        sites.sort_by_key(|site| site.selector);
        sites
    }

    /// Gives each site that is measured and sampled a selector, and takes it from all others. One that follows its setting
    /// already goes on.
    pub(crate) fn refresh_sampling(&self, main: &mut Main) {
        let enabled = self.enabled();
        let settings = &mut *self.settings();
        for variant in Variant::ALL {
            let measured: BTreeSet<(Direction, SwIfIndex)> = enabled
                .iter()
                .filter(|(_, other, _)| *other == variant)
                .flat_map(|(interface, _, directions)| {
                    directions.each().iter().map(|&direction| (direction, *interface))
                })
                .collect();
            main.for_each_local(self.point(variant), |place| {
                if let Some(point) = place {
                    point.with_sites(|sites| settings.refresh(&measured, sites));
                }
            });
        }
    }

    /// An interface is gone: its number will be another one's.
    pub(crate) fn forget_sampling(&self, main: &mut Main, interface: SwIfIndex) {
        if self.settings().settings.remove(&interface).is_some() {
            self.refresh_sampling(main);
        }
    }

    fn flush_interface(&self, main: &mut Main, interface: SwIfIndex) {
        for variant in Variant::ALL {
            self.flush_variant(main, variant, Scope::Interface(interface));
        }
    }
}

impl Settings {
    fn refresh(&mut self, measured: &BTreeSet<(Direction, SwIfIndex)>, sites: &mut Sites) {
        for (direction, interface) in sites.places() {
            let wanted = self.settings.contains_key(&interface);
            if !wanted || !measured.contains(&(direction, interface)) {
                sites.put(direction, interface, None);
            }
        }
        for &(direction, interface) in measured {
            let Some(&Setting { method, seed, generation }) = self.settings.get(&interface) else {
                continue;
            };
            let is_there = sites.get(direction, interface);
            if is_there.is_none_or(|selector| selector.generation != generation) {
                self.selectors += 1;
                let (id, sampler) = (self.selectors, Sampler::new(method, seed));
                sites.put(direction, interface, Some(Selector { id, generation, sampler }));
            }
        }
    }
}

/// Hashes are to be the same at every point; all else is to be chance.
fn default_seed(method: Method) -> u64 {
    match method {
        Method::Random { .. } | Method::Probability(_) => {
            RandomState::new().build_hasher().finish()
        }
        Method::Count { .. } | Method::Time { .. } | Method::Hash { .. } => 0,
    }
}
