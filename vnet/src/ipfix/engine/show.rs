//! `show ipfix ...` and `clear ipfix statistics`: the exporter as an operator sees it.

use std::net::{IpAddr, SocketAddr};

use super::{Ipfix, KernelCounters, Statistics};
use crate::{
    command::{Align, Cell, Column, Output, Record, Table},
    ipfix::{
        export::{Counters, Exporter, ExporterConfig, ReportState, Via},
        fields,
        template::{FieldSpecifier, Template},
    },
    plugin::{Command, CommandCx, Registrar},
    runtime::EngineTime,
};

pub(super) fn register(r: &mut Registrar, ipfix: &Ipfix) {
    let of = ipfix.clone();
    r.command(Command::sync(
        "show ipfix exporter",
        "Show where records go.",
        move |_: CommandCx, (): ()| of.with_exporter(exporter),
    ));
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "show ipfix stream",
            "Show observation domains and what was sent of them.",
            move |_: CommandCx, (): ()| of.with_exporter(streams),
        )
        .details(
            "Counted since the stream was made. The sequence number is that of the next message.",
        ),
    );
    let of = ipfix.clone();
    r.command(Command::sync(
        "show ipfix report",
        "Show who has records to send.",
        move |cx: CommandCx, (): ()| {
            cx.with(|main| of.with_exporter(|exporter| reports(exporter, main.clock().now())))
        },
    ));
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "show ipfix template",
            "Show the fields of the records.",
            move |_: CommandCx, (): ()| {
                let mut all = of.with_exporter(templates);
                all.extend(fields::described(of.named_templates()));
                all
            },
        )
        .details(
            "A report has templates once the exporter has a collector. Behind those are the ones that users made.",
        ),
    );
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "show ipfix statistics",
            "Show what was sent, what was not, and why.",
            move |_: CommandCx, (): ()| statistics(&of.statistics()),
        )
        .details("Since the start, or since `clear ipfix statistics'."),
    );
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "clear ipfix statistics",
            "Count anew what is sent.",
            move |_: CommandCx, (): ()| of.clear_statistics(),
        )
        .details("Sequence numbers go on."),
    );
}

fn exporter(exporter: &Exporter) -> Record {
    let Some(config) = exporter.config() else {
        return Record::new()
            .line("exporter 0: disabled, it has no collector")
            .field("exporter", 0_u64)
            .field("enabled", Cell::shown("", false));
    };
    let via = match config.via() {
        Via::Graph => "graph",
        Via::Kernel => "kernel",
    };
    let collector = SocketAddr::new(config.endpoints().collector(), config.port());
    let interval = config.template_interval().as_secs();
    Record::new()
        .line(format!("exporter 0: to {collector} from {}, via {via}", source(config)))
        .line(format!(
            "  fib {}, path MTU {}, messages up to {} octets, templates every {interval} s, udp checksum {}",
            config.fib().map_or("default".to_owned(), |fib| fib.id.to_string()),
            config.path_mtu(),
            config.message_limit(),
            if has_checksum(config) { "enabled" } else { "disabled" },
        ))
        .field("exporter", 0_u64)
        .field("enabled", Cell::shown("", true))
        .field("collector", config.endpoints().collector().to_string())
        .field("port", u64::from(config.port()))
        .field("source", source(config))
        .field("via", via)
        .field("fib", config.fib().map_or(Cell::Empty, |fib| u64::from(fib.id).into()))
        .field("path_mtu", u64::from(config.path_mtu()))
        .field("template_interval", interval)
        .field("udp_checksum", Cell::shown("", has_checksum(config)))
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

fn streams(exporter: &Exporter) -> Table {
    let mut table = Table::new([
        Column::new("Domain", 10, Align::Right),
        Column::new("Source-port", 13, Align::Right),
        Column::new("Sequence", 12, Align::Right),
        Column::new("Reports", 9, Align::Right),
        Column::new("Messages", 12, Align::Right),
        Column::new("Octets", 14, Align::Right),
        Column::new("Records", 12, Align::Right),
        Column::new("Templates", 11, Align::Right),
        Column::new("Not-sent", 10, Align::Right).key("records_not_sent"),
    ]);
    for stream in exporter.streams() {
        let reports = exporter.reports().filter(|report| report.stream == stream.key()).count();
        let counters = stream.counters();
        table.row([
            u64::from(stream.key().domain).into(),
            u64::from(stream.key().source_port).into(),
            u64::from(stream.sequence()).into(),
            (reports as u64).into(),
            counters.messages.into(),
            counters.octets.into(),
            counters.records.into(),
            counters.templates.into(),
            counters.records_not_sent.into(),
        ]);
    }
    table
}

fn reports(exporter: &Exporter, now: EngineTime) -> Table {
    let mut table = Table::new([
        Column::new("Report", 24, Align::Left),
        Column::new("Domain", 8, Align::Right),
        Column::new("Source-port", 13, Align::Right),
        Column::new("Template ids", 20, Align::Left).gap(2).key("template_ids"),
        Column::new("Templates sent", 16, Align::Left).gap(2).key("templates_sent_seconds_ago"),
        Column::new("State", 0, Align::Left),
    ]);
    for report in exporter.reports() {
        let ids = report.template_ids.iter().map(|id| id.get());
        let text = ids.clone().map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
        let sent = report.template_sent.map(|sent| now.since(sent).as_secs_f64());
        table.row([
            report.key.name.into(),
            u64::from(report.stream.domain).into(),
            u64::from(report.stream.source_port).into(),
            Cell::shown(text, ids.collect::<Vec<_>>()),
            sent.map_or(Cell::shown("never", None::<f64>), |seconds| {
                Cell::shown(format!("{seconds:.1} s ago"), seconds)
            }),
            state(exporter, &report).into(),
        ]);
    }
    table
}

fn state(exporter: &Exporter, report: &ReportState<'_>) -> String {
    match (exporter.config(), report.defect, report.template_sent) {
        (_, Some(defect), _) => format!("templates cannot be sent: {defect}"),
        (None, ..) => "waits for a collector".to_owned(),
        (_, _, None) => "waits for its templates to be sent".to_owned(),
        _ => "sends".to_owned(),
    }
}

fn templates(exporter: &Exporter) -> Vec<Output> {
    let of_report = |report: ReportState<'_>| {
        let about = |template: &Template| described(&report, template).into();
        report.templates.iter().map(about).collect::<Vec<Output>>()
    };
    exporter.reports().flat_map(of_report).collect()
}

fn described(report: &ReportState<'_>, template: &Template) -> Record {
    let mut fields = Table::new([
        Column::new("Element", 34, Align::Left),
        Column::new("Id", 12, Align::Right),
        Column::new("Octets", 8, Align::Right),
        Column::new("", 0, Align::Left).gap(2).key("scope"),
    ]);
    for (at, field) in template.fields().iter().enumerate() {
        let is_scope = at < usize::from(template.scopes());
        fields.row([
            name(field).into(),
            id(field),
            if field.is_variable() { "variable".into() } else { u64::from(field.length).into() },
            Cell::shown(if is_scope { "scope" } else { "" }, is_scope),
        ]);
    }
    let octets = template.min_record_len();
    let least = if template.fields().iter().any(|f| f.is_variable()) { "at least " } else { "" };
    Record::new()
        .line(format!(
            "template {} of {}, domain {}: {} fields, records of {least}{octets} octets",
            template.id(),
            report.key.name,
            report.stream.domain,
            template.fields().len(),
        ))
        .field("id", u64::from(template.id().get()))
        .field("report", report.key.name)
        .field("domain", u64::from(report.stream.domain))
        .field("octets", octets as u64)
        .nested("fields", 2, fields)
}

fn name(field: &FieldSpecifier) -> String {
    let element = field.element.element();
    element.map_or_else(|| field.element.to_string(), |element| element.name.to_owned())
}

fn id(field: &FieldSpecifier) -> Cell {
    match field.element.enterprise {
        0 => u64::from(field.element.id).into(),
        _ => field.element.to_string().into(),
    }
}

fn statistics(statistics: &Statistics) -> Record {
    let Statistics { sent, kernel, waiting, last_error } = statistics;
    let Counters {
        messages,
        octets,
        records,
        templates,
        send_errors,
        records_not_sent,
        templates_not_sent,
    } = *sent;
    let KernelCounters { refused, would_block, failed, abandoned } = *kernel;
    let lines = [
        ("messages", messages, "messages sent"),
        ("octets", octets, "octets of messages"),
        ("records", records, "data records sent"),
        ("templates", templates, "template records sent"),
        ("send_errors", send_errors, "messages not sent"),
        ("records_not_sent", records_not_sent, "data records not sent"),
        ("templates_not_sent", templates_not_sent, "template records not sent"),
        ("refused", refused, "refusals by the collector's host"),
        ("would_block", would_block, "messages that waited for their socket"),
        ("failed", failed, "messages that a socket refused"),
        ("abandoned", abandoned, "messages that waited until their socket was closed"),
        ("waiting", *waiting as u64, "messages that wait for their socket now"),
    ];
    let with_line = |record: Record, (key, count, text): (&str, u64, &str)| {
        record.line(format!("{count:>14}  {text}")).field(key, count)
    };
    let record = lines.into_iter().fold(Record::new(), with_line);
    match last_error {
        Some(error) => {
            record.line(format!("last error: {error}")).field("last_error", error.as_str())
        }
        None => record.field("last_error", Cell::Empty),
    }
}
