//! `show node`, `show vlib graph`, `show vlib graphviz`, `show features` and `set interface feature`.

use super::{FeatureError, Graph, NodeIndex, dot, show_node};
use crate::{
    command::{
        Align, Cell, Column, NameKind, Output, Record, Table, flag, keyword, positional, value,
    },
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
};

crate::args! {
    struct ShowGraph {
        node: Option<NodeIndex> = positional(node()).optional(),
    }
}

crate::args! {
    struct ShowFeatures {
        verbose: bool = flag("verbose").help("numbered, and where each arc ends"),
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
        show_node::command(),
        Command::sync(
            "show vlib graph",
            "Show the graph, or one node of it.",
            |cx: CommandCx, args: ShowGraph| cx.with(|main| show_graph(main.graph(), args.node)),
        ),
        dot::command(),
        Command::sync(
            "show features",
            "List the feature arcs and their features, in order.",
            |cx: CommandCx, args: ShowFeatures| cx.with(|main| show_features(main, args.verbose)),
        ),
        Command::sync(
            "set interface feature",
            "Enable a feature on an interface, or disable it.",
            set_feature,
        ),
    ]
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

fn show_features(main: &Main, verbose: bool) -> Output {
    let arcs = main.features().arcs().enumerate().map(|(n, (name, starts, features, last))| {
        let list = |names: Vec<String>| Cell::shown("", names);
        let mut record = Record::new();
        if n == 0 {
            record = record.line("Available feature paths");
        }
        record = record.line(format!("{name}:")).field("arc", name);
        for (i, feature) in features.iter().enumerate() {
            record = record.line(match verbose {
                true => format!("  [{i:2}]: {feature}"),
                false => format!("  {feature}"),
            });
        }
        if verbose {
            record = record.line(format!("  [end]: {last}"));
        }
        record
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
