//! AF_XDP interfaces: how they are made and deleted.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use nodes::interface::{DeviceError, QueuedDevices, Queues};
use vnet::{
    host::follow,
    interface::{InterfaceError, NewHardware, SwIfIndex},
    plugin::Registrar,
    process::{Signal, events},
    runtime::Main,
};

use crate::{
    NewXdpInterface,
    error::XdpError,
    input::{self, INPUT, Source},
    open, output,
    port::{Port, XdpDevice},
    queue::Queue,
};

/// The class of these interfaces.
const CLASS: &str = "AF_XDP interface";

/// The AF_XDP interfaces of an engine. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub struct XdpInterfaces {
    state: Rc<RefCell<State>>,
    devices: Rc<QueuedDevices<Source, Arc<Queue>>>,
    /// Tells the process that there are interfaces to follow.
    made: Signal<()>,
}

#[derive(Default)]
struct State {
    /// Those that there are, and those whose buffers the kernel still has.
    ports: Vec<Rc<Port>>,
    next_instance: u32,
}

impl XdpInterfaces {
    /// Registers the input node and the process that follows the host.
    pub(crate) fn register(r: &mut Registrar) -> Self {
        let devices = Rc::new(QueuedDevices::new(r, INPUT, output::spec));
        r.node(input::spec(r.rx_placement(), devices.sources()));
        let (made, first) = events();
        let interfaces = Self { state: Rc::default(), devices, made };
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
            return Err(DeviceError::from(InterfaceError::NameTaken { name }).into());
        }
        let opened = open::open(new, main.pool())?;
        let (mac, host_mtu) = (opened.link.mac, opened.link.mtu);
        let port = Rc::new(Port::new(new.host_if.clone(), opened));
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: instance,
            mac,
            max_frame_size: port.max_frame_size(),
            mtu: port.mtu(host_mtu),
            tx_next: 0,
        };
        let device = Box::new(XdpDevice(port.clone()));
        let interface = self.devices.add(main, hardware, device, |rx| queues(&port, rx))?;
        self.state.borrow_mut().next_instance += 1;
        port.interface.set(interface);
        port.supply(main);
        self.state.borrow_mut().ports.push(port);
        self.made.send(());
        Ok(interface)
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
        self.devices.withdraw(main, interface);
        // What was lost until now and what waits in the rings belongs to the interface as long as there is one.
        port.close();
        port.count_losses(main);
        let deleted = main.change_interfaces(|table| table.delete_hardware(interface));
        Ok(deleted.map_err(DeviceError::from)?)
    }
}

/// What nodes see of a port, whose interface is `rx`.
fn queues(port: &Port, rx: SwIfIndex) -> Queues<Source, Arc<Queue>> {
    let source = |queue: &Arc<Queue>| {
        (queue.fd(), Source { queue: queue.clone(), rx, completes: port.completes })
    };
    Queues { rx: port.queues.iter().map(source).collect(), tx: port.queues.clone() }
}
