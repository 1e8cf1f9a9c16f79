//! The built-in graph nodes: devices in, Ethernet, IPv4, IPv6, interfaces out.
//!
//! [`plugin`] registers all that every engine has. What an engine has on demand (captures, the packet generator) comes in plugins
//! of its own.

mod acl;
pub mod arp;
pub mod capture;
mod classify;
mod demux;
mod enabled;
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
    graph::{ArcSpec, FeatureSpec},
    plugin::{Plugin, Registrar},
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
        let (ears, desk) = neighbor::register(r)?;
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
        enabled::register(r);
        Ok(())
    };
    Plugin::new("nodes", env!("CARGO_PKG_VERSION"), "The built-in nodes", register).reads(stanza)
}
