//! IPv6 on an interface: its link-local address comes with its first IPv6 address or by command, and goes with the last.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use vnet::{
    command::{ApiError, Error, positional, value},
    fib::{Family, api::sw_interface_ip6_enable_disable},
    interface::{Event, InterfaceAddress, SwIfIndex},
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
    wire::{ethernet::MacAddress, nd},
};

vnet::args! {
    struct Which {
        interface: SwIfIndex = positional(value::interface()),
    }
}

/// Interfaces on which the operator has enabled IPv6.
type Enabled = Rc<RefCell<BTreeSet<SwIfIndex>>>;

pub(super) fn register(r: &mut Registrar) {
    let enabled = Enabled::default();
    let (of_hook, of_disable) = (enabled.clone(), enabled.clone());
    r.on_interface_event(move |main, event| follow(main, &of_hook, event));
    let of_call = enabled.clone();
    r.api().call(move |cx, request: sw_interface_ip6_enable_disable| {
        let interface = SwIfIndex(request.sw_if_index);
        cx.with(|main| match request.enable {
            true => enable(main, &of_call, interface),
            false => disable(main, &of_call, interface),
        })
    });
    r.command(Command::sync(
        "enable ip6 interface",
        "Enable IPv6 on an interface: it gets a link-local address.",
        move |cx: CommandCx, args: Which| cx.with(|main| enable(main, &enabled, args.interface)),
    ));
    r.command(Command::sync(
        "disable ip6 interface",
        "Disable IPv6 on an interface.",
        move |cx: CommandCx, args: Which| {
            cx.with(|main| disable(main, &of_disable, args.interface))
        },
    ));
}

fn enable(main: &mut Main, enabled: &Enabled, interface: SwIfIndex) -> Result<(), Error> {
    give(main, interface)?;
    enabled.borrow_mut().insert(interface);
    Ok(())
}

fn disable(main: &mut Main, enabled: &Enabled, interface: SwIfIndex) -> Result<(), Error> {
    main.interfaces().hardware_of(interface)?;
    if !enabled.borrow_mut().remove(&interface) {
        let text = format!("IPv6 was not enabled on {}", main.interface_name(interface));
        return Err(Error::failed(ApiError::Ip6NotEnabled, text));
    }
    take(main, enabled, interface);
    Ok(())
}

fn follow(main: &mut Main, enabled: &Enabled, event: &Event) {
    match *event {
        Event::AddressAdded { sw_if_index, address, .. } if address.family() == Family::Ip6 => {
            // An interface without a MAC address has none.
            let _: Result<(), Error> = give(main, sw_if_index);
        }
        Event::AddressRemoved { sw_if_index, address, .. } if address.family() == Family::Ip6 => {
            take(main, enabled, sw_if_index);
        }
        Event::Deleted { sw_if_index, .. } => {
            enabled.borrow_mut().remove(&sw_if_index);
        }
        _ => {}
    }
}

/// Gives an interface the link-local address of its MAC address, unless it has one.
fn give(main: &mut Main, interface: SwIfIndex) -> Result<(), Error> {
    let mac = main.interfaces().hardware_of(interface)?.mac;
    let has = main.interfaces().interface(interface).is_some_and(|i| i.link_local.is_some());
    let Some(mac) = mac else {
        let text = format!("{} has no MAC address", main.interface_name(interface));
        return Err(Error::failed(ApiError::InvalidValue, text));
    };
    if !has {
        let address = InterfaceAddress::new(nd::link_local(MacAddress(mac)).into(), 128)?;
        main.change_interfaces(|table| table.add_address(interface, address))?;
    }
    Ok(())
}

/// Takes the link-local address from an interface that has no other one, and on which nobody has enabled IPv6.
fn take(main: &mut Main, enabled: &Enabled, interface: SwIfIndex) {
    let Some(of) = main.interfaces().interface(interface) else { return };
    let has = of.addresses.iter().any(|address| address.family() == Family::Ip6);
    if !has && of.link_local.is_some() && !enabled.borrow().contains(&interface) {
        let taken = main.change_interfaces(|table| table.remove_link_local(interface));
        debug_assert!(taken.is_ok(), "the interface is there");
    }
}
