//! Which interfaces take packets of IPv4 and of IPv6: such as have addresses, and such as the operator says. That IPv6 is enabled
//! shows in a link-local address.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use vnet::{
    command::{positional, value},
    fib::{Family, api::sw_interface_ip4_enable_disable},
    interface::{Event, InterfaceError, SwIfIndex, SwInterface},
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

vnet::args! {
    struct Which {
        interface: SwIfIndex = positional(value::interface()),
    }
}

/// Interfaces on which the operator has enabled IPv4.
type Enabled = Rc<RefCell<BTreeSet<SwIfIndex>>>;

pub(crate) fn register(r: &mut Registrar) {
    let enabled = Enabled::default();
    let of = enabled.clone();
    r.on_interface_event(move |main, event| follow(main, &of, event));
    let of = enabled.clone();
    r.api().call(move |cx, request: sw_interface_ip4_enable_disable| {
        let interface = SwIfIndex(request.sw_if_index);
        cx.with(|main| set(main, &of, interface, request.enable))
    });
    for (word, on, help) in [
        ("enable", true, "Have an interface take IPv4 packets without an address of its own."),
        ("disable", false, "Have an interface take IPv4 packets only if it has an address."),
    ] {
        let of = enabled.clone();
        let change =
            move |cx: CommandCx, args: Which| cx.with(|main| set(main, &of, args.interface, on));
        r.command(Command::sync(&format!("{word} ip4 interface"), help, change));
    }
}

fn set(
    main: &mut Main,
    enabled: &Enabled,
    interface: SwIfIndex,
    on: bool,
) -> Result<(), InterfaceError> {
    main.interfaces().hardware_of(interface)?;
    match on {
        true => enabled.borrow_mut().insert(interface),
        false => enabled.borrow_mut().remove(&interface),
    };
    follow_family(main, enabled, interface, Family::Ip4);
    Ok(())
}

/// An interface without addresses of a family, its own or borrowed, takes no packets of it, unless that was enabled: a feature
/// on its arcs sees to that.
fn follow(main: &mut Main, enabled: &Enabled, event: &Event) {
    let (changed, families): (_, &[Family]) = match event {
        Event::Added { sw_if_index, .. } | Event::Unnumbered { sw_if_index, .. } => {
            (*sw_if_index, &[Family::Ip4, Family::Ip6])
        }
        Event::LinkLocal { sw_if_index, .. } => (*sw_if_index, &[Family::Ip6]),
        Event::AddressAdded { sw_if_index, address, .. }
        | Event::AddressRemoved { sw_if_index, address, .. } => match address.family() {
            Family::Ip4 => (*sw_if_index, &[Family::Ip4]),
            Family::Ip6 => (*sw_if_index, &[Family::Ip6]),
        },
        Event::Deleted { sw_if_index, .. } => {
            enabled.borrow_mut().remove(sw_if_index);
            return;
        }
        _ => return,
    };
    let with_its_addresses = |i: &&SwInterface| i.index == changed || i.unnumbered == Some(changed);
    let concerned: Vec<_> =
        main.interfaces().interfaces().filter(with_its_addresses).map(|i| i.index).collect();
    for interface in concerned {
        families.iter().for_each(|&family| follow_family(main, enabled, interface, family));
    }
}

fn follow_family(main: &mut Main, enabled: &Enabled, interface: SwIfIndex, family: Family) {
    let addresses = main.interfaces().addresses(interface).unwrap_or_default();
    let link_local = main.interfaces().interface(interface).and_then(|i| i.link_local);
    let has_any = addresses.iter().any(|a| a.family() == family)
        || match family {
            Family::Ip4 => enabled.borrow().contains(&interface),
            Family::Ip6 => link_local.is_some(),
        };
    let (arcs, feature) = match family {
        Family::Ip4 => (["ip4-unicast", "ip4-multicast"], "ip4-not-enabled"),
        Family::Ip6 => (["ip6-unicast", "ip6-multicast"], "ip6-not-enabled"),
    };
    let stands = main.features().is_enabled(arcs[0], feature, interface);
    for arc in arcs {
        // Both exist: this crate registers them. Local0 has no arcs to walk, but what holds for all holds for it.
        let changed = match (has_any, stands) {
            (true, true) => main.disable_feature(arc, feature, interface),
            (false, false) => main.enable_feature(arc, feature, interface, 0),
            _ => Ok(()),
        };
        debug_assert!(changed.is_ok(), "{feature} is registered on {arc}");
    }
}
