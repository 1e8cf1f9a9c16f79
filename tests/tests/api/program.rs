//! What every engine answers: version, threads, nodes, command lines, the log.

use peloton_tests::api::ApiClient;
use vnet::{
    api::{memclnt::*, vpe::*},
    runtime::api::*,
};

#[test]
fn a_command_line_answers_as_at_the_prompt() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let reply = client.call(&cli_inband { cmd: "show version".into() }).unwrap();
    assert_eq!(reply.reply, engine.command("show version").unwrap());
    let reply = client.call(&cli_inband { cmd: "show nothing".into() }).unwrap();
    assert!(reply.reply.contains("unknown input `nothing'"), "{}", reply.reply);
}

#[test]
fn nodes_are_found_by_name_and_joined() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let node = |name: &str| client.call(&get_node_index { node_name: name.into() });
    let lookup = node("ip4-lookup").unwrap().node_index;
    assert_eq!(
        Some(lookup),
        engine.with(|main| main.graph().find("ip4-lookup")).map(|node| node.0.into())
    );
    assert_eq!(node("ip9-lookup"), Err(-63));
    let pair = |next: &str| (("ip4-lookup").into(), next.into());
    let (node_name, next_name) = pair("sink");
    let ask = get_next_index { node_name, next_name };
    assert_eq!(client.call(&ask), Err(-64));
    let (node_name, next_name) = pair("sink");
    let slot = client.call(&add_node_next { node_name, next_name }).unwrap().next_index;
    assert_eq!(client.call(&ask).unwrap().next_index, slot);
    let (node_name, next_name) = pair("no-such");
    assert_eq!(client.call(&add_node_next { node_name, next_name }), Err(-64));
}

#[test]
fn threads_and_version_are_those_of_show() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let threads = client.call(&show_threads {}).unwrap().thread_data;
    assert_eq!(threads.len(), 1);
    assert_eq!((threads[0].name.as_str(), threads[0].pid), ("vpp_main", std::process::id()));
    let version = client.call(&show_version {}).unwrap();
    assert_eq!(
        format!("{} v{}\n", version.program, version.version),
        engine.command("show version").unwrap()
    );
}

#[test]
fn the_log_is_told_from_a_moment_on() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let write = |text: &str| {
        engine.with(|main| {
            main.log().write(main.log().class("test", "api"), vnet::log::Level::Warn, text);
        });
    };
    write("before");
    engine.advance(std::time::Duration::from_secs(10));
    let now = client.call(&show_vpe_system_time {}).unwrap().vpe_system_time;
    write("after");
    let all = client.dump(&log_dump { start_timestamp: 0.0 });
    assert!(all.iter().any(|line| line.message.as_str() == "before"));
    let since = client.dump(&log_dump { start_timestamp: now });
    let [line] = since.as_slice() else { panic!("{since:?}") };
    assert_eq!((line.message.as_str(), line.msg_class.as_str()), ("after", "test/api"));
    assert_eq!(line.level, log_level::VPE_API_LOG_LEVEL_WARNING);
    assert_eq!(line.timestamp, now);
}

#[test]
fn messages_without_a_counterpart_are_unimplemented_and_cut_ones_invalid() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    assert_eq!(client.call(&cli { cmd_in_shmem: 1 }), Err(-9));
    let answers = client.send::<get_node_index>(b"too short");
    assert_eq!(answers.len(), 1);
    assert_eq!(client.call(&get_f64_endian_value { f64_one: 1.0 }).unwrap().f64_one_result, 1.0);
    assert_eq!(client.call(&get_f64_endian_value { f64_one: 3.0 }), Err(-159));
    assert_eq!(client.call(&get_f64_increment_by_one { f64_value: 41.0 }).unwrap().f64_value, 42.0);
}

#[test]
fn clients_learn_all_messages_as_json() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let json = client.call(&get_api_json {}).unwrap().json;
    let files: serde_json::Value = serde_json::from_str(&json).unwrap();
    let table = engine.with(|main| main.api().clone());
    assert_eq!(files.as_array().unwrap().len(), table.files().len());
    let told: usize = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["messages"].as_array().unwrap().len())
        .sum();
    assert_eq!(told, table.messages().count());
    let versions = client.call(&api_versions {}).unwrap().api_versions;
    assert_eq!(versions.len(), table.files().len());
    assert_eq!(
        client.call(&get_first_msg_id { name: "vlib_9a9e84e4".into() }).unwrap().first_msg_id,
        table.number("cli").unwrap()
    );
    assert_eq!(client.call(&get_first_msg_id { name: "nothing_00000000".into() }), Err(-7));
}
