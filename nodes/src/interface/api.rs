//! Messages about loopback interfaces and BVIs.

use vnet::{
    api::{Api, Retval},
    command::ApiError,
    interface::{
        InterfaceError, SwIfIndex,
        api::{
            create_loopback, create_loopback_instance, create_loopback_instance_reply,
            create_loopback_reply, delete_loopback,
        },
    },
    l2::api::{bvi_create, bvi_create_reply, bvi_delete},
};

use super::loopback::{LoopbackError, MAX_INSTANCE, create, create_bvi, delete, delete_bvi};

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: create_loopback| {
        let made = cx.with(|main| create(main, given(request.mac_address), None));
        let sw_if_index = made.map_err(refused)?.0;
        Ok::<_, Retval>(create_loopback_reply { sw_if_index })
    });
    api.call(|cx, request: create_loopback_instance| {
        let instance = request.is_specified.then(|| instance(request.user_instance)).transpose()?;
        let made = cx.with(|main| create(main, given(request.mac_address), instance));
        let sw_if_index = made.map_err(refused)?.0;
        Ok::<_, Retval>(create_loopback_instance_reply { sw_if_index })
    });
    api.call(|cx, request: delete_loopback| {
        cx.with(|main| delete(main, SwIfIndex(request.sw_if_index)))
    });
    api.call(|cx, request: bvi_create| {
        let wanted = Some(request.user_instance).filter(|wanted| *wanted != u32::MAX);
        let instance = wanted.map(instance).transpose()?;
        let made = cx.with(|main| create_bvi(main, given(request.mac), instance));
        let sw_if_index = made.map_err(refused)?.0;
        Ok::<_, Retval>(bvi_create_reply { sw_if_index })
    });
    api.call(|cx, request: bvi_delete| {
        cx.with(|main| delete_bvi(main, SwIfIndex(request.sw_if_index)))
    });
}

/// A MAC address; zeros are none.
fn given(mac: [u8; 6]) -> Option<[u8; 6]> {
    Some(mac).filter(|mac| *mac != [0; 6])
}

/// The number that it is to have.
fn instance(number: u32) -> Result<u32, ApiError> {
    if number <= MAX_INSTANCE { Ok(number) } else { Err(ApiError::InvalidRegistration) }
}

/// As VPP has it, a number that is taken is one that cannot be registered.
fn refused(error: LoopbackError) -> Retval {
    match error {
        LoopbackError::Interface(InterfaceError::NameTaken { .. }) => {
            ApiError::InvalidRegistration.into()
        }
        error => error.into(),
    }
}
