//! The messages of `graph.api`: nodes, and the nodes behind them.

use super::{NodeFlags, NodeIndex, registry::NodeInfo};
use crate::{command::ApiError, plugin::Registrar, runtime::Main};

crate::api! {
    /// The file `graph.api`.
    file GRAPH = "graph", [1, 0, 0], 0xa0b3fd1c;
    enum node_flag: u32 {
        NODE_FLAG_FRAME_NO_FREE_AFTER_DISPATCH = 1,
        NODE_FLAG_IS_OUTPUT = 2,
        NODE_FLAG_IS_DROP = 4,
        NODE_FLAG_IS_PUNT = 8,
        NODE_FLAG_IS_HANDOFF = 16,
        NODE_FLAG_TRACE = 32,
        NODE_FLAG_SWITCH_FROM_INTERRUPT_TO_POLLING_MODE = 64,
        NODE_FLAG_SWITCH_FROM_POLLING_TO_INTERRUPT_MODE = 128,
        NODE_FLAG_TRACE_SUPPORTED = 256,
    };
    get graph_node_get = 0x39c8792e { cursor: u32, index: u32, name: [string; 64], flags: node_flag, want_arcs: bool }
        -> graph_node_get_reply = 0x53b48f5d { cursor: u32 }
        of graph_node_details = 0xac762018 {
        index: u32,
        name: [string; 64],
        flags: node_flag,
        arcs_out: [u32 by n_arcs: u32],
    };
}

/// Any node, the first of them, and the end.
const ANY: u32 = u32::MAX;

pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&GRAPH);
    api.get(|cx, request: graph_node_get| {
        let details = cx.with(|main| nodes(main, &request))?;
        Ok::<_, ApiError>((details, graph_node_get_reply { cursor: ANY }))
    });
}

/// The node of that index, or of that name, or all with one of the flags by name.
fn nodes(main: &Main, request: &graph_node_get) -> Result<Vec<graph_node_details>, ApiError> {
    let graph = main.graph();
    let begins = request.cursor == ANY;
    let mut all: Vec<(NodeIndex, &NodeInfo)> = match (request.index, request.name.as_str()) {
        (ANY, "") => graph.nodes().collect(),
        (ANY, name) if begins => graph.nodes().filter(|(_, node)| node.name == name).collect(),
        (index, _) if begins => {
            graph.nodes().filter(|(node, _)| u32::from(node.0) == index).collect()
        }
        _ => graph.nodes().collect(),
    };
    if all.is_empty() {
        return Err(ApiError::NoSuchEntry);
    }
    all.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    let first = if begins { 0 } else { request.cursor as usize };
    let is_one = begins && (request.index != ANY || !request.name.as_str().is_empty());
    let wanted = |node: &NodeInfo| {
        is_one || request.flags.0 == 0 || flags(node.flags).0 & request.flags.0 != 0
    };
    let chosen = all.into_iter().skip(first).filter(|(_, node)| wanted(node));
    let details = |(index, node): (NodeIndex, &NodeInfo)| {
        let arcs = node.nexts.iter().filter(|_| request.want_arcs);
        graph_node_details {
            index: index.0.into(),
            name: node.name.as_str().into(),
            flags: flags(node.flags),
            arcs_out: arcs.map(|next| next.0.into()).collect(),
        }
    };
    Ok(chosen.map(details).collect())
}

fn flags(flags: NodeFlags) -> node_flag {
    [
        (NodeFlags::OUTPUT, node_flag::NODE_FLAG_IS_OUTPUT),
        (NodeFlags::DROP, node_flag::NODE_FLAG_IS_DROP),
        (NodeFlags::PUNT, node_flag::NODE_FLAG_IS_PUNT),
        (NodeFlags::TRACE_SUPPORTED, node_flag::NODE_FLAG_TRACE_SUPPORTED),
    ]
    .into_iter()
    .fold(node_flag(0), |all, (flag, of_api)| all | of_api.when(flags.contains(flag)))
}
