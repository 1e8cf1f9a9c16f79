//! Host interfaces: how they are made, deleted and kept in step with the host.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    hash::{BuildHasher, Hasher, RandomState},
    rc::Rc,
};

use vnet::{
    graph::InputMode,
    host::{Link, LinkLayer, OnHost, follow, set_link},
    interface::{InterfaceError, NewHardware, NewRxQueue, RxQueueId, SwIfIndex},
    plugin::Registrar,
    process::{Signal, events},
    runtime::{Main, Shared},
};

use crate::{
    NewHostInterface,
    error::HostError,
    input::{INPUT, Source, Sources, spec},
    output::{self, Sinks},
    port::{HostDevice, Port},
};

/// The class of host interfaces.
const CLASS: &str = "af-packet";
/// The largest frame that an interface takes, in octets: no IP packet is longer than 65,535.
const MAX_FRAME: u32 = 65535 + 14;

/// The host interfaces of an engine. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub struct HostInterfaces {
    state: Rc<RefCell<State>>,
    sources: Shared<Sources>,
    /// Tells the process that there are interfaces to follow.
    made: Signal<()>,
}

#[derive(Default)]
struct State {
    ports: Vec<Rc<Port>>,
    next_instance: u32,
    /// What transmit nodes read, by their names: nodes stay when interfaces go.
    sinks: BTreeMap<String, Shared<Sinks>>,
}

impl HostInterfaces {
    /// Registers the input node and the process that follows the host.
    pub(crate) fn register(r: &mut Registrar) -> Self {
        let sources = r.shared(Sources::new());
        r.node(spec(r.rx_placement(), sources.clone()));
        let (made, first) = events();
        let interfaces = Self { state: Rc::default(), sources, made };
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
            return Err(InterfaceError::NameTaken { name }.into());
        }
        let port = Rc::new(Port::open(new, link)?);
        let sinks = self.transmit_node(main, &name)?;
        let tx = main.graph().require(&tx_node(&name))?;
        let tx_next = nodes::interface::add_device(main, tx)?.0;
        let mac = (!new.ip).then(|| new.mac.unwrap_or_else(random_mac));
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: self.instance(),
            mac,
            max_frame_size: MAX_FRAME,
            mtu,
            tx_next,
        };
        let interface = main.add_device(hardware, Box::new(HostDevice(port.clone())))?;
        port.interface.set(interface);
        if let Some(mac) = mac {
            port.receive_for(mac);
        }
        *sinks.write(main.held_mut()) =
            Sinks { interface: Some(interface), queues: port.tx.clone() };
        self.add_queues(main, &port)?;
        self.state.borrow_mut().ports.push(port);
        self.made.send(());
        Ok(interface)
    }

    fn instance(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        state.next_instance += 1;
        state.next_instance - 1
    }

    /// What the transmit node of an interface reads; the node is made unless one of that name is there.
    fn transmit_node(&self, main: &mut Main, name: &str) -> Result<Shared<Sinks>, HostError> {
        let node = tx_node(name);
        if let Some(sinks) = self.state.borrow().sinks.get(&node) {
            return Ok(sinks.clone());
        }
        let sinks = Shared::new(main.engine(), Sinks::default());
        main.add_node(output::spec(&node, sinks.clone()))?;
        self.state.borrow_mut().sinks.insert(node, sinks.clone());
        Ok(sinks)
    }

    fn add_queues(&self, main: &mut Main, port: &Rc<Port>) -> Result<(), HostError> {
        let interface = port.interface.get();
        let hw_if_index = main.interfaces().hardware_of(interface)?.index;
        let node = main.graph().require(INPUT)?;
        let sources = self.sources.write(main.held_mut());
        for (queue, rx) in (0..).zip(&port.rx) {
            let ethernet = !port.settings.ip;
            let listens = port.settings.listening.is_some();
            let source = Source { queue: rx.clone(), rx: interface, ethernet, listens };
            sources.insert(RxQueueId { hw_if_index, queue }, source);
        }
        let new = |fd| NewRxQueue { node, fd: Some(fd), mode: InputMode::Interrupt };
        Ok(main.add_rx_queues(interface, port.rx.iter().map(|queue| new(queue.fd())))?)
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
        let hw_if_index = main.interfaces().hardware_of(interface)?.index;
        self.sources.write(main.held_mut()).retain(|id, _| id.hw_if_index != hw_if_index);
        if let Some(sinks) = self.state.borrow().sinks.get(&tx_node(&port.name())) {
            *sinks.write(main.held_mut()) = Sinks::default();
        }
        port.count_missed(main);
        Ok(main.change_interfaces(|table| table.delete_hardware(interface))?)
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

fn tx_node(name: &str) -> String {
    format!("{name}-tx")
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

/// A locally administered address, 02:fe and four octets by chance, as VPP's.
fn random_mac() -> [u8; 6] {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    [0x02, 0xfe, a, b, c, d]
}
