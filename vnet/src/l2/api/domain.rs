//! Messages about bridge domains, and about the MAC addresses that they tell.

use core::net::IpAddr;

use super::{
    bd_ip_mac, bd_ip_mac_add_del, bd_ip_mac_details, bd_ip_mac_dump, bd_ip_mac_flush,
    bridge_domain_add_del, bridge_domain_add_del_v2, bridge_domain_add_del_v2_reply,
    bridge_domain_details, bridge_domain_dump, bridge_domain_set_default_learn_limit,
    bridge_domain_set_learn_limit, bridge_domain_set_mac_age, bridge_domain_sw_if, bridge_flags,
    bridge_flags_reply, call, changed, features::of_domain,
};
use crate::{
    api::{Api, Retval},
    command::ApiError,
    interface::SwIfIndex,
    l2::{BdId, Domain, L2, NewDomain, Switching},
    runtime::Main,
};

/// No number of a bridge domain: all of them, or one that is free.
const ANY: u32 = u32::MAX;

pub(super) fn register(api: &mut Api, l2: &L2) {
    call(api, l2, |l2, main, request: bridge_domain_add_del| add_del(l2, main, &request));
    call(api, l2, |l2, main, request: bridge_domain_add_del_v2| {
        let bd_id = match request.bd_id {
            ANY if request.is_add => unused(l2, main)?,
            bd_id => bd_id,
        };
        add_del(l2, main, &first_version(request, bd_id))?;
        Ok(bridge_domain_add_del_v2_reply { bd_id })
    });
    let of = l2.clone();
    api.dump(move |cx, request: bridge_domain_dump| cx.with(|main| dump(&of, main, &request)));
    settings(api, l2);
    told_addresses(api, l2);
}

fn settings(api: &mut Api, l2: &L2) {
    call(api, l2, |l2, main, request: bridge_flags| {
        let (id, flags) =
            (changed(request.bd_id)?, Switching::from_bits_truncate(request.flags.0 as u8));
        l2.change_domain(main, id, |domain| domain.switching.set(flags, request.is_set))?;
        let index = l2.index(main, id)?;
        let resulting_feature_bitmap = l2.view(main).domain(index).map_or(0, of_domain);
        Ok(bridge_flags_reply { resulting_feature_bitmap })
    });
    call(api, l2, |l2, main, request: bridge_domain_set_mac_age| {
        let id = changed(request.bd_id)?;
        Ok(l2.change_domain(main, id, |domain| domain.mac_age = request.mac_age)?)
    });
    call(api, l2, |l2, main, request: bridge_domain_set_learn_limit| {
        let id = changed(request.bd_id)?;
        Ok(l2.change_domain(main, id, |domain| domain.learn_limit = request.learn_limit)?)
    });
    call(api, l2, |l2, main, request: bridge_domain_set_default_learn_limit| {
        l2.set_default_learn_limit(main, request.learn_limit);
        Ok(())
    });
}

fn add_del(l2: &L2, main: &mut Main, request: &bridge_domain_add_del) -> Result<(), Retval> {
    if !request.is_add {
        return Ok(l2.delete_domain(main, changed(request.bd_id)?)?);
    }
    match request.bd_id {
        // Its number is taken by what is no bridge domain.
        0 => return Err(ApiError::BdAlreadyExists.into()),
        1..=BdId::MAX => {}
        _ => return Err(ApiError::BdIdExceedMax.into()),
    }
    let switching = vec![
        (Switching::LEARN, request.learn),
        (Switching::FORWARD, request.forward),
        (Switching::FLOOD, request.flood),
        (Switching::UU_FLOOD, request.uu_flood),
        (Switching::ARP_TERM, request.arp_term),
        (Switching::ARP_UFWD, request.arp_ufwd),
    ];
    let tag = request.bd_tag.to_string();
    let new = NewDomain { switching, mac_age: request.mac_age, tag };
    l2.create_domain(main, BdId(request.bd_id), &new)?;
    Ok(())
}

/// The first number that no domain has.
fn unused(l2: &L2, main: &Main) -> Result<u32, ApiError> {
    let mut taken: Vec<u32> = l2.view(main).domains().map(|(_, domain)| domain.id.0).collect();
    taken.sort_unstable();
    let free = (1..).zip(taken.iter().chain([&0])).find(|(number, taken)| number != *taken);
    let free = free.map(|(number, _)| number).filter(|number| *number <= BdId::MAX);
    free.ok_or(ApiError::Eagain)
}

fn first_version(request: bridge_domain_add_del_v2, bd_id: u32) -> bridge_domain_add_del {
    bridge_domain_add_del {
        bd_id,
        flood: request.flood,
        uu_flood: request.uu_flood,
        forward: request.forward,
        learn: request.learn,
        arp_term: request.arp_term,
        arp_ufwd: request.arp_ufwd,
        mac_age: request.mac_age,
        bd_tag: request.bd_tag,
        is_add: request.is_add,
    }
}

fn dump(l2: &L2, main: &Main, request: &bridge_domain_dump) -> Vec<bridge_domain_details> {
    // VPP cannot look for the domain of an interface, and answers nothing.
    if SwIfIndex(request.sw_if_index) != SwIfIndex::NONE {
        return Vec::new();
    }
    let all = l2.view(main).domains().map(|(_, domain)| domain);
    let wanted = all.filter(|domain| [domain.id.0, ANY].contains(&request.bd_id));
    wanted.map(details).collect()
}

fn details(domain: &Domain) -> bridge_domain_details {
    let does = |what| domain.switching.contains(what);
    let index = |interface: Option<SwIfIndex>| interface.unwrap_or(SwIfIndex::NONE).0;
    let members = domain.members.iter().map(|member| bridge_domain_sw_if {
        context: 0,
        sw_if_index: member.interface.0,
        shg: member.shg,
    });
    bridge_domain_details {
        bd_id: domain.id.0,
        flood: does(Switching::FLOOD),
        uu_flood: does(Switching::UU_FLOOD),
        forward: does(Switching::FORWARD),
        learn: does(Switching::LEARN),
        arp_term: does(Switching::ARP_TERM),
        arp_ufwd: does(Switching::ARP_UFWD),
        mac_age: domain.mac_age,
        bd_tag: domain.tag.as_str().into(),
        bvi_sw_if_index: index(domain.bvi),
        uu_fwd_sw_if_index: index(domain.uu_fwd),
        sw_if_details: members.collect(),
    }
}

fn told_addresses(api: &mut Api, l2: &L2) {
    call(api, l2, |l2, main, request: bd_ip_mac_add_del| {
        let bd_ip_mac { bd_id, ip, mac } = request.entry;
        let (id, address) = (changed(bd_id)?, IpAddr::try_from(&ip)?);
        let index = l2.index(main, id)?;
        if request.is_add {
            return Ok(l2.set_arp_entry(main, id, address, Some(mac))?);
        }
        // What is taken back has to be what is there.
        let known = l2.view(main).domain(index).and_then(|domain| domain.arp.get(&address));
        match known {
            Some(known) if *known == mac => Ok(l2.set_arp_entry(main, id, address, None)?),
            _ => Err(ApiError::Unspecified.into()),
        }
    });
    call(api, l2, |l2, main, request: bd_ip_mac_flush| {
        Ok(l2.change_domain(main, changed(request.bd_id)?, |domain| domain.arp.clear())?)
    });
    let of = l2.clone();
    api.dump(move |cx, request: bd_ip_mac_dump| {
        cx.with(|main| {
            let all = of.view(main).domains().map(|(_, domain)| domain);
            let wanted = all.filter(|domain| [domain.id.0, ANY].contains(&request.bd_id));
            wanted.flat_map(told).collect::<Vec<_>>()
        })
    });
}

fn told(domain: &Domain) -> impl Iterator<Item = bd_ip_mac_details> {
    let bd_id = domain.id.0;
    domain.arp.iter().map(move |(address, mac)| bd_ip_mac_details {
        entry: bd_ip_mac { bd_id, ip: (*address).into(), mac: *mac },
    })
}
