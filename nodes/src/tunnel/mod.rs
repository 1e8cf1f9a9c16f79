//! Tunnels: what leaves by a tunnel's interface goes into other packets, and what comes in these comes in by the interface.
//!
//! A tunnel's interface is a device behind `interface-output`, so that all that is done to packets of interfaces is done to those of
//! tunnels as they are inside: counters, features, mirrors, the cutting of large ones. The device is a node that all tunnels of a
//! kind share; it puts the outer header in front and passes the packet on to where the tunnel's [stack](vnet::fib::Stack) leads. The
//! other way round the nodes that receive for this machine hand packets to a node of the kind, which takes the outer header off; they
//! go on as packets of the interface do that come from a wire.

pub mod api;
mod commands;
mod decap;
mod ecn;
mod encap;
mod outer;
mod path_mtu;
mod trace;

use vnet::{
    fib::Family,
    graph::{GraphError, NodeIndex},
    interface::{Event, NewHardware, NoWire, SwIfIndex, random_mac},
    plugin::Registrar,
    runtime::Main,
    tunnel::{Kind, NewTunnel, Payload, Tunnel, TunnelError, Tunnels},
    wire::{gre, tunnel},
};

use crate::{ip::IpProtocols, udp::UdpPorts};

pub(crate) use path_mtu::PathMtu;

/// The nodes that receive, of both families: for `device-input`, which begins at them.
pub(crate) const INPUTS: [&str; 8] = [
    "geneve4-input",
    "geneve6-input",
    "gre4-input",
    "gre6-input",
    "ipip4-input",
    "ipip6-input",
    "vxlan4-input",
    "vxlan6-input",
];

/// The largest frame.
const MAX_FRAME: u32 = 9216;
const MTU: u32 = 9000;

/// The node that receives, and that which sends.
const fn nodes(kind: Kind, family: Family) -> [&'static str; 2] {
    match (kind, family) {
        (Kind::Vxlan, Family::Ip4) => ["vxlan4-input", "vxlan4-encap"],
        (Kind::Vxlan, Family::Ip6) => ["vxlan6-input", "vxlan6-encap"],
        (Kind::Geneve, Family::Ip4) => ["geneve4-input", "geneve4-encap"],
        (Kind::Geneve, Family::Ip6) => ["geneve6-input", "geneve6-encap"],
        (Kind::Gre, Family::Ip4) => ["gre4-input", "adj-midchain-tx"],
        (Kind::Gre, Family::Ip6) => ["gre6-input", "adj-midchain-tx"],
        (Kind::Ipip, Family::Ip4) => ["ipip4-input", "adj-midchain-tx"],
        (Kind::Ipip, Family::Ip6) => ["ipip6-input", "adj-midchain-tx"],
    }
}

/// Registers nodes and commands, and provides the [`Tunnels`].
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols, tunnels: &Tunnels) {
    let (reader, views) = (r.forwarding(), r.interface_views());
    encap::specs(tunnels, &reader, &views).into_iter().for_each(|spec| r.node(spec));
    decap::specs(tunnels, &reader, &views).into_iter().for_each(|spec| r.node(spec));
    commands::commands().into_iter().for_each(|command| r.command(command));
    api::register(r);
    let followed = tunnels.clone();
    r.on_interface_event(move |main, event| {
        if let Event::Deleted { sw_if_index, .. } = event
            && let Some(gone) = followed.forget(main, *sw_if_index)
        {
            stop_listening(main, &followed, &gone);
        }
    });
    let protocols = protocols.clone();
    r.on_start(move |main| {
        let taken = [
            (Kind::Gre, gre::PROTOCOL),
            (Kind::Ipip, tunnel::IP4_IN_IP),
            (Kind::Ipip, tunnel::IP6_IN_IP),
        ];
        for (kind, protocol) in taken {
            for family in [Family::Ip4, Family::Ip6] {
                let [input, _] = nodes(kind, family);
                let node = main.graph().require(input)?;
                protocols.register(main, family, protocol, node)?;
            }
        }
        Ok(())
    });
}

fn tunnels(main: &Main) -> Result<Tunnels, TunnelError> {
    let tunnels = main.provided::<Tunnels>().cloned();
    tunnels.ok_or_else(|| GraphError::Unknown("adj-midchain-tx".to_owned()).into())
}

/// Makes a tunnel and its interface. One of VXLAN or Geneve is up, as VPP's are; the others are down.
///
/// # Errors
/// When there cannot be one such; nothing is changed then.
pub fn create(main: &mut Main, new: &NewTunnel) -> Result<SwIfIndex, TunnelError> {
    let tunnels = tunnels(main)?;
    let mut tunnel = tunnels.check(main, new)?;
    let Tunnel { kind, payload, instance, .. } = tunnel;
    let [input, output] = nodes(kind, tunnel.family()).map(|name| main.graph().require(name));
    let (input, output) = (input?, output?);
    check_port(main, &tunnels, &tunnel)?;
    let tx_next = crate::interface::add_device(main, output)?;
    let hardware = NewHardware {
        name: format!("{}{instance}", kind.prefix()),
        device_class: kind.device_class(),
        device_instance: tunnel.index,
        mac: (payload == Payload::Ethernet).then(random_mac),
        max_frame_size: MAX_FRAME,
        mtu: MTU,
        tx_next: tx_next.0,
    };
    let interface = main.add_device(hardware, Box::new(NoWire))?;
    tunnel.interface = interface;
    let done = listen(main, &tunnel, input).and_then(|()| tunnels.add(main, tunnel));
    let done = done.and_then(|()| match kind.has_ports() {
        true => Ok(main.set_interface_state(interface, true)?),
        false => Ok(()),
    });
    if let Err(error) = done {
        // Whatever was done goes with the interface.
        let _: Result<(), _> = main.change_interfaces(|table| table.delete_hardware(interface));
        return Err(error);
    }
    Ok(interface)
}

/// Deletes a tunnel with its interface.
///
/// # Errors
/// When the interface is not that of a tunnel of this kind.
pub fn delete(main: &mut Main, kind: Kind, interface: SwIfIndex) -> Result<(), TunnelError> {
    let tunnels = tunnels(main)?;
    let known = tunnels.view(main).of(interface).is_some_and(|tunnel| tunnel.kind == kind);
    if !known {
        return Err(TunnelError::NoSuchTunnel(kind));
    }
    Ok(main.change_interfaces(|table| table.delete_hardware(interface))?)
}

/// Whether other tunnels receive at a tunnel's port.
fn is_shared(main: &Main, tunnels: &Tunnels, tunnel: &Tunnel) -> bool {
    let port = |tunnel: &Tunnel| tunnel.ports.map(|ports| ports.local);
    let mut others = tunnels.view(main).of_kind(tunnel.kind);
    others.any(|other| other.family() == tunnel.family() && port(other) == port(tunnel))
}

/// Nobody else may receive at the port of a tunnel.
fn check_port(main: &Main, tunnels: &Tunnels, tunnel: &Tunnel) -> Result<(), TunnelError> {
    let (Some(ports), Some(udp)) = (tunnel.ports, main.provided::<UdpPorts>()) else {
        return Ok(());
    };
    let taken = udp.is_taken(main, tunnel.family(), ports.local);
    match taken && !is_shared(main, tunnels, tunnel) {
        true => Err(TunnelError::PortInUse(ports.local)),
        false => Ok(()),
    }
}

fn listen(main: &mut Main, tunnel: &Tunnel, input: NodeIndex) -> Result<(), TunnelError> {
    if let (Some(ports), Some(udp)) = (tunnel.ports, main.provided::<UdpPorts>().cloned()) {
        udp.register_tunnel(main, tunnel.family(), ports.local, input)?;
    }
    Ok(())
}

fn stop_listening(main: &mut Main, tunnels: &Tunnels, gone: &Tunnel) {
    if let (Some(ports), Some(udp)) = (gone.ports, main.provided::<UdpPorts>().cloned())
        && !is_shared(main, tunnels, gone)
    {
        udp.unregister_family(main, gone.family(), ports.local);
    }
}
