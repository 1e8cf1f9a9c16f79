//! Host interfaces: how they are made, deleted and kept in step with the host.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use nodes::interface::{DeviceError, QueuedDevices, Queues};
use vnet::{
    host::{Link, LinkLayer, OnHost, follow, set_link},
    interface::{InterfaceError, NewHardware, SwIfIndex, random_mac},
    plugin::Registrar,
    process::{Signal, events},
    runtime::Main,
};

use crate::{
    NewHostInterface,
    error::HostError,
    input::{self, INPUT, Source},
    output,
    port::{HostDevice, Port},
    queue::{RxQueue, TxQueue},
};

/// The class of host interfaces.
const CLASS: &str = "af-packet";
/// The largest frame that an interface takes, in octets: no IP packet is longer than 65,535.
const MAX_FRAME: u32 = 65535 + 14;

/// The host interfaces of an engine. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub struct HostInterfaces {
    state: Rc<RefCell<State>>,
    devices: Rc<QueuedDevices<Source, Arc<TxQueue>>>,
    /// Tells the process that there are interfaces to follow.
    made: Signal<()>,
}

#[derive(Default)]
struct State {
    ports: Vec<Rc<Port>>,
    next_instance: u32,
}

impl HostInterfaces {
    /// Registers the input node and the process that follows the host.
    pub(crate) fn register(r: &mut Registrar) -> Self {
        let devices = Rc::new(QueuedDevices::new(r, INPUT, output::spec));
        r.node(input::spec(r.rx_placement(), devices.sources()));
        let (made, first) = events();
        let interfaces = Self { state: Rc::default(), devices, made };
        let followed = Rc::downgrade(&interfaces.state);
        let ports = move || Some(followed.upgrade()?.borrow().ports.clone());
        r.process("af-packet-link-process", move |cx| follow(cx, "af_packet", ports, first));
        interfaces
    }

    /// `create host-interface`: makes `host-<name>`, which is down.
    ///
    /// # Errors
    /// When the host has no such interface, the process may not open packet sockets, or the name is taken.
    pub fn create(&self, main: &mut Main, new: &NewHostInterface) -> Result<SwIfIndex, HostError> {
        let host_name = &new.name;
        let asked = Link::named(host_name);
        let asked = asked.map_err(|error| HostError::of(host_name, "ask for it", error))?;
        let link = asked.ok_or_else(|| HostError::NoSuchLink(host_name.clone()))?;
        check_layer(new, &link)?;
        let mtu = link.mtu.min(MAX_FRAME - 14);
        let name = format!("host-{host_name}");
        if main.interfaces().find(&name).is_ok() {
            return Err(DeviceError::from(InterfaceError::NameTaken { name }).into());
        }
        let port = Rc::new(Port::open(new, link)?);
        let mac = (!new.ip).then(|| new.mac.unwrap_or_else(random_mac));
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: self.instance(),
            mac,
            max_frame_size: MAX_FRAME,
            mtu,
            tx_next: 0,
        };
        let device = Box::new(HostDevice(port.clone()));
        let interface = self.devices.add(main, hardware, device, |rx| queues(&port, rx))?;
        port.interface.set(interface);
        if let Some(mac) = mac {
            port.receive_for(mac);
        }
        self.state.borrow_mut().ports.push(port);
        self.made.send(());
        Ok(interface)
    }

    fn instance(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        state.next_instance += 1;
        state.next_instance - 1
    }

    /// `delete host-interface`: deletes the one on the host's interface of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete(&self, main: &mut Main, host_name: &str) -> Result<(), HostError> {
        let place = self.state.borrow().ports.iter().position(|p| p.host_name == host_name);
        let unknown = || HostError::NoSuchInterface(host_name.to_owned());
        let port = self.state.borrow_mut().ports.swap_remove(place.ok_or_else(unknown)?);
        let interface = port.interface.get();
        self.devices.withdraw(main, interface);
        port.count_missed(main);
        let deleted = main.change_interfaces(|table| table.delete_hardware(interface));
        Ok(deleted.map_err(DeviceError::from)?)
    }

    /// All of them, with the host's names.
    #[must_use]
    pub fn all(&self) -> Vec<(SwIfIndex, String)> {
        let state = self.state.borrow();
        let all = state.ports.iter().map(|port| (port.interface.get(), port.host_name.clone()));
        all.collect()
    }

    /// The port behind an interface here.
    pub(crate) fn port(&self, interface: SwIfIndex) -> Option<Rc<Port>> {
        let state = self.state.borrow();
        state.ports.iter().find(|port| port.interface.get() == interface).cloned()
    }
}

impl OnHost for Port {
    fn ifindex(&self) -> u32 {
        self.ifindex
    }

    fn follow(&self, main: &mut Main, link: Option<Link>) {
        let mtu = self.change_link(link).map(|mtu| mtu.min(MAX_FRAME - 14));
        set_link(main, self.interface.get(), self.link_state(), mtu);
    }

    fn keep(&self, main: &mut Main) -> Option<String> {
        self.count_missed(main);
        self.take_trouble()
    }
}

/// What nodes see of a port, whose interface is `rx`.
fn queues(port: &Port, rx: SwIfIndex) -> Queues<Source, Arc<TxQueue>> {
    let (ethernet, listens) = (!port.settings.ip, port.settings.listening.is_some());
    let source = |queue: &Arc<RxQueue>| Source { queue: queue.clone(), rx, ethernet, listens };
    let sources = port.rx.iter().map(|queue| (queue.fd(), source(queue)));
    Queues { rx: sources.collect(), tx: port.tx.clone() }
}

fn check_layer(new: &NewHostInterface, link: &Link) -> Result<(), HostError> {
    let wrong =
        |found, advice| Err(HostError::WrongLayer { name: new.name.clone(), found, advice });
    match (link.layer, new.ip) {
        _ if new.listening.is_some() => Ok(()),
        (LinkLayer::Ethernet, false) | (LinkLayer::Ip, true) => Ok(()),
        (LinkLayer::Ethernet, true) => wrong("an Ethernet header", "leave out `mode ip'"),
        (LinkLayer::Ip, false) => wrong("an IP header", "add `mode ip'"),
        (LinkLayer::Other, _) => wrong("neither an Ethernet nor an IP header", "it cannot be used"),
    }
}
