//! `show ipfix exporter` and `show ipfix collector`.

use std::net::IpAddr;

use super::{Collector, Ipfix, Settings, operations::CollectorState};
use crate::{
    command::{Align, Cell, Column, Output, Record, Table},
    ipfix::{
        export::{Destination, ExporterConfig, Policy, Via},
        reliable::Phase,
    },
};

/// One record an exporter.
pub(super) fn exporters(ipfix: &Ipfix) -> Vec<Output> {
    ipfix.exporters().iter().map(|exporter| described(exporter).into()).collect()
}

fn described(exporter: &Ipfix) -> Record {
    let (name, settings, collectors) =
        (exporter.name(), exporter.settings(), exporter.collectors());
    let record = match &collectors[..] {
        [] => Record::new().line(format!("exporter {name}: disabled, it has no collector")),
        [only] => Record::new().line(format!("exporter {name}: to {}", with_source(only))),
        all => {
            let policy = policy(settings.policy);
            let record = Record::new()
                .line(format!("exporter {name}: to {} collectors, {policy}", all.len()));
            all.iter().fold(record, |record, one| record.line(format!("  {}", with_source(one))))
        }
    };
    let record = match collectors.iter().find_map(config) {
        Some(config) => record.line(format!("  {}", of_packets(config))),
        None => record,
    };
    let record = match beyond(&settings) {
        line if line.is_empty() => record,
        line => record.line(format!("  {line}")),
    };
    fields(record, &name, &settings, &collectors)
}

fn fields(
    record: Record,
    name: &str,
    settings: &Settings,
    collectors: &[CollectorState],
) -> Record {
    let mut table = Table::new([
        Column::new("collector", 0, Align::Left),
        Column::new("source", 0, Align::Left),
        Column::new("udp_checksum", 0, Align::Left),
        Column::new("message_limit", 0, Align::Right),
    ]);
    for state in collectors {
        let config = config(state);
        table.row([
            state.collector.to_string().into(),
            config.map_or(Cell::Empty, |config| source(config).into()),
            config.map_or(Cell::Empty, |config| Cell::shown("", has_checksum(config))),
            state.destination.map_or(Cell::Empty, |d| (d.message_limit() as u64).into()),
        ]);
    }
    let common = &settings.common;
    record
        .field("exporter", name)
        .field("enabled", Cell::shown("", !collectors.is_empty()))
        .field("policy", policy(settings.policy))
        .field("domain", u64::from(settings.stream.domain))
        .field("source_port", u64::from(settings.stream.source_port))
        .field("via", via(common.via))
        .field("fib", common.fib_id.map_or(Cell::Empty, |fib| u64::from(fib).into()))
        .field("path_mtu", u64::from(common.path_mtu))
        .field("template_interval", u64::from(common.template_interval))
        .field(
            "template_messages",
            common.template_messages.map_or(Cell::Empty, |n| u64::from(n.get()).into()),
        )
        .field("dscp", u64::from(common.dscp))
        .field(
            "rate_limit_kbps",
            settings.rate_kbps.map_or(Cell::Empty, |kbps| u64::from(kbps.get()).into()),
        )
        .field("collectors", Cell::shown("", Output::from(table).to_json()))
}

fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Copy => "copy",
        Policy::Failover => "failover",
        Policy::Share => "share",
    }
}

fn via(via: Via) -> &'static str {
    match via {
        Via::Graph => "graph",
        Via::Kernel => "kernel",
    }
}

fn config(state: &CollectorState) -> Option<&ExporterConfig> {
    match &state.destination {
        Some(Destination::Udp(config)) => Some(config),
        Some(Destination::Reliable(_)) | None => None,
    }
}

fn with_source(state: &CollectorState) -> String {
    match (&state.collector, config(state)) {
        (Collector::Udp(address), Some(config)) => {
            format!("{address} from {}, via {}", source(config), via(config.via()))
        }
        (collector, _) => collector.to_string(),
    }
}

/// What holds for all packets.
fn of_packets(config: &ExporterConfig) -> String {
    format!(
        "fib {}, path MTU {}, messages up to {} octets, templates every {} s, udp checksum {}",
        config.fib().map_or("default".to_owned(), |fib| fib.id.to_string()),
        config.path_mtu(),
        config.message_limit(),
        config.template_interval().as_secs(),
        if has_checksum(config) { "enabled" } else { "disabled" },
    )
}

/// What VPP's line cannot say, where it is said.
fn beyond(settings: &Settings) -> String {
    let (default, mut words) = (Settings::default(), Vec::new());
    if settings.stream != default.stream {
        let stream = settings.stream;
        words.push(format!("domain {}, source port {}", stream.domain, stream.source_port));
    }
    if let Some(messages) = settings.common.template_messages {
        words.push(format!("templates every {messages} messages"));
    }
    if settings.common.dscp != 0 {
        words.push(format!("dscp {}", settings.common.dscp));
    }
    if let Some(kbps) = settings.rate_kbps {
        words.push(format!("at most {kbps} kbit/s"));
    }
    words.join(", ")
}

/// A socket of the host may choose its address itself.
fn source(config: &ExporterConfig) -> String {
    match config.endpoints().source() {
        source if source.is_unspecified() => "an address of the host's choice".to_owned(),
        source => source.to_string(),
    }
}

/// Packets over IPv6 and those of the host always have one.
fn has_checksum(config: &ExporterConfig) -> bool {
    let is_ip6 = matches!(config.endpoints().collector(), IpAddr::V6(_));
    config.udp_checksum() || is_ip6 || config.via() == Via::Kernel
}

/// One row a collector.
pub(super) fn collectors(ipfix: &Ipfix) -> Table {
    let mut table = Table::new([
        Column::new("Exporter", 10, Align::Left),
        Column::new("Collector", 30, Align::Left),
        Column::new("State", 11, Align::Left),
        Column::new("Messages", 10, Align::Right),
        Column::new("Octets", 12, Align::Right),
        Column::new("Records", 11, Align::Right),
        Column::new("Not-sent", 9, Align::Right).key("records_not_sent"),
        Column::new("Delivered", 11, Align::Right).key("records_delivered"),
        Column::new("Queued", 9, Align::Right).key("records_queued"),
        Column::new("Queue-octets", 13, Align::Right).key("queue_octets"),
        Column::new("Spool-octets", 13, Align::Right).key("spool_octets"),
        Column::new("Sessions", 9, Align::Right),
        Column::new("Last error", 0, Align::Left).gap(2).key("last_error"),
    ]);
    for state in ipfix.exporters().iter().flat_map(Ipfix::collectors) {
        let given = state.given;
        let of_status = |f: fn(&crate::ipfix::reliable::Status) -> u64| {
            state.status.as_ref().map_or(Cell::Empty, |status| f(status).into())
        };
        table.row([
            state.exporter.as_str().into(),
            state.collector.to_string().into(),
            phase(&state).into(),
            given.messages.into(),
            given.octets.into(),
            given.records.into(),
            given.records_not_sent.into(),
            of_status(|status| status.delivered.records),
            of_status(|status| status.queued_records),
            of_status(|status| status.queued_octets as u64),
            of_status(|status| status.spooled_octets),
            of_status(|status| status.sessions),
            state.status.and_then(|status| status.last_error).map_or(Cell::Empty, Cell::from),
        ]);
    }
    table
}

fn phase(state: &CollectorState) -> &'static str {
    match state.status.as_ref().map(|status| status.phase) {
        Some(Phase::Connecting) => "connecting",
        Some(Phase::Up) => "up",
        Some(Phase::Down) => "down",
        None if state.reachable => "sends",
        None => "refuses",
    }
}
