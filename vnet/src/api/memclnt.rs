//! Messages by which clients come, go, and learn of messages.

use super::{Api, Entry, File, Table};
use crate::command::ApiError;

crate::api! {
    /// The file `memclnt.api`. Its messages come first: clients know the number of `sockclnt_create`, 15, before anything else.
    file MEMCLNT = "memclnt", [2, 1, 0], 0xb197c551;
    record module_version { major: u32, minor: u32, patch: u32, name: [string; 64] };
    record message_table_entry { index: u16, name: [string; 64] };
    bare memclnt_create = 0x9c5e1c2f {
        context: u32,
        ctx_quota: i32,
        input_queue: u64,
        name: [string; 64],
        api_versions: [u32; 8],
    }
        -> memclnt_create_reply = 0x42ec4560 { context: u32, response: i32, handle: u64, index: u32, message_table: u64 };
    bare memclnt_delete = 0x7e1c04e3 { index: u32, handle: u64, do_cleanup: bool }
        -> memclnt_delete_reply = 0x3d3b6312 { response: i32, handle: u64 };
    message rx_thread_exit = 0xc3a3a452 { dummy: u8 };
    message memclnt_rx_thread_suspend = 0xc3a3a452 { dummy: u8 };
    message memclnt_read_timeout = 0xc3a3a452 { dummy: u8 };
    call rpc_call = 0x7e8a2c95 {
        function: u64,
        multicast: u8,
        need_barrier_sync: u8,
        send_reply: u8,
        data: [u8 by data_len: u32],
    }
        -> rpc_call_reply = 0xe8d4e804 {};
    call get_first_msg_id = 0xebf79a66 { name: [string; 64] }
        -> get_first_msg_id_reply = 0x7d337472 { first_msg_id: u16 };
    call api_versions = 0x51077d14 {}
        -> api_versions_reply = 0x5f0d99d6 { api_versions: [module_version by count: u32] };
    message trace_plugin_msg_ids = 0xf476d3ce {
        client_index: u32,
        context: u32,
        plugin_name: [string; 128],
        first_msg_id: u16,
        last_msg_id: u16,
    };
    bare sockclnt_create = 0x455fb9c4 { context: u32, name: [string; 64] }
        -> sockclnt_create_reply = 0x35166268 {
        client_index: u32,
        context: u32,
        response: i32,
        index: u32,
        message_table: [message_table_entry by count: u16],
    };
    bare sockclnt_delete = 0x8ac76db6 { client_index: u32, context: u32, index: u32 }
        -> sockclnt_delete_reply = 0x8f38b1ee { context: u32, response: i32 };
    call sock_init_shm = 0x51646d92 { requested_size: u32, configs: [u64 by nitems: u8] }
        -> sock_init_shm_reply = 0xe8d4e804 {};
    call memclnt_keepalive = 0x51077d14 {}
        -> memclnt_keepalive_reply = 0xe8d4e804 {};
    call control_ping = 0x51077d14 {}
        -> control_ping_reply = 0xf6b0b8ca { client_index: u32, vpe_pid: u32 };
    bare memclnt_create_v2 = 0xc4bd4882 {
        context: u32,
        ctx_quota: i32,
        input_queue: u64,
        name: [string; 64],
        api_versions: [u32; 8],
        keepalive: bool = true,
    }
        -> memclnt_create_v2_reply = 0x42ec4560 { context: u32, response: i32, handle: u64, index: u32, message_table: u64 };
    call get_api_json = 0x51077d14 {}
        -> get_api_json_reply = 0xea715b59 { json: string };
}

impl sockclnt_create_reply {
    /// All messages, as a client is told of them.
    #[must_use]
    pub fn table(table: &Table) -> Vec<message_table_entry> {
        let entry = |(index, entry): (u16, &Entry)| message_table_entry {
            index,
            name: entry.definition.name_crc().into(),
        };
        table.messages().map(entry).collect()
    }
}

pub(super) fn register(api: &mut Api) {
    api.file(&MEMCLNT);
    api.call(|cx, request: get_first_msg_id| {
        // Plugins are known by their name and a checksum, `flowprobe_72c9c142`.
        let module =
            request.name.as_str().rsplit_once('_').map_or(request.name.as_str(), |(name, _)| name);
        let first = cx.with(|main| main.api().first_number(module));
        first
            .map(|first_msg_id| get_first_msg_id_reply { first_msg_id })
            .ok_or(ApiError::InvalidValue)
    });
    api.call(|cx, _: api_versions| {
        let table = cx.with(|main| main.api().clone());
        let version = |file: &&File| {
            let [major, minor, patch] = file.version;
            module_version { major, minor, patch, name: format!("{}.api", file.module).into() }
        };
        Ok::<_, ApiError>(api_versions_reply {
            api_versions: table.files().iter().map(version).collect(),
        })
    });
    api.call(|_, _: memclnt_keepalive| Ok::<_, ApiError>(()));
    api.call(|cx, _: control_ping| {
        let client_index = cx.client().index();
        Ok::<_, ApiError>(control_ping_reply { client_index, vpe_pid: std::process::id() })
    });
    api.call(|cx, _: get_api_json| {
        let json = cx.with(|main| main.api().json());
        Ok::<_, ApiError>(get_api_json_reply { json: json.to_string() })
    });
}
