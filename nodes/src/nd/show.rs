//! `show ip6 interface`.

use vnet::{
    command::{Cell, Output, Record, positional, value},
    interface::{MtuKind, SwIfIndex},
    plugin::{Command, CommandCx},
    runtime::{Main, Shared},
};

use super::{
    advertise::Advertiser,
    dad::{Detector, has_ip6},
    listener::groups,
    message::ALL_NODES,
};
use crate::neighbor::links::Links;

vnet::args! {
    struct Which {
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
    }
}

/// The command.
pub(super) fn command(
    links: &Shared<Links>,
    advertiser: &Advertiser,
    detector: &Detector,
) -> Command {
    let (links, advertiser, detector) = (links.clone(), advertiser.clone(), detector.clone());
    Command::sync(
        "show ip6 interface",
        "Show IPv6 on interfaces: addresses, groups, what is advertised.",
        move |cx: CommandCx, args: Which| {
            cx.with(|main| {
                let all = main.interfaces().interfaces().map(|i| i.index);
                let chosen: Vec<_> = match args.interface {
                    Some(interface) => vec![interface],
                    None => all.filter(|&interface| has_ip6(main, interface)).collect(),
                };
                let show =
                    |interface| show(main, &links, (&advertiser, &detector), interface).into();
                Output::List(chosen.into_iter().map(show).collect())
            })
        },
    )
}

fn show(
    main: &Main,
    links: &Shared<Links>,
    (advertiser, detector): (&Advertiser, &Detector),
    interface: SwIfIndex,
) -> Record {
    let name = main.interface_name(interface);
    let Some(sw) = main.interfaces().interface(interface).filter(|_| has_ip6(main, interface))
    else {
        return Record::new().line(format!("IPv6 is not enabled on {name}"));
    };
    let state = if sw.admin_up { "up" } else { "down" };
    let mut record =
        Record::new().line(format!("{name} is admin {state}")).line("  Local address(es):");
    let local: Vec<String> = sw.link_local.iter().map(ToString::to_string).collect();
    record = local.iter().fold(record, |record, address| record.line(format!("    {address}")));
    record = record.line("  Global address(es):");
    let global = sw.addresses.iter().filter(|a| a.address().is_ipv6());
    let global: Vec<String> = global.map(ToString::to_string).collect();
    record = global.iter().fold(record, |record, address| record.line(format!("    {address}")));
    record = record.line("  Joined group address(es):");
    let link = links.view(main.held()).get(interface);
    let joined = core::iter::once(ALL_NODES).chain(link.map(groups).unwrap_or_default());
    let joined: Vec<String> = joined.map(|group| group.to_string()).collect();
    record = joined.iter().fold(record, |record, group| record.line(format!("    {group}")));
    let mtu = main.interfaces().effective_mtu(interface, MtuKind::Ip6).unwrap_or(0);
    let dad = if detector.is_enabled() { "enabled" } else { "disabled" };
    record = advertiser.prefixes(interface, record);
    record = record.line(format!("    MTU is {mtu}")).line(format!("    ND DAD is {dad}"));
    advertiser
        .settings(interface, record)
        .field("interface", name)
        .field("local", Cell::shown("", local))
        .field("global", Cell::shown("", global))
        .field("groups", Cell::shown("", joined))
}
