//! A host interface on the main thread: its queues, and the device behind it.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
};

use vnet::{
    graph::InputMode,
    host::{Link, Memberships},
    interface::{Device, Duplex, LinkState, Offloads, SwIfIndex, Verbosity},
    runtime::Main,
};

use crate::{
    abi::Version,
    error::{HostError, OPEN},
    listen::{Heard, Listening},
    queue::{RxQueue, RxSettings, TxQueue},
    tx::TxSettings,
};

/// What `create host-interface` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHostInterface {
    /// The name of the host's interface.
    pub name: String,
    /// MAC address of the interface here; a random one unless given.
    pub mac: Option<[u8; 6]>,
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
    /// Packets begin with an IP header.
    pub ip: bool,
    /// Packets are handed to the device past its queueing discipline.
    pub bypass_qdisc: bool,
    /// Checksums and the cutting of large packets are left to the host.
    pub offloads: bool,
    /// Receive rings are of the second version, also where they are polled.
    pub v2: bool,
    /// It only listens: nothing is sent, and nothing of the host's interface is changed.
    pub listening: Option<Listening>,
}

/// A host interface.
pub(crate) struct Port {
    /// The host's name of it when it was made, which it is deleted by.
    pub(crate) host_name: String,
    pub(crate) settings: NewHostInterface,
    pub(crate) ifindex: u32,
    pub(crate) interface: Cell<SwIfIndex>,
    pub(crate) rx: Vec<Arc<RxQueue>>,
    pub(crate) tx: Vec<Arc<TxQueue>>,
    /// What the host last said of it; `None` when it is gone.
    link: RefCell<Option<Link>>,
    fanout: Option<u16>,
    memberships: RefCell<Memberships>,
    /// Packets that were lost and are still to be counted.
    missed: Cell<u64>,
    missed_ever: Cell<u64>,
    /// What went wrong last, and whether the log has it.
    trouble: RefCell<Option<(String, bool)>>,
}

impl Port {
    /// Opens the sockets on `link`.
    pub(crate) fn open(new: &NewHostInterface, link: Link) -> Result<Self, HostError> {
        let name = &new.name;
        let (ifindex, mtu, offloads) = (link.index, link.mtu as usize, new.offloads);
        let listening = new.listening;
        let version = if listening.is_some() { Version::V3 } else { Version::V2 };
        let rx = RxSettings { ifindex, version, mtu, offloads, listening };
        let tx = TxSettings { ifindex, mtu, offloads, bypass_qdisc: new.bypass_qdisc };
        let rx: Vec<_> = (0..new.rx_queues)
            .map(|_| RxQueue::new(name, rx).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let tx_queues = if listening.is_some() { 0 } else { new.tx_queues };
        let tx: Vec<_> = (0..tx_queues)
            .map(|_| TxQueue::new(name, tx).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let memberships = Memberships::new(ifindex);
        let memberships = memberships.map_err(|error| HostError::of(name, OPEN, error))?;
        let mut fanout = None;
        if rx.len() > 1 {
            for queue in &rx {
                let group = queue.join_fanout(fanout);
                let failed = |error| HostError::of(name, "share packets among the queues", error);
                fanout = Some(group.map_err(failed)?);
            }
        }
        Ok(Self {
            host_name: name.clone(),
            settings: new.clone(),
            ifindex,
            interface: Cell::new(SwIfIndex::NONE),
            rx,
            tx,
            link: RefCell::new(Some(link)),
            fanout,
            memberships: RefCell::new(memberships),
            missed: Cell::new(0),
            missed_ever: Cell::new(0),
            trouble: RefCell::new(None),
        })
    }

    /// The link of the interface here, while that is up.
    pub(crate) fn link_state(&self) -> LinkState {
        let up = self.link.borrow().as_ref().is_some_and(Link::is_running);
        LinkState { up, speed: None, duplex: if up { Duplex::Full } else { Duplex::Unknown } }
    }

    /// The host's interface is as it is `now`. Its MTU, when it has changed.
    pub(crate) fn change_link(&self, now: Option<Link>) -> Option<u32> {
        let before = self.link.replace(now.clone());
        let mtu = now?.mtu;
        if before.is_some_and(|before| before.mtu == mtu) {
            return None;
        }
        let octets = mtu as usize;
        let made = self.rx.iter().try_for_each(|queue| queue.set_mtu(octets));
        let made = made.and_then(|()| self.tx.iter().try_for_each(|queue| queue.set_mtu(octets)));
        self.note(made, "make rings for another MTU");
        Some(mtu)
    }

    /// Adds what was lost to the counters.
    pub(crate) fn count_missed(&self, main: &Main) {
        self.collect_missed();
        let missed = self.missed.take();
        if missed > 0 {
            main.interface_writers().rx_miss.add(self.interface.get().0, missed);
        }
    }

    fn collect_missed(&self) {
        let missed: u64 = self.rx.iter().map(|queue| queue.take_missed()).sum();
        self.missed.set(self.missed.get() + missed);
        self.missed_ever.set(self.missed_ever.get() + missed);
    }

    fn note(&self, result: io::Result<()>, what: &'static str) {
        if let Err(error) = result {
            let text = HostError::of(&self.host_name, what, error).to_string();
            *self.trouble.borrow_mut() = Some((text, false));
        }
    }

    /// What went wrong since the last call.
    pub(crate) fn take_trouble(&self) -> Option<String> {
        let mut trouble = self.trouble.borrow_mut();
        let (text, logged) = trouble.as_mut()?;
        (!std::mem::replace(logged, true)).then(|| text.clone())
    }

    /// Has the device receive frames for `mac`, and no more for the address before.
    pub(crate) fn receive_for(&self, mac: [u8; 6]) {
        if self.settings.listening.is_some() {
            return;
        }
        let own = self.link.borrow().as_ref().and_then(|link| link.mac);
        let asked = self.memberships.borrow_mut().receive_for(mac, own);
        self.note(asked, "receive for another MAC address");
    }

    /// Sets the host's interface up, unless it is.
    fn prepare_up(&self) -> Result<(), HostError> {
        let link = Link::numbered(self.ifindex).ok().flatten();
        let is_ours = self.settings.listening.is_none();
        let set = link.filter(|link| is_ours && !link.up).map_or(Ok(()), |link| link.set_up());
        set.map_err(|error| HostError::of(&self.host_name, "set the host's interface up", error))
    }

    fn set_admin(&self, up: bool) -> LinkState {
        if up {
            self.follow_quietly();
        }
        let opened = self.rx.iter().try_for_each(|queue| queue.set_open(up));
        self.note(opened, "set a socket filter");
        self.link_state()
    }

    /// The host's interface as it was last; `None` when it is gone.
    pub(crate) fn link(&self) -> Option<Link> {
        self.link.borrow().clone()
    }

    /// Lets no more packets in; what waits can still be taken.
    pub(crate) fn shut(&self) {
        let shut = self.rx.iter().try_for_each(|queue| queue.shut());
        self.note(shut, "set a socket filter");
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Heard {
        let mut sum = Heard::default();
        self.rx.iter().for_each(|queue| sum += queue.heard());
        sum
    }

    /// Asks for the link. Its MTU is left to the process that follows changes.
    fn follow_quietly(&self) {
        let now = Link::numbered(self.ifindex).ok().flatten();
        let mtu = self.link.borrow().as_ref().map(|link| link.mtu);
        let now = now.map(|link| Link { mtu: mtu.unwrap_or(link.mtu), ..link });
        *self.link.borrow_mut() = now;
    }
}

/// The device behind a host interface.
pub(crate) struct HostDevice(pub(crate) Rc<Port>);

impl Device for HostDevice {
    fn set_admin(&mut self, up: bool) -> LinkState {
        self.0.set_admin(up)
    }

    fn prepare_up(&mut self) -> Result<(), String> {
        self.0.prepare_up().map_err(|error| error.to_string())
    }

    fn set_mac(&mut self, mac: [u8; 6]) {
        self.0.receive_for(mac);
    }

    fn set_promiscuous(&mut self, on: bool) {
        let set = self.0.memberships.borrow().set_promiscuous(on);
        self.0.note(set, "change the promiscuous mode");
    }

    fn set_rx_mode(&mut self, queue: u16, mode: InputMode) -> Result<(), String> {
        let Some(queue) = self.0.rx.get(usize::from(queue)) else { return Ok(()) };
        // Blocks are handed over when they are full or their time is up: good for who polls, late for who waits.
        let version = match mode {
            _ if queue.is_listening() => Version::V3,
            InputMode::Polling if !self.0.settings.v2 => Version::V3,
            _ => Version::V2,
        };
        queue.set_version(version).map_err(|error| {
            HostError::of(&self.0.host_name, "make another receive ring", error).to_string()
        })
    }

    fn offloads(&self) -> Offloads {
        // Without them, too, the host leaves checksums of what it sends itself to be made, and says so.
        Offloads { takes: self.0.settings.offloads, brings: true }
    }

    fn details(&self, _: Verbosity) -> Vec<String> {
        let port = &self.0;
        port.collect_missed();
        let mut lines = vec![match &*port.link.borrow() {
            None => format!("Linux PACKET socket interface, {} is gone", port.host_name),
            Some(link) => format!(
                "Linux PACKET socket interface on {} (ifindex {}, mtu {}, {}{})",
                link.name,
                link.index,
                link.mtu,
                if link.up { "up" } else { "down" },
                if link.carrier { "" } else { ", no carrier" },
            ),
        }];
        let on = |on: bool| if on { "on" } else { "off" };
        lines.push(format!(
            "offloads (checksum, gso) {}, qdisc bypass {}",
            on(port.settings.offloads),
            on(port.settings.bypass_qdisc)
        ));
        for (i, queue) in port.rx.iter().enumerate() {
            lines.push(format!("RX queue {i}: {}", queue.describe()));
        }
        for (i, queue) in port.tx.iter().enumerate() {
            lines.push(format!("TX queue {i}: {}", queue.describe()));
        }
        if let Some(group) = port.fanout {
            lines.push(format!("fanout group {group}, by the hash of the flow"));
        }
        lines.push(format!("missed by full rings: {}", port.missed_ever.get()));
        if let Some((trouble, _)) = &*port.trouble.borrow() {
            lines.push(format!("last error: {trouble}"));
        }
        lines
    }
}

impl Drop for HostDevice {
    fn drop(&mut self) {
        let missed: u64 = self.0.rx.iter().map(|queue| queue.close()).sum();
        self.0.missed.set(self.0.missed.get() + missed);
        self.0.tx.iter().for_each(|queue| queue.close());
    }
}
