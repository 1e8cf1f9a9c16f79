//! The messages of `ip6_dad.api`: whether and how duplicate addresses are looked for, and what becomes of new addresses.

use std::{net::Ipv6Addr, time::Duration};

use vnet::{
    api::{Retval, Subscribers, interface_types::interface_index, ip_types::ip6_address},
    command::ApiError,
    interface::SwIfIndex,
    plugin::Registrar,
};

use super::{Asked, Detector, MAX_TRANSMITS, Set};

vnet::api! {
    /// The file `ip6_dad.api`.
    file IP6_DAD = "ip6_dad", [1, 0, 0], 0xf43fb69c;
    enum ip6_dad_state: u8 {
        IP6_DAD_STATE_IDLE = 0,
        IP6_DAD_STATE_TENTATIVE = 1,
        IP6_DAD_STATE_PREFERRED = 2,
        IP6_DAD_STATE_DUPLICATE = 3,
    };
    call ip6_dad_enable_disable = 0x557ed29b {
        enable: bool = true,
        dad_transmits: u8 = 1,
        dad_retransmit_delay: f64 = 1.0,
    }
        -> ip6_dad_enable_disable_reply = 0xe8d4e804 {};
    dump ip6_dad_dump = 0x51077d14 {}
        -> ip6_dad_details = 0xf6971ec4 { enabled: bool, dad_transmits: u8, dad_retransmit_delay: f64 };
    call want_ip6_dad_events = 0xc5e2af94 { enable_disable: bool, pid: u32 }
        -> want_ip6_dad_events_reply = 0xe8d4e804 {}
        events [ip6_dad_event];
    event ip6_dad_event = 0xd6037980 {
        state: ip6_dad_state,
        sw_if_index: interface_index,
        address: ip6_address,
        dad_count: u8,
        dad_transmits: u8,
    };
}

/// Seconds between two solicitations, as in VPP.
const DELAYS: core::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Clients that are told.
pub(super) type Told = Subscribers<ip6_dad_event>;

pub(super) fn register(r: &mut Registrar, detector: &Detector) {
    let api = r.api();
    api.file(&IP6_DAD);
    let of = detector.clone();
    api.call(move |_, request: ip6_dad_enable_disable| {
        of.set(&settings(&request)?);
        Ok::<_, ApiError>(())
    });
    let of = detector.clone();
    api.dump(move |_, _: ip6_dad_dump| {
        [ip6_dad_details {
            enabled: of.is_enabled(),
            dad_transmits: of.0.transmits.get(),
            dad_retransmit_delay: of.0.delay.get().as_secs_f64(),
        }]
    });
    let of = detector.clone();
    api.call(move |cx, request: want_ip6_dad_events| {
        match request.enable_disable {
            true => of.0.told.add(cx.client(), request.pid, ()),
            false => drop(of.0.told.remove(cx.client(), &())),
        }
        Ok::<_, Retval>(())
    });
}

/// Numbers that are 0, and all of them where it is switched off, leave what they are about as it is.
fn settings(request: &ip6_dad_enable_disable) -> Result<Set, ApiError> {
    let ip6_dad_enable_disable { enable, dad_transmits, dad_retransmit_delay } = *request;
    if !enable {
        return Ok(Set { enable, transmits: None, delay: None });
    }
    let transmits = Some(dad_transmits).filter(|n| *n != 0);
    if transmits.is_some_and(|n| n > MAX_TRANSMITS) {
        return Err(ApiError::InvalidValue);
    }
    let delay = Some(dad_retransmit_delay).filter(|seconds| *seconds != 0.0);
    if delay.is_some_and(|seconds| !DELAYS.contains(&seconds)) {
        return Err(ApiError::InvalidValue2);
    }
    Ok(Set { enable, transmits, delay: delay.map(Duration::from_secs_f64) })
}

/// What is told of an address.
pub(super) fn event(
    (interface, address): (SwIfIndex, Ipv6Addr),
    asked: Asked,
    state: ip6_dad_state,
) -> ip6_dad_event {
    ip6_dad_event {
        state,
        sw_if_index: interface.0,
        address: address.octets(),
        dad_count: asked.of - asked.left,
        dad_transmits: asked.of,
    }
}
