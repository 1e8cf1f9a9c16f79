//! What the meters of a setting are told, and the templates of their records.

use vnet::{
    flow::{Config, Families, Keys, Pages, RecordSet, Selection},
    ipfix::{fields::FieldList, profile::FlowTemplates},
};

use crate::{
    ProbeError, Variant,
    setting::{Recorded, Setting},
};

/// What the meters of a variant do by a setting, and the templates of their records.
pub(crate) struct Recording {
    pub(crate) config: Config,
    pub(crate) templates: FlowTemplates,
    /// Whether IP packets are shown with their link headers.
    pub(crate) with_link: bool,
}

impl Recording {
    /// In flow tables of at most `cache` octets a thread.
    pub(crate) fn new(
        setting: &Setting,
        cache: Option<u64>,
        variant: Variant,
    ) -> Result<Self, ProbeError> {
        let recording = match &setting.recorded {
            Recorded::Layers(set) => Self::of_layers(setting, *set, variant),
            Recorded::Template(lease) => {
                Self::of_fields(setting, lease.list(), variant).ok_or_else(|| {
                    ProbeError::NoFields { template: lease.name().to_owned(), variant }
                })?
            }
        };
        let config = match cache {
            Some(octets) => recording.config.within(octets),
            None => recording.config,
        };
        Ok(Self { config, ..recording })
    }

    fn of_layers(setting: &Setting, set: RecordSet, variant: Variant) -> Self {
        // The VLAN is a matter of the link layer; the templates have it there.
        let with_link = set.contains(RecordSet::L2);
        let record = if with_link { set | RecordSet::VLAN } else { set };
        let families = variant.families(record);
        let config = setting.profile.metering(config(setting, families, record));
        let templates = setting.profile.templates(config.record, families);
        Self { config, templates, with_link }
    }

    /// `None` when the list has no fields for packets of the variant.
    fn of_fields(setting: &Setting, list: &FieldList, variant: Variant) -> Option<Self> {
        let layers = list.selection().layers();
        let config = list.metering(config(setting, variant.all_families(), layers));
        let templates = list.templates(config.families);
        (!config.families.is_empty()).then(|| Self {
            config,
            templates,
            with_link: list.needs_link(),
        })
    }

    /// Whether these tell flows of every family apart.
    pub(crate) fn tells(&self, keys: Keys) -> bool {
        let Selection { ip4, ip6, other, .. } =
            self.config.selection.unwrap_or_else(|| self.config.record.into());
        [ip4, ip6, other].iter().all(|of| of.contains(keys))
    }
}

fn config(setting: &Setting, families: Families, record: RecordSet) -> Config {
    Config {
        active: setting.timers.active(),
        passive: setting.timers.passive(),
        pages: Pages::Settling,
        ..Config::new(families, record)
    }
}
