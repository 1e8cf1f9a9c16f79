//! What the meters of a setting are told, and the templates of their records.

use vnet::{
    flow::{Config, Families, Keys, Pages, RecordSet, Selection},
    ipfix::{
        fields::{BiflowFields, FieldList},
        profile::FlowTemplates,
    },
};

use crate::{
    ProbeError, Variant,
    setting::{Layers, Recorded, Setting},
};

/// What the meters of a variant do by a setting, and the templates of their records.
pub(crate) struct Recording {
    pub(crate) config: Config,
    pub(crate) templates: FlowTemplates,
    /// Whether IP packets are shown with their link headers.
    pub(crate) with_link: bool,
    /// Whether packets are shown as those of the interface at which they are observed, whichever way they go.
    pub(crate) at_interface: bool,
}

impl Recording {
    /// In flow tables of at most `cache` octets a thread.
    pub(crate) fn new(
        setting: &Setting,
        cache: Option<u64>,
        variant: Variant,
    ) -> Result<Self, ProbeError> {
        let recording = match &setting.recorded {
            Recorded::Layers(layers) => Self::of_layers(setting, *layers, variant)?,
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

    fn of_layers(
        setting: &Setting,
        Layers { set, biflow }: Layers,
        variant: Variant,
    ) -> Result<Self, ProbeError> {
        // The VLAN is a matter of the link layer; the templates have it there.
        let with_link = set.contains(RecordSet::L2);
        let record = if with_link { set | RecordSet::VLAN } else { set };
        let families = variant.families(record);
        let config = config(setting, families, record);
        if biflow {
            let fields = BiflowFields::new(set).ok_or(ProbeError::OneEnd)?;
            let (config, templates) = (fields.metering(config), fields.templates(families));
            return Ok(Self { config, templates, with_link, at_interface: true });
        }
        let config = setting.profile.metering(config);
        let templates = setting.profile.templates(config.record, families);
        Ok(Self { config, templates, with_link, at_interface: false })
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
            at_interface: false,
        })
    }

    /// Whether flows of every family have packets of one interface, that by which they came and that by which they left.
    pub(crate) fn tells_interfaces(&self) -> bool {
        let interfaces = Keys::INGRESS | Keys::EGRESS;
        let Selection { ip4, ip6, other, .. } =
            self.config.selection.unwrap_or_else(|| self.config.record.into());
        self.at_interface || [ip4, ip6, other].iter().all(|of| of.contains(interfaces))
    }
}

fn config(setting: &Setting, families: Families, record: RecordSet) -> Config {
    Config {
        active: setting.timers.active(),
        passive: setting.timers.passive(),
        fragments: setting.fragments,
        pages: Pages::Settling,
        ..Config::new(families, record)
    }
}
