//! What stands behind a hardware interface.

use std::collections::BTreeMap;

use super::{
    Duplex, Event, HwIfIndex, HwInterface, InterfaceTable, LinkState, RxQueueId, Verbosity,
};
use crate::graph::InputMode;

/// What an interface receives from and sends to: a port, a socket, a generator. Packets do not pass here: an input node
/// brings them in, and the node that [`NewHardware::tx_next`](super::NewHardware::tx_next) names takes them out. The
/// device does what the operator orders of the interface. It belongs to the main thread and is dropped with its
/// interface.
pub trait Device {
    /// The interface is set up or down; at first it is down. Returns the link, which counts for nothing while it is down.
    /// A link that changes later is told by [`InterfaceTable::set_link`].
    fn set_admin(&mut self, up: bool) -> LinkState;

    /// The interface, which is down, is to be set up: does what has to succeed for that. If it fails the interface stays down.
    ///
    /// # Errors
    /// What to tell the operator.
    fn prepare_up(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// The interface has another MAC address.
    fn set_mac(&mut self, _mac: [u8; 6]) {}

    /// The interface is to receive all frames, or only those for it.
    fn set_promiscuous(&mut self, _on: bool) {}

    /// The thread of a receive queue is to learn of packets in another way.
    ///
    /// # Errors
    /// What to tell the operator, when that cannot be.
    fn set_rx_mode(&mut self, _queue: u16, _mode: InputMode) -> Result<(), String> {
        Ok(())
    }

    /// Whether it takes packets with [`Buffer::offload`](crate::buffer::Buffer::offload) and brings such. Asked once.
    fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    /// What else there is to say in `show hardware-interfaces`, a line each.
    fn details(&self, _verbosity: Verbosity) -> Vec<String> {
        Vec::new()
    }
}

/// What a device does with packets to which something is still to be done, see
/// [`Buffer::offload`](crate::buffer::Buffer::offload).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// The making of checksums and the cutting of large packets can be left to it.
    pub takes: bool,
    /// It may bring packets whose checksums are still to be made, or large ones.
    pub brings: bool,
}

/// A device without a wire, whose link nothing can cut.
#[derive(Clone, Copy, Debug)]
pub struct NoWire;

impl NoWire {
    /// Its link.
    pub const LINK: LinkState = LinkState { up: true, speed: None, duplex: Duplex::Full };
}

impl Device for NoWire {
    fn set_admin(&mut self, _up: bool) -> LinkState {
        Self::LINK
    }
}

/// The devices of an engine.
#[derive(Default)]
pub(crate) struct Devices(BTreeMap<HwIfIndex, Box<dyn Device>>);

impl Devices {
    /// Puts a device behind an interface that is new, and so down.
    pub(crate) fn add(
        &mut self,
        table: &mut InterfaceTable,
        index: HwIfIndex,
        mut device: Box<dyn Device>,
    ) {
        table.set_offloads(index, device.offloads());
        let set = table.set_link(index, device.set_admin(false));
        debug_assert!(set.is_ok(), "the interface is new");
        self.0.insert(index, device);
    }

    /// Has devices do what was ordered of their interfaces.
    pub(crate) fn follow(&mut self, table: &mut InterfaceTable, event: &Event) {
        match event {
            Event::Admin { sw_if_index, up } => {
                let Ok(hardware) = table.hardware_of(*sw_if_index) else { return };
                let index = hardware.index;
                // Sub-interfaces go up and down by themselves.
                if hardware.sw_if_index != *sw_if_index {
                    return;
                }
                let Some(device) = self.0.get_mut(&index) else { return };
                let link = device.set_admin(*up);
                if *up {
                    let set = table.set_link(index, link);
                    debug_assert!(set.is_ok(), "the interface is there");
                }
            }
            Event::Mac { hw_if_index, mac } => {
                if let Some(device) = self.0.get_mut(hw_if_index) {
                    device.set_mac(*mac);
                }
            }
            Event::Promiscuous { hw_if_index, on } => {
                if let Some(device) = self.0.get_mut(hw_if_index) {
                    device.set_promiscuous(*on);
                }
            }
            Event::Deleted { .. } => {
                self.0.retain(|index, _| table.hardware_interface(*index).is_some());
            }
            _ => {}
        }
    }

    /// Has a device do what has to succeed before its interface is up.
    pub(crate) fn prepare_up(&mut self, index: HwIfIndex) -> Result<(), String> {
        self.0.get_mut(&index).map_or(Ok(()), |device| device.prepare_up())
    }

    /// Tells the device of a queue how its thread is to learn of packets.
    pub(crate) fn set_rx_mode(&mut self, id: RxQueueId, mode: InputMode) -> Result<(), String> {
        match self.0.get_mut(&id.hw_if_index) {
            Some(device) => device.set_rx_mode(id.queue, mode),
            None => Ok(()),
        }
    }

    /// What else an interface's device has to say.
    pub(crate) fn details(&self, hardware: &HwInterface, verbosity: Verbosity) -> Vec<String> {
        self.0.get(&hardware.index).map_or_else(Vec::new, |device| device.details(verbosity))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        os::{fd::AsRawFd, unix::net::UnixStream},
        rc::Rc,
    };

    use super::*;
    use crate::{
        interface::{NewHardware, NewRxQueue},
        prelude::*,
    };

    /// Writes down what is ordered of it; its cable is out.
    struct Port(Rc<RefCell<Vec<String>>>);

    impl Device for Port {
        fn set_admin(&mut self, up: bool) -> LinkState {
            self.0.borrow_mut().push(format!("up {up}"));
            LinkState { up: false, ..NoWire::LINK }
        }

        fn set_mac(&mut self, [.., last]: [u8; 6]) {
            self.0.borrow_mut().push(format!("mac {last}"));
        }

        fn set_promiscuous(&mut self, on: bool) {
            self.0.borrow_mut().push(format!("promiscuous {on}"));
        }

        fn set_rx_mode(&mut self, queue: u16, mode: InputMode) -> Result<(), String> {
            self.0.borrow_mut().push(format!("queue {queue} {}", mode.word()));
            Ok(())
        }

        fn details(&self, _: Verbosity) -> Vec<String> {
            vec!["no cable".to_owned()]
        }
    }

    impl Drop for Port {
        fn drop(&mut self) {
            self.0.borrow_mut().push("gone".to_owned());
        }
    }

    #[test]
    fn a_device_does_what_is_ordered_of_its_interface_and_goes_with_it() {
        let clock = Clock::virtual_at(PacketTime(0));
        let engine = Engine::builder().clock(clock).workers(2).build().unwrap();
        let orders = Rc::new(RefCell::new(Vec::new()));
        let new = |name: &str| NewHardware {
            name: name.to_owned(),
            device_class: "port",
            device_instance: 0,
            mac: Some([2, 0, 0, 0, 0, 1]),
            max_frame_size: 9000,
            mtu: 1500,
            tx_next: 0,
        };
        let port = engine.with(|m| m.add_device(new("port0"), Box::new(Port(orders.clone()))));
        let port = port.unwrap();
        assert!(
            engine.with(|m| m.add_device(new("port0"), Box::new(Port(orders.clone())))).is_err()
        );
        let (_far, near) = UnixStream::pair().unwrap();
        engine.with(|m| {
            let node = m.graph().find("error-drop").unwrap();
            let queue = |fd| NewRxQueue { node, fd, mode: InputMode::Interrupt };
            m.add_rx_queues(port, [queue(None), queue(Some(near.as_raw_fd()))]).unwrap();
        });
        for line in [
            "set interface rx-placement port0 main",
            "set interface rx-mode port0 queue 1 adaptive",
            "set interface state port0 up",
            "set interface mac address port0 02:00:00:00:00:07",
            "set interface promiscuous on port0",
            "create sub-interfaces port0 5",
            "set interface state port0.5 up",
            "set interface state port0 down",
        ] {
            engine.command(line).unwrap();
        }
        let shown = engine.command("show hardware-interfaces port0").unwrap();
        let expected = "  Link speed: unknown\n  RX Queues:\n    queue thread         mode      \n    \
                        0     main (0)       polling   \n    1     wk_1 (2)       adaptive  \n  \
                        Ethernet address 02:00:00:00:00:07\n  no cable\n";
        assert!(shown.ends_with(expected), "{shown}");
        assert!(shown.contains(" down  port0\n"), "{shown}");
        engine.with(|m| m.change_interfaces(|t| t.delete_hardware(port))).unwrap();
        // The second one was dropped when its name was refused.
        assert_eq!(engine.with(|m| m.rx_queues().iter().count()), 0);
        let expected = [
            "up false",
            "gone",
            "queue 1 adaptive",
            "up true",
            "mac 7",
            "promiscuous true",
            "up false",
            "gone",
        ];
        assert_eq!(*orders.borrow(), expected);
    }

    #[test]
    fn a_link_comes_with_the_interface_where_there_is_no_wire() {
        let engine = Engine::builder().build().unwrap();
        let new = NewHardware {
            name: "x0".to_owned(),
            device_class: "x",
            device_instance: 0,
            mac: None,
            max_frame_size: 9000,
            mtu: 1500,
            tx_next: 0,
        };
        engine.with(|m| m.add_device(new, Box::new(NoWire))).unwrap();
        let link = || engine.with(|m| m.interfaces().hardware_interfaces().last().unwrap().link.up);
        assert!(link());
        engine.command("set interface state x0 up").unwrap();
        engine.command("set interface state x0 down").unwrap();
        assert!(!link());
        engine.command("set interface state x0 up").unwrap();
        assert!(link());
    }
}
