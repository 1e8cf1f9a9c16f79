//! `pcap_trace_on`, `pcap_trace_off`, `pcap_set_filter_function`.

use std::path::{Component, Path, PathBuf};

use vnet::{
    api::{Api, Retval},
    command::ApiError,
    interface::{
        SwIfIndex,
        api::{known, pcap_set_filter_function, pcap_trace_off, pcap_trace_on},
    },
    runtime::Main,
    trace::api::check_filter_function,
};

use super::{
    Directions, Request, Shared,
    commands::{check_filter, reason},
};

pub(super) fn register(api: &mut Api, trace: &Shared) {
    let of = trace.clone();
    api.call(move |cx, request: pcap_trace_on| cx.with(|main| start(&of, main, &request)));
    let of = trace.clone();
    api.call(move |cx, _: pcap_trace_off| {
        cx.with(|main| of.borrow_mut().stop(main, false)).map(drop)
    });
    api.call(|_, request: pcap_set_filter_function| {
        check_filter_function(&request.filter_function_name)
    });
}

fn start(trace: &Shared, main: &mut Main, asked: &pcap_trace_on) -> Result<(), Retval> {
    let file = file(asked.filename.as_str())?;
    // As in VPP, `local0` stands for all of them.
    let interface = Some(known(main, asked.sw_if_index)?).filter(|i| *i != SwIfIndex::LOCAL0);
    let directions =
        Directions { rx: asked.capture_rx, tx: asked.capture_tx, drop: asked.capture_drop };
    if !directions.any() {
        // Nothing is to be captured any more.
        return Ok(trace.borrow_mut().stop(main, false).map(drop)?);
    }
    if asked.filter {
        check_filter(main)?;
    }
    let error = match asked.error.as_str() {
        "" => None,
        name => Some(reason(main, name)?),
    };
    let request = Request {
        directions,
        max_packets: asked.max_packets,
        bytes_each: asked.max_bytes_per_packet,
        interface,
        filter: asked.filter,
        error,
        file: Some(file),
        preallocate: asked.preallocate_data,
        free: asked.free_data,
    };
    Ok(trace.borrow_mut().start(main, request)?)
}

/// A file in /tmp, and nowhere else.
fn file(name: &str) -> Result<PathBuf, ApiError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) => Ok(Path::new("/tmp").join(name)),
        _ => Err(ApiError::IllegalName),
    }
}
