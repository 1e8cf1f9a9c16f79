//! A TAP interface on the main thread: the host's interface at its other end, and the device behind it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use vnet::{
    graph::InputMode,
    host::{Link, Namespace, OnHost, set_link},
    interface::{
        Device, HwIfIndex, HwInterface, LinkState, NoWire, Offloads, SwIfIndex, Verbosity,
    },
    log::Level,
    runtime::Main,
};

use crate::host::{Host, HostRequest, Made, Offload};

/// The class of these interfaces, as clients of VPP know it.
pub(crate) const CLASS: &str = "virtio";
/// What they are called in the log.
pub(crate) const LOG_CLASS: &str = "tap";
/// The largest frame that an interface has.
pub(crate) const MAX_FRAME: u32 = 65535;

/// A TAP interface.
pub(crate) struct Port {
    pub(crate) id: u32,
    pub(crate) sw_if_index: Cell<SwIfIndex>,
    pub(crate) hw_if_index: Cell<HwIfIndex>,
    pub(crate) host: Arc<Host>,
    /// What was asked of the host.
    pub(crate) asked: HostRequest,
    /// What the host last said of its end.
    link: RefCell<Link>,
    /// Where that is, unless in the program's own namespace.
    namespace: RefCell<Option<Namespace>>,
    /// What the operator calls that.
    namespace_name: RefCell<Option<String>>,
    /// That the host has deleted its end has been told.
    is_retired: Cell<bool>,
}

impl Port {
    pub(crate) fn new(id: u32, made: Made) -> Self {
        let Made { host, link, namespace, namespace_name, asked } = made;
        Self {
            id,
            sw_if_index: Cell::new(SwIfIndex::NONE),
            hw_if_index: Cell::new(HwIfIndex(u32::MAX)),
            host: Arc::new(host),
            asked,
            link: RefCell::new(link),
            namespace: RefCell::new(namespace),
            namespace_name: RefCell::new(namespace_name),
            is_retired: Cell::new(false),
        }
    }

    /// The MTU of the interface here.
    pub(crate) fn mtu(&self) -> u32 {
        self.link.borrow().mtu.min(MAX_FRAME - HwInterface::FRAME_OVERHEAD)
    }

    /// The host's end, as it was last.
    pub(crate) fn link(&self) -> Link {
        self.link.borrow().clone()
    }

    /// The namespace of the host's end, in the operator's words.
    pub(crate) fn namespace_name(&self) -> Option<String> {
        self.namespace_name.borrow().clone()
    }

    /// The link of the interface here, while that is up. The carrier of the host's end is what is made here of that.
    fn link_state(&self) -> LinkState {
        LinkState { up: self.link.borrow().up && !self.host.is_gone(), ..NoWire::LINK }
    }

    /// The host's end is no more where it was: it is elsewhere, or deleted.
    fn search(&self) {
        match self.host.find() {
            Ok(Some((namespace, link))) => {
                *self.namespace_name.borrow_mut() = Some(namespace.name());
                *self.namespace.borrow_mut() = Some(namespace);
                *self.link.borrow_mut() = link;
            }
            Ok(None) => self.host.note_gone(),
            // Where it is cannot be known, and packets pass.
            Err(_) => {}
        }
    }

    /// Stops receiving where the host has deleted its end, and takes the link down.
    fn retire(&self, main: &mut Main) {
        if !self.host.is_gone() || self.is_retired.replace(true) {
            return;
        }
        let hw_if_index = self.hw_if_index.get();
        // It has queues, and its device lets them be disabled.
        let disabled = main.set_rx_mode(hw_if_index, None, InputMode::Disabled);
        debug_assert!(disabled.is_ok(), "{}", self.link.borrow().name);
        set_link(main, self.sw_if_index.get(), self.link_state(), None);
        let name = main.interface_name(self.sw_if_index.get());
        let text =
            format!("{name}: the host has deleted its interface {}", self.link.borrow().name);
        main.log().write(main.log().class(LOG_CLASS, ""), Level::Warn, text);
    }
}

impl OnHost for Port {
    fn ifindex(&self) -> u32 {
        self.link.borrow().index
    }

    fn namespace(&self) -> Option<Namespace> {
        self.namespace.borrow().clone()
    }

    fn follow(&self, main: &mut Main, link: Option<Link>) {
        let before = self.mtu();
        match link {
            Some(link) => *self.link.borrow_mut() = link,
            None => self.search(),
        }
        let changed = Some(self.mtu()).filter(|mtu| *mtu != before);
        set_link(main, self.sw_if_index.get(), self.link_state(), changed);
        self.retire(main);
    }

    fn keep(&self, main: &mut Main) -> Option<String> {
        self.retire(main);
        None
    }
}

/// The device behind an interface.
pub(crate) struct TapDevice(pub(crate) Rc<Port>);

impl Device for TapDevice {
    fn set_admin(&mut self, up: bool) -> LinkState {
        self.0.host.set_carrier(up);
        self.0.link_state()
    }

    fn set_rx_mode(&mut self, _: u16, mode: InputMode) -> Result<(), String> {
        if self.0.host.is_gone() && mode != InputMode::Disabled {
            let name = self.0.link().name;
            return Err(format!("host interface {name} was deleted: nothing comes from it"));
        }
        Ok(())
    }

    fn offloads(&self) -> Offloads {
        // Whatever it brings, it takes everything as soon as packets have headers of virtio-net.
        let has_headers = self.0.host.offload != Offload::None;
        Offloads { takes: has_headers, brings: has_headers }
    }

    fn details(&self, _: Verbosity) -> Vec<String> {
        let (host, link) = (&*self.0.host, self.0.link());
        let word = host.kind.word().to_uppercase();
        let namespace = self.0.namespace_name().map(|name| format!(" in namespace {name}"));
        let state = match (host.is_gone(), link.up) {
            (true, _) => ", deleted by the host",
            (false, true) => "",
            (false, false) => ", down",
        };
        let namespace = namespace.unwrap_or_default();
        vec![
            format!("{word} interface, host interface {}{namespace}{state}", link.name),
            format!("{} queues, host MTU {}", host.queues.len(), link.mtu),
        ]
    }
}
