//! Messages of the binary API.

use vnet::{
    api::{Retval, interface_types::interface_index},
    command::ApiError,
    flow::RecordSet,
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::Main,
};

use crate::{Directions, FlowProbe, Params, ParamsRequest, ProbeError, Variant};

vnet::api! {
    /// The file `flowprobe.api`.
    file FLOWPROBE = "flowprobe", [2, 1, 0], 0x72c9c142;
    enum flowprobe_which_flags: u8 {
        FLOWPROBE_WHICH_FLAG_IP4 = 1,
        FLOWPROBE_WHICH_FLAG_L2 = 2,
        FLOWPROBE_WHICH_FLAG_IP6 = 4,
    };
    enum flowprobe_which: u8 { FLOWPROBE_WHICH_IP4 = 0, FLOWPROBE_WHICH_IP6 = 1, FLOWPROBE_WHICH_L2 = 2 };
    enum flowprobe_record_flags: u8 {
        FLOWPROBE_RECORD_FLAG_L2 = 1,
        FLOWPROBE_RECORD_FLAG_L3 = 2,
        FLOWPROBE_RECORD_FLAG_L4 = 4,
    };
    enum flowprobe_direction: u8 {
        FLOWPROBE_DIRECTION_RX = 0,
        FLOWPROBE_DIRECTION_TX = 1,
        FLOWPROBE_DIRECTION_BOTH = 2,
    };
    call flowprobe_tx_interface_add_del = 0xb782c976 { is_add: bool, which: flowprobe_which_flags, sw_if_index: interface_index }
        -> flowprobe_tx_interface_add_del_reply = 0xe8d4e804 {};
    call flowprobe_interface_add_del = 0x3420739c {
        is_add: bool,
        which: flowprobe_which,
        direction: flowprobe_direction,
        sw_if_index: interface_index,
    }
        -> flowprobe_interface_add_del_reply = 0xe8d4e804 {};
    dump flowprobe_interface_dump = 0xf9e6675e { sw_if_index: interface_index = 4294967295 }
        -> flowprobe_interface_details = 0x427d77e0 { which: flowprobe_which, direction: flowprobe_direction, sw_if_index: interface_index };
    call flowprobe_params = 0xbaa46c09 { record_flags: flowprobe_record_flags, active_timer: u32, passive_timer: u32 }
        -> flowprobe_params_reply = 0xe8d4e804 {};
    call flowprobe_set_params = 0xbaa46c09 {
        record_flags: flowprobe_record_flags,
        active_timer: u32 = 4294967295,
        passive_timer: u32 = 4294967295,
    }
        -> flowprobe_set_params_reply = 0xe8d4e804 {};
    call flowprobe_get_params = 0x51077d14 {}
        -> flowprobe_get_params_reply = 0xf350d621 { record_flags: flowprobe_record_flags, active_timer: u32, passive_timer: u32 };
}

/// What stands for "all interfaces".
const ALL: interface_index = u32::MAX;
/// What stands for a time that is not said.
const DEFAULT: u32 = u32::MAX;

pub(crate) fn register(registrar: &mut Registrar, probe: &FlowProbe) {
    let api = registrar.api();
    api.file(&FLOWPROBE);
    let of = probe.clone();
    api.call(move |cx, request: flowprobe_tx_interface_add_del| -> Result<(), Retval> {
        let variant = match request.which {
            flowprobe_which_flags::FLOWPROBE_WHICH_FLAG_IP4 => Variant::Ip4,
            flowprobe_which_flags::FLOWPROBE_WHICH_FLAG_IP6 => Variant::Ip6,
            flowprobe_which_flags::FLOWPROBE_WHICH_FLAG_L2 => Variant::L2,
            _ => return Err(ApiError::InvalidValue.into()),
        };
        let (interface, on) = (SwIfIndex(request.sw_if_index), request.is_add);
        let switched = cx.with(|main| switch(&of, main, interface, variant, Directions::Tx, on));
        // This message has another number for that.
        match switched {
            Err(ProbeError::AlreadyEnabled(_)) => Err(ApiError::CannotEnableDisableFeature.into()),
            switched => Ok(switched?),
        }
    });
    let of = probe.clone();
    api.call(move |cx, request: flowprobe_interface_add_del| -> Result<(), Retval> {
        let (variant, directions) = (variant(request.which)?, directions(request.direction)?);
        let (interface, on) = (SwIfIndex(request.sw_if_index), request.is_add);
        Ok(cx.with(|main| switch(&of, main, interface, variant, directions, on))?)
    });
    let of = probe.clone();
    api.dump(move |_, flowprobe_interface_dump { sw_if_index: wanted }| {
        let all = of.enabled().into_iter();
        all.filter(move |(SwIfIndex(at), ..)| [ALL, *at].contains(&wanted)).filter_map(details)
    });
    let of = probe.clone();
    api.call(move |_, request: flowprobe_params| -> Result<(), Retval> {
        let flowprobe_params { record_flags, active_timer, passive_timer } = request;
        Ok(of.set_params(params(record_flags, active_timer, passive_timer)?)?)
    });
    let of = probe.clone();
    api.call(move |_, request: flowprobe_set_params| -> Result<(), Retval> {
        let flowprobe_set_params { record_flags, active_timer, passive_timer } = request;
        Ok(of.set_params(params(record_flags, active_timer, passive_timer)?)?)
    });
    let of = probe.clone();
    api.call(move |_, _: flowprobe_get_params| {
        let Params { record, active, passive, .. } = of.params();
        let record_flags = FLAGS
            .iter()
            .map(|(flag, layer)| flag.when(record.contains(*layer)))
            .fold(flowprobe_record_flags(0), |all, flag| all | flag);
        let (active_timer, passive_timer) = (active, passive);
        Ok::<_, ApiError>(flowprobe_get_params_reply { record_flags, active_timer, passive_timer })
    });
}

/// As `flowprobe feature add-del`.
fn switch(
    probe: &FlowProbe,
    main: &mut Main,
    interface: SwIfIndex,
    variant: Variant,
    directions: Directions,
    on: bool,
) -> Result<(), ProbeError> {
    main.interfaces().interface(interface).ok_or(ProbeError::NoSuchInterface)?;
    match on {
        true => probe.enable(main, interface, variant, directions),
        false => probe.disable(main, interface, variant),
    }
}

const FLAGS: [(flowprobe_record_flags, RecordSet); 3] = [
    (flowprobe_record_flags::FLOWPROBE_RECORD_FLAG_L2, RecordSet::L2),
    (flowprobe_record_flags::FLOWPROBE_RECORD_FLAG_L3, RecordSet::L3),
    (flowprobe_record_flags::FLOWPROBE_RECORD_FLAG_L4, RecordSet::L4),
];

/// What `flowprobe params` would be told.
fn params(
    record_flags: flowprobe_record_flags,
    active: u32,
    passive: u32,
) -> Result<ParamsRequest, ApiError> {
    let known = FLAGS.iter().fold(flowprobe_record_flags(0), |known, (flag, _)| known | *flag);
    if !known.contains(record_flags) {
        return Err(ApiError::InvalidValue);
    }
    let mut record = RecordSet::empty();
    FLAGS.iter().for_each(|(flag, layer)| record.set(*layer, record_flags.contains(*flag)));
    let said = |time: u32| (time != DEFAULT).then_some(time);
    Ok(ParamsRequest {
        record,
        biflow: false,
        active: said(active),
        passive: said(passive),
        profile: None,
        fragments: false,
    })
}

fn variant(which: flowprobe_which) -> Result<Variant, ApiError> {
    match which {
        flowprobe_which::FLOWPROBE_WHICH_IP4 => Ok(Variant::Ip4),
        flowprobe_which::FLOWPROBE_WHICH_IP6 => Ok(Variant::Ip6),
        flowprobe_which::FLOWPROBE_WHICH_L2 => Ok(Variant::L2),
        _ => Err(ApiError::InvalidValue),
    }
}

fn directions(direction: flowprobe_direction) -> Result<Directions, ApiError> {
    match direction {
        flowprobe_direction::FLOWPROBE_DIRECTION_RX => Ok(Directions::Rx),
        flowprobe_direction::FLOWPROBE_DIRECTION_TX => Ok(Directions::Tx),
        flowprobe_direction::FLOWPROBE_DIRECTION_BOTH => Ok(Directions::Both),
        _ => Err(ApiError::InvalidValue),
    }
}

/// What the message has words for; it has none for drops.
fn details(
    (SwIfIndex(sw_if_index), variant, directions): (SwIfIndex, Variant, Directions),
) -> Option<flowprobe_interface_details> {
    let which = match variant {
        Variant::Ip4 => flowprobe_which::FLOWPROBE_WHICH_IP4,
        Variant::Ip6 => flowprobe_which::FLOWPROBE_WHICH_IP6,
        Variant::L2 => flowprobe_which::FLOWPROBE_WHICH_L2,
        Variant::Drop => return None,
    };
    let direction = match directions {
        Directions::Rx => flowprobe_direction::FLOWPROBE_DIRECTION_RX,
        Directions::Tx => flowprobe_direction::FLOWPROBE_DIRECTION_TX,
        Directions::Both => flowprobe_direction::FLOWPROBE_DIRECTION_BOTH,
    };
    Some(flowprobe_interface_details { which, direction, sw_if_index })
}
