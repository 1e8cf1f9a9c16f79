//! The graph of nodes, told to clients.

use peloton_tests::api::ApiClient;
use vnet::graph::api::*;

const ANY: u32 = u32::MAX;

fn all() -> graph_node_get {
    graph_node_get { cursor: ANY, index: ANY, ..Default::default() }
}

#[test]
fn nodes_are_told_by_index_by_name_by_flag_and_with_those_behind_them() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let get = |request: graph_node_get| {
        let (details, reply) = client.get(&request)?;
        assert_eq!(reply.cursor, ANY);
        Ok::<_, i32>(details)
    };
    let nodes = get(all()).unwrap();
    let expected = engine.with(|main| {
        let graph = main.graph();
        let mut names: Vec<String> = graph.nodes().map(|(_, node)| node.name.clone()).collect();
        names.sort();
        names
    });
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, expected);
    assert!(nodes.iter().all(|node| node.arcs_out.is_empty()));
    // One by one, and where a dump is gone on with.
    let lookup = graph_node_get { name: "ip4-lookup".into(), want_arcs: true, ..all() };
    let [lookup] = &get(lookup).unwrap()[..] else { panic!("one") };
    let graph = engine.command("show node ip4-lookup").unwrap();
    for arc in &lookup.arcs_out {
        let next = nodes.iter().find(|node| node.index == *arc).unwrap().name.as_str();
        assert!(graph.contains(next), "{next} is not in {graph}");
    }
    assert!(lookup.arcs_out.len() > 3);
    let by_index = get(graph_node_get { index: lookup.index, ..all() }).unwrap();
    assert_eq!(by_index[0].name, lookup.name);
    let rest = get(graph_node_get { cursor: 5, ..all() }).unwrap();
    assert_eq!(rest, nodes[5..]);
    assert_eq!(get(graph_node_get { cursor: ANY - 1, ..all() }), Ok(vec![]));
    let flags = node_flag::NODE_FLAG_IS_DROP | node_flag::NODE_FLAG_TRACE_SUPPORTED;
    let flagged = get(graph_node_get { flags, ..all() }).unwrap();
    let has = |name: &str| flagged.iter().any(|node| node.name.as_str() == name);
    assert!(has("error-drop") && has("pg-input") && !has("ip4-lookup"));
    for wrong in [
        graph_node_get { index: 60_000, ..all() },
        graph_node_get { name: "no-such".into(), ..all() },
    ] {
        assert_eq!(get(wrong), Err(-6));
    }
}
