//! The TAP interfaces of an engine: made, deleted, and given up when the host deletes its side.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    os::fd::AsRawFd,
    rc::Rc,
    sync::Arc,
};

use vnet::{
    graph::{InputMode, NodeFlags, NodeIndex, NodeSpec},
    interface::{
        Device, Event, HwIfIndex, HwInterface, InterfaceError, LinkState, NewHardware, NewRxQueue,
        NoWire, Offloads, SwIfIndex, Verbosity,
    },
    log::Level,
    process::Bell,
    runtime::{Main, Shared},
};

use crate::{
    error::TapError,
    host::{Host, Kind, Offload},
    rx,
    tx::Transmit,
};

/// The class of these interfaces.
pub(crate) const CLASS: &str = "tap";
/// The largest frame that an interface has.
pub(crate) const MAX_FRAME: u32 = 65535;
/// Octets of the longest packet of a queue: 64 KiB of IP with an Ethernet header and a VLAN tag in front, as large packets have it.
pub(crate) const LONGEST: usize = 65535 + 18;

/// What `create tap` asks for on this side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTap {
    /// The number in its name; the first free one where there is none.
    pub id: Option<u32>,
    /// Its name; `tap<id>` or `tun<id>` where there is none.
    pub name: Option<String>,
    /// Its MAC address; a random one where there is none.
    pub mac: Option<[u8; 6]>,
    /// The host's interface is to stay when this one is deleted.
    pub persist: bool,
}

/// A TAP interface, as nodes see it.
pub(crate) struct Port {
    pub(crate) id: u32,
    pub(crate) sw_if_index: SwIfIndex,
    pub(crate) hw_if_index: HwIfIndex,
    pub(crate) host: Arc<Host>,
}

/// All of them, by the nodes that send by them. Nodes keep no queue for themselves: a queue has to be closed when its interface
/// goes, whether its thread has something to do or not.
pub(crate) type Ports = BTreeMap<NodeIndex, Port>;

/// The TAP interfaces of an engine. Clones are the same.
#[derive(Clone)]
pub(crate) struct Taps {
    pub(crate) ports: Shared<Ports>,
    /// Rung by nodes that find the host's interface gone.
    pub(crate) gone: Bell,
    /// All nodes that were made to send: nodes cannot be removed, and a deleted interface leaves its own for the next of its name.
    tx_nodes: Rc<RefCell<BTreeSet<NodeIndex>>>,
}

/// The device behind an interface.
struct TapDevice(Arc<Host>);

impl Device for TapDevice {
    fn set_admin(&mut self, up: bool) -> LinkState {
        self.0.set_carrier(up);
        LinkState { up: !self.0.is_gone(), ..NoWire::LINK }
    }

    fn set_rx_mode(&mut self, _: u16, mode: InputMode) -> Result<(), String> {
        if self.0.is_gone() && mode != InputMode::Disabled {
            return Err(format!(
                "host interface {} was deleted: nothing comes from it",
                self.0.name
            ));
        }
        Ok(())
    }

    fn offloads(&self) -> Offloads {
        // Whatever it brings, it takes everything as soon as packets have headers of virtio-net.
        let has_headers = self.0.offload != Offload::None;
        Offloads { takes: has_headers, brings: has_headers }
    }

    fn details(&self, _: Verbosity) -> Vec<String> {
        let host = &*self.0;
        let word = host.kind.word().to_uppercase();
        let namespace = host.namespace.as_ref().map(|name| format!(" in namespace {name}"));
        let state = if host.is_gone() { ", deleted by the host" } else { "" };
        vec![
            format!(
                "{word} interface, host interface {}{}{state}",
                host.name,
                namespace.unwrap_or_default()
            ),
            format!("{} queues, host MTU {}", host.queues.len(), host.mtu),
        ]
    }
}

impl Taps {
    pub(crate) fn new(ports: Shared<Ports>) -> Self {
        Self { ports, gone: Bell::new(), tx_nodes: Rc::default() }
    }

    /// Puts an interface before what the host made.
    ///
    /// # Errors
    /// When number or name are taken, or the MAC address is no unicast one.
    pub(crate) fn create(
        &self,
        main: &mut Main,
        new: NewTap,
        host: Host,
    ) -> Result<SwIfIndex, TapError> {
        let kind = host.kind;
        let id = self.choose_id(main, kind, &new)?;
        let name = new.name.unwrap_or_else(|| format!("{}{id}", kind.word()));
        if main.interfaces().find(&name).is_ok() {
            return Err(InterfaceError::NameTaken { name }.into());
        }
        let tx = self.tx_node(main, &format!("{name}-tx"))?;
        let host = Arc::new(host);
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: id,
            mac: (kind == Kind::Tap).then(|| new.mac.unwrap_or_else(random_mac)),
            max_frame_size: MAX_FRAME,
            mtu: host.mtu.min(MAX_FRAME - HwInterface::FRAME_OVERHEAD),
            tx_next: nodes::interface::add_device(main, tx)?.0,
        };
        let input = main.graph().require(rx::NODE)?;
        let sw_if_index = main.add_device(hardware, Box::new(TapDevice(host.clone())))?;
        let hw_if_index = main.interfaces().hardware_of(sw_if_index)?.index;
        if new.persist
            && let Err(error) = host.persist()
        {
            main.change_interfaces(|table| table.delete_hardware(sw_if_index))?;
            return Err(error);
        }
        let fds: Vec<_> = host.queues.iter().map(AsRawFd::as_raw_fd).collect();
        let port = Port { id, sw_if_index, hw_if_index, host };
        self.ports.clone().write(main.held_mut()).insert(tx, port);
        let queue = |fd| NewRxQueue { node: input, fd: Some(fd), mode: InputMode::Interrupt };
        main.add_rx_queues(sw_if_index, fds.into_iter().map(queue))?;
        Ok(sw_if_index)
    }

    fn choose_id(&self, main: &Main, kind: Kind, new: &NewTap) -> Result<u32, TapError> {
        let ports = self.ports.view(main.held());
        let is_taken = |id: u32| ports.values().any(|port| port.id == id);
        match new.id {
            Some(id) if is_taken(id) => Err(TapError::IdTaken(id)),
            Some(id) => Ok(id),
            None => {
                let named = |id| main.interfaces().find(&format!("{}{id}", kind.word())).is_ok();
                let free = (0..).find(|id| !is_taken(*id) && !named(*id));
                Ok(free.unwrap_or(u32::MAX))
            }
        }
    }

    fn tx_node(&self, main: &mut Main, name: &str) -> Result<NodeIndex, TapError> {
        let mut known = self.tx_nodes.borrow_mut();
        if let Some(node) = main.graph().find(name) {
            let is_ours = known.contains(&node);
            return if is_ours { Ok(node) } else { Err(TapError::NodeTaken(name.to_owned())) };
        }
        let taps = (self.ports.clone(), self.gone.clone());
        let spec = NodeSpec::internal(name, move |_| Transmit::new(taps.0.clone(), taps.1.clone()));
        let node = main.add_node(spec.flags(NodeFlags::OUTPUT))?;
        known.insert(node);
        Ok(node)
    }

    /// Deletes an interface, and the host's with it unless that is to persist.
    ///
    /// # Errors
    /// When the interface is something else.
    pub(crate) fn delete(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), TapError> {
        main.change_interfaces(|table| {
            let hardware = table.hardware_of(interface)?;
            if hardware.device_class != CLASS || hardware.sw_if_index != interface {
                let found = table.interface(interface);
                return Err(TapError::NotTap(found.map_or_else(String::new, |i| i.name.clone())));
            }
            Ok(table.delete_hardware(interface)?)
        })
    }

    /// Closes the queues of interfaces that are gone, by whichever way they went.
    pub(crate) fn follow(&self, main: &mut Main, event: &Event) {
        let Event::Deleted { sw_if_index, .. } = event else { return };
        let of = |port: &Port| port.sw_if_index == *sw_if_index;
        if self.ports.view(main.held()).values().any(of) {
            self.ports.write(main.held_mut()).retain(|_, port| !of(port));
        }
    }

    /// Stops receiving from interfaces that the host has deleted, and takes their links down.
    pub(crate) fn retire(&self, main: &mut Main) {
        let ports = self.ports.view(main.held()).values();
        let gone: Vec<_> = ports
            .filter(|port| port.host.is_gone())
            .map(|port| (port.hw_if_index, port.host.name.clone()))
            .collect();
        for (hw_if_index, host) in gone {
            let Some(hardware) = main.interfaces().hardware_interface(hw_if_index) else {
                continue;
            };
            let (name, link) = (hardware.name.clone(), hardware.link);
            // It has queues, and its device lets them be disabled.
            let disabled = main.set_rx_mode(hw_if_index, None, InputMode::Disabled);
            debug_assert!(disabled.is_ok(), "{name}");
            if link.up {
                let class = main.log().class(CLASS, "");
                let text = format!("{name}: the host has deleted its interface {host}");
                main.log().write(class, Level::Warn, text);
                let down = LinkState { up: false, ..link };
                let set = main.change_interfaces(|table| table.set_link(hw_if_index, down));
                debug_assert!(set.is_ok(), "{name}");
            }
        }
    }
}

/// A unicast address of local scope, with the two first octets that VPP's have.
fn random_mac() -> [u8; 6] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0u8).to_le_bytes();
    [0x02, 0xfe, a, b, c, d]
}
