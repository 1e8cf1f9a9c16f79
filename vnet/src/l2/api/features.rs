//! What is done to frames as messages have it: flags, and the bits by which VPP's nodes know them.

use super::{
    call, l2_flags, l2_flags_get, l2_flags_get_reply, l2_flags_reply, l2_flags_set,
    l2_interface_feat_flags_get, l2_interface_feat_flags_get_reply, l2_interface_feat_flags_set,
    l2_intf_feat_flags,
};
use crate::{
    api::{Api, Retval},
    command::ApiError,
    interface::{SwIfIndex, api::known},
    l2::{Domain, L2, Mode, Port, Role, Switching},
    runtime::Main,
};

/// Bits of frames that come in, which VPP numbers by the nodes that they go to.
mod input {
    pub(super) const DROP: u32 = 1 << 0;
    pub(super) const XCONNECT: u32 = 1 << 1;
    pub(super) const FLOOD: u32 = 1 << 2;
    pub(super) const ARP_UFWD: u32 = 1 << 3;
    pub(super) const ARP_TERM: u32 = 1 << 4;
    pub(super) const UU_FLOOD: u32 = 1 << 5;
    pub(super) const UU_FWD: u32 = 1 << 6;
    pub(super) const FWD: u32 = 1 << 7;
    pub(super) const LEARN: u32 = 1 << 9;
    pub(super) const VTR: u32 = 1 << 11;
}

/// The same of frames that leave.
mod output {
    pub(super) const OUTPUT: u32 = 1 << 0;
    pub(super) const EFP_FILTER: u32 = 1 << 6;
}

/// What can be switched. Their flags in messages are those of [`Switching`].
const SWITCHES: [(Switching, u32); 6] = [
    (Switching::LEARN, input::LEARN),
    (Switching::FORWARD, input::FWD),
    (Switching::FLOOD, input::FLOOD),
    (Switching::UU_FLOOD, input::UU_FLOOD),
    (Switching::ARP_TERM, input::ARP_TERM),
    (Switching::ARP_UFWD, input::ARP_UFWD),
];

pub(super) fn register(api: &mut Api, l2: &L2) {
    call(api, l2, |l2, main, request: l2_flags| {
        let interface = layer2(l2, main, request.sw_if_index)?;
        let mut flags = Switching::from_bits_truncate(request.feature_bitmap as u8);
        // As in VPP, it is not among those that this message switches.
        flags.remove(Switching::ARP_UFWD);
        l2.change_port(main, interface, |port| port.switching.set(flags, request.is_set))?;
        let resulting_feature_bitmap = of_input(l2.view(main).port(interface));
        Ok(l2_flags_reply { resulting_feature_bitmap })
    });
    call(api, l2, |l2, main, request: l2_flags_get| {
        let port = l2.view(main).port(layer2(l2, main, request.sw_if_index)?);
        Ok(l2_flags_get_reply {
            input_feature_bitmap: of_input(port),
            output_feature_bitmap: of_output(port),
        })
    });
    call(api, l2, |l2, main, request: l2_flags_set| set_bits(l2, main, &request));
    call(api, l2, |l2, main, request: l2_interface_feat_flags_get| {
        let port = l2.view(main).port(bridged(l2, main, request.sw_if_index)?);
        let flags = l2_intf_feat_flags(port.switching.bits().into());
        Ok(l2_interface_feat_flags_get_reply { flags })
    });
    call(api, l2, |l2, main, request: l2_interface_feat_flags_set| {
        let interface = bridged(l2, main, request.sw_if_index)?;
        let flags = Switching::from_bits_truncate(request.flags.0 as u8);
        Ok(l2.change_port(main, interface, |port| port.switching.set(flags, request.is_set))?)
    });
}

/// An interface that is bridged or connected.
fn layer2(l2: &L2, main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    let interface = known(main, sw_if_index)?;
    match l2.view(main).port(interface).mode {
        Mode::Routed => Err(ApiError::InvalidSwIfIndex),
        Mode::Bridged(_) | Mode::Connected(_) => Ok(interface),
    }
}

/// An interface that is bridged.
fn bridged(l2: &L2, main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    let interface = layer2(l2, main, sw_if_index)?;
    let domain = l2.view(main).port(interface).domain();
    domain.map(|_| interface).ok_or(ApiError::InvalidSwIfIndex)
}

fn bits(switching: Switching) -> u32 {
    let on = SWITCHES.into_iter().filter(|(what, _)| switching.contains(*what));
    on.fold(0, |bits, (_, bit)| bits | bit)
}

/// The bits of a domain. Those that no domain switches are all set, as in VPP.
pub(super) fn of_domain(domain: &Domain) -> u32 {
    let others = !(bits(Switching::all()) | input::UU_FWD);
    let uu_fwd = if domain.uu_fwd.is_some() { input::UU_FWD } else { 0 };
    others | bits(domain.switching) | uu_fwd
}

fn of_input(port: &Port) -> u32 {
    let mut switching = port.switching;
    // What a BVI brings comes from one station.
    if port.role == Role::Bvi {
        switching.remove(Switching::LEARN);
    }
    let does = match port.mode {
        Mode::Routed => 0,
        Mode::Bridged(_) => bits(switching) | input::UU_FWD,
        Mode::Connected(_) => input::XCONNECT,
    };
    let rewrites = if port.tag_rewrite.is_some() { input::VTR } else { 0 };
    input::DROP | does | rewrites
}

fn of_output(port: &Port) -> u32 {
    let filters = if port.efp_filter.is_some() { output::EFP_FILTER } else { 0 };
    output::OUTPUT | filters
}

/// Bits that stand for what can be switched, and no others.
fn set_bits(l2: &L2, main: &mut Main, request: &l2_flags_set) -> Result<(), Retval> {
    let interface = layer2(l2, main, request.sw_if_index)?;
    let (of_input, of_output) = (request.input_feature_bitmap, request.output_feature_bitmap);
    let others = [of_input & !bits(Switching::all()), of_output & !output::EFP_FILTER];
    if others != [0; 2] {
        return Err(ApiError::InvalidValue.into());
    }
    if of_output != 0 {
        l2.set_efp_filter(main, interface, request.is_set)?;
    }
    let named = SWITCHES.into_iter().filter(|(_, bit)| of_input & bit != 0);
    let switching = named.fold(Switching::empty(), |all, (what, _)| all | what);
    Ok(l2.change_port(main, interface, |port| port.switching.set(switching, request.is_set))?)
}
