//! Tunnels come and go.

use core::net::IpAddr;

use super::{Flags, Kind, Payload, Ports, Table, Tunnel, TunnelError};
use crate::{
    fib::{Family, FibIndex, Stack, TableId},
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::{Dispatching, Main, Shared},
};

/// Most tunnels of an engine: each change of routes below looks at all that it may concern.
const MOST: usize = 16_384;

/// The tunnels of an engine, which [provides](Registrar::provide) them. Clones are the same.
#[derive(Clone)]
pub struct Tunnels(Shared<Table>);

/// A tunnel that is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTunnel {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: Payload,
    /// The number in its interface's name; its index when none is asked for.
    pub instance: Option<u32>,
    /// Its own end.
    pub local: IpAddr,
    /// The far end.
    pub remote: IpAddr,
    /// The table of outer packets, as operators call it.
    pub table_id: u32,
    /// VNI, or key of GRE.
    pub key: Option<u32>,
    /// UDP ports, of the kinds that have some.
    pub ports: Option<Ports>,
    /// What goes over from inner to outer headers.
    pub flags: Flags,
}

impl Tunnels {
    /// None yet.
    #[must_use]
    pub fn register(r: &mut Registrar) -> Self {
        let tunnels = Self(r.shared(Table::default()));
        r.provide(tunnels.clone());
        tunnels
    }

    /// For nodes.
    #[inline]
    #[must_use]
    pub fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a Table {
        self.0.read(token)
    }

    /// For the main thread, which looks.
    #[must_use]
    pub fn view<'a>(&'a self, main: &'a Main) -> &'a Table {
        self.0.view(main.held())
    }

    /// The tunnel that would be made, its interface not known yet.
    ///
    /// # Errors
    /// When there cannot be one such.
    pub fn check(&self, main: &Main, new: &NewTunnel) -> Result<Tunnel, TunnelError> {
        let table = self.view(main);
        if table.len() >= MOST {
            return Err(TunnelError::Full(MOST));
        }
        let mut tunnel = resolved(main, new)?;
        if table.rival(&tunnel).is_some() {
            return Err(TunnelError::Exists(new.kind));
        }
        tunnel.index = table.free_index(new.kind);
        tunnel.instance = new.instance.unwrap_or(tunnel.index);
        if table.of_kind(new.kind).any(|other| other.instance == tunnel.instance) {
            return Err(TunnelError::InstanceInUse);
        }
        Ok(tunnel)
    }

    /// The interface of the tunnel that is as described, whatever its instance and flags.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, main: &Main, like: &NewTunnel) -> Result<SwIfIndex, TunnelError> {
        let rival = self.view(main).rival(&resolved(main, like)?);
        rival.ok_or(TunnelError::NoSuchTunnel(like.kind))
    }

    /// Stacks the interface of a tunnel that was [checked](Self::check), and lets nodes find it.
    ///
    /// # Errors
    /// When forwarding refuses.
    pub fn add(&self, main: &mut Main, tunnel: Tunnel) -> Result<(), TunnelError> {
        let overhead = super::Outer::of(&tunnel).overhead(tunnel.payload);
        let stack = Stack { destination: tunnel.remote, table: tunnel.table, overhead };
        let word = main.forwarding_mut().stack_interface(tunnel.interface, stack)?;
        let path_mtu = main.forwarding().path_mtu(tunnel.table, tunnel.remote);
        main.change_interfaces(|table| table.set_overlay(tunnel.interface, tunnel.overlay()))?;
        self.0.write(main.held_mut()).insert(tunnel, word, path_mtu);
        Ok(())
    }

    /// Says how long packets may be that pass all the way to a far end, in the table in which it is looked up; or that this is not known any
    /// more. The room of all tunnels to it follows.
    pub fn set_path_mtu(&self, main: &mut Main, of: (FibIndex, IpAddr), mtu: Option<u16>) {
        main.forwarding_mut().set_path_mtu(of.0, of.1, mtu);
        self.0.write(main.held_mut()).set_path_mtu(of, mtu);
    }

    /// Nodes find the tunnel of an interface no more; forwarding forgets its stack with the interface.
    pub fn forget(&self, main: &mut Main, interface: SwIfIndex) -> Option<Tunnel> {
        self.view(main).of(interface)?;
        self.0.write(main.held_mut()).remove(interface)
    }
}

/// What was ordered, if it makes sense.
fn resolved(main: &Main, new: &NewTunnel) -> Result<Tunnel, TunnelError> {
    let NewTunnel { kind, payload, local, remote, table_id, key, ports, flags, .. } = *new;
    let family = Family::of(remote);
    if Family::of(local) != family {
        return Err(TunnelError::Families(kind));
    }
    if !is_unicast(remote) {
        return Err(TunnelError::NotUnicast(kind));
    }
    if !is_unicast(local) {
        return Err(TunnelError::SourceNotUnicast(kind));
    }
    if local == remote {
        return Err(TunnelError::Identical(kind));
    }
    let table = main.forwarding().table(family, TableId(table_id));
    let table: FibIndex = table.map_err(|_| TunnelError::NoSuchTable(kind, table_id))?;
    let (index, instance, interface) = (0, 0, SwIfIndex::NONE);
    Ok(Tunnel {
        kind,
        payload,
        index,
        instance,
        interface,
        local,
        remote,
        table,
        key,
        ports,
        flags,
    })
}

fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_multicast() && !address.is_unspecified() && !broadcast
}
