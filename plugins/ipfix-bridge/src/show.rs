//! The `show` commands as data.

use vnet::{
    command::{Align, Cell, Column, Output, Record, Table},
    flow::{Counters, EndReason, Unmeasured},
    ipfix::{engine::QueueCounters, export::Destination},
    l2::BdId,
    runtime::Main,
};

use crate::{
    IpfixBridge, Sampled,
    bridge::Bridge,
    exporter::Exporter,
    metering::{Metering, Past},
    options::Cache,
    sets::Set,
};

/// What an exporter has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// What its meters have counted.
    pub metered: Counters,
    /// Flows that are held.
    pub cached: usize,
    /// Frames that it was asked about, of bridge domains.
    pub sampled: Sampled,
    /// What became of the records.
    pub records: QueueCounters,
    /// Records that wait for the exporter.
    pub waiting: usize,
}

const REASONS: [(EndReason, &str); 5] = [
    (EndReason::IdleTimeout, "idle timeout"),
    (EndReason::ActiveTimeout, "active timeout"),
    (EndReason::EndOfFlow, "end of flow"),
    (EndReason::ForcedEnd, "forced end"),
    (EndReason::LackOfResources, "lack of resources"),
];

impl IpfixBridge {
    /// What the exporter of a bridge domain has done.
    #[must_use]
    pub fn bridge_statistics(&self, main: &mut Main, id: BdId) -> Option<Statistics> {
        let state = self.look();
        let bridge = state.bridges.get(&id)?;
        Some(statistics(main, bridge.metering.as_ref(), &bridge.past))
    }

    /// What a collector set has done.
    #[must_use]
    pub fn set_statistics(&self, main: &mut Main, id: u32) -> Option<Statistics> {
        let state = self.look();
        let set = state.sets.get(&id)?;
        Some(statistics(main, set.metering.as_ref(), &set.past))
    }
}

fn statistics(main: &mut Main, metering: Option<&Metering>, past: &Past) -> Statistics {
    let ((metered, cached, [input, output]), (records, waiting)) = match metering {
        Some(metering) => (metering.counters(main), metering.records()),
        None => {
            let (metered, observed) = past.counters();
            ((metered, 0, observed), past.records())
        }
    };
    let sampled = Sampled { input, output, sampled: metered.seen };
    Statistics { metered, cached, sampled, records, waiting }
}

/// `show ipfix bridge`.
pub(crate) fn bridges(of: &IpfixBridge, main: &mut Main) -> Vec<Output> {
    let state = of.look();
    state.bridges.iter().map(|(id, bridge)| one_bridge(main, *id, bridge).into()).collect()
}

/// `show ipfix collector-set`.
pub(crate) fn sets(of: &IpfixBridge, main: &mut Main) -> Vec<Output> {
    let state = of.look();
    state.sets.iter().map(|(id, set)| one_set(of, main, *id, set).into()).collect()
}

fn one_bridge(main: &mut Main, id: BdId, bridge: &Bridge) -> Record {
    let Bridge { options, exporter, metering, past, .. } = bridge;
    let statistics = statistics(main, metering.as_ref(), past);
    let Statistics { sampled, .. } = statistics;
    let record = Record::new()
        .line(format!("bridge-domain {id}: {}", state_of(exporter, metering.as_ref())))
        .field("bd_id", u64::from(id.0))
        .line(format!(
            "  sampling {} obs_domain_id {} obs_point_id {}",
            options.sampling, options.obs_domain_id, options.obs_point_id
        ))
        .field("sampling", u64::from(options.sampling.get()))
        .field("obs_domain_id", u64::from(options.obs_domain_id))
        .field("obs_point_id", u64::from(options.obs_point_id))
        .line(format!(
            "  enable-input-sampling {} enable-output-sampling {} enable-tunnel-sampling {}",
            options.input_sampling, options.output_sampling, options.tunnel_sampling
        ))
        .field("enable-input-sampling", Cell::shown("", options.input_sampling))
        .field("enable-output-sampling", Cell::shown("", options.output_sampling))
        .field("enable-tunnel-sampling", Cell::shown("", options.tunnel_sampling));
    let record = with_cache(record, &options.cache)
        .line(format!(
            "  frames: {} in, {} out, {} sampled",
            sampled.input, sampled.output, sampled.sampled
        ))
        .field("frames_in", sampled.input)
        .field("frames_out", sampled.output)
        .field("sampled", sampled.sampled);
    with_targets(with_statistics(record, &statistics), exporter)
}

fn one_set(of: &IpfixBridge, main: &mut Main, id: u32, set: &Set) -> Record {
    let Set { options, exporter, metering, past } = set;
    let statistics = statistics(main, metering.as_ref(), past);
    let domains = metering.as_ref().map(Metering::domains).unwrap_or_default();
    let listed: Vec<String> = domains.iter().map(u32::to_string).collect();
    let record = Record::new()
        .line(format!("collector-set {id}: {}", state_of(exporter, metering.as_ref())))
        .field("id", u64::from(id));
    let record = with_cache(record, &options.cache)
        .line(format!("  samples: {} of domains {}", statistics.metered.seen, or_none(&listed)))
        .field("sampled", statistics.metered.seen)
        .field("domains", listed.join(" "));
    let record = with_statistics(record, &statistics).nested("samplers", 2, samplers(of, main, id));
    with_targets(record, exporter)
}

/// A row for each rule that samples into a set.
fn samplers(of: &IpfixBridge, main: &mut Main, set: u32) -> Table {
    let right = |title: &str, width, key: &str| Column::new(title, width, Align::Right).key(key);
    let mut table = Table::new([
        right("Probability", 11, "probability"),
        right("Domain", 10, "obs_domain_id"),
        right("Point", 10, "obs_point_id"),
        right("Chosen", 12, "chosen"),
        right("Sampled", 12, "sampled"),
        right("Lost", 12, "lost"),
    ]);
    for (sample, counts) in of.sample_counts(main, set) {
        table.row([
            u64::from(sample.probability.get()).into(),
            u64::from(sample.domain).into(),
            u64::from(sample.point).into(),
            counts.chosen.into(),
            counts.sampled.into(),
            counts.lost.into(),
        ]);
    }
    table
}

fn state_of(exporter: &Exporter, metering: Option<&Metering>) -> String {
    let name = exporter.ipfix().name();
    match metering {
        Some(_) => format!("measures, exporter {name}"),
        None => format!("inactive, exporter {name} has no collector"),
    }
}

fn or_none(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

fn with_cache(record: Record, cache: &Cache) -> Record {
    record
        .line(format!(
            "  cache_active_timeout {} cache_max_flows {} cache_idle_timeout {} end-of-flow {} ip-length {} profile {}",
            cache.active_timeout,
            cache.max_flows,
            cache.idle_timeout,
            cache.end_of_flow,
            cache.ip_length,
            cache.profile.word()
        ))
        .field("cache_active_timeout", u64::from(cache.active_timeout))
        .field("cache_max_flows", u64::from(cache.max_flows))
        .field("cache_idle_timeout", u64::from(cache.idle_timeout))
        .field("end-of-flow", Cell::shown("", cache.end_of_flow))
        .field("ip-length", Cell::shown("", cache.ip_length))
        .field("profile", cache.profile.word())
}

fn with_statistics(record: Record, statistics: &Statistics) -> Record {
    let Statistics { metered, cached, records, waiting, .. } = statistics;
    let made: Vec<String> = REASONS
        .into_iter()
        .filter(|(reason, _)| metered.records(*reason) > 0)
        .map(|(reason, text)| format!("{} by {text}", metered.records(reason)))
        .collect();
    let mut record = record
        .line(format!("  flows: {cached} cached, {} measured packets", metered.measured))
        .field("cached", *cached as u64)
        .field("measured", metered.measured)
        .line(format!("  records: {} made ({})", metered.records_total(), or_none(&made)))
        .field("records_made", metered.records_total());
    for (reason, text) in REASONS {
        record = record.field(&key_of("records", text), metered.records(reason));
    }
    record = record
        .line(format!(
            "  records: {} exported, {waiting} waiting, {} without collector, {} dropped",
            records.handed_over, records.without_collector, records.dropped
        ))
        .field("exported", records.handed_over)
        .field("waiting", *waiting as u64)
        .field("without_collector", records.without_collector)
        .field("dropped", records.dropped);
    for reason in Unmeasured::ALL {
        let packets = metered.unmeasured(reason);
        if packets > 0 {
            let (text, key) = (reason.text(), key_of("not_measured", reason.text()));
            record = record.line(format!("  not measured, {text}: {packets}")).field(&key, packets);
        }
    }
    record
}

/// A key of words.
fn key_of(what: &str, text: &str) -> String {
    format!("{what}_{}", text.to_lowercase().replace(' ', "_"))
}

fn with_targets(record: Record, exporter: &Exporter) -> Record {
    let mut table = Table::new([
        Column::new("Target", 30, Align::Left).key("target"),
        Column::new("Address", 26, Align::Left).key("address"),
        Column::new("Messages", 10, Align::Right).key("messages"),
        Column::new("Records", 10, Align::Right).key("records"),
        Column::new("Errors", 8, Align::Right).key("errors"),
    ]);
    for (target, address) in exporter.targets() {
        let counters = exporter.ipfix().with_exporter(|exporter| {
            let at = exporter.destinations().position(|destination| match destination {
                Destination::Udp(config) => address.is_some_and(|at| {
                    (config.endpoints().collector(), config.port()) == (at.ip(), at.port())
                }),
                Destination::Reliable(_) => false,
            });
            at.map(|at| exporter.destination_counters(at)).unwrap_or_default()
        });
        table.row([
            target.to_string().into(),
            address.map_or_else(|| Cell::from("unresolved"), |address| address.to_string().into()),
            counters.messages.into(),
            counters.records.into(),
            counters.send_errors.into(),
        ]);
    }
    record.nested("targets", 2, table)
}
