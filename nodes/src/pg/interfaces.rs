//! Packet-generator interfaces: how they are made, found and deleted.

use std::sync::Arc;

use vnet::{
    graph::{Instance, NodeFlags, NodeSpec},
    interface::{NewHardware, SwIfIndex},
    runtime::Main,
    wire::ethernet::MacAddress,
};

use super::{
    Generator, Mode, NewInterface, Offload, PgError,
    port::{PgDevice, Port, TxState},
    transmit::Transmit,
};

/// The class of its interfaces.
pub(crate) const CLASS: &str = "pg";
/// The largest frame that an interface takes, in bytes.
const MAX_FRAME: u32 = 9216;

impl Generator {
    /// Makes a packet-generator interface.
    ///
    /// # Errors
    /// When there is one of that number, or the interface table refuses.
    pub fn create_interface(
        &self,
        main: &mut Main,
        new: NewInterface,
    ) -> Result<SwIfIndex, PgError> {
        let name = format!("pg{}", new.number);
        if main.interfaces().find(&name).is_ok() || self.interface(new.number).is_some() {
            return Err(PgError::InterfaceExists(name));
        }
        let NewInterface { number, mode, offload, .. } = new;
        let tx = self.transmit_state(main, &name)?;
        tx.begin(mode);
        let tx_node = main.graph().require(&format!("{name}-tx"))?;
        let tx_next = crate::interface::add_device(main, tx_node)?;
        let mac = new.mac.unwrap_or_else(|| default_mac(number));
        let hardware = NewHardware {
            name: name.clone(),
            device_class: CLASS,
            device_instance: number,
            mac: (mode == Mode::Ethernet).then_some(mac.0),
            max_frame_size: MAX_FRAME,
            mtu: 9000,
            tx_next: tx_next.0,
        };
        let device = PgDevice { mode, offload, tx: tx.clone() };
        let sw_if_index = main.add_device(hardware, Box::new(device))?;
        let port = Port { name, number, mode, offload, sw_if_index, tx };
        self.state.borrow_mut().ports.push(port);
        if let Offload::Gso { coalesce: true, .. } = offload {
            self.set_coalescing(main, sw_if_index, true)?;
        }
        Ok(sw_if_index)
    }

    /// What the node that sends by an interface of that name shares with the main thread. Nodes cannot be removed: a deleted
    /// interface leaves its own for the next of the same name.
    fn transmit_state(&self, main: &mut Main, name: &str) -> Result<Arc<TxState>, PgError> {
        let left = {
            let ports = &mut self.state.borrow_mut().ports;
            let at = ports.iter().position(|port| port.name == name && !port.is_there());
            at.map(|at| ports.swap_remove(at).tx)
        };
        if let Some(left) = left {
            return Ok(left);
        }
        let tx = Arc::new(TxState::default());
        let (state, timer) = (tx.clone(), self.coalescing.timer.clone());
        let make = move |_: &Instance<'_>| Transmit::new(state.clone(), timer.clone());
        let spec = NodeSpec::internal(&format!("{name}-tx"), make);
        main.add_node(spec.flags(NodeFlags::OUTPUT))?;
        Ok(tx)
    }

    /// Deletes a packet-generator interface, and the streams of it. What waits there is sent, and a capture is ended.
    ///
    /// # Errors
    /// When it is none of ours, or the capture could not be written.
    pub fn delete_interface(&self, main: &mut Main, interface: SwIfIndex) -> Result<(), PgError> {
        let ours = |port: &Port| port.is_there() && port.sw_if_index == interface;
        let at = self.state.borrow().ports.iter().position(ours);
        let at = at.ok_or_else(|| PgError::NotAnInterface(main.interface_name(interface)))?;
        self.delete_streams_of(main, interface);
        if self.of_index(interface, |port| port.tx.coalesces()) == Some(true) {
            self.set_coalescing(main, interface, false)?;
        }
        main.change_interfaces(|table| table.delete_hardware(interface))?;
        let port = &mut self.state.borrow_mut().ports[at];
        port.sw_if_index = SwIfIndex::NONE;
        match port.tx.stop_capture() {
            Some(Err(error)) => Err(error.into()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// The interface of this number.
    #[must_use]
    pub fn interface(&self, number: u32) -> Option<SwIfIndex> {
        self.port(&format!("pg{number}"), |port| port.sw_if_index).ok()
    }

    pub(super) fn port<T>(&self, name: &str, f: impl FnOnce(&Port) -> T) -> Result<T, PgError> {
        let state = self.state.borrow();
        let port = state.ports.iter().find(|port| port.name == name && port.is_there());
        port.map(f).ok_or_else(|| PgError::NotAnInterface(name.to_owned()))
    }
}

/// Locally administered, as VPP's is; the rest says which one it is.
fn default_mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress([0x02, 0xfe, a, b, c, d])
}

/// What packets leave to others that come from this interface.
pub(super) fn offload_of(ports: &[Port], rx: SwIfIndex) -> Offload {
    let port = ports.iter().find(|port| port.is_there() && port.sw_if_index == rx);
    port.map_or(Offload::None, |port| port.offload)
}
