//! What the meters of a variant are told, and the templates of their records.

use vnet::{
    flow::{Config, Pages, RecordSet},
    ipfix::{fields::Lease, profile::FlowTemplates},
};

use crate::{Params, ProbeError, Variant};

/// What a variant's meters do, and the templates of their records.
pub(crate) struct Recording {
    pub(crate) config: Config,
    pub(crate) templates: FlowTemplates,
    /// Whether IP packets are shown with their link headers.
    pub(crate) with_link: bool,
}

impl Recording {
    /// Of what `params` say, or of a user's template in their place, in flow tables of at most `cache` octets a thread.
    pub(crate) fn new(
        params: &Params,
        template: Option<&Lease>,
        cache: Option<u64>,
        variant: Variant,
    ) -> Result<Self, ProbeError> {
        let config = |families, record| Config {
            active: params.active(),
            passive: params.passive(),
            pages: Pages::Settling,
            ..Config::new(families, record)
        };
        let bounded = |config: Config| match cache {
            Some(octets) => config.within(octets),
            None => config,
        };
        let Params { record, profile, .. } = *params;
        let Some(lease) = template else {
            // The VLAN is a matter of the link layer; the templates have it there.
            let with_link = record.contains(RecordSet::L2);
            let record = if with_link { record | RecordSet::VLAN } else { record };
            let families = variant.families(record);
            let config = profile.metering(config(families, record));
            let templates = profile.templates(config.record, families);
            return Ok(Self { config: bounded(config), templates, with_link });
        };
        let list = lease.list();
        let config = list.metering(config(variant.all_families(), record));
        if config.families.is_empty() {
            return Err(ProbeError::NoFields { template: lease.name().to_owned(), variant });
        }
        let templates = list.templates(config.families);
        Ok(Self { config: bounded(config), templates, with_link: list.needs_link() })
    }
}
