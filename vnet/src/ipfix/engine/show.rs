//! `show ipfix ...` and `clear ipfix statistics`: the exporter as an operator sees it.

use super::{Ipfix, KernelCounters, Statistics, show_exporters};
use crate::{
    command::{Align, Cell, Column, Output, Record, Table},
    ipfix::{
        export::{Counters, Exporter, ReportState, StreamKey},
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
        move |_: CommandCx, (): ()| show_exporters::exporters(&of),
    ));
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "show ipfix collector",
            "Show what collectors were sent, have got, and are still to get.",
            move |_: CommandCx, (): ()| show_exporters::collectors(&of),
        )
        .details(
            "Counted since the collector was added. Over UDP nobody knows what was delivered; over tcp and tls it is what \
             the collector's host has acknowledged.",
        ),
    );
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "show ipfix stream",
            "Show observation domains and what was sent of them.",
            move |_: CommandCx, (): ()| streams(&of),
        )
        .details(
            "Counted since the stream was made. The sequence number is that of the next message.",
        ),
    );
    let of = ipfix.clone();
    r.command(Command::sync(
        "show ipfix report",
        "Show who has records to send.",
        move |cx: CommandCx, (): ()| cx.with(|main| reports(&of, main.clock().now())),
    ));
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "show ipfix template",
            "Show the fields of the records.",
            move |_: CommandCx, (): ()| {
                let mut all = templates(&of);
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

fn streams(ipfix: &Ipfix) -> Table {
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
        Column::new("Exporter", 10, Align::Left).gap(2),
        Column::new("Collector", 0, Align::Left),
    ]);
    for of in ipfix.exporters() {
        let (name, collectors) = (of.name(), of.settings().collectors);
        of.with_exporter(|exporter| {
            for (key, streams) in exporter.streams() {
                let reports = exporter.reports().filter(|report| report.stream == key).count();
                for (stream, collector) in streams.iter().zip(&collectors) {
                    let to = Some((stream.sequence(), stream.counters(), collector.to_string()));
                    table.row(stream_row(&name, key, reports, to));
                }
                if streams.is_empty() {
                    table.row(stream_row(&name, key, reports, None));
                }
            }
        });
    }
    table
}

fn stream_row(
    exporter: &str,
    key: StreamKey,
    reports: usize,
    to: Option<(u32, Counters, String)>,
) -> [Cell; 11] {
    let (sequence, counters, collector) = to.unwrap_or_default();
    [
        u64::from(key.domain).into(),
        u64::from(key.source_port).into(),
        u64::from(sequence).into(),
        (reports as u64).into(),
        counters.messages.into(),
        counters.octets.into(),
        counters.records.into(),
        counters.templates.into(),
        counters.records_not_sent.into(),
        exporter.into(),
        if collector.is_empty() { Cell::Empty } else { collector.into() },
    ]
}

fn reports(ipfix: &Ipfix, now: EngineTime) -> Table {
    let mut table = Table::new([
        Column::new("Report", 24, Align::Left),
        Column::new("Domain", 8, Align::Right),
        Column::new("Source-port", 13, Align::Right),
        Column::new("Template ids", 20, Align::Left).gap(2).key("template_ids"),
        Column::new("Templates sent", 16, Align::Left).gap(2).key("templates_sent_seconds_ago"),
        Column::new("Exporter", 10, Align::Left),
        Column::new("State", 0, Align::Left),
    ]);
    for of in ipfix.exporters() {
        let name = of.name();
        of.with_exporter(|exporter| {
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
                    name.as_str().into(),
                    state(exporter, &report).into(),
                ]);
            }
        });
    }
    table
}

fn state(exporter: &Exporter, report: &ReportState<'_>) -> String {
    match (exporter.is_enabled(), report.defect, report.template_sent) {
        (_, Some(defect), _) => format!("templates cannot be sent: {defect}"),
        (false, ..) => "waits for a collector".to_owned(),
        (_, _, None) => "waits for its templates to be sent".to_owned(),
        _ => "sends".to_owned(),
    }
}

fn templates(ipfix: &Ipfix) -> Vec<Output> {
    let of_report = |report: ReportState<'_>| {
        let about = |template: &Template| described(&report, template).into();
        report.templates.iter().map(about).collect::<Vec<Output>>()
    };
    let of_exporter = |of: Ipfix| {
        of.with_exporter(|exporter| exporter.reports().flat_map(of_report).collect::<Vec<Output>>())
    };
    ipfix.exporters().into_iter().flat_map(of_exporter).collect()
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
    let Statistics { sent, kernel, waiting, undelivered, lost, latency, last_error } = statistics;
    let Counters {
        messages,
        octets,
        records,
        options,
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
        ("options_records", options, "options data records among them"),
        ("templates", templates, "template records sent"),
        ("send_errors", send_errors, "messages not sent"),
        ("records_not_sent", records_not_sent, "data records not sent"),
        ("templates_not_sent", templates_not_sent, "template records not sent"),
        ("refused", refused, "refusals by the collector's host"),
        ("would_block", would_block, "messages that waited for their socket"),
        ("failed", failed, "messages that a socket refused"),
        ("abandoned", abandoned, "messages that waited until their socket was closed"),
        ("waiting", *waiting as u64, "messages that wait for their socket now"),
        (
            "undelivered",
            *undelivered,
            "messages that wait for a collector over tcp or tls, or a file, now",
        ),
        (
            "lost",
            lost.0,
            "messages that waited until such a collector was deleted, or its engine killed",
        ),
        ("records_lost", lost.1, "data records in those"),
    ];
    let with_line = |record: Record, (key, count, text): (&str, u64, &str)| {
        record.line(format!("{count:>14}  {text}")).field(key, count)
    };
    let (last, max) = (latency.last.as_secs_f64(), latency.max.as_secs_f64());
    let record = lines
        .into_iter()
        .fold(Record::new(), with_line)
        .line(format!("flow records waited {last:.3} s for the exporter, at most {max:.3} s"))
        .field("latency_seconds", Cell::Fixed(last, 3))
        .field("max_latency_seconds", Cell::Fixed(max, 3));
    match last_error {
        Some(error) => {
            record.line(format!("last error: {error}")).field("last_error", error.as_str())
        }
        None => record.field("last_error", Cell::Empty),
    }
}
