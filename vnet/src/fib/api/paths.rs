//! Paths of routes, in messages and here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    api::{
        Retval, Wire,
        fib_types::{
            fib_mpls_label, fib_path, fib_path_flags, fib_path_nh, fib_path_nh_proto, fib_path_type,
        },
        ip_types::address_union,
    },
    command::ApiError,
    fib::{Family, Forwarding, Path, PathTarget, Refusal, TableId},
    interface::SwIfIndex,
    runtime::Main,
};

/// What a message says of a path of a route of `family`.
///
/// A next hop of all zeros stands for none: then the path leads to whatever is on its interface, or without one to what its table
/// says about the destination. Routes resolve through any others, whichever the flags allow.
///
/// # Errors
/// When there is no such path: of another family, by an interface or a table that is not there, of a kind that is not built.
pub fn from_api(main: &Main, family: Family, path: &fib_path) -> Result<Path, Retval> {
    let proto = match path.proto {
        fib_path_nh_proto::FIB_API_PATH_NH_PROTO_IP4 => Family::Ip4,
        fib_path_nh_proto::FIB_API_PATH_NH_PROTO_IP6 => Family::Ip6,
        _ => return Err(ApiError::FibPathUnsupportedNhProto.into()),
    };
    if proto != family {
        return Err(ApiError::FibPathUnsupportedNhProto.into());
    }
    if path.n_labels > 0 {
        return Err(ApiError::Unsupported.into());
    }
    let target = match path.r#type {
        fib_path_type::FIB_API_PATH_TYPE_NORMAL => normal(main, family, path)?,
        fib_path_type::FIB_API_PATH_TYPE_LOCAL => {
            let interface = SwIfIndex(path.sw_if_index);
            if interface != SwIfIndex::NONE {
                check_interface(main, interface)?;
            }
            PathTarget::Local { interface }
        }
        fib_path_type::FIB_API_PATH_TYPE_DROP => PathTarget::Drop,
        fib_path_type::FIB_API_PATH_TYPE_ICMP_UNREACH => PathTarget::Refuse(Refusal::Unreachable),
        fib_path_type::FIB_API_PATH_TYPE_ICMP_PROHIBIT => PathTarget::Refuse(Refusal::Prohibited),
        fib_path_type::FIB_API_PATH_TYPE_UDP_ENCAP
        | fib_path_type::FIB_API_PATH_TYPE_BIER_IMP
        | fib_path_type::FIB_API_PATH_TYPE_SOURCE_LOOKUP
        | fib_path_type::FIB_API_PATH_TYPE_DVR
        | fib_path_type::FIB_API_PATH_TYPE_INTERFACE_RX
        | fib_path_type::FIB_API_PATH_TYPE_CLASSIFY => return Err(ApiError::Unsupported.into()),
        _ => return Err(ApiError::InvalidValue.into()),
    };
    Ok(Path::to(target).weighted(path.weight).preferred(path.preference))
}

fn normal(main: &Main, family: Family, path: &fib_path) -> Result<PathTarget, Retval> {
    let next_hop = path.nh.address.ip(family.into())?;
    let next_hop = Some(next_hop).filter(|next_hop| !next_hop.is_unspecified());
    // Packets of a reverse-path identifier are those of multicast tables, of which there are none.
    if !matches!(path.rpf_id, 0 | u32::MAX) {
        return Err(ApiError::NoSuchFib.into());
    }
    let interface = SwIfIndex(path.sw_if_index);
    if interface != SwIfIndex::NONE {
        check_interface(main, interface)?;
        return Ok(match next_hop {
            Some(next_hop) => PathTarget::AttachedNextHop { next_hop, interface },
            None => PathTarget::Attached { interface },
        });
    }
    let table = main.forwarding().table(family, TableId(path.table_id))?;
    Ok(match next_hop {
        Some(next_hop) => PathTarget::Recursive { next_hop, table },
        None => PathTarget::Lookup { table },
    })
}

/// That the interface is there, and what it sends has certain tags.
fn check_interface(main: &Main, interface: SwIfIndex) -> Result<(), Retval> {
    if main.interfaces().interface(interface).is_none() {
        return Err(ApiError::NoMatchingInterface.into());
    }
    main.interfaces().output_tags(interface)?;
    Ok(())
}

/// What a message says of a path of a route of `family`. Punting has no kind there and looks like a lookup, as it does in VPP; what
/// has no route is dropped.
#[must_use]
pub fn to_api(forwarding: &Forwarding, family: Family, path: &Path) -> fib_path {
    let kind = match path.target {
        PathTarget::AttachedNextHop { .. }
        | PathTarget::Attached { .. }
        | PathTarget::Recursive { .. }
        | PathTarget::Lookup { .. }
        | PathTarget::Punt => fib_path_type::FIB_API_PATH_TYPE_NORMAL,
        PathTarget::Drop | PathTarget::Refuse(Refusal::NoRoute) => {
            fib_path_type::FIB_API_PATH_TYPE_DROP
        }
        PathTarget::Refuse(Refusal::Unreachable) => fib_path_type::FIB_API_PATH_TYPE_ICMP_UNREACH,
        PathTarget::Refuse(Refusal::Prohibited) => fib_path_type::FIB_API_PATH_TYPE_ICMP_PROHIBIT,
        PathTarget::Local { .. } => fib_path_type::FIB_API_PATH_TYPE_LOCAL,
    };
    let table = match path.target {
        PathTarget::Recursive { table, .. } | PathTarget::Lookup { table } => {
            forwarding.table_id(family, table).map_or(0, |id| id.0)
        }
        _ => 0,
    };
    let (none, proto): (IpAddr, _) = match family {
        Family::Ip4 => (Ipv4Addr::UNSPECIFIED.into(), fib_path_nh_proto::FIB_API_PATH_NH_PROTO_IP4),
        Family::Ip6 => (Ipv6Addr::UNSPECIFIED.into(), fib_path_nh_proto::FIB_API_PATH_NH_PROTO_IP6),
    };
    let address = address_union::from(path.target.next_hop().unwrap_or(none));
    fib_path {
        sw_if_index: path.target.interface().unwrap_or(SwIfIndex::NONE).0,
        table_id: table,
        rpf_id: 0,
        weight: path.weight,
        preference: path.preference,
        r#type: kind,
        flags: fib_path_flags::FIB_API_PATH_FLAG_NONE,
        proto,
        nh: fib_path_nh { address, via_label: 0, obj_id: 0, classify_table_index: 0 },
        n_labels: 0,
        label_stack: <[fib_mpls_label; 16]>::zero(),
    }
}
