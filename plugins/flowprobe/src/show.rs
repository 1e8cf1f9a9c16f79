//! The four `show flowprobe` commands: as data, and in VPP's words.

use vnet::{
    command::{Align, Cell, Column, Output, Record, Table},
    flow::{
        Addresses, Counters, DEFAULT_MAX_FLOWS, Direction, FlowRecord, FragmentCounters, Unmeasured,
    },
    hash_tables::{HashTable, HashTables},
    interface::SwIfIndex,
    ipfix::engine::QueueCounters,
    plugin::Registrar,
    runtime::Main,
    wire::ethernet::MacAddress,
};

use crate::{
    FlowProbe, Params, Variant,
    point::Point,
    setting::{LAYERS, Own, Recorded},
};

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
    /// Its settings that are in use; none while it is enabled nowhere.
    pub settings: Vec<SettingStatistics>,
    /// What became of its records since the start.
    pub records: QueueCounters,
    /// Records that wait for the exporter.
    pub waiting: usize,
}

/// What `show flowprobe statistics` tells of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingStatistics {
    /// In the words of `show flowprobe params`.
    pub setting: String,
    /// Who is measured with it.
    pub interfaces: Vec<SwIfIndex>,
    /// Flows that the cache of a thread holds without evicting any.
    pub room: usize,
    /// What the meter of each thread has: flows in its cache, and counts since the setting came into use.
    pub meters: Vec<(usize, Counters)>,
}

impl FlowProbe {
    /// Up to `max` flows of the caches of all threads, by variant, and how many there are.
    #[must_use]
    pub fn flows(&self, main: &mut Main, max: usize) -> (Vec<Flow>, usize) {
        let (mut flows, mut all) = (Vec::new(), 0);
        for variant in Variant::ALL {
            main.for_each_local(self.point(variant), |place| {
                for of in place.iter().flat_map(Point::meters) {
                    all += of.meter.live_flows();
                    if flows.len() < max {
                        of.meter.for_each_flow(&mut |record: &FlowRecord| {
                            if flows.len() < max {
                                flows.push(Flow { variant, record: *record });
                            }
                        });
                    }
                }
            });
        }
        (flows, all)
    }

    /// What each variant has done.
    #[must_use]
    pub fn statistics(&self, main: &mut Main) -> [Statistics; Variant::ALL.len()] {
        Variant::ALL.map(|variant| {
            let settings = self.settings_in_use(main, variant);
            let (records, waiting) = self.queue_counters(variant);
            Statistics { variant, settings, records, waiting }
        })
    }

    fn settings_in_use(&self, main: &mut Main, variant: Variant) -> Vec<SettingStatistics> {
        let state = self.look();
        let mut settings = Vec::new();
        for metering in &state.meterings[variant as usize].now {
            let mut meters = Vec::new();
            main.for_each_local(self.point(variant), |place| {
                let of = place.iter().flat_map(Point::meters).find(|of| of.of == metering.id);
                meters.extend(of.map(|of| (of.meter.live_flows(), *of.meter.counters())));
            });
            let enabled = state.enabled.iter();
            let here = enabled.filter(|((_, v), m)| *v == variant && m.metering == metering.id);
            settings.push(SettingStatistics {
                setting: metering.setting.to_string(),
                interfaces: here.map(|((interface, _), _)| *interface).collect(),
                room: metering.room,
                meters,
            });
        }
        settings
    }
}

/// Has `show bihash` tell of the flow caches of all threads.
pub(crate) fn tell_of_caches(r: &mut Registrar, probe: &FlowProbe) {
    let probe = probe.clone();
    HashTables::tell(r, move |main| caches(&probe, main));
}

fn caches(probe: &FlowProbe, main: &mut Main) -> Vec<HashTable> {
    let mut all = Vec::new();
    for variant in Variant::ALL {
        let mut thread = 0;
        main.for_each_local(probe.point(variant), |place| {
            for of in place.iter().flat_map(Point::meters) {
                all.push(HashTable {
                    name: format!("flowprobe {} flows of thread {thread}", variant.word()),
                    elements: of.meter.live_flows(),
                    buckets: None,
                    bytes: of.meter.reserved() as usize,
                });
            }
            thread += 1;
        });
    }
    all
}

/// `show flowprobe feature`.
pub(crate) fn features(probe: &FlowProbe, main: &Main) -> Table {
    let configured = &probe.look().configured;
    // VPP's, unless somebody has something of his own.
    let titles = ["Interface", "Variant", "Direction", "Setting"];
    let shown = if configured.own.is_empty() { 3 } else { titles.len() };
    let columns = titles.iter().take(shown).map(|title| Column::new(title, 0, Align::Left));
    let mut table = Table::new(columns).without_header();
    for (interface, variant, directions) in probe.enabled() {
        let name = main.interface_name(interface);
        let own = configured.own.get(&(interface, variant));
        let own = own.map(|_| configured.setting(interface, variant).to_string());
        let cells = [
            Cell::shown(format!(" {name}"), name.as_str()),
            Cell::shown(format!(" {}", variant.word()), variant.word()),
            match variant {
                Variant::Drop => Cell::Empty,
                _ => Cell::shown(format!(" {directions}"), directions.to_string()),
            },
            Cell::shown(own.clone().unwrap_or_default(), own.as_deref().map(str::trim_start)),
        ];
        table.row(cells.into_iter().take(shown));
    }
    table
}

/// `show flowprobe params`.
pub(crate) fn params(probe: &FlowProbe, main: &Main) -> Record {
    let state = probe.look();
    let all = &state.configured.all;
    let Params { active, passive, profile, fragments, .. } = all.params();
    let mut line = all.to_string();
    if profile != probe.default_profile() {
        line = format!("{line} profile: {}", profile.word());
    }
    if fragments {
        line += " fragments";
    }
    let record = recorded(Record::new().line(line), Some(&all.recorded))
        .field("active", active)
        .field("passive", passive)
        .field("profile", profile.word())
        .field("fragments", Cell::shown("", fragments));
    if state.configured.own.is_empty() {
        return record;
    }
    let own = state.configured.own.iter();
    let own = own.map(|(&(interface, variant), own)| {
        of_own(own, main.interface_name(interface).as_str(), variant).into()
    });
    record.nested("interfaces", 0, Output::List(own.collect()))
}

/// What an interface has of its own; what it has not is as for all.
fn of_own(own: &Own, interface: &str, variant: Variant) -> Record {
    let recorded_words = own.recorded.as_ref().map(ToString::to_string).unwrap_or_default();
    let timer_words = own.timers.as_ref().map(ToString::to_string).unwrap_or_default();
    let record = Record::new()
        .line(format!(" {interface} {}:{recorded_words}{timer_words}", variant.word()))
        .field("interface", interface)
        .field("variant", variant.word());
    recorded(record, own.recorded.as_ref())
        .field("active", own.timers.map_or(Cell::Empty, |timers| timers.active.into()))
        .field("passive", own.timers.map_or(Cell::Empty, |timers| timers.passive.into()))
}

/// The fields that say what is recorded; all are null where nothing is said.
fn recorded(mut record: Record, recorded: Option<&Recorded>) -> Record {
    for (layer, word) in LAYERS {
        let is_recorded = recorded.map(|recorded| match recorded {
            Recorded::Layers(layers) => layers.set.contains(layer),
            Recorded::Template(_) => false,
        });
        record = record.field(word, Cell::shown("", is_recorded));
    }
    if let Some(Recorded::Layers(layers)) = recorded
        && layers.biflow
    {
        record = record.field("biflow", Cell::shown("", true));
    }
    let template = recorded.and_then(Recorded::template);
    record.field("template", template.map_or(Cell::Empty, |lease| lease.name().into()))
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
        record = record.nested(variant, 0, of_variant(&statistics, main));
    }
    record
}

fn of_variant(statistics: &Statistics, main: &Main) -> Record {
    let Statistics { variant, settings, records, waiting } = statistics;
    let mut record = Record::new().line(format!("{}:", variant.word()));
    match &settings[..] {
        [] => record = record.field("room", DEFAULT_MAX_FLOWS),
        [only] => record = of_setting(record, only),
        several => {
            for (at, setting) in several.iter().enumerate() {
                let names = setting.interfaces.iter().map(|&i| main.interface_name(i).to_string());
                let names: Vec<String> = names.collect();
                let words = setting.setting.trim_start();
                let of = Record::new()
                    .line(format!("{words}, of {}:", names.join(" ")))
                    .field("setting", words)
                    .field("interfaces", names.join(" "));
                record = record.nested(&format!("setting_{at}"), 2, of_setting(of, setting));
            }
        }
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

fn of_setting(mut record: Record, setting: &SettingStatistics) -> Record {
    record = record.field("room", setting.room);
    for (thread, (flows, counters)) in setting.meters.iter().enumerate() {
        let of_thread = of_meter(setting.room, *flows, counters, thread);
        record = record.nested(&format!("thread_{thread}"), 2, of_thread);
    }
    record
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
    if counters.fragments != FragmentCounters::default() {
        record = of_fragments(record, &counters.fragments);
    }
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

fn of_fragments(record: Record, fragments: &FragmentCounters) -> Record {
    let FragmentCounters { first, attributed, without_first, evictions } = fragments;
    record
        .line(format!(
            "  fragments: {first} first, {attributed} attributed, {without_first} without their first; evictions: {evictions}"
        ))
        .field("fragments_first", *first)
        .field("fragments_attributed", *attributed)
        .field("fragments_without_their_first", *without_first)
        .field("fragments_evictions", *evictions)
}
