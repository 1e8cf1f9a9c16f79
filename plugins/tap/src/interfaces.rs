//! TAP interfaces: how they are made and deleted.

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
    host::follow,
    interface::{Event, HwIfIndex, InterfaceError, NewHardware, NewRxQueue, SwIfIndex},
    plugin::Registrar,
    process::{Signal, events},
    runtime::{Main, Shared},
};

use crate::{
    error::TapError,
    host::{Host, Kind, Made},
    port::{CLASS, MAX_FRAME, Port, TapDevice},
    rx,
    tx::Transmit,
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

/// A TAP interface, as nodes see it.
pub(crate) struct Open {
    pub(crate) sw_if_index: SwIfIndex,
    pub(crate) hw_if_index: HwIfIndex,
    pub(crate) host: Arc<Host>,
}

/// All of them, by the nodes that send by them. Nodes keep no queue for themselves: a queue has to be closed when its interface
/// goes, whether its thread has something to do or not.
pub(crate) type Ports = BTreeMap<NodeIndex, Open>;

/// The TAP interfaces of an engine. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub(crate) struct Taps {
    state: Rc<RefCell<State>>,
    pub(crate) open: Shared<Ports>,
    /// Tells the process that there are interfaces to follow.
    made: Signal<()>,
}

#[derive(Default)]
struct State {
    ports: Vec<Rc<Port>>,
    /// All nodes that were made to send: nodes cannot be removed, and a deleted interface leaves its own for the next of its name.
    tx_nodes: BTreeSet<NodeIndex>,
}

impl Taps {
    /// Registers the input node and the process that follows the host.
    pub(crate) fn register(r: &mut Registrar) -> Self {
        let open = r.shared(Ports::new());
        r.node(rx::spec(r.rx_placement(), open.clone()));
        let (made, first) = events();
        let taps = Self { state: Rc::default(), open, made };
        let followed = Rc::downgrade(&taps.state);
        let ports = move || Some(followed.upgrade()?.borrow().ports.clone());
        r.process("tap-link-process", move |cx| follow(cx, CLASS, ports, first));
        let closing = taps.clone();
        r.on_interface_event(move |main, event| closing.close(main, event));
        taps
    }

    /// Puts an interface before what the host made.
    ///
    /// # Errors
    /// When number or name are taken, or the MAC address is no unicast one.
    pub(crate) fn create(
        &self,
        main: &mut Main,
        new: NewTap,
        made: Made,
    ) -> Result<SwIfIndex, TapError> {
        let kind = made.host.kind;
        let id = self.choose_id(main, kind, &new)?;
        let name = new.name.unwrap_or_else(|| format!("{}{id}", kind.word()));
        if main.interfaces().find(&name).is_ok() {
            return Err(InterfaceError::NameTaken { name }.into());
        }
        let tx = self.tx_node(main, &format!("{name}-tx"))?;
        let port = Rc::new(Port::new(id, made));
        let hardware = NewHardware {
            name,
            device_class: CLASS,
            device_instance: id,
            mac: (kind == Kind::Tap).then(|| new.mac.unwrap_or_else(random_mac)),
            max_frame_size: MAX_FRAME,
            mtu: port.mtu(),
            tx_next: nodes::interface::add_device(main, tx)?.0,
        };
        let input = main.graph().require(rx::NODE)?;
        let sw_if_index = main.add_device(hardware, Box::new(TapDevice(port.clone())))?;
        let hw_if_index = main.interfaces().hardware_of(sw_if_index)?.index;
        if new.persist
            && let Err(error) = port.host.persist()
        {
            main.change_interfaces(|table| table.delete_hardware(sw_if_index))?;
            return Err(TapError::Setting { name: port.link().name, setting: "persist", error });
        }
        port.sw_if_index.set(sw_if_index);
        port.hw_if_index.set(hw_if_index);
        let fds: Vec<_> = port.host.queues.iter().map(AsRawFd::as_raw_fd).collect();
        let open = Open { sw_if_index, hw_if_index, host: port.host.clone() };
        self.open.write(main.held_mut()).insert(tx, open);
        let queue = |fd| NewRxQueue { node: input, fd: Some(fd), mode: InputMode::Interrupt };
        main.add_rx_queues(sw_if_index, fds.into_iter().map(queue))?;
        self.state.borrow_mut().ports.push(port);
        self.made.send(());
        Ok(sw_if_index)
    }

    fn choose_id(&self, main: &Main, kind: Kind, new: &NewTap) -> Result<u32, TapError> {
        let is_taken = |id: u32| self.state.borrow().ports.iter().any(|port| port.id == id);
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
        let known = &mut self.state.borrow_mut().tx_nodes;
        if let Some(node) = main.graph().find(name) {
            let is_ours = known.contains(&node);
            return if is_ours { Ok(node) } else { Err(TapError::NodeTaken(name.to_owned())) };
        }
        let open = self.open.clone();
        let spec = NodeSpec::internal(name, move |_| Transmit::new(open.clone()));
        let node = main.add_node(spec.flags(NodeFlags::OUTPUT))?;
        known.insert(node);
        Ok(node)
    }

    /// Deletes an interface, and the host's with it unless that is to persist.
    ///
    /// # Errors
    /// When the interface is something else.
    pub(crate) fn delete(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), TapError> {
        if !self.all().iter().any(|port| port.sw_if_index.get() == interface) {
            return Err(TapError::NotTap(main.interface_name(interface)));
        }
        Ok(main.change_interfaces(|table| table.delete_hardware(interface))?)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Rc<Port>> {
        self.state.borrow().ports.clone()
    }

    /// Closes the queues of interfaces that are gone, by whichever way they went.
    fn close(&self, main: &mut Main, event: &Event) {
        let Event::Deleted { sw_if_index, .. } = event else { return };
        let ports = &mut self.state.borrow_mut().ports;
        let before = ports.len();
        ports.retain(|port| port.sw_if_index.get() != *sw_if_index);
        if ports.len() < before {
            self.open.write(main.held_mut()).retain(|_, open| open.sw_if_index != *sw_if_index);
        }
    }
}

/// A unicast address of local scope, with the two first octets that VPP's have.
fn random_mac() -> [u8; 6] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0u8).to_le_bytes();
    [0x02, 0xfe, a, b, c, d]
}
