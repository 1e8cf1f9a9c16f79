//! Traces as VPP prints them.

use core::fmt::{self, Write};

use super::{FormatTrace, TraceCx, TraceFilter, Tracer, buffer::Record};
use crate::{
    graph::{Graph, NodeIndex},
    runtime::EngineTime,
};

/// A time since the engine started, as `HH:MM:SS:uuuuuu`.
pub struct TraceTime(pub EngineTime);

impl fmt::Display for TraceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.0 / 1000;
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        write!(f, "{:02}:{:02}:{:02}:{us:06}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// What `show trace max N` prints for one thread.
#[must_use]
pub fn show(
    tracer: &Tracer,
    thread: (usize, String),
    (filter, most): (TraceFilter, usize),
    max: usize,
    graph: &Graph,
    cx: &TraceCx<'_>,
) -> String {
    let mut out = format!(
        "------------------- Start of thread {} {} -------------------\n",
        thread.0, thread.1
    );
    let kept = kept(tracer, filter, most);
    if kept.is_empty() {
        out.push_str("No packets in trace buffer\n");
        return out;
    }
    for (k, records) in kept.iter().take(max).enumerate() {
        // Writing to a string does not fail.
        let _: fmt::Result = write!(out, "Packet {}\n\n", k + 1);
        push_packet(&mut out, records, graph, cx);
        out.push('\n');
    }
    if kept.len() > max {
        let _: fmt::Result =
            writeln!(out, "Limiting display to {max} packets. To display more specify max.");
    }
    if tracer.lost() > 0 {
        let _: fmt::Result = writeln!(out, "{} records did not fit the buffer", tracer.lost());
    }
    out
}

/// What each of `most` packets left, from the one at `first` on, and how many packets the filter takes.
pub(crate) fn texts(
    tracer: &Tracer,
    (filter, all): (TraceFilter, usize),
    (first, most): (usize, usize),
    graph: &Graph,
    cx: &TraceCx<'_>,
) -> (Vec<String>, usize) {
    let kept = kept(tracer, filter, all);
    let text = |records: &Vec<&Record>| {
        let mut text = String::new();
        push_packet(&mut text, records, graph, cx);
        text
    };
    (kept.iter().skip(first).take(most).map(text).collect(), kept.len())
}

/// The packets that a filter takes, `most` at most.
fn kept(tracer: &Tracer, filter: TraceFilter, most: usize) -> Vec<Vec<&Record>> {
    let all = tracer.by_packet().into_iter();
    all.filter(|records| !records.is_empty() && keeps(filter, records)).take(most).collect()
}

fn push_packet(out: &mut String, records: &[&Record], graph: &Graph, cx: &TraceCx<'_>) {
    let mut last = None;
    for record in records {
        push_record(out, record, last == Some(record.node), graph, cx);
        last = Some(record.node);
    }
}

fn keeps(filter: TraceFilter, records: &[&Record]) -> bool {
    let came_to = |node: NodeIndex| records.iter().any(|r| r.node == node);
    match filter {
        TraceFilter::None => true,
        TraceFilter::Include(node) => came_to(node),
        TraceFilter::Exclude(node) => !came_to(node),
    }
}

struct Formatted<'a>(&'a [u8], FormatTrace, &'a TraceCx<'a>);

impl fmt::Display for Formatted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.1)(self.0, f, self.2)
    }
}

fn push_record(out: &mut String, record: &Record, same: bool, graph: &Graph, cx: &TraceCx<'_>) {
    let node = graph.node(record.node);
    if !same {
        let _: fmt::Result = writeln!(out, "{}: {}", TraceTime(record.time), node.name);
    }
    if let Some(layout) = record.layout {
        let _: fmt::Result = writeln!(out, "  {layout}");
    }
    let text = Formatted(record.bytes(), node.format_trace, cx).to_string();
    for line in text.lines() {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_vpp_does() {
        let t = EngineTime(((26 * 3600 + 3 * 60 + 4) * 1_000_000 + 56) * 1000);
        assert_eq!(TraceTime(t).to_string(), "26:03:04:000056");
    }
}
