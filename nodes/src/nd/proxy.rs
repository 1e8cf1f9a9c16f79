//! Answers for hosts of another link (RFC 4861 section 7.2.8), and their commands.

use std::{collections::BTreeMap, net::Ipv6Addr};

use vnet::{
    command::{Align, ApiError, Column, Error as CommandError, Table, flag, positional, value},
    fib::{Family, FibIndex, IpPrefix, Path, PathTarget, Source},
    interface::{Event, SwIfIndex},
    log::Level,
    plugin::{Command, CommandCx, Registrar},
    runtime::{Main, Shared},
};

use super::api::{ip6nd_proxy_add_del, ip6nd_proxy_details, ip6nd_proxy_dump};

/// Hosts for which is answered: the interface behind which each of them is.
#[derive(Debug, Default)]
pub(super) struct Proxied(BTreeMap<(FibIndex, Ipv6Addr), SwIfIndex>);

impl Proxied {
    /// Whether those on the link of `rx`, whose packets are looked up in `fib`, are told that `target` is here. A host on that
    /// link answers itself.
    pub(super) fn answers(&self, fib: FibIndex, rx: SwIfIndex, target: Ipv6Addr) -> bool {
        self.0.get(&(fib, target)).is_some_and(|behind| *behind != rx)
    }

    /// Whether `host` is one of these, behind `rx`: it takes for its link what is that of another interface.
    pub(super) fn is_behind(&self, fib: FibIndex, rx: SwIfIndex, host: Ipv6Addr) -> bool {
        self.0.get(&(fib, host)) == Some(&rx)
    }
}

vnet::args! {
    struct Set {
        interface: SwIfIndex = positional(value::interface()),
        delete: bool = flag("del"),
        host: Ipv6Addr = positional(value::ip6()),
    }
}

/// Registers the commands and what follows interfaces.
pub(super) fn register(r: &mut Registrar) -> Shared<Proxied> {
    let proxied = r.shared(Proxied::default());
    let (of_set, of_hook, of_show) = (proxied.clone(), proxied.clone(), proxied.clone());
    let (of_call, of_dump) = (proxied.clone(), proxied.clone());
    r.command(
        Command::sync(
            "set ip6 nd proxy",
            "Answer neighbour solicitations for a host behind an interface, on all others of its table.",
            move |cx: CommandCx, args: Set| cx.with(|main| set(main, &of_set, &args)),
        )
        .details("Packets to it are sent on by that interface. Those who ask there are answered by the host itself."),
    );
    r.command(Command::sync(
        "show ip6 nd proxy",
        "Show for which hosts neighbour solicitations are answered.",
        move |cx: CommandCx, (): ()| cx.with(|main| show(main, &of_show)),
    ));
    r.on_interface_event(move |main, event| follow(main, &of_hook, event));
    r.api().call(move |cx, request: ip6nd_proxy_add_del| {
        let ip6nd_proxy_add_del { sw_if_index, is_add, ip } = request;
        let interface = SwIfIndex(sw_if_index);
        let args = Set { interface, delete: !is_add, host: ip.into() };
        cx.with(|main| set(main, &of_call, &args))
    });
    r.api().dump(move |cx, _: ip6nd_proxy_dump| {
        let details = |(&(_, host), interface): (&(_, Ipv6Addr), &SwIfIndex)| ip6nd_proxy_details {
            sw_if_index: interface.0,
            ip: host.octets(),
        };
        cx.with(|main| of_dump.view(main.held()).0.iter().map(details).collect::<Vec<_>>())
    });
    proxied
}

fn set(main: &mut Main, proxied: &Shared<Proxied>, args: &Set) -> Result<(), CommandError> {
    let failed = |text: String| CommandError::failed(ApiError::InvalidValue, text);
    let Set { interface, host, delete } = *args;
    if host.is_multicast() || host.is_unspecified() || host.is_unicast_link_local() {
        return Err(failed(format!("{host} is no address of a host on another link")));
    }
    main.interfaces().output_tags(interface)?;
    let key = (main.forwarding().fib_of(interface, Family::Ip6), host);
    let known = proxied.view(main.held()).0.get(&key).copied();
    match (known, delete) {
        (Some(behind), false) => {
            let name = main.interface_name(behind);
            return Err(failed(format!("{host} is behind {name} already")));
        }
        (None, true) => return Err(failed(format!("{host} is behind no interface"))),
        (Some(behind), true) if behind != interface => {
            let name = main.interface_name(behind);
            return Err(failed(format!("{host} is behind {name}")));
        }
        (None, false) => {
            lead(main, key, interface)?;
            proxied.write(main.held_mut()).0.insert(key, interface);
        }
        (Some(_), true) => {
            proxied.write(main.held_mut()).0.remove(&key);
            main.forwarding_mut().delete_route(key.0, prefix(host), Source::NdProxy)?;
        }
    }
    Ok(())
}

const fn prefix(host: Ipv6Addr) -> IpPrefix {
    IpPrefix::host(std::net::IpAddr::V6(host))
}

/// Sends packets to a host by the interface behind which it is.
fn lead(
    main: &mut Main,
    (fib, host): (FibIndex, Ipv6Addr),
    interface: SwIfIndex,
) -> Result<(), CommandError> {
    let path = Path::to(PathTarget::AttachedNextHop { next_hop: host.into(), interface });
    main.forwarding_mut().set_route(fib, prefix(host), Source::NdProxy, &[path])?;
    Ok(())
}

/// Hosts go with their interface, also into another table.
fn follow(main: &mut Main, proxied: &Shared<Proxied>, event: &Event) {
    match *event {
        // Its routes went with it.
        Event::Deleted { sw_if_index, .. } => {
            proxied.write(main.held_mut()).0.retain(|_, behind| *behind != sw_if_index);
        }
        Event::Table { sw_if_index, family: Family::Ip6, .. } => {
            let fib = main.forwarding().fib_of(sw_if_index, Family::Ip6);
            let all = proxied.view(main.held()).0.iter();
            let moved: Vec<_> =
                all.filter(|(_, at)| **at == sw_if_index).map(|(key, _)| *key).collect();
            for (old, host) in moved {
                proxied.write(main.held_mut()).0.remove(&(old, host));
                let gone = main.forwarding_mut().delete_route(old, prefix(host), Source::NdProxy);
                debug_assert!(gone.is_ok(), "it was added");
                match lead(main, (fib, host), sw_if_index) {
                    Ok(()) => {
                        proxied.write(main.held_mut()).0.insert((fib, host), sw_if_index);
                    }
                    Err(error) => {
                        let class = main.log().class("ip6-nd", "proxy");
                        main.log().write(class, Level::Err, format!("{host}: {error}"));
                    }
                }
            }
        }
        _ => {}
    }
}

fn show(main: &Main, proxied: &Shared<Proxied>) -> Table {
    let columns = [
        Column::new("Host", 40, Align::Left),
        Column::new("Interface", 24, Align::Left),
        Column::new("Table", 10, Align::Right),
    ];
    let rows = proxied.view(main.held()).0.iter().map(|(&(fib, host), &interface)| {
        let table = main.forwarding().table_id(Family::Ip6, fib).map_or(0, |id| id.0);
        [host.to_string().into(), main.interface_name(interface).into(), table.into()]
    });
    Table::new(columns).rows(rows)
}
