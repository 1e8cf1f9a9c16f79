//! What collectors are told of sampling, as options records.
//!
//! Two kinds. *Rates* have an interface as their scope and say how many packets were selected and skipped in words that collectors
//! scale flows by: they have no selector, since flow records name none. *Selectors* (RFC 5477) have a selector as their scope,
//! and tell what exactly it does, where, and what it has seen.

use std::rc::{Rc, Weak};

use vnet::{
    flow::{
        Direction,
        sample::{Method, Sampler},
    },
    interface::SwIfIndex,
    ipfix::{
        export::TemplateFields,
        options::{About, Records, Subject, View},
    },
};

use super::Site;
use crate::{FlowProbe, probe::Inner};

macro_rules! rates {
    ($($name:ident $scope:literal),*) => {
        $(vnet::data_record! {
            /// Scope: the interface by which packets came or left.
            struct $name {
                interface: SwIfIndex = $scope,
                interval: u32 = "samplingPacketInterval",
                space: u32 = "samplingPacketSpace",
            }
        })*
    };
}

rates!(RateIn "ingressInterface", RateOut "egressInterface");

vnet::data_record! {
    /// What a selector has seen; egress is 0 on receipt, and ingress on sending.
    struct Seen {
        selector: u64 = "selectorId",
        ingress: u32 = "ingressInterface",
        egress: u32 = "egressInterface",
        direction: u8 = "flowDirection",
        observed: u64 = "selectorIdTotalPktsObserved",
        selected: u64 = "selectorIdTotalPktsSelected",
    }
}

vnet::data_record! {
    /// Systematic, by count.
    struct Counted {
        selector: u64 = "selectorId",
        algorithm: u16 = "selectorAlgorithm",
        interval: u32 = "samplingPacketInterval",
        space: u32 = "samplingPacketSpace",
    }
}

vnet::data_record! {
    /// Systematic, by time.
    struct Timed {
        selector: u64 = "selectorId",
        algorithm: u16 = "selectorAlgorithm",
        interval: u32 = "samplingTimeInterval",
        space: u32 = "samplingTimeSpace",
    }
}

vnet::data_record! {
    /// n out of N.
    struct OutOf {
        selector: u64 = "selectorId",
        algorithm: u16 = "selectorAlgorithm",
        size: u32 = "samplingSize",
        population: u32 = "samplingPopulation",
    }
}

vnet::data_record! {
    /// With a probability.
    struct Probable {
        selector: u64 = "selectorId",
        algorithm: u16 = "selectorAlgorithm",
        probability: f64 = "samplingProbability",
    }
}

vnet::data_record! {
    /// By a hash. What it covers of the header is in docs/FLOWPROBE.md.
    struct Hashed {
        selector: u64 = "selectorId",
        algorithm: u16 = "selectorAlgorithm",
        payload_offset: u64 = "hashIPPayloadOffset",
        payload_size: u64 = "hashIPPayloadSize",
        output_min: u64 = "hashOutputRangeMin",
        output_max: u64 = "hashOutputRangeMax",
        selected_min: u64 = "hashSelectedRangeMin",
        selected_max: u64 = "hashSelectedRangeMax",
        digest: u8 = "hashDigestOutput",
        initial: u64 = "hashInitialiserValue",
    }
}

/// Which of the templates is that of [`Seen`].
const SEEN: usize = 2;

/// A boolean that is false (RFC 7011 section 6.1.5).
const FALSE: u8 = 2;

/// The subject. It is not to keep the probe alive, which keeps it.
pub(super) struct Sampling(Weak<Inner>);

impl Sampling {
    pub(super) fn new(probe: &FlowProbe) -> Self {
        Self(Rc::downgrade(&probe.0))
    }
}

impl Subject for Sampling {
    fn about(&self) -> About {
        About {
            word: "sampling",
            report: "options-sampling",
            help: "Tell collectors how packets are sampled, and how many were selected.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        let all = [
            TemplateFields::of::<RateIn>(),
            TemplateFields::of::<RateOut>(),
            TemplateFields::of::<Seen>(),
            TemplateFields::of::<Counted>(),
            TemplateFields::of::<Timed>(),
            TemplateFields::of::<OutOf>(),
            TemplateFields::of::<Probable>(),
            TemplateFields::of::<Hashed>(),
        ];
        all.into_iter().map(|fields| TemplateFields { scopes: 1, ..fields }).collect()
    }

    fn tells_changes(&self, template: usize) -> bool {
        template != SEEN
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let Some(inner) = self.0.upgrade() else { return };
        let sites = FlowProbe(inner).sampled_sites(view.main);
        let mut rates: Vec<(SwIfIndex, Direction)> = Vec::new();
        for site in &sites {
            // The variants of an interface have one rate.
            let at = (site.interface, site.direction);
            if !rates.contains(&at) {
                rates.push(at);
                rate(site, records);
            }
            selector(site, records);
            seen(site, records);
        }
    }
}

/// Nothing but what to scale by: nfdump takes no rate from a record that has an algorithm or an interval of the deprecated kind
/// beside it, or takes it for one more.
fn rate(site: &Site, records: &mut Records) {
    let &Site { interface, method, .. } = site;
    let (interval, space) = method.interval_and_space();
    match site.direction {
        Direction::Ingress => records.push(0, &RateIn { interface, interval, space }),
        Direction::Egress => records.push(1, &RateOut { interface, interval, space }),
    }
}

fn seen(site: &Site, records: &mut Records) {
    let &Site { selector, direction, interface, sampled, .. } = site;
    let (ingress, egress) = match direction {
        Direction::Ingress => (interface.0, 0),
        Direction::Egress => (0, interface.0),
    };
    let (direction, observed, selected) = (direction as u8, sampled.observed, sampled.selected);
    records.push(SEEN, &Seen { selector, ingress, egress, direction, observed, selected });
}

fn selector(site: &Site, records: &mut Records) {
    let &Site { selector, method, seed, .. } = site;
    let algorithm = method.algorithm();
    match method {
        Method::Count { interval, space } => {
            records.push(3, &Counted { selector, algorithm, interval, space });
        }
        Method::Time { interval, space } => {
            records.push(4, &Timed { selector, algorithm, interval, space });
        }
        Method::Random { size, population } => {
            records.push(5, &OutOf { selector, algorithm, size, population });
        }
        Method::Probability(probability) => {
            records.push(6, &Probable { selector, algorithm, probability });
        }
        Method::Hash { first, last } => records.push(
            7,
            &Hashed {
                selector,
                algorithm,
                payload_offset: 0,
                payload_size: Sampler::HASHED_PAYLOAD as u64,
                output_min: 0,
                output_max: u32::MAX.into(),
                selected_min: first.into(),
                selected_max: last.into(),
                digest: FALSE,
                initial: u64::from(seed as u32),
            },
        ),
    }
}
