//! TAP interfaces: how they are made and deleted.

use std::{cell::RefCell, os::fd::AsRawFd, rc::Rc};

use nodes::interface::{DeviceError, QueuedDevices, Queues};
use vnet::{
    host::follow,
    interface::{InterfaceError, NewHardware, SwIfIndex, random_mac},
    plugin::Registrar,
    process::{Cx, Signal, events},
    runtime::Main,
};

use crate::{
    error::TapError,
    host::{Host, HostRequest, Kind, Made},
    port::{CLASS, LOG_CLASS, MAX_FRAME, Port, TapDevice},
    queue::Queue,
    rx, tx,
};

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

/// The TAP interfaces of an engine. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub(crate) struct Taps {
    ports: Rc<RefCell<Vec<Rc<Port>>>>,
    devices: Rc<QueuedDevices<Queue, Queue>>,
    /// Tells the process that there are interfaces to follow.
    made: Signal<()>,
}

impl Taps {
    /// Registers the input node and the process that follows the host.
    pub(crate) fn register(r: &mut Registrar) -> Self {
        let devices = Rc::new(QueuedDevices::new(r, rx::NODE, tx::spec));
        r.node(rx::spec(r.rx_placement(), devices.sources()));
        let (made, first) = events();
        let taps = Self { ports: Rc::default(), devices, made };
        let followed = Rc::downgrade(&taps.ports);
        let ports = move || Some(followed.upgrade()?.borrow().clone());
        r.process("tap-link-process", move |cx| follow(cx, LOG_CLASS, ports, first));
        taps
    }

    /// Makes both ends.
    ///
    /// # Errors
    /// When the host or the engine refuse; nothing is left then.
    pub(crate) async fn make(
        &self,
        cx: &Cx,
        new: NewTap,
        request: HostRequest,
    ) -> Result<SwIfIndex, TapError> {
        request.check(new.mac)?;
        // On a thread of its own, which the namespace may have, and which may wait for the host.
        let made = match cx.blocking(move || Host::make(&request)).await {
            Ok(made) => made?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        cx.with(|main| self.create(main, new, made))
    }

    /// Puts an interface before what the host made.
    ///
    /// # Errors
    /// When number or name are taken, or the MAC address is no unicast one.
    fn create(&self, main: &mut Main, new: NewTap, made: Made) -> Result<SwIfIndex, TapError> {
        let kind = made.host.kind;
        let id = self.choose_id(main, kind, &new)?;
        let name = new.name.unwrap_or_else(|| format!("{}{id}", kind.word()));
        if main.interfaces().find(&name).is_ok() {
            return Err(DeviceError::from(InterfaceError::NameTaken { name }).into());
        }
        let port = Rc::new(Port::new(id, made));
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: id,
            mac: (kind == Kind::Tap).then(|| new.mac.unwrap_or_else(random_mac)),
            max_frame_size: MAX_FRAME,
            mtu: port.mtu(),
            tx_next: 0,
        };
        let device = Box::new(TapDevice(port.clone()));
        let interface = self.devices.add(main, hardware, device, |rx| queues(&port, rx))?;
        port.sw_if_index.set(interface);
        if let Ok(hardware) = main.interfaces().hardware_of(interface) {
            port.hw_if_index.set(hardware.index);
        }
        if new.persist
            && let Err(error) = port.host.persist()
        {
            self.remove(main, interface)?;
            return Err(TapError::Setting { name: port.link().name, setting: "persist", error });
        }
        self.ports.borrow_mut().push(port);
        self.made.send(());
        Ok(interface)
    }

    fn choose_id(&self, main: &Main, kind: Kind, new: &NewTap) -> Result<u32, TapError> {
        let is_taken = |id: u32| self.ports.borrow().iter().any(|port| port.id == id);
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

    /// Deletes an interface, and the host's with it unless that is to persist.
    ///
    /// # Errors
    /// When the interface is something else.
    pub(crate) fn delete(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), TapError> {
        let is_meant = |port: &Rc<Port>| port.sw_if_index.get() == interface;
        if !self.all().iter().any(is_meant) {
            return Err(TapError::NotTap(main.interface_name(interface)));
        }
        self.ports.borrow_mut().retain(|port| !is_meant(port));
        self.remove(main, interface)
    }

    /// Its queues are closed when nobody has them any more: neither nodes nor the device.
    fn remove(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), TapError> {
        self.devices.withdraw(main, interface);
        let deleted = main.change_interfaces(|table| table.delete_hardware(interface));
        Ok(deleted.map_err(DeviceError::from)?)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Rc<Port>> {
        self.ports.borrow().clone()
    }
}

/// What nodes see of a port: each queue goes both ways.
fn queues(port: &Port, interface: SwIfIndex) -> Queues<Queue, Queue> {
    let queue = |number| Queue { interface, host: port.host.clone(), number };
    let all = || 0..port.host.queues.len();
    let rx = port.host.queues.iter().map(AsRawFd::as_raw_fd).zip(all().map(queue));
    Queues { rx: rx.collect(), tx: all().map(queue).collect() }
}
