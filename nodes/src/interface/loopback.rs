//! The loopback interface: what is sent by it comes back from it.

use vnet::{
    buffer::Buffer,
    graph::{GraphError, Map, NodeFlags, NodeSpec, PacketCx, Slot},
    interface::{InterfaceError, NewHardware, NoWire, SwIfIndex},
    runtime::Main,
    trace::NoTrace,
};

vnet::next_nodes! {
    /// Where frames go that were sent by a loopback interface.
    pub(crate) enum Next {
        Ethernet => "ethernet-input",
    }
}

/// The class of loopback interfaces.
pub(crate) const CLASS: &str = "Loopback";
/// The largest frame.
const MAX_FRAME: u32 = 9216;

/// Why there is no loopback interface.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    /// The interface table refused.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The graph refused.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The interface is something else.
    #[error("interface `{0}' is not a loopback interface")]
    NotLoopback(String),
}

/// `loop<N>-tx`.
struct Tx;

impl Map for Tx {
    type Error = vnet::error::NoError;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Self::Error>, buffer: &mut Buffer) -> Slot<Next> {
        buffer.rx = buffer.tx;
        buffer.tx = SwIfIndex::NONE;
        let bytes = buffer.length_in_chain() as u64;
        cx.state().interfaces.rx.add(buffer.rx.0, 1, bytes);
        Next::Ethernet.into()
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// `create loopback interface [mac M] [instance N]`: makes `loop<N>`, the first free number unless one is given. Without a
/// MAC address it gets `de:ad:00:00:<N>`, as VPP's does.
///
/// # Errors
/// When the name is taken or the address no unicast one.
pub fn create(
    main: &mut Main,
    mac: Option<[u8; 6]>,
    instance: Option<u32>,
) -> Result<SwIfIndex, LoopbackError> {
    let free = (0..).find(|n| main.interfaces().find(&format!("loop{n}")).is_err());
    let instance = instance.or(free).unwrap_or(0);
    let name = format!("loop{instance}");
    let [.., high, low] = instance.to_be_bytes();
    let tx = format!("{name}-tx");
    let node = match main.graph().find(&tx) {
        // Nodes cannot be removed: a deleted interface leaves its own for the next of the same name.
        Some(node) => node,
        None => main.add_node(NodeSpec::map(&tx, |_| Tx).flags(NodeFlags::OUTPUT))?,
    };
    let tx_next = super::add_device(main, node)?;
    let new = NewHardware {
        name,
        device_class: CLASS,
        device_instance: instance,
        mac: Some(mac.unwrap_or([0xde, 0xad, 0, 0, high, low])),
        max_frame_size: MAX_FRAME,
        mtu: 9000,
        tx_next: tx_next.0,
    };
    Ok(main.add_device(new, Box::new(NoWire))?)
}

/// `delete loopback interface intfc <if>`.
///
/// # Errors
/// When there is no such interface, or it is something else.
pub fn delete(main: &mut Main, interface: SwIfIndex) -> Result<(), LoopbackError> {
    main.change_interfaces(|table| {
        let hw = table.hardware_of(interface)?;
        if hw.device_class != CLASS || hw.sw_if_index != interface {
            return Err(LoopbackError::NotLoopback(hw.name.clone()));
        }
        Ok(table.delete_hardware(interface)?)
    })
}
