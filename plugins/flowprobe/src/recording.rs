//! What the meters of a setting are told, and the templates of their records.

use vnet::{
    flow::{Config, Families, Keys, Pages, RecordSet, Selection},
    ipfix::{
        fields::{BiflowFields, FieldList},
        profile::{FlowTemplates, Profile},
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
        if variant == Variant::Drop {
            return Self::of_drops(setting, set, biflow);
        }
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

    fn of_drops(setting: &Setting, set: RecordSet, biflow: bool) -> Result<Self, ProbeError> {
        if setting.profile == Profile::Vpp {
            return Err(ProbeError::DropsInProfile);
        }
        if biflow {
            return Err(ProbeError::DropsOneWay);
        }
        let config = config(setting, Variant::Drop.all_families(), set);
        Ok(Self::of_list(&drops(set)?, config))
    }

    /// `None` when the list has no fields for packets of the variant.
    fn of_fields(setting: &Setting, list: &FieldList, variant: Variant) -> Option<Self> {
        let layers = list.selection().layers();
        let recording = Self::of_list(list, config(setting, variant.all_families(), layers));
        (!recording.config.families.is_empty()).then_some(recording)
    }

    fn of_list(list: &FieldList, config: Config) -> Self {
        let config = list.metering(config);
        let templates = list.templates(config.families);
        Self { config, templates, with_link: list.needs_link(), at_interface: false }
    }

    /// Whether packets are shown with what is known of them beyond their octets.
    pub(crate) fn needs_context(&self) -> bool {
        self.config.selection.is_some_and(|selection| selection.needs_context())
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

/// What is told of drops where no template says so: why, and of which packets.
fn drops(record: RecordSet) -> Result<FieldList, ProbeError> {
    let mut fields = "ingressInterface,forwardingStatus/1,packetDeltaCount,octetDeltaCount,layer2OctetDeltaCount,\
         flowStartMilliseconds,flowEndMilliseconds,flowEndReason,ethernetType"
        .to_owned();
    for (layer, more) in [
        (RecordSet::L2, ",sourceMacAddress,destinationMacAddress,vlanId"),
        (
            RecordSet::L3,
            ",sourceIPv4Address,destinationIPv4Address,sourceIPv6Address,destinationIPv6Address,protocolIdentifier",
        ),
        (
            RecordSet::L4,
            ",sourceTransportPort,destinationTransportPort,tcpControlBits,icmpTypeCodeIPv4,icmpTypeCodeIPv6",
        ),
    ] {
        if record.contains(layer) {
            fields += more;
        }
    }
    Ok(FieldList::parse(&fields)?)
}
