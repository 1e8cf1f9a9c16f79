//! Messages about receive queues.

use super::{
    known_main, sw_interface_get_default_rx_mode, sw_interface_get_default_rx_mode_reply,
    sw_interface_rx_placement_details, sw_interface_rx_placement_dump,
    sw_interface_set_default_rx_mode, sw_interface_set_rx_mode, sw_interface_set_rx_placement,
};
use crate::{
    api::{Api, Retval, interface_types::rx_mode},
    command::ApiError,
    graph::InputMode,
    interface::{RxQueue, RxQueueId, SwIfIndex},
    runtime::Main,
};

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: sw_interface_set_rx_mode| cx.with(|main| set_mode(main, &request)));
    api.call(|cx, request: sw_interface_set_rx_placement| {
        cx.with(|main| set_placement(main, &request))
    });
    api.dump(|cx, request: sw_interface_rx_placement_dump| {
        cx.with(|main| placement(main, SwIfIndex(request.sw_if_index)))
    });
    api.call(|cx, request: sw_interface_set_default_rx_mode| {
        let mode = from_api(request.mode)?;
        cx.with(|main| main.set_first_rx_mode(mode));
        Ok::<_, ApiError>(())
    });
    api.call(|cx, _: sw_interface_get_default_rx_mode| {
        let mode = to_api(cx.with(|main| main.first_rx_mode()));
        Ok::<_, ApiError>(sw_interface_get_default_rx_mode_reply { mode })
    });
}

fn from_api(mode: rx_mode) -> Result<InputMode, ApiError> {
    match mode {
        rx_mode::RX_MODE_API_POLLING => Ok(InputMode::Polling),
        rx_mode::RX_MODE_API_INTERRUPT => Ok(InputMode::Interrupt),
        rx_mode::RX_MODE_API_ADAPTIVE => Ok(InputMode::Adaptive),
        _ => Err(ApiError::InvalidValue),
    }
}

fn to_api(mode: InputMode) -> rx_mode {
    match mode {
        InputMode::Polling => rx_mode::RX_MODE_API_POLLING,
        InputMode::Interrupt => rx_mode::RX_MODE_API_INTERRUPT,
        InputMode::Adaptive => rx_mode::RX_MODE_API_ADAPTIVE,
        InputMode::Disabled => rx_mode::RX_MODE_API_UNKNOWN,
    }
}

fn set_mode(main: &mut Main, request: &sw_interface_set_rx_mode) -> Result<(), Retval> {
    let interface = known_main(main, request.sw_if_index)?;
    let mode = from_api(request.mode)?;
    let queue = request.queue_id_valid.then(|| queue(request.queue_id)).transpose()?;
    let hw_if_index = main.interfaces().hardware_of(interface)?.index;
    Ok(main.set_rx_mode(hw_if_index, queue, mode)?)
}

fn set_placement(main: &mut Main, request: &sw_interface_set_rx_placement) -> Result<(), Retval> {
    let interface = known_main(main, request.sw_if_index)?;
    let thread = match request.is_main {
        true => 0,
        false => (request.worker_id as usize).saturating_add(1),
    };
    let hw_if_index = main.interfaces().hardware_of(interface)?.index;
    Ok(main.set_rx_thread(RxQueueId { hw_if_index, queue: queue(request.queue_id)? }, thread)?)
}

fn queue(queue_id: u32) -> Result<u16, ApiError> {
    u16::try_from(queue_id).map_err(|_| ApiError::InvalidQueue)
}

/// Queues of an interface, or all of them by their threads.
fn placement(main: &Main, interface: SwIfIndex) -> Vec<sw_interface_rx_placement_details> {
    let above = |queue: &RxQueue| {
        let hardware = main.interfaces().hardware_interface(queue.id.hw_if_index);
        hardware.map(|hardware| hardware.sw_if_index)
    };
    let all = main.rx_queues().iter().filter_map(|queue| Some((above(queue)?, queue)));
    let wanted = all.filter(|(of, _)| [*of, SwIfIndex::NONE].contains(&interface));
    let mut queues: Vec<_> = wanted.collect();
    queues.sort_by_key(|(_, queue)| (queue.thread, queue.node, queue.id));
    queues.into_iter().map(|(of, queue)| details(of, queue)).collect()
}

/// The thread's number is that of `show threads`, in which the main thread is 0.
fn details(interface: SwIfIndex, queue: &RxQueue) -> sw_interface_rx_placement_details {
    sw_interface_rx_placement_details {
        sw_if_index: interface.0,
        queue_id: queue.id.queue.into(),
        worker_id: queue.thread as u32,
        mode: to_api(queue.mode),
    }
}
