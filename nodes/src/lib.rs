//! The built-in graph nodes: devices in, Ethernet, IPv4, IPv6, interfaces out.
//!
//! [`plugin`] registers all that every engine has. What an engine has on demand (captures, the packet generator) comes in plugins
//! of its own.

mod acl;
pub mod arp;
pub mod capture;
mod classify;
mod demux;
mod ethernet;
mod handoff;
pub mod icmp;
pub mod icmp6;
pub mod interface;
mod ip;
mod ip4;
mod ip6;
mod l2;
pub mod nd;
pub mod neighbor;
pub mod pg;
pub mod ping;
pub mod punt;
mod reassembly;
mod segments;
mod sink;
pub mod span;
mod trace;
pub mod tunnel;
pub mod udp;
mod urpf;

pub use ip::IpProtocols;

use vnet::{
    fib::Family,
    graph::{ArcSpec, FeatureSpec},
    interface::{Event, SwIfIndex, SwInterface},
    plugin::{Plugin, Registrar},
    runtime::Main,
};

/// Nodes that bring packets in; an engine need not have them all.
const DEVICES: &[&str] = &["af-packet-input", "pcap-input", "pg-input", "tap-input"];

/// The plugin with the nodes that every engine has.
#[must_use]
pub fn plugin() -> Plugin {
    let settings = punt::Settings::default();
    let stanza = punt::stanza(&settings);
    let register = move |r: &mut Registrar| {
        r.node(sink::Sink::spec());
        r.node(ethernet::Input::spec(r.interface_views(), r.taps()));
        let starts = [DEVICES, &tunnel::INPUTS].concat();
        r.arc(ArcSpec::new("device-input", &starts, "ethernet-input"));
        r.feature(FeatureSpec::new("device-input", "sink"));
        let protocols = IpProtocols::new(r);
        ip4::register(r, &protocols);
        ip6::register(r, &protocols);
        let ports = udp::register(r, &protocols);
        punt::register(r, &protocols, &ports, &settings);
        let tunnels = vnet::tunnel::Tunnels::register(r);
        let path_mtu = tunnel::PathMtu::register(r, &tunnels);
        let types = icmp6::register(r, &protocols, &path_mtu);
        icmp::register(r, &protocols, &path_mtu);
        let (ears, desk) = neighbor::register(r);
        arp::register(r, &ears);
        nd::register(r, (&ears, &desk), &types);
        tunnel::register(r, &protocols, &tunnels);
        r.provide(protocols);
        l2::register(r);
        span::register(r);
        acl::register(r);
        classify::register(r);
        urpf::register(r);
        // Its queues come first in `show handoff`, and are those that are mostly asked about.
        handoff::register(r);
        reassembly::register(r);
        interface::register(r);
        capture::trace::register(r);
        r.on_interface_event(follow_addresses);
        Ok(())
    };
    Plugin::new("nodes", env!("CARGO_PKG_VERSION"), "The built-in nodes", register).reads(stanza)
}

/// An interface without addresses of a family, its own or borrowed, takes no packets of it: a feature on its arcs sees to
/// that.
fn follow_addresses(main: &mut Main, event: &Event) {
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
        _ => return,
    };
    let with_its_addresses = |i: &&SwInterface| i.index == changed || i.unnumbered == Some(changed);
    let concerned: Vec<_> =
        main.interfaces().interfaces().filter(with_its_addresses).map(|i| i.index).collect();
    for interface in concerned {
        families.iter().for_each(|&family| follow_family(main, interface, family));
    }
}

fn follow_family(main: &mut Main, interface: SwIfIndex, family: Family) {
    let addresses = main.interfaces().addresses(interface).unwrap_or_default();
    let link_local = main.interfaces().interface(interface).and_then(|i| i.link_local);
    let has_any = addresses.iter().any(|a| a.family() == family)
        || family == Family::Ip6 && link_local.is_some();
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
