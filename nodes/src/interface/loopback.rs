//! The loopback interface: what is sent by it comes back from it, or goes into the bridge domain that it routes for.

use vnet::{
    buffer::{Buffer, BufferFlags},
    graph::{GraphError, Map, NodeFlags, NodeSpec, PacketCx, Slot},
    interface::{InterfaceError, NewHardware, NoWire, SwIfIndex},
    l2::{BVI_CLASS, L2, LOOPBACK_CLASS, Role},
    runtime::Main,
    trace::NoTrace,
};

vnet::next_nodes! {
    /// Where frames go that were sent by a loopback interface.
    pub(crate) enum Next {
        Ethernet => "ethernet-input",
        L2 => "l2-input",
    }
}

/// The largest frame: there is no wire, and VPP's takes packets of 9216 octets.
const MAX_FRAME: u32 = 9216 + 14;
/// The largest number that one can be asked for with.
pub(super) const MAX_INSTANCE: u32 = 16383;

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
    /// The interface is something else.
    #[error("interface `{0}' was not made by `bvi create'")]
    NotBvi(String),
    /// The built-in nodes are not there.
    #[error("the engine has no layer 2")]
    NoLayer2,
}

/// `loop<N>-tx`, `bvi<N>-tx`.
struct Tx {
    l2: L2,
    /// Whether what is sent outside of a bridge domain comes back.
    comes_back: bool,
}

impl Map for Tx {
    type Error = vnet::error::NoError;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Self::Error>, buffer: &mut Buffer) -> Slot<Next> {
        buffer.rx = buffer.tx;
        buffer.tx = SwIfIndex::NONE;
        let routes = self.l2.read(cx.token()).port(buffer.rx).role == Role::Bvi;
        if routes || !self.comes_back {
            return Next::L2.into();
        }
        // It ages from now on, as whatever is received: what is routed to where it came from ends.
        buffer.clear_flags(BufferFlags::LOCALLY_ORIGINATED);
        let bytes = buffer.length_in_chain() as u64;
        cx.state().interfaces.rx.add(buffer.rx.0, 1, bytes);
        Next::Ethernet.into()
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// What is made: its class, the beginning of its name, and of the MAC address that it gets.
struct Kind {
    class: &'static str,
    name: &'static str,
    mac: [u8; 4],
}

const LOOPBACK: Kind = Kind { class: LOOPBACK_CLASS, name: "loop", mac: [0xde, 0xad, 0, 0] };
const BVI: Kind = Kind { class: BVI_CLASS, name: "bvi", mac: [0xb0, 0xb0, 0, 0] };

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
    make(main, &LOOPBACK, mac, instance)
}

/// `bvi create [mac M] [instance N]`: makes `bvi<N>`, which can route for a bridge domain and do nothing else. Without a MAC
/// address it gets `b0:b0:00:00:<N>`, as VPP's does.
///
/// # Errors
/// As [`create`].
pub fn create_bvi(
    main: &mut Main,
    mac: Option<[u8; 6]>,
    instance: Option<u32>,
) -> Result<SwIfIndex, LoopbackError> {
    make(main, &BVI, mac, instance)
}

fn make(
    main: &mut Main,
    kind: &Kind,
    mac: Option<[u8; 6]>,
    instance: Option<u32>,
) -> Result<SwIfIndex, LoopbackError> {
    let numbered = |n: u32| format!("{}{n}", kind.name);
    let free = (0..).find(|n| main.interfaces().find(&numbered(*n)).is_err());
    let instance = instance.or(free).unwrap_or(0);
    let name = numbered(instance);
    let [.., high, low] = instance.to_be_bytes();
    let [a, b, c, d] = kind.mac;
    let tx = format!("{name}-tx");
    let node = match main.graph().find(&tx) {
        // Nodes cannot be removed: a deleted interface leaves its own for the next of the same name.
        Some(node) => node,
        None => {
            let l2 = main.provided::<L2>().ok_or(LoopbackError::NoLayer2)?.clone();
            let comes_back = kind.class == LOOPBACK_CLASS;
            let tx = NodeSpec::map(&tx, move |_| Tx { l2: l2.clone(), comes_back });
            main.add_node(tx.flags(NodeFlags::OUTPUT))?
        }
    };
    let tx_next = super::add_device(main, node)?;
    let new = NewHardware {
        name,
        device_class: kind.class,
        device_instance: instance,
        mac: Some(mac.unwrap_or([a, b, c, d, high, low])),
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
    unmake(main, interface, LOOPBACK_CLASS, LoopbackError::NotLoopback)
}

/// `bvi delete <if>`.
///
/// # Errors
/// When there is no such interface, or it is something else.
pub fn delete_bvi(main: &mut Main, interface: SwIfIndex) -> Result<(), LoopbackError> {
    unmake(main, interface, BVI_CLASS, LoopbackError::NotBvi)
}

fn unmake(
    main: &mut Main,
    interface: SwIfIndex,
    class: &str,
    other: impl FnOnce(String) -> LoopbackError,
) -> Result<(), LoopbackError> {
    main.change_interfaces(|table| {
        let hw = table.hardware_of(interface)?;
        if hw.device_class != class || hw.sw_if_index != interface {
            return Err(other(hw.name.clone()));
        }
        Ok(table.delete_hardware(interface)?)
    })
}
