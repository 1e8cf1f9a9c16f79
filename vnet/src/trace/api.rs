//! The messages of `tracedump.api`: packets traced, filtered, and told to clients.
//!
//! VPP keeps a copy of the traces for each client, through which it goes on. Here a client goes through the traces themselves:
//! their order does not change as long as they are not cleared and the filter is the same, and more come behind them.

use super::{TraceFilter, TraceWanted};
use crate::{
    api::{Api, Part},
    classify::FilterUse,
    command::ApiError,
    graph::{NodeFlags, NodeIndex},
    plugin::Registrar,
    runtime::Main,
};

crate::api! {
    /// The file `tracedump.api`.
    file TRACEDUMP = "tracedump", [0, 2, 0], 0x56abf80a;
    enum trace_filter_flag: u32 {
        TRACE_FF_NONE = 0,
        TRACE_FF_INCLUDE_NODE = 1,
        TRACE_FF_EXCLUDE_NODE = 2,
        TRACE_FF_INCLUDE_CLASSIFIER = 3,
        TRACE_FF_EXCLUDE_CLASSIFIER = 4,
    };
    call trace_set_filters = 0xf522b44a {
        flag: trace_filter_flag,
        count: u32,
        node_index: u32 = 4294967295,
        classifier_table_index: u32 = 4294967295,
    }
        -> trace_set_filters_reply = 0xe8d4e804 {};
    call trace_capture_packets = 0x9e791a9b {
        node_index: u32,
        max_packets: u32,
        use_filter: bool,
        verbose: bool,
        pre_capture_clear: bool,
    }
        -> trace_capture_packets_reply = 0xe8d4e804 {};
    call trace_clear_capture = 0x51077d14 {}
        -> trace_clear_capture_reply = 0xe8d4e804 {};
    get_of_client trace_dump = 0xc7d6681f { clear_cache: u8, thread_id: u32, position: u32, max_records: u32 }
        -> trace_dump_reply = 0xe0e87f9d {
        last_thread_id: u32,
        last_position: u32,
        more_this_thread: u8,
        more_threads: u8,
        flush_only: u8,
        done: u8,
    }
        of trace_details = 0x1553e9eb {
        thread_id: u32,
        position: u32,
        more_this_thread: u8,
        more_threads: u8,
        done: u8,
        packet_number: u32,
        trace_data: string,
    };
    call trace_clear_cache = 0x51077d14 {}
        -> trace_clear_cache_reply = 0xe8d4e804 {};
    dump trace_v2_dump = 0x83f88d8e { thread_id: u32 = 4294967295, position: u32, max: u32 = 50, clear_cache: bool }
        -> trace_v2_details = 0x91f87d52 { thread_id: u32, position: u32, more: bool, trace_data: string };
    call trace_set_filter_function = 0x616abb92 { filter_function_name: string }
        -> trace_set_filter_function_reply = 0xe8d4e804 {};
    dump trace_filter_function_dump = 0x51077d14 {}
        -> trace_filter_function_details = 0x28821359 { selected: bool, name: string };
}

/// All threads, and no position.
const ALL: u32 = u32::MAX;
/// Packets that are told at once.
const AT_ONCE: u32 = 1024;
/// What VPP calls the function that decides which packets filters take; there is no other one.
pub const FILTER_FUNCTION: &str = "vnet_is_packet_traced";

/// Registers them.
pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&TRACEDUMP);
    api.call(|cx, request: trace_set_filters| cx.with(|main| set_filters(main, &request)));
    api.call(|cx, request: trace_capture_packets| cx.with(|main| capture(main, &request)));
    api.call(|cx, _: trace_clear_capture| {
        cx.with(|main| main.clear_trace());
        Ok::<_, ApiError>(())
    });
    api.get(|cx, request: trace_dump| cx.with(|main| dump(main, &request)));
    api.call(|_, _: trace_clear_cache| Ok::<_, ApiError>(()));
    api.walk(|cx, request: &trace_v2_dump, key| cx.with(|main| part(main, request, key)));
    filter_functions(api);
}

fn filter_functions(api: &mut Api) {
    api.call(|_, request: trace_set_filter_function| {
        check_filter_function(&request.filter_function_name)
    });
    api.dump(|_, _: trace_filter_function_dump| {
        [trace_filter_function_details { selected: true, name: FILTER_FUNCTION.to_owned() }]
    });
}

/// Whether there is a function of that name.
///
/// # Errors
/// When there is none.
pub fn check_filter_function(name: &str) -> Result<(), ApiError> {
    if name == FILTER_FUNCTION { Ok(()) } else { Err(ApiError::Unspecified) }
}

fn set_filters(main: &mut Main, request: &trace_set_filters) -> Result<(), ApiError> {
    let node = || node(main, request.node_index);
    let filter = match request.flag {
        trace_filter_flag::TRACE_FF_NONE => TraceFilter::None,
        trace_filter_flag::TRACE_FF_INCLUDE_NODE => TraceFilter::Include(node()?),
        trace_filter_flag::TRACE_FF_EXCLUDE_NODE => TraceFilter::Exclude(node()?),
        _ => return Err(ApiError::InvalidValue),
    };
    // Without a filter all are told, whatever the number is.
    let most = if filter == TraceFilter::None { usize::MAX } else { request.count as usize };
    main.set_trace_filter(filter, most);
    Ok(())
}

fn node(main: &Main, index: u32) -> Result<NodeIndex, ApiError> {
    let found = main.graph().nodes().map(|(node, _)| node).find(|node| u32::from(node.0) == index);
    found.ok_or(ApiError::NoSuchNode)
}

/// Packets that are traced where a client does not say how many.
const MANY: u32 = 50;

fn capture(main: &mut Main, request: &trace_capture_packets) -> Result<(), ApiError> {
    let node = node(main, request.node_index)?;
    if !main.graph().node(node).flags.contains(NodeFlags::TRACE_SUPPORTED) {
        return Err(ApiError::NoSuchNode);
    }
    // As with VPP, where nothing is filtered, all packets are traced.
    let filter =
        request.use_filter && !main.classifier().filter_tables(main, FilterUse::Trace).is_empty();
    if request.pre_capture_clear {
        main.clear_trace();
    }
    let packets = if request.max_packets == u32::MAX { MANY } else { request.max_packets };
    let verbose = request.verbose;
    main.trace_add(TraceWanted { node, packets, filter, verbose });
    Ok(())
}

type Burst = (Vec<trace_details>, trace_dump_reply);

/// As many packets from a position on as are asked for, thread by thread.
fn dump(main: &mut Main, request: &trace_dump) -> Result<Burst, ApiError> {
    let nowhere =
        trace_dump_reply { last_thread_id: ALL, last_position: ALL, ..Default::default() };
    if (request.thread_id, request.position) == (ALL, ALL) {
        return Ok((Vec::new(), trace_dump_reply { flush_only: 1, done: 1, ..nowhere }));
    }
    let mut room = request.max_records.min(AT_ONCE);
    let (mut details, mut totals) = (Vec::new(), Vec::new());
    for thread_id in 0..main.threads() as u32 {
        let (from, wanted) = match thread_id.cmp(&request.thread_id) {
            core::cmp::Ordering::Less => (0, 0),
            core::cmp::Ordering::Equal => (request.position, room),
            core::cmp::Ordering::Greater => (0, room),
        };
        let (texts, total) = main.traced(thread_id as usize, from as usize, wanted as usize);
        room -= texts.len() as u32;
        totals.push(total);
        details.extend((from..).zip(texts).map(|(position, trace_data)| trace_details {
            thread_id,
            position,
            packet_number: position,
            trace_data,
            ..Default::default()
        }));
    }
    let Some(last) = details.last_mut() else { return Err(ApiError::NoSuchEntry) };
    let mut behind = totals.iter().skip(last.thread_id as usize);
    let more_here = behind.next().is_some_and(|total| last.position as usize + 1 < *total);
    let more_there = behind.any(|total| *total > 0);
    last.more_this_thread = more_here.into();
    last.more_threads = (!more_here && more_there).into();
    last.done = (!more_here && !more_there).into();
    let reply = trace_dump_reply {
        last_thread_id: last.thread_id,
        last_position: last.position,
        more_this_thread: last.more_this_thread,
        more_threads: last.more_threads,
        flush_only: 0,
        done: last.done,
    };
    Ok((details, reply))
}

/// The next packets of a thread, or of the thread behind it.
fn part(
    main: &mut Main,
    request: &trace_v2_dump,
    key: Option<(u32, u32)>,
) -> Part<trace_v2_details, (u32, u32)> {
    let threads = main.threads() as u32;
    let (first, end) = match request.thread_id {
        ALL => (0, threads),
        thread => (thread, threads.min(thread.saturating_add(1))),
    };
    let (thread_id, from) = key.unwrap_or((first, request.position));
    if request.position == ALL || thread_id >= end {
        return Part { details: Vec::new(), next: None };
    }
    let last = request.position.saturating_add(request.max);
    let wanted = last.saturating_sub(from).min(AT_ONCE);
    let (texts, total) = main.traced(thread_id as usize, from as usize, wanted as usize);
    let next = match from + texts.len() as u32 {
        next if next < last && (next as usize) < total => (thread_id, next),
        _ => (thread_id + 1, request.position),
    };
    let details = (from..).zip(texts).map(|(position, trace_data)| {
        let more = position as usize + 1 < total;
        trace_v2_details { thread_id, position, more, trace_data }
    });
    Part { details: details.collect(), next: Some(next).filter(|(thread, _)| *thread < end) }
}
