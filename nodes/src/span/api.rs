//! Messages about mirrored interfaces.

use vnet::{
    api::{Api, Retval, interface_types::interface_index},
    command::ApiError,
    interface::{SwIfIndex, api::known},
    runtime::Main,
};

use super::{Direction, Layer, Span, SpanError};

vnet::api! {
    /// The file `span.api`.
    file SPAN = "span", [2, 0, 0], 0x34ee02b;
    enum span_state: u32 {
        SPAN_STATE_API_DISABLED = 0,
        SPAN_STATE_API_RX = 1,
        SPAN_STATE_API_TX = 2,
        SPAN_STATE_API_RX_TX = 3,
    };
    call sw_interface_span_enable_disable = 0x23ddd96b {
        sw_if_index_from: interface_index,
        sw_if_index_to: interface_index,
        state: span_state,
        is_l2: bool,
    }
        -> sw_interface_span_enable_disable_reply = 0xe8d4e804 {};
    dump sw_interface_span_dump = 0xd6cf0c3d { is_l2: bool }
        -> sw_interface_span_details = 0x8a20e79f {
        sw_if_index_from: interface_index,
        sw_if_index_to: interface_index,
        state: span_state,
        is_l2: bool,
    };
}

pub(super) fn register(api: &mut Api, span: &Span) {
    api.file(&SPAN);
    let of = span.clone();
    api.call(move |cx, request: sw_interface_span_enable_disable| {
        cx.with(|main| set(&of, main, &request))
    });
    let of = span.clone();
    api.dump(move |cx, request: sw_interface_span_dump| {
        cx.with(|main| list(&of, main, request.is_l2))
    });
}

fn set(
    span: &Span,
    main: &mut Main,
    request: &sw_interface_span_enable_disable,
) -> Result<(), Retval> {
    let direction = match request.state {
        span_state::SPAN_STATE_API_DISABLED => None,
        span_state::SPAN_STATE_API_RX => Some(Direction::Rx),
        span_state::SPAN_STATE_API_TX => Some(Direction::Tx),
        span_state::SPAN_STATE_API_RX_TX => Some(Direction::Both),
        _ => return Err(ApiError::Unimplemented.into()),
    };
    let [from, to] = [request.sw_if_index_from, request.sw_if_index_to].map(SwIfIndex);
    let is_nothing = from == SwIfIndex::NONE || (to == SwIfIndex::NONE && direction.is_some());
    if is_nothing || from == to {
        return Err(ApiError::InvalidInterface.into());
    }
    known(main, from.0)?;
    let layer = if request.is_l2 { Layer::Layer2 } else { Layer::Device };
    let Some(direction) = direction else {
        let to = Some(to).filter(|to| *to != SwIfIndex::NONE);
        return match span.stop(main, from, to, layer) {
            // As in VPP, it is not mirrored, and that is what was asked for.
            Ok(()) | Err(SpanError::NotMirrored) => Ok(()),
            Err(error) => Err(error.into()),
        };
    };
    known(main, to.0)?;
    Ok(span.mirror(main, (from, to), layer, direction)?)
}

fn list(span: &Span, main: &Main, is_l2: bool) -> Vec<sw_interface_span_details> {
    let pairs = span.list(main).into_iter();
    let at_layer = pairs.filter_map(|pair| {
        let direction = if is_l2 { pair.layer2 } else { pair.device };
        Some((pair.source, pair.destination, direction?))
    });
    let details = at_layer.map(|(from, to, direction)| sw_interface_span_details {
        sw_if_index_from: from.0,
        sw_if_index_to: to.0,
        state: match direction {
            Direction::Rx => span_state::SPAN_STATE_API_RX,
            Direction::Tx => span_state::SPAN_STATE_API_TX,
            Direction::Both => span_state::SPAN_STATE_API_RX_TX,
        },
        is_l2,
    });
    details.collect()
}
