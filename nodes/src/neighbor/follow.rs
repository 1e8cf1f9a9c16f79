//! What follows from a change of an interface: what nodes know of its link, which neighbours are gone, who answers ARP.

use std::net::IpAddr;

use vnet::{
    fib::Family,
    interface::{Event, SwIfIndex},
    log::Level,
    runtime::{Main, Shared},
};

use super::links::{Link, Links};

/// Follows `event`.
pub(crate) fn follow(main: &mut Main, links: &Shared<Links>, event: &Event) {
    for interface in concerned(main, event) {
        let link = Link::of(main.interfaces(), interface);
        let answers = link.as_ref().is_some_and(|link| !link.ip4.is_empty());
        let up = link.as_ref().is_some_and(|link| link.up);
        links.clone().write(main.held_mut()).update(interface, link);
        if main.interfaces().interface(interface).is_some() {
            answer(main, interface, answers);
            forget(main, interface, up);
        }
    }
}

/// The interfaces whose links may have changed.
fn concerned(main: &Main, event: &Event) -> Vec<SwIfIndex> {
    let all = main.interfaces().interfaces();
    match *event {
        Event::Deleted { sw_if_index, .. } => vec![sw_if_index],
        Event::Added { sw_if_index, .. }
        | Event::AddressAdded { sw_if_index, .. }
        | Event::AddressRemoved { sw_if_index, .. }
        | Event::LinkLocal { sw_if_index, .. }
        | Event::Tentative { sw_if_index, .. }
        | Event::Table { sw_if_index, .. }
        | Event::Unnumbered { sw_if_index, .. } => {
            let uses = |i: &&_| uses_addresses_of(i, sw_if_index);
            all.filter(uses).map(|i| i.index).collect()
        }
        Event::Admin { sw_if_index, .. } => match main.interfaces().hardware_of(sw_if_index) {
            Ok(hw) if hw.sw_if_index == sw_if_index => {
                all.filter(|i| i.hw_if_index == hw.index).map(|i| i.index).collect()
            }
            _ => vec![sw_if_index],
        },
        Event::Link { hw_if_index, .. } | Event::Mac { hw_if_index, .. } => {
            all.filter(|i| i.hw_if_index == hw_if_index).map(|i| i.index).collect()
        }
        _ => Vec::new(),
    }
}

fn uses_addresses_of(interface: &vnet::interface::SwInterface, owner: SwIfIndex) -> bool {
    interface.index == owner || interface.unnumbered == Some(owner)
}

/// An interface with IPv4 addresses, its own or borrowed, answers ARP.
fn answer(main: &mut Main, interface: SwIfIndex, answers: bool) {
    if main.features().is_enabled("arp", "arp-reply", interface) != answers {
        let switched = main.switch_feature("arp", "arp-reply", interface, answers);
        debug_assert!(switched.is_ok(), "the feature is registered, and was not so");
    }
}

/// Forgets what was learnt on a link that is down, and of prefixes that are not on the link any more.
fn forget(main: &mut Main, interface: SwIfIndex, up: bool) {
    let addresses = main.interfaces().addresses(interface).unwrap_or_default().to_vec();
    let borrows = main.interfaces().interface(interface).is_some_and(|i| i.unnumbered.is_some());
    let is_on_link = |address: IpAddr| match address {
        IpAddr::V6(local) if local.is_unicast_link_local() => true,
        // Hosts beyond an interface without addresses of its own have routes, whatever their addresses are.
        _ if borrows => addresses.iter().any(|own| own.family() == Family::of(address)),
        _ => addresses.iter().any(|own| own.prefix().contains(address)),
    };
    let forgotten = main.forwarding_mut().forget_learnt(interface, |a| !up || !is_on_link(a));
    if let Err(error) = forgotten {
        main.log().write(main.log().class("ip-neighbor", "interface"), Level::Err, error);
    }
}
