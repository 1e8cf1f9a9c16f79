//! `show node`, `show vlib graph`, `show vlib graphviz`, `show features` and `set interface feature`.

use core::fmt::Write;

use super::{FeatureError, Graph, NodeIndex, NodeKind};
use crate::{
    command::{
        Align, Cell, Column, NameKind, Output, Record, Table, flag, keyword, positional, value,
    },
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
};

crate::args! {
    struct ShowNode {
        node: NodeIndex = positional(node()),
        verbose: bool = flag("verbose").help("how often it ran, too"),
    }
}

crate::args! {
    struct ShowGraph {
        node: Option<NodeIndex> = positional(node()).optional(),
    }
}

crate::args! {
    struct Feature {
        interface: SwIfIndex = positional(value::interface()),
        feature: String = positional(value::word("feature")),
        arc: String = keyword("arc", value::word("arc")),
        disable: bool = flag("disable"),
    }
}

fn node() -> value::Value<NodeIndex> {
    value::named(NameKind::NODE, |index| NodeIndex(index as u16))
}

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::sync(
            "show node",
            "Show a node and its neighbours.",
            |cx: CommandCx, args: ShowNode| {
                cx.with(|main| show_node(main, args.node, args.verbose))
            },
        ),
        Command::sync(
            "show vlib graph",
            "Show the graph, or one node of it.",
            |cx: CommandCx, args: ShowGraph| cx.with(|main| show_graph(main.graph(), args.node)),
        ),
        Command::sync("show vlib graphviz", "Print the graph in DOT.", |cx: CommandCx, (): ()| {
            cx.with(|main| dot(main.graph()))
        }),
        Command::sync(
            "show features",
            "List the feature arcs and their features, in order.",
            |cx: CommandCx, (): ()| cx.with(|main| show_features(main)),
        ),
        Command::sync(
            "set interface feature",
            "Enable a feature on an interface, or disable it.",
            set_feature,
        ),
    ]
}

fn show_node(main: &Main, index: NodeIndex, verbose: bool) -> Record {
    let graph = main.graph();
    let node = graph.node(index);
    let state = main.worker().node_state(index, node.kind).word();
    let sibling = node.sibling_of.map(|s| graph.node(s).name.as_str());
    let more = sibling.map_or_else(String::new, |s| format!(", sibling-of {s}"));
    let (name, kind) = (&node.name, node.kind.word());
    let mut next = Table::new([
        Column::new("next-index", 12, Align::Right),
        Column::new("node-index", 12, Align::Right),
        Column::new("Node", 31, Align::Center),
    ]);
    for (slot, to) in node.nexts.iter().enumerate() {
        next.row([
            (slot as u64).into(),
            u64::from(to.0).into(),
            graph.node(*to).name.as_str().into(),
        ]);
    }
    let previous = graph.previous(index);
    let mut known = String::new();
    for three in previous.chunks(3) {
        for from in three {
            // Writing to a string does not fail.
            let _: core::fmt::Result =
                write!(known, "{:<35}", format!("{} ({})", graph.node(*from).name, from.0));
        }
        known.push('\n');
    }
    let mut record = Record::new()
        .line(format!("node {name}, type {kind}, state {state}, index {}{more}", index.0))
        .field("name", name.as_str())
        .field("type", kind)
        .field("state", state)
        .field("index", u64::from(index.0))
        .field("sibling_of", sibling.map_or(Cell::Empty, Into::into))
        .line("")
        .line("  next nodes:")
        .nested("next_nodes", 0, next)
        .line("")
        .line("  known previous nodes:");
    for line in known.lines() {
        record = record.line(format!("    {}", line.trim_end()));
    }
    let names: Vec<_> = previous.iter().map(|p| graph.node(*p).name.clone()).collect();
    record = record.field("previous_nodes", Cell::shown("", names));
    if verbose {
        let stats = main.worker().stats(index);
        record = record
            .line("")
            .line(format!(
                "  calls {}, vectors {}, clocks {}, max clocks {}, vectors at max {}",
                stats.calls, stats.vectors, stats.clocks, stats.max_clocks, stats.vectors_at_max
            ))
            .field("calls", stats.calls)
            .field("vectors", stats.vectors)
            .field("clocks", stats.clocks);
    }
    record
}

fn show_graph(graph: &Graph, only: Option<NodeIndex>) -> Table {
    let column = |title| Column::new(title, 26, Align::Left).titled(Align::Center);
    let mut table = Table::new([column("Name"), column("Next"), column("Previous")]);
    let mut nodes: Vec<_> = graph.nodes().filter(|(i, _)| only.is_none_or(|o| o == *i)).collect();
    nodes.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    for (index, node) in nodes {
        let previous = graph.previous(index);
        for i in 0..node.nexts.len().max(previous.len()).max(1) {
            let next = node.nexts.get(i).map(|n| format!("{} [{i}]", graph.node(*n).name));
            let before = previous.get(i).map(|p| graph.node(*p).name.as_str());
            table.row([
                if i == 0 { node.name.as_str().into() } else { Cell::Empty },
                next.map_or(Cell::Empty, Into::into),
                before.map_or(Cell::Empty, Into::into),
            ]);
        }
    }
    table
}

fn dot(graph: &Graph) -> String {
    let mut out = "digraph {\n".to_owned();
    for (_, node) in graph.nodes().filter(|(_, n)| n.kind != NodeKind::Process) {
        for next in &node.nexts {
            let _: core::fmt::Result =
                writeln!(out, "  \"{}\" -> \"{}\"", node.name, graph.node(*next).name);
        }
    }
    out.push_str("}\n");
    out
}

fn show_features(main: &Main) -> Output {
    let arcs = main.features().arcs().map(|(name, starts, features, last)| {
        let list = |names: Vec<String>| Cell::shown("", names);
        let mut record = Record::new().line(format!("{name}:")).field("arc", name);
        for (i, feature) in features.iter().enumerate() {
            record = record.line(format!("  [{i:2}]: {feature}"));
        }
        record
            .line(format!("  [end]: {last}"))
            .field("starts", list(starts.to_vec()))
            .field("features", list(features.iter().map(|&f| f.to_owned()).collect()))
            .field("last", last)
            .into()
    });
    Output::List(arcs.collect())
}

fn set_feature(cx: CommandCx, args: Feature) -> Result<(), FeatureError> {
    let Feature { interface, feature, arc, disable } = args;
    cx.with(|main| match disable {
        false => main.enable_feature(&arc, &feature, interface, 0),
        true => main.disable_feature(&arc, &feature, interface),
    })
}
