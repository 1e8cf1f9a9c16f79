//! Messages about features of interfaces.

use super::FeatureError;
use crate::{
    api::{Retval, interface_types::interface_index},
    command::ApiError,
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::Main,
};

crate::api! {
    /// The file `feature.api`.
    file FEATURE = "feature", [1, 0, 2], 0x30d6f180;
    call feature_enable_disable = 0x7531c862 {
        sw_if_index: interface_index,
        enable: bool,
        arc_name: [string; 64],
        feature_name: [string; 64],
    }
        -> feature_enable_disable_reply = 0xe8d4e804 {};
    ask_of_client feature_is_enabled = 0x55db09e2 { arc_name: [string; 64], feature_name: [string; 64], sw_if_index: interface_index }
        -> feature_is_enabled_reply = 0x03f284b5 { retval: i32, is_enabled: bool };
}

pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&FEATURE);
    api.call(|cx, request: feature_enable_disable| -> Result<(), Retval> {
        let (arc, feature) = (request.arc_name.as_str(), request.feature_name.as_str());
        cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            match request.enable {
                true => Ok(main.enable_feature(arc, feature, interface, 0)?),
                false => match main.disable_feature(arc, feature, interface) {
                    // As with VPP, what is off may be switched off.
                    Err(FeatureError::NotEnabled { .. }) => Ok(()),
                    disabled => Ok(disabled?),
                },
            }
        })
    });
    api.ask(|cx, request: feature_is_enabled| {
        let (arc, feature) = (request.arc_name.as_str(), request.feature_name.as_str());
        let answer = cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            Ok::<_, ApiError>(main.features().is_enabled(arc, feature, interface))
        });
        feature_is_enabled_reply {
            retval: answer.err().map_or(0, ApiError::code),
            is_enabled: answer.unwrap_or(false),
        }
    });
}

fn known(main: &Main, index: interface_index) -> Result<SwIfIndex, ApiError> {
    let known = main.interfaces().interface(SwIfIndex(index));
    known.map(|known| known.index).ok_or(ApiError::InvalidSwIfIndex)
}
