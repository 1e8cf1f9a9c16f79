//! `show node`.

use super::{Graph, NodeIndex, NodeKind, Sent};
use crate::{
    command::{
        Align, Cell, Column, Error, Field, NameKind, Record, Table, flag, keyword, one_of,
        positional, value,
    },
    plugin::{Command, CommandCx},
    runtime::{Main, NodeStats},
};

/// How a line names a node.
enum Named {
    Node(NodeIndex),
    Index(u32),
}

crate::args! {
    struct Show {
        node: Named = named(),
        verbose: bool = flag("verbose").help("how often it ran, too"),
    }
}

fn named() -> Field<Named> {
    let either = value::Value::new("node-name|node-index", |text, names| {
        let by_name = names.resolve(NameKind::NODE, text);
        match (by_name, text.parse()) {
            (Some(index), _) => Ok(Named::Node(NodeIndex(index as u16))),
            (None, Ok(index)) => Ok(Named::Index(index)),
            (None, Err(_)) => {
                Err(Error::NoSuch { kind: "node name:".to_owned(), name: text.to_owned() })
            }
        }
    });
    one_of([positional(either), keyword("index", value::id("node-index")).map(Named::Index)])
}

pub(super) fn command() -> Command {
    Command::sync("show node", "Show a node and its neighbours.", |cx: CommandCx, args: Show| {
        cx.with(|main| {
            let index = match args.node {
                Named::Node(index) => index,
                Named::Index(number) => main
                    .graph()
                    .nodes()
                    .map(|(index, _)| index)
                    .find(|index| u32::from(index.0) == number)
                    .ok_or_else(|| Error::unspecified("please specify valid node"))?,
            };
            Ok::<_, Error>(show(main, index, args.verbose))
        })
    })
}

fn show(main: &mut Main, index: NodeIndex, verbose: bool) -> Record {
    let sent = main.sent(index);
    let runs = verbose.then(|| runs(main, index));
    let graph = main.graph();
    let node = graph.node(index);
    let state = main.worker().node_state(index, node.kind).word();
    let sibling = node.sibling_of.map(|s| graph.node(s).name.as_str());
    let more = sibling.map_or_else(String::new, |s| format!(", sibling-of {s}"));
    let (name, kind) = (&node.name, node.kind.word());
    let mut record = Record::new()
        .line(format!("node {name}, type {kind}, state {state}, index {}{more}", index.0))
        .field("name", name.as_str())
        .field("type", kind)
        .field("state", state)
        .field("index", u32::from(index.0))
        .field("sibling_of", sibling.map_or(Cell::Empty, Into::into))
        .line("  node function variants:")
        .line("    default only")
        .line("")
        .line("  next nodes:");
    record = match nexts(graph, index, &sent) {
        table if table.is_empty() => {
            record.line("    none").nested("next_nodes", 0, table.without_header())
        }
        table => record.nested("next_nodes", 4, table),
    };
    if node.kind == NodeKind::Internal {
        record = previous(main, index, record.line("").line("  known previous nodes:"));
    }
    match runs {
        Some(runs) => record.line("").nested("threads", 0, runs),
        None => record,
    }
}

fn nexts(graph: &Graph, index: NodeIndex, sent: &Sent) -> Table {
    let column = |title, width| Column::new(title, width, Align::Center);
    let mut table = Table::new([
        column("next-index", 10).titled(Align::Right),
        column("node-index", 10).titled(Align::Right).gap(2),
        column("Node", 30).gap(2),
        column("Vectors", 8).titled(Align::Right).gap(1),
    ]);
    for (slot, to) in graph.node(index).nexts.iter().enumerate() {
        let name = graph.node(*to).name.as_str();
        table.row([slot.into(), u32::from(to.0).into(), name.into(), sent.by_slot(slot).into()]);
    }
    if sent.to_features() > 0 {
        // Features are reached by their arcs, and have no slots.
        table.row([Cell::Empty, Cell::Empty, "features".into(), sent.to_features().into()]);
    }
    table
}

/// The nodes that have this one in a next slot, three a line.
fn previous(main: &Main, index: NodeIndex, record: Record) -> Record {
    let graph = main.graph();
    let previous = graph.previous(index);
    let named =
        |node: &NodeIndex| format!("{:<35}", format!("{} ({})", graph.node(*node).name, node.0));
    let lines = previous.chunks(3).map(|three| {
        let line: String = three.iter().map(named).collect();
        format!("    {}", line.trim_end())
    });
    let record = lines.fold(record, Record::line);
    let record = if previous.is_empty() { record.line("    none") } else { record };
    let names: Vec<_> = previous.iter().map(|node| graph.node(*node).name.clone()).collect();
    record.field("previous_nodes", Cell::shown("", names))
}

fn runs(main: &mut Main, index: NodeIndex) -> Table {
    let column = |title, width| Column::new(title, width, Align::Center);
    let mut table = Table::new([
        column("Thread", 8).titled(Align::Right),
        column("Calls", 12).gap(1),
        column("Clocks", 12).gap(1),
        column("Vectors", 12).gap(1),
        column("Max Clock", 12).gap(1),
        column("Max Vectors", 12).gap(1),
    ]);
    for (thread, stats) in main.by_thread(|worker| worker.stats(index)).into_iter().enumerate() {
        let NodeStats { calls, vectors, clocks, max_clocks, vectors_at_max, .. } = stats;
        let counts = [calls, clocks, vectors, max_clocks, vectors_at_max].map(Cell::from);
        table.row(core::iter::once(thread.into()).chain(counts));
    }
    table
}
