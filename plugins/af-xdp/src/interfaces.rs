//! AF_XDP interfaces: how they are made and deleted.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use vnet::{
    graph::InputMode,
    host::follow,
    interface::{InterfaceError, NewHardware, NewRxQueue, RxQueueId, SwIfIndex},
    plugin::Registrar,
    process::{Signal, events},
    runtime::{Main, Shared},
};

use crate::{
    NewXdpInterface,
    error::XdpError,
    input::{INPUT, Source, Sources, spec},
    open,
    output::{self, Sinks},
    port::{Port, XdpDevice},
};

/// The class of these interfaces.
const CLASS: &str = "AF_XDP";

/// The AF_XDP interfaces of an engine. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub struct XdpInterfaces {
    state: Rc<RefCell<State>>,
    sources: Shared<Sources>,
    /// Tells the process that there are interfaces to follow.
    made: Signal<()>,
}

#[derive(Default)]
struct State {
    /// Those that there are, and those whose buffers the kernel still has.
    ports: Vec<Rc<Port>>,
    next_instance: u32,
    /// What transmit nodes read, by their names: nodes stay when interfaces go.
    sinks: BTreeMap<String, Shared<Sinks>>,
}

impl XdpInterfaces {
    /// Registers the input node and the process that follows the host.
    pub(crate) fn register(r: &mut Registrar) -> Self {
        let sources = r.shared(Sources::new());
        r.node(spec(r.rx_placement(), sources.clone()));
        let (made, first) = events();
        let interfaces = Self { state: Rc::default(), sources, made };
        let followed = Rc::downgrade(&interfaces.state);
        let ports = move || {
            let state = followed.upgrade()?;
            let mut state = state.borrow_mut();
            state.ports.retain(|port| !port.is_gone());
            Some(state.ports.clone())
        };
        r.process("af-xdp-link-process", move |cx| follow(cx, "af_xdp", ports, first));
        interfaces
    }

    /// `create interface af_xdp`: makes an interface, which is down.
    ///
    /// # Errors
    /// When the host has no such interface, kernel or driver lack what is asked for, the process may not, somebody else has the
    /// interface, or the name is taken.
    pub fn create(&self, main: &mut Main, new: &NewXdpInterface) -> Result<SwIfIndex, XdpError> {
        let instance = self.state.borrow().next_instance;
        let name = new.name.clone().unwrap_or_else(|| format!("{}/{instance}", new.host_if));
        if main.interfaces().find(&name).is_ok() {
            return Err(InterfaceError::NameTaken { name }.into());
        }
        let opened = open::open(new, main.pool())?;
        let (mac, host_mtu) = (opened.link.mac, opened.link.mtu);
        let port = Rc::new(Port::new(new.host_if.clone(), opened));
        let node = format!("{name}-tx");
        let sinks = self.transmit_node(main, &node)?;
        let tx = main.graph().require(&node)?;
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: instance,
            mac,
            max_frame_size: port.max_frame_size(),
            mtu: port.mtu(host_mtu),
            tx_next: nodes::interface::add_device(main, tx)?.0,
        };
        self.state.borrow_mut().next_instance += 1;
        let interface = main.add_device(hardware, Box::new(XdpDevice(port.clone())))?;
        port.interface.set(interface);
        *sinks.write(main.held_mut()) =
            Sinks { interface: Some(interface), queues: port.queues.clone() };
        port.supply(main);
        self.add_queues(main, &port)?;
        self.state.borrow_mut().ports.push(port);
        self.made.send(());
        Ok(interface)
    }

    /// What the transmit node of that name reads; it is made unless it is there.
    fn transmit_node(&self, main: &mut Main, node: &str) -> Result<Shared<Sinks>, XdpError> {
        if let Some(sinks) = self.state.borrow().sinks.get(node) {
            let is_used = sinks.view(main.held()).interface.is_some();
            return if is_used {
                Err(XdpError::NodeTaken(node.to_owned()))
            } else {
                Ok(sinks.clone())
            };
        }
        if main.graph().find(node).is_some() {
            return Err(XdpError::NodeTaken(node.to_owned()));
        }
        let sinks = Shared::new(main.engine(), Sinks::default());
        main.add_node(output::spec(node, sinks.clone()))?;
        self.state.borrow_mut().sinks.insert(node.to_owned(), sinks.clone());
        Ok(sinks)
    }

    fn add_queues(&self, main: &mut Main, port: &Rc<Port>) -> Result<(), XdpError> {
        let interface = port.interface.get();
        let hw_if_index = main.interfaces().hardware_of(interface)?.index;
        let node = main.graph().require(INPUT)?;
        let sources = self.sources.write(main.held_mut());
        for (queue, rx) in (0..).zip(&port.queues) {
            let source = Source { queue: rx.clone(), rx: interface, completes: port.completes };
            sources.insert(RxQueueId { hw_if_index, queue }, source);
        }
        let new = |fd| NewRxQueue { node, fd: Some(fd), mode: InputMode::Interrupt };
        Ok(main.add_rx_queues(interface, port.queues.iter().map(|queue| new(queue.fd())))?)
    }

    /// `delete interface af_xdp`: deletes an interface. The kernel gives its buffers back a while later.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn delete(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), XdpError> {
        let port = self.state.borrow().ports.iter().find(|p| p.is_on(interface)).cloned();
        let Some(port) = port else {
            return Err(XdpError::NotXdp(main.interface_name(interface)));
        };
        let hw_if_index = main.interfaces().hardware_of(interface)?.index;
        self.sources.write(main.held_mut()).retain(|id, _| id.hw_if_index != hw_if_index);
        for sinks in self.state.borrow().sinks.values() {
            if sinks.view(main.held()).interface == Some(interface) {
                *sinks.write(main.held_mut()) = Sinks::default();
            }
        }
        // What was lost until now and what waits in the rings belongs to the interface as long as there is one.
        port.close();
        port.count_losses(main);
        Ok(main.change_interfaces(|table| table.delete_hardware(interface))?)
    }
}
