//! The four `show flowprobe` commands: as data, and in VPP's words.

use vnet::{
    command::{Align, Cell, Column, Record, Table},
    flow::{Addresses, Counters, Direction, FlowRecord, RecordSet, Unmeasured},
    interface::SwIfIndex,
    ipfix::engine::QueueCounters,
    runtime::Main,
    wire::ethernet::MacAddress,
};

use crate::{FlowProbe, Params, Variant};

/// A flow of `show flowprobe table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Whose flow it is.
    pub variant: Variant,
    /// The record that would be made of it now.
    pub record: FlowRecord,
}

/// What `show flowprobe statistics` tells of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Which one.
    pub variant: Variant,
    /// Flows that the cache of a thread holds without evicting any.
    pub room: usize,
    /// What the meter of each thread has: flows in its cache, and counts since the variant was enabled. Empty while it is
    /// enabled nowhere.
    pub meters: Vec<(usize, Counters)>,
    /// What became of its records since the start.
    pub records: QueueCounters,
    /// Records that wait for the exporter.
    pub waiting: usize,
}

impl FlowProbe {
    /// Up to `max` flows of the caches of all threads, by variant, and how many there are.
    #[must_use]
    pub fn flows(&self, main: &mut Main, max: usize) -> (Vec<Flow>, usize) {
        let (mut flows, mut all) = (Vec::new(), 0);
        for variant in Variant::ALL {
            main.for_each_local(self.point(variant), |place| {
                let Some(point) = place else { return };
                all += point.meter.live_flows();
                if flows.len() < max {
                    point.meter.for_each_flow(&mut |record: &FlowRecord| {
                        if flows.len() < max {
                            flows.push(Flow { variant, record: *record });
                        }
                    });
                }
            });
        }
        (flows, all)
    }

    /// What each variant has done.
    #[must_use]
    pub fn statistics(&self, main: &mut Main) -> [Statistics; 3] {
        Variant::ALL.map(|variant| {
            let mut meters = Vec::new();
            main.for_each_local(self.point(variant), |place| {
                let Some(point) = place else { return };
                meters.push((point.meter.live_flows(), *point.meter.counters()));
            });
            let (records, waiting) = self.queue_counters(variant);
            let room = self.room(variant);
            Statistics { variant, room, meters, records, waiting }
        })
    }
}

/// `show flowprobe feature`.
pub(crate) fn features(probe: &FlowProbe, main: &Main) -> Table {
    let columns = ["Interface", "Variant", "Direction"];
    let columns = columns.map(|title| Column::new(title, 0, Align::Left));
    let mut table = Table::new(columns).without_header();
    for (interface, variant, directions) in probe.enabled() {
        let name = main.interface_name(interface);
        table.row([
            Cell::shown(format!(" {name}"), name.as_str()),
            Cell::shown(format!(" {}", variant.word()), variant.word()),
            Cell::shown(format!(" {directions}"), directions.to_string()),
        ]);
    }
    table
}

/// `show flowprobe params`.
pub(crate) fn params(probe: &FlowProbe) -> Record {
    let params = probe.params();
    let layers = [(RecordSet::L2, "l2"), (RecordSet::L3, "l3"), (RecordSet::L4, "l4")];
    let mut line = String::new();
    let mut record = Record::new();
    let template = probe.template();
    for (layer, word) in layers {
        let recorded = params.record.contains(layer) && template.is_none();
        if recorded {
            line += " ";
            line += word;
        }
        record = record.field(word, Cell::shown("", recorded));
    }
    if let Some(name) = &template {
        line = format!(" template {name}");
    }
    let Params { active, passive, profile, .. } = params;
    let mut line = format!("{line} active: {active} passive: {passive}");
    if profile != probe.default_profile() {
        line = format!("{line} profile: {}", profile.word());
    }
    record
        .line(line)
        .field("template", template.map_or(Cell::Empty, Into::into))
        .field("active", active)
        .field("passive", passive)
        .field("profile", profile.word())
}

/// `show flowprobe table`.
pub(crate) fn table(probe: &FlowProbe, main: &mut Main, max: usize) -> Record {
    let (flows, all) = probe.flows(main, max);
    let mut table = Table::new([
        Column::new("Variant", 8, Align::Left),
        Column::new("Dir", 4, Align::Left),
        Column::new("Rx", 4, Align::Right).key("rx_sw_if_index"),
        Column::new("Tx", 4, Align::Right).key("tx_sw_if_index"),
        Column::new("  Source MAC", 20, Align::Left).key("source_mac"),
        Column::new("Destination MAC", 18, Align::Left),
        Column::new("Source -> Destination", 36, Align::Left).key("addresses"),
        Column::new("Proto", 6, Align::Right).key("protocol"),
        Column::new("Sport", 6, Align::Right).key("source_port"),
        Column::new("Dport", 6, Align::Right).key("destination_port"),
        Column::new("Packets", 12, Align::Right),
        Column::new("Octets", 16, Align::Right),
    ]);
    for Flow { variant, record } in &flows {
        let direction = match record.direction {
            Direction::Ingress => "rx",
            Direction::Egress => "tx",
        };
        let source_mac = MacAddress(record.source_mac).to_string();
        table.row([
            variant.word().into(),
            direction.into(),
            interface(record.ingress),
            interface(record.egress),
            Cell::shown(format!("  {source_mac}"), source_mac.as_str()),
            MacAddress(record.destination_mac).to_string().into(),
            addresses(record).into(),
            u64::from(record.protocol).into(),
            u64::from(record.source_port).into(),
            u64::from(record.destination_port).into(),
            record.packets.into(),
            record.octets.into(),
        ]);
    }
    let heading = match flows.len() {
        n if n == all => format!("Flow table, {all} flows"),
        n => format!("Flow table, {n} of {all} flows"),
    };
    Record::new().line(heading).field("all", all).nested("flows", 0, table)
}

/// Signed, as VPP prints them: none is -1.
fn interface(index: SwIfIndex) -> Cell {
    i64::from(index.0.cast_signed()).into()
}

fn addresses(record: &FlowRecord) -> String {
    use core::net::{Ipv4Addr, Ipv6Addr};
    match record.addresses {
        Addresses::V4(source, destination) => {
            format!("{} -> {}", Ipv4Addr::from(source), Ipv4Addr::from(destination))
        }
        Addresses::V6(source, destination) => {
            format!("{} -> {}", Ipv6Addr::from(source), Ipv6Addr::from(destination))
        }
        Addresses::None => format!("0x{:04x}", record.ethertype),
    }
}

/// `show flowprobe statistics`.
pub(crate) fn statistics(probe: &FlowProbe, main: &mut Main) -> Record {
    let mut record = Record::new().line("Flow table statistics");
    for statistics in probe.statistics(main) {
        let variant = statistics.variant.word();
        record = record.nested(variant, 0, of_variant(&statistics));
    }
    record
}

fn of_variant(statistics: &Statistics) -> Record {
    let Statistics { variant, room, meters, records, waiting } = statistics;
    let mut record = Record::new().line(format!("{}:", variant.word())).field("room", *room);
    for (thread, (flows, counters)) in meters.iter().enumerate() {
        record = record.nested(
            &format!("thread_{thread}"),
            2,
            of_meter(*room, *flows, counters, thread),
        );
    }
    let line = format!(
        "  records: {} exported, {waiting} waiting, {} without collector ({} packets), {} dropped ({} packets)",
        records.handed_over,
        records.without_collector,
        records.packets_without_collector,
        records.dropped,
        records.packets_dropped,
    );
    record
        .line(line)
        .field("records_exported", records.handed_over)
        .field("records_waiting", *waiting)
        .field("records_without_collector", records.without_collector)
        .field("packets_without_collector", records.packets_without_collector)
        .field("records_dropped", records.dropped)
        .field("packets_dropped", records.packets_dropped)
}

fn of_meter(room: usize, flows: usize, counters: &Counters, thread: usize) -> Record {
    let percent = flows * 100 / room.max(1);
    let mut record = Record::new()
        .line(format!("thread {thread}: {flows} flows of {room}, {percent}% utilised"))
        .field("flows", flows)
        .field("utilization_percent", percent)
        .line(format!(
            "  packets: {} seen, {} measured; records: {} made; evictions: {}",
            counters.seen,
            counters.measured,
            counters.records_total(),
            counters.evictions,
        ))
        .field("packets_seen", counters.seen)
        .field("packets_measured", counters.measured)
        .field("records_made", counters.records_total())
        .field("evictions", counters.evictions);
    for reason in Unmeasured::ALL {
        let packets = counters.unmeasured(reason);
        if packets > 0 {
            let text = reason.text();
            record = record
                .line(format!("  not measured, {text}: {packets}"))
                .field(&format!("not measured, {text}"), packets);
        }
    }
    record
}
