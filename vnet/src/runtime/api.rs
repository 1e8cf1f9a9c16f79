//! Messages about the graph and its threads, and command lines.

use super::{Main, thread_name};
use crate::{
    command::{self, ApiError},
    graph::NodeIndex,
    plugin::Registrar,
};

crate::api! {
    /// The file `vlib.api`.
    file VLIB = "vlib", [1, 0, 0], 0x9a9e84e4;
    record thread_data {
        id: u32,
        name: [string; 64],
        r#type: [string; 64],
        pid: u32,
        cpu_id: u32,
        core: u32,
        cpu_socket: u32,
    };
    call cli = 0x23bfbfff { cmd_in_shmem: u64 }
        -> cli_reply = 0x06d68297 { reply_in_shmem: u64 };
    call cli_inband = 0xf8377302 { cmd: string }
        -> cli_inband_reply = 0x05879051 { reply: string };
    call get_node_index = 0xf1984c64 { node_name: [string; 64] }
        -> get_node_index_reply = 0xa8600b89 { node_index: u32 };
    call add_node_next = 0x2457116d { node_name: [string; 64], next_name: [string; 64] }
        -> add_node_next_reply = 0x2ed75f32 { next_index: u32 };
    call show_threads = 0x51077d14 {}
        -> show_threads_reply = 0xefd78e83 { thread_data: [thread_data by count: u32] };
    call get_node_graph = 0x51077d14 {}
        -> get_node_graph_reply = 0x06d68297 { reply_in_shmem: u64 };
    call get_next_index = 0x2457116d { node_name: [string; 64], next_name: [string; 64] }
        -> get_next_index_reply = 0x2ed75f32 { next_index: u32 };
    call_unsigned get_f64_endian_value = 0x809fcd44 { f64_one: f64 = 1.0 }
        -> get_f64_endian_value_reply = 0x7e02e404 { f64_one_result: f64 };
    call_unsigned get_f64_increment_by_one = 0xb64f027e { f64_value: f64 = 1.0 }
        -> get_f64_increment_by_one_reply = 0xd25dbaa3 { f64_value: f64 };
}

pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&VLIB);
    api.call_waiting(|cx, request: cli_inband| async move {
        let reply = command::execute(cx.session(), request.cmd.as_bytes()).await.text;
        Ok::<_, ApiError>(cli_inband_reply { reply })
    });
    api.call(|cx, request: get_node_index| {
        let found = cx.with(|main| node(main, request.node_name.as_str()));
        found
            .map(|node| get_node_index_reply { node_index: node.0.into() })
            .ok_or(ApiError::NoSuchNode)
    });
    api.call(|cx, request: add_node_next| {
        cx.with(|main| {
            let (from, to) = pair(main, request.node_name.as_str(), request.next_name.as_str())?;
            Ok::<_, ApiError>(add_node_next_reply { next_index: main.add_next(from, to).0.into() })
        })
    });
    api.call(|cx, request: get_next_index| {
        cx.with(|main| {
            let (from, to) = pair(main, request.node_name.as_str(), request.next_name.as_str())?;
            let slot = main.graph().node(from).nexts.iter().position(|next| *next == to);
            let slot = slot.ok_or(ApiError::NoSuchNode2)?;
            Ok::<_, ApiError>(get_next_index_reply { next_index: slot as u32 })
        })
    });
    api.call(|cx, _: show_threads| {
        let thread_data = cx.with(|main| threads(main));
        Ok::<_, ApiError>(show_threads_reply { thread_data })
    });
    api.call(|_, request: get_f64_endian_value| match request.f64_one {
        1.0 => Ok(get_f64_endian_value_reply { f64_one_result: 1.0 }),
        _ => Err(ApiError::ApiEndianFailed),
    });
    api.call(|_, request: get_f64_increment_by_one| {
        let f64_value = request.f64_value + 1.0;
        Ok::<_, ApiError>(get_f64_increment_by_one_reply { f64_value })
    });
}

fn node(main: &Main, name: &str) -> Option<NodeIndex> {
    main.graph().find(name)
}

fn pair(main: &Main, from: &str, to: &str) -> Result<(NodeIndex, NodeIndex), ApiError> {
    let from = node(main, from).ok_or(ApiError::NoSuchNode)?;
    Ok((from, node(main, to).ok_or(ApiError::NoSuchNode2)?))
}

/// What `show threads` shows.
fn threads(main: &Main) -> Vec<thread_data> {
    let all = (0_usize..).zip(main.places());
    let data = all.map(|(number, place)| thread_data {
        id: number as u32,
        name: thread_name(number).into(),
        r#type: if number == 0 { "" } else { "workers" }.into(),
        pid: place.id,
        cpu_id: place.core().unwrap_or(0),
        core: place.topology("core_id").unwrap_or(0),
        cpu_socket: place.topology("physical_package_id").unwrap_or(0),
    });
    data.collect()
}
