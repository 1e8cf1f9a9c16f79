//! `show vlib graphviz`: the graph in the DOT language.

use core::fmt::Write;
use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{Graph, NodeIndex, NodeKind};
use crate::{
    command::{ApiError, Error, Field, Output, flag, group, keyword, value},
    plugin::{Command, CommandCx},
    runtime::{Main, NodeStats},
};

crate::args! {
    /// Which nodes are shown: those that ran, those that had packets, or those for which both is true.
    struct Filter {
        calls: bool = flag("calls"),
        vectors: bool = flag("vectors"),
    }
}

crate::args! {
    struct Show {
        filter: Option<Filter> = filter().optional(),
        file: Option<PathBuf> = keyword("file", value::tmp_file()).optional(),
    }
}

fn filter() -> Field<Filter> {
    group::<Filter>("filter").help("only nodes that ran since `clear runtime', by load and cost")
}

pub(super) fn command() -> Command {
    Command::sync("show vlib graphviz", "Print the graph in DOT.", |cx: CommandCx, args: Show| {
        let dot = cx.with(|main| match &args.filter {
            Some(filter) => by_load(main, filter),
            None => all(main.graph()),
        });
        let Some(file) = args.file else { return Ok::<_, Error>(Output::from(dot)) };
        fs::write(&file, dot).map_err(|error| {
            Error::failed(
                ApiError::Unspecified,
                format_args!("{}: cannot write: {error}", file.display()),
            )
        })?;
        // A graph of all nodes is too dense to be drawn with a direction.
        let program = if args.filter.is_some() { "dot" } else { "fdp" };
        let file = file.display();
        Ok(Output::from(format!(
            "vlib graph dumped into `{file}'. Run eg. `{program} -Tsvg -O {file}'."
        )))
    })
}

/// Every node with a next slot, and an edge for each slot.
fn all(graph: &Graph) -> String {
    let mut dot = "digraph {\n".to_owned();
    edges(graph, &mut dot, |_| true);
    dot.push_str("}\n");
    dot
}

fn edges(graph: &Graph, dot: &mut String, is_shown: impl Fn(NodeIndex) -> bool) {
    let shown = |(index, node): &(NodeIndex, &super::NodeInfo)| {
        node.kind != NodeKind::Process && is_shown(*index)
    };
    for (_, node) in graph.nodes().filter(shown) {
        for next in node.nexts.iter().filter(|next| is_shown(**next)) {
            // Writing to a string does not fail.
            let _: core::fmt::Result =
                writeln!(dot, "  \"{}\" -> \"{}\"", node.name, graph.node(*next).name);
        }
    }
}

/// Nodes that did something, as wide as a packet cost there and as dark as their frames were full.
fn by_load(main: &mut Main, filter: &Filter) -> String {
    let nodes: Vec<_> = main.graph().nodes().map(|(index, _)| index).collect();
    let all: BTreeMap<_, _> = nodes.into_iter().map(|index| (index, main.stats(index))).collect();
    let stats = |index| all.get(&index).copied().unwrap_or_default();
    let graph = main.graph();
    let any = filter.calls != filter.vectors;
    let is_shown = |index| {
        let NodeStats { calls, vectors, .. } = stats(index);
        let (ran, had_packets) = (calls > 0, vectors > 0);
        match any {
            true if filter.calls => ran,
            true => had_packets,
            false => ran && had_packets,
        }
    };
    let mut dot = "digraph {\n  rankdir=\"LR\"\n  nodesep=2\n".to_owned();
    legend(&mut dot);
    for (index, node) in graph.nodes().filter(|(index, _)| is_shown(*index)) {
        let NodeStats { calls, vectors, clocks, .. } = stats(index);
        let mut look = "shape=circle".to_owned();
        if vectors > 0 {
            look += &size(clocks as f64 / vectors as f64);
        }
        if vectors > 0 && calls > 0 {
            look += &color(1 + (vectors - 1) / (FULLNESS * calls));
        }
        let _: core::fmt::Result = writeln!(dot, "  \"{}\" [{look}]", node.name);
    }
    edges(graph, &mut dot, is_shown);
    dot.push_str("}\n");
    dot
}

/// Packets a call by which one colour differs from the next.
const FULLNESS: u64 = 32;
/// Colours of the scheme.
const COLORS: u64 = 8;

fn size(clocks_each: f64) -> String {
    let width = 1.0 + (1.0 + clocks_each).log10();
    format!(" width={width:.2} fontsize={:.2} fixedsize=true", 11.0 + 3.0 * width)
}

fn color(number: u64) -> String {
    format!(" fillcolor={} style=filled colorscheme=ylorrd8", number.min(COLORS))
}

/// What the colours and the sizes mean.
fn legend(dot: &mut String) {
    let circle = "fixedsize=true shape=circle";
    let mut colors = format!("      0 [label=\"No packet\" {circle} width=2 fontsize=17]\n");
    for number in 1..=COLORS {
        let last = FULLNESS * number;
        let label = match number {
            COLORS => format!("{}+", last - FULLNESS),
            _ => format!("{}-{last}", last - FULLNESS + 1),
        };
        let look = color(number);
        colors +=
            &format!("      {number} [label=\"{label}\"{look} {circle} width=2 fontsize=17]\n");
    }
    // Two rows, each kept in its order by edges that are not seen.
    colors += "      0 -> 1 -> 2 -> 3 -> 4 [style=\"invis\" weight=100]\n";
    colors += "      5 -> 6 -> 7 -> 8 [style=\"invis\" weight=100]\n";
    let mut sizes = String::new();
    for (name, label, width) in [("a", "0", 1), ("b", "10", 2), ("c", "100", 3), ("d", "1000", 4)] {
        let font = 11 + 3 * width;
        sizes +=
            &format!("      {name} [label=\"{label}\" {circle} width={width} fontsize={font}]\n");
    }
    sizes += "      a -> b -> c -> d [style=\"invis\" weight=100]\n";
    let cluster = |name: &str, label: &str, inside: &str| {
        format!(
            "    subgraph cluster_{name} {{\n      label=\"{label}\"\n      style=\"solid\"\n      labelloc=b\n{inside}    }}\n"
        )
    };
    let inside =
        cluster("colors", "Packets/Call", &colors) + &cluster("size", "Cycles/Packet", &sizes);
    *dot +=
        "  subgraph cluster_legend {\n    label=\"Legend\"\n    style=\"solid\"\n    labelloc=b\n";
    *dot += &inside;
    *dot += "  }\n";
}
