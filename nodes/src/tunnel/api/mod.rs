//! Messages of the binary API: a file a kind of tunnel.

pub mod geneve;
pub mod gre;
pub mod ipip;
pub mod vxlan;

use vnet::{
    api::{Retval, ip_types::address},
    command::ApiError,
    plugin::Registrar,
    runtime::Main,
    tunnel::{
        Flags, Kind, NewTunnel, Tunnel,
        api::{TUNNEL_TYPES, tunnel_encap_decap_flags, tunnel_mode},
    },
};

use super::{
    commands::{MAX_INSTANCE, MAX_VNI},
    create, delete, tunnels,
};

/// What stands for "all" in dumps, and for none elsewhere.
const NONE: u32 = u32::MAX;
/// What is in a tunnel goes on as frames: VPP's slot of that, which is the only one here.
const DECAP_L2: u32 = 1;

/// Has tunnels made and deleted by each of these messages, which are `$asked` or can be made into it.
macro_rules! changes {
    ($api:ident, $asked:ident, [$($request:ident -> $reply:ident),* $(,)?]) => {
        $(
            $api.call(|cx, request: $request| -> Result<_, Retval> {
                let asked = $asked::from(request);
                let (is_add, new) = (asked.is_add, NewTunnel::try_from(asked)?);
                let sw_if_index = cx.with(|main| super::change(main, &new, is_add))?;
                Ok($reply { sw_if_index })
            });
        )*
    };
}
use changes;

pub(super) fn register(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&TUNNEL_TYPES);
    vxlan::register(api);
    geneve::register(api);
    gre::register(api);
    ipip::register(api);
}

/// Makes a tunnel, or deletes the one that is like it; the index of its interface.
fn change(main: &mut Main, new: &NewTunnel, is_add: bool) -> Result<u32, Retval> {
    if is_add {
        return Ok(create(main, new)?.0);
    }
    let known = tunnels(main)?.find(main, new)?;
    delete(main, new.kind, known)?;
    // As with VPP, where the interface has gone by then.
    Ok(NONE)
}

/// What `of` makes of the tunnels of a kind that a dump asks for, and of the numbers of their tables.
fn dump<T>(main: &Main, kind: Kind, wanted: u32, of: impl Fn(&Tunnel, u32) -> T) -> Vec<T> {
    let Ok(tunnels) = tunnels(main) else { return Vec::new() };
    let all = tunnels.view(main).of_kind(kind);
    let wanted = all.filter(|tunnel| [NONE, tunnel.interface.0].contains(&wanted));
    let told = wanted.map(|tunnel| {
        let table = main.forwarding().table_id(tunnel.family(), tunnel.table);
        of(tunnel, table.map_or(NONE, |table| table.0))
    });
    told.collect()
}

fn instance(instance: u32) -> Result<Option<u32>, ApiError> {
    match instance {
        NONE => Ok(None),
        0..=MAX_INSTANCE => Ok(Some(instance)),
        // As VPP says of what no interface can have.
        _ => Err(ApiError::InstanceInUse),
    }
}

fn vni(vni: u32) -> Result<Option<u32>, ApiError> {
    if (1..=MAX_VNI).contains(&vni) { Ok(Some(vni)) } else { Err(ApiError::InvalidValue) }
}

/// Where packets go that were in a tunnel.
fn check_decap(next: u32) -> Result<(), ApiError> {
    if [NONE, DECAP_L2].contains(&next) { Ok(()) } else { Err(ApiError::InvalidDecapNext) }
}

/// There are tunnels to one far end alone.
fn check_mode(mode: tunnel_mode) -> Result<(), ApiError> {
    match mode {
        tunnel_mode::TUNNEL_API_MODE_P2P => Ok(()),
        tunnel_mode::TUNNEL_API_MODE_MP => Err(ApiError::Unsupported),
        _ => Err(ApiError::InvalidValue),
    }
}

/// Both have VPP's bits.
fn flags(flags: tunnel_encap_decap_flags) -> Flags {
    Flags::from_bits_retain(flags.0)
}

fn ip(address: &address) -> Result<std::net::IpAddr, ApiError> {
    address.try_into()
}
