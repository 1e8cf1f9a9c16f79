//! What options records tell of packets that were not metered and of records that were lost here.

use std::rc::Rc;

use vnet::{
    ipfix::{
        engine::ExporterId,
        options::{Ignored, NotSent},
    },
    runtime::Main,
};

use crate::{FlowProbe, Variant};

/// Adds to the options of exporters. They are not to keep the probe alive, which keeps them.
pub(crate) fn register(probe: &FlowProbe) {
    let options = probe.exporter().options();
    let of = Rc::downgrade(&probe.0);
    options.count_ignored(move |main| {
        of.upgrade().map_or(Ignored::default(), |inner| ignored(&FlowProbe(inner), main))
    });
    let of = Rc::downgrade(&probe.0);
    options.count_not_sent(move |exporter| {
        of.upgrade().map_or(NotSent::default(), |inner| not_sent(&FlowProbe(inner), exporter))
    });
}

/// Packets with headers that a meter could not read.
fn ignored(probe: &FlowProbe, main: &mut Main) -> Ignored {
    let mut sum = Ignored::default();
    Variant::ALL.into_iter().for_each(|variant| sum += probe.unreadable(main, variant));
    sum
}

/// Records that found no room on their way to an exporter.
fn not_sent(probe: &FlowProbe, exporter: ExporterId) -> NotSent {
    let mut sum = NotSent::default();
    for variant in Variant::ALL {
        let counters = probe.look().meterings[variant as usize].counters_for(exporter);
        sum += NotSent {
            flows: counters.dropped,
            packets: counters.packets_dropped,
            octets: counters.octets_dropped,
        };
    }
    sum
}
