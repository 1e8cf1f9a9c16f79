//! Devices with queues, of which the nodes of their class learn under the barrier: an input node for the whole class, and for each
//! interface a node that sends.

use std::{cell::RefCell, collections::BTreeMap, os::fd::RawFd};

use vnet::{
    command::{ApiError, OperationError},
    error::ErrorSet,
    graph::{GraphError, InputMode, NextSet, NodeCx, NodeFlags, NodeSpec},
    interface::{Device, InterfaceError, NewHardware, NewRxQueue, RxQueueId, RxSources, SwIfIndex},
    plugin::Registrar,
    runtime::{Main, Shared},
};

/// Why there is no interface.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Something else has the name of the node that would send.
    #[error("there is a node {0} already: choose another name for the interface")]
    NodeTaken(String),
    /// The interface table refuses.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The graph refuses.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl OperationError for DeviceError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NodeTaken(_) => ApiError::ValueExist,
            Self::Interface(error) => error.api_error(),
            Self::Graph(_) => ApiError::Unspecified,
        }
    }
}

/// What the node `<interface>-tx` sends by.
pub struct Outlet<T> {
    /// `SwIfIndex::NONE` when it is deleted.
    interface: SwIfIndex,
    queues: Vec<T>,
}

impl<T> Default for Outlet<T> {
    fn default() -> Self {
        Self { interface: SwIfIndex::NONE, queues: Vec::new() }
    }
}

impl<T> Outlet<T> {
    /// The queue of a thread, which shares it where there are fewer; `None` when the interface is deleted.
    #[inline]
    #[must_use]
    pub fn queue(&self, thread: usize) -> Option<&T> {
        self.queues.get(thread % self.queues.len().max(1))
    }

    /// Counts packets, as they would be on the wire, that were counted as handed to the device and were not sent.
    #[inline]
    pub fn count_lost<N: NextSet, E: ErrorSet>(&self, cx: &NodeCx<'_, N, E>, packets: u64) {
        if packets > 0 && self.interface != SwIfIndex::NONE {
            cx.state_ref().interfaces.tx_error.add(self.interface.0, packets);
        }
    }
}

/// The queues of a new interface.
pub struct Queues<R, T> {
    /// Receive queues: what can be read while there are packets, and what the input node has to know.
    pub rx: Vec<(RawFd, R)>,
    /// What threads send by.
    pub tx: Vec<T>,
}

/// The interfaces of a device class, for its nodes: `R` is what the input node has to know of a receive queue, `T` what a thread
/// sends by. It belongs to the main thread.
pub struct QueuedDevices<R, T> {
    input: &'static str,
    sources: Shared<RxSources<R>>,
    transmit: fn(&str, Shared<Outlet<T>>) -> NodeSpec,
    /// What transmit nodes send by, by their names. Nodes cannot be removed: one whose interface is deleted is left for the next
    /// interface of that name.
    outlets: RefCell<BTreeMap<String, Shared<Outlet<T>>>>,
}

impl<R: Send + Sync + 'static, T: Send + Sync + 'static> QueuedDevices<R, T> {
    /// For a class whose input node is called `input`; `transmit` is the node of the name given that sends.
    #[must_use]
    pub fn new(
        r: &mut Registrar,
        input: &'static str,
        transmit: fn(&str, Shared<Outlet<T>>) -> NodeSpec,
    ) -> Self {
        Self { input, sources: r.shared(RxSources::new()), transmit, outlets: RefCell::default() }
    }

    /// What the input node reads, by a [`QueueRotation`](vnet::interface::QueueRotation).
    #[must_use]
    pub fn sources(&self) -> Shared<RxSources<R>> {
        self.sources.clone()
    }

    /// Makes an interface, which is down; `queues` are those of the interface of that number. Its place among the next nodes of
    /// `interface-output` is filled in.
    ///
    /// # Errors
    /// When an interface or node has its name.
    pub fn add(
        &self,
        main: &mut Main,
        new: NewHardware,
        device: Box<dyn Device>,
        queues: impl FnOnce(SwIfIndex) -> Queues<R, T>,
    ) -> Result<SwIfIndex, DeviceError> {
        let input = main.graph().require(self.input)?;
        let node = format!("{}-tx", new.name);
        let outlet = self.outlet(main, &node)?;
        let node = main.graph().require(&node)?;
        let tx_next = super::add_device(main, node)?.0;
        let interface = main.add_device(NewHardware { tx_next, ..new }, device)?;
        let hw_if_index = main.interfaces().hardware_of(interface)?.index;
        let Queues { rx, tx } = queues(interface);
        *outlet.write(main.held_mut()) = Outlet { interface, queues: tx };
        let sources = self.sources.write(main.held_mut());
        let mut fds = Vec::new();
        for (queue, (fd, source)) in (0..).zip(rx) {
            sources.insert(RxQueueId { hw_if_index, queue }, source);
            fds.push(fd);
        }
        let new = |fd| NewRxQueue { node: input, fd: Some(fd), mode: InputMode::Interrupt };
        main.add_rx_queues(interface, fds.into_iter().map(new))?;
        Ok(interface)
    }

    /// What the node of that name reads; the node is made unless one of this class is there that no interface has.
    fn outlet(&self, main: &mut Main, node: &str) -> Result<Shared<Outlet<T>>, DeviceError> {
        let known = self.outlets.borrow().get(node).cloned();
        let taken = || Err(DeviceError::NodeTaken(node.to_owned()));
        match known {
            Some(outlet) if outlet.view(main.held()).interface == SwIfIndex::NONE => Ok(outlet),
            Some(_) => taken(),
            None if main.graph().find(node).is_some() => taken(),
            None => {
                let outlet = Shared::new(main.engine(), Outlet::default());
                let spec = (self.transmit)(node, outlet.clone());
                main.add_node(spec.flags(NodeFlags::OUTPUT))?;
                self.outlets.borrow_mut().insert(node.to_owned(), outlet.clone());
                Ok(outlet)
            }
        }
    }

    /// Takes the queues of an interface from the nodes, which is to be done before they are closed.
    pub fn withdraw(&self, main: &mut Main, interface: SwIfIndex) {
        let Ok(hardware) = main.interfaces().hardware_of(interface) else { return };
        let hw_if_index = hardware.index;
        self.sources.write(main.held_mut()).retain(|id, _| id.hw_if_index != hw_if_index);
        for outlet in self.outlets.borrow().values() {
            if outlet.view(main.held()).interface == interface {
                *outlet.write(main.held_mut()) = Outlet::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::{fd::AsRawFd, unix::net::UnixStream},
        sync::{Arc, Mutex},
    };

    use vnet::{
        graph::Instance,
        interface::{NoWire, QueueRotation},
        prelude::*,
    };

    use super::*;

    type Class = QueuedDevices<u8, ()>;
    type Calls = Arc<Mutex<Vec<Vec<u8>>>>;

    /// Writes down in which order it is given its queues.
    struct Input(QueueRotation<u8>, Calls);

    impl Node for Input {
        type Error = NoError;
        type Next = NoNext;
        type Trace = NoTrace;

        fn process(
            &mut self,
            cx: &mut NodeCx<'_, NoNext, NoError>,
            _: &mut Frame,
        ) -> Verdict<NoNext> {
            self.1.lock().unwrap().push(self.0.turn(cx).copied().collect());
            Verdict::Consumed
        }

        fn trace(&self, _: &Buffer) -> NoTrace {
            NoTrace
        }
    }

    /// Sends nothing.
    struct Transmit(Shared<Outlet<()>>);

    impl Node for Transmit {
        type Error = NoError;
        type Next = NoNext;
        type Trace = NoTrace;

        fn process(
            &mut self,
            cx: &mut NodeCx<'_, NoNext, NoError>,
            frame: &mut Frame,
        ) -> Verdict<NoNext> {
            let outlet = self.0.read(cx.token());
            assert!(outlet.queue(cx.thread()).is_some());
            outlet.count_lost(cx, frame.len() as u64);
            Verdict::Free
        }

        fn trace(&self, _: &Buffer) -> NoTrace {
            NoTrace
        }
    }

    fn engine() -> (Engine, Class, Calls) {
        let calls = Calls::default();
        let (theirs, (tell, told)) = (calls.clone(), std::sync::mpsc::channel());
        let plugin = Plugin::new("rows", "1", "", move |r: &mut Registrar| {
            let transmit = |name: &str, outlet: Shared<Outlet<()>>| {
                NodeSpec::internal(name, move |_| Transmit(outlet.clone()))
            };
            let class = Class::new(r, "row-input", transmit);
            let (placement, sources) = (r.rx_placement(), class.sources());
            let make = move |_: &Instance<'_>| {
                Input(QueueRotation::new(placement.clone(), sources.clone()), theirs.clone())
            };
            r.node(NodeSpec::input("row-input", make).mode(InputMode::Disabled));
            let _: Result<(), _> = tell.send(class);
            Ok(())
        })
        .load_after("nodes");
        let clock = Clock::virtual_at(PacketTime(0));
        let engine = Engine::builder().clock(clock).plugin(crate::plugin()).plugin(plugin);
        (engine.build().unwrap(), told.recv().unwrap(), calls)
    }

    fn add(
        engine: &Engine,
        class: &Class,
        name: &str,
        numbers: &[u8],
    ) -> Result<SwIfIndex, DeviceError> {
        let (_, fd) = UnixStream::pair().unwrap();
        let new = NewHardware {
            name: name.to_owned(),
            device_class: "row",
            device_instance: 0,
            mac: None,
            max_frame_size: 9000,
            mtu: 1500,
            tx_next: 0,
        };
        let rx = numbers.iter().map(|number| (fd.as_raw_fd(), *number)).collect();
        engine.with(|main| class.add(main, new, Box::new(NoWire), |_| Queues { rx, tx: vec![()] }))
    }

    #[test]
    fn each_queue_gets_to_be_the_first() {
        let (engine, class, calls) = engine();
        let interface = add(&engine, &class, "row0", &[5, 6, 7]).unwrap();
        engine.command("set interface rx-mode row0 polling").unwrap();
        engine.command("set interface state row0 up").unwrap();
        calls.lock().unwrap().clear();
        for _ in 0..4 {
            engine.poll();
        }
        let seen = calls.lock().unwrap().clone();
        assert_eq!(seen[..4], [[5, 6, 7], [6, 7, 5], [7, 5, 6], [5, 6, 7]]);
        // What is withdrawn is gone at once, though the node has not been told of another placement.
        engine.with(|main| class.withdraw(main, interface));
        calls.lock().unwrap().clear();
        engine.poll();
        assert_eq!(calls.lock().unwrap()[..1], [[0_u8; 0]]);
    }

    #[test]
    fn a_node_is_left_for_the_next_interface_of_its_name_and_for_no_two_at_once() {
        let (engine, class, _calls) = engine();
        let first = add(&engine, &class, "row0", &[1]).unwrap();
        let taken = |result: Result<SwIfIndex, DeviceError>| result.unwrap_err().to_string();
        assert_eq!(
            taken(add(&engine, &class, "row0", &[1])),
            "there is a node row0-tx already: choose another name for the interface"
        );
        // It sends by the node that it was made with.
        engine.command("set interface name row0 wan").unwrap();
        assert!(taken(add(&engine, &class, "row0", &[1])).contains("row0-tx already"));
        engine.with(|main| {
            class.withdraw(main, first);
            main.change_interfaces(|table| table.delete_hardware(first)).unwrap();
        });
        let again = add(&engine, &class, "row0", &[1]).unwrap();
        engine.command("set interface state row0 up").unwrap();
        engine.with(|main| {
            let node = main.graph().require("row0-tx").unwrap();
            main.frame_to(node).push(|buffer| buffer.append(&[0; 60])).unwrap();
        });
        engine.run_until_idle();
        let lost = engine.with(|main| main.interface_counters().of(again));
        assert!(lost.contains(&("tx-error".to_owned(), 1)), "{lost:?}");
        // Nodes of others are not taken.
        engine.command("create loopback interface").unwrap();
        engine.command("delete loopback interface intfc loop0").unwrap();
        assert!(taken(add(&engine, &class, "loop0", &[1])).contains("loop0-tx already"));
    }
}
