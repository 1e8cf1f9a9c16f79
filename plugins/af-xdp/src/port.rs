//! An AF_XDP interface on the main thread: its queues, its program, and the device behind it.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use vnet::{
    buffer::Lent,
    host::{Link, Memberships, OnHost, set_link},
    interface::{Device, Duplex, LinkState, Offloads, SwIfIndex, Verbosity},
    runtime::{EngineTime, Main},
};

use crate::{
    attach::Attached,
    error::XdpError,
    open::{How, LINK_HEADERS, Opened},
    queue::Queue,
};

/// After what time the buffers of a closed interface go back: the kernel, and a device that sends or receives without copying, let
/// go of them a while after the sockets are closed, and do not say when.
const GRACE: Duration = Duration::from_secs(2);

/// An AF_XDP interface.
pub(crate) struct Port {
    /// The host's name of it when it was made.
    host_name: String,
    ifindex: u32,
    pub(crate) interface: Cell<SwIfIndex>,
    pub(crate) queues: Vec<Arc<Queue>>,
    device_queues: u32,
    how: How,
    copies_because: Option<io::Error>,
    /// Checksums may be left to be made.
    pub(crate) completes: bool,
    attached: RefCell<Option<Attached>>,
    memberships: RefCell<Memberships>,
    /// What the host last said of it; `None` when it is gone.
    link: RefCell<Option<Link>>,
    losses: RefCell<Losses>,
    /// What went wrong last, and whether the log has it.
    trouble: RefCell<Option<(String, bool)>>,
    /// Buffers that the kernel had when the sockets were closed, and when they were first seen after.
    returning: RefCell<Option<(Vec<Lent>, Option<EngineTime>)>>,
}

/// What the kernel has lost, as it counts.
#[derive(Clone, Copy, Default)]
struct Losses {
    /// Packets for which the fill ring had no buffers, or that were too long.
    dropped: u64,
    /// Packets for which the ring had no room.
    ring_full: u64,
    /// Entries of the transmit ring that the kernel has refused.
    refused: u64,
    /// How often there was no buffer in the fill ring.
    no_buffers: u64,
    /// Packets that waited when the sockets were closed.
    closed: u64,
    /// Of all these, what the interface's counters have.
    missed_counted: u64,
    refused_counted: u64,
}

impl Port {
    pub(crate) fn new(host_name: String, opened: Opened) -> Self {
        let Opened { link, attached, memberships, queues, device_queues, how, copies_because } =
            opened;
        Self {
            host_name,
            ifindex: link.index,
            interface: Cell::new(SwIfIndex::NONE),
            queues,
            device_queues,
            how,
            copies_because,
            completes: link.is_virtual || !attached.is_native,
            attached: RefCell::new(Some(attached)),
            memberships: RefCell::new(memberships),
            link: RefCell::new(Some(link)),
            losses: RefCell::default(),
            trouble: RefCell::new(None),
            returning: RefCell::new(None),
        }
    }

    /// Octets of the longest frame.
    pub(crate) fn max_frame_size(&self) -> u32 {
        self.how.longest()
    }

    /// The MTU that the interface has when the host's has `mtu`.
    pub(crate) fn mtu(&self, mtu: u32) -> u32 {
        mtu.min(self.how.longest() - LINK_HEADERS)
    }

    /// The buffers are all back.
    pub(crate) fn is_gone(&self) -> bool {
        self.attached.borrow().is_none() && self.returning.borrow().is_none()
    }

    fn link_state(&self) -> LinkState {
        let up = self.link.borrow().as_ref().is_some_and(Link::is_running);
        LinkState { up, speed: None, duplex: if up { Duplex::Full } else { Duplex::Unknown } }
    }

    fn note(&self, result: io::Result<()>, what: &'static str) {
        if let Err(error) = result {
            self.complain(XdpError::of(&self.host_name, what, error).to_string());
        }
    }

    fn complain(&self, text: String) {
        *self.trouble.borrow_mut() = Some((text, false));
    }

    /// Puts buffers into the fill rings, and takes back those that were sent.
    pub(crate) fn supply(&self, main: &mut Main) {
        for queue in &self.queues {
            if let Some(rx) = &mut *queue.rx() {
                let room = rx.room();
                main.lend_buffers(room, |lent| rx.fill(lent));
                rx.publish();
            }
            if let Some(tx) = &mut *queue.tx() {
                tx.reap(|lent| main.take_back(lent));
                let refused = tx.send_rest();
                if refused > 0 {
                    main.interface_writers().tx_error.add(self.interface.get().0, refused);
                }
            }
        }
    }

    /// Asks the kernel what it has lost.
    fn collect_losses(&self) {
        let mut now = Losses::default();
        for queue in &self.queues {
            let Ok(Some(counted)) = queue.statistics() else { return };
            now.dropped += counted.rx_dropped;
            now.ring_full += counted.rx_ring_full;
            now.refused += counted.tx_invalid_descs;
            now.no_buffers += counted.rx_fill_ring_empty_descs;
        }
        let mut losses = self.losses.borrow_mut();
        let Losses { closed, missed_counted, refused_counted, .. } = *losses;
        *losses = Losses { closed, missed_counted, refused_counted, ..now };
    }

    /// Adds what was lost to the interface's counters.
    pub(crate) fn count_losses(&self, main: &Main) {
        let mut losses = self.losses.borrow_mut();
        let missed = losses.dropped + losses.ring_full + losses.closed;
        let (counters, interface) = (main.interface_writers(), self.interface.get().0);
        if missed > losses.missed_counted {
            counters.rx_miss.add(interface, missed - losses.missed_counted);
            losses.missed_counted = missed;
        }
        if losses.refused > losses.refused_counted {
            counters.tx_error.add(interface, losses.refused - losses.refused_counted);
            losses.refused_counted = losses.refused;
        }
    }

    /// Sets the host's interface up, unless it is.
    fn prepare_up(&self) -> Result<(), XdpError> {
        let link = Link::numbered(self.ifindex).ok().flatten();
        let set = link.filter(|link| !link.up).map_or(Ok(()), |link| link.set_up());
        set.map_err(|error| XdpError::of(&self.host_name, "set the host's interface up", error))
    }

    /// Gives packets to the sockets, or leaves them to the host.
    fn set_admin(&self, up: bool) -> LinkState {
        if up {
            // Its MTU is left to the process that follows changes.
            let now = Link::numbered(self.ifindex).ok().flatten();
            let mtu = self.link.borrow().as_ref().map(|link| link.mtu);
            *self.link.borrow_mut() = now.map(|link| Link { mtu: mtu.unwrap_or(link.mtu), ..link });
        }
        if let Some(attached) = &*self.attached.borrow() {
            for queue in &self.queues {
                let set =
                    queue.with_socket(|socket| attached.set(queue.number, up.then_some(socket)));
                self.note(set.unwrap_or(Ok(())), "change the map of sockets");
            }
        }
        self.link_state()
    }

    /// Whether it is the one behind `interface`, and not closed.
    pub(crate) fn is_on(&self, interface: SwIfIndex) -> bool {
        self.interface.get() == interface && self.attached.borrow().is_some()
    }

    /// Takes the program off the host's interface and closes the sockets, if that is still to be done.
    pub(crate) fn close(&self) {
        if self.attached.borrow().is_none() {
            return;
        }
        self.collect_losses();
        *self.attached.borrow_mut() = None;
        let mut returning = Vec::new();
        for queue in &self.queues {
            let closed = queue.close();
            self.losses.borrow_mut().closed += closed.lost;
            returning.extend(closed.lent);
        }
        *self.returning.borrow_mut() = Some((returning, None));
    }

    /// Gives buffers back that the kernel has let go of.
    fn give_back(&self, main: &mut Main) {
        let mut returning = self.returning.borrow_mut();
        let Some((_, seen)) = &mut *returning else { return };
        let now = main.clock().now();
        let since = *seen.get_or_insert(now);
        if now.since(since) >= GRACE
            && let Some((buffers, _)) = returning.take()
        {
            buffers.into_iter().for_each(|lent| main.take_back(lent));
        }
    }
}

impl OnHost for Port {
    fn ifindex(&self) -> u32 {
        self.ifindex
    }

    fn follow(&self, main: &mut Main, link: Option<Link>) {
        if self.attached.borrow().is_none() {
            return;
        }
        let before = self.link.replace(link.clone());
        let changed = link.map(|link| link.mtu).filter(|mtu| before.is_none_or(|b| b.mtu != *mtu));
        if let Some(mtu) = changed {
            self.queues.iter().for_each(|queue| queue.set_mtu(mtu));
            if self.mtu(mtu) < mtu {
                let (name, most) = (&self.host_name, self.mtu(mtu));
                self.complain(format!(
                    "`{name}' has MTU {mtu}: frames of more than {most} are lost"
                ));
            }
        }
        set_link(main, self.interface.get(), self.link_state(), changed.map(|mtu| self.mtu(mtu)));
    }

    fn keep(&self, main: &mut Main) -> Option<String> {
        if self.attached.borrow().is_some() {
            self.supply(main);
            self.collect_losses();
            self.count_losses(main);
        }
        self.give_back(main);
        let mut trouble = self.trouble.borrow_mut();
        let (text, logged) = trouble.as_mut()?;
        (!std::mem::replace(logged, true)).then(|| text.clone())
    }
}

/// The device behind an AF_XDP interface.
pub(crate) struct XdpDevice(pub(crate) Rc<Port>);

impl Device for XdpDevice {
    fn set_admin(&mut self, up: bool) -> LinkState {
        self.0.set_admin(up)
    }

    fn prepare_up(&mut self) -> Result<(), String> {
        self.0.prepare_up().map_err(|error| error.to_string())
    }

    fn set_mac(&mut self, mac: [u8; 6]) {
        let own = self.0.link.borrow().as_ref().and_then(|link| link.mac);
        let asked = self.0.memberships.borrow_mut().receive_for(mac, own);
        self.0.note(asked, "receive for another MAC address");
    }

    fn set_promiscuous(&mut self, on: bool) {
        let set = self.0.memberships.borrow().set_promiscuous(on);
        self.0.note(set, "change the promiscuous mode");
    }

    fn offloads(&self) -> Offloads {
        Offloads { takes: false, brings: self.0.completes }
    }

    fn details(&self, _: Verbosity) -> Vec<String> {
        let port = &self.0;
        port.collect_losses();
        let mut lines = vec![match &*port.link.borrow() {
            None => format!("AF_XDP interface, {} is gone", port.host_name),
            Some(link) => format!(
                "AF_XDP interface on {} (ifindex {}, mtu {}, {}{})",
                link.name,
                link.index,
                link.mtu,
                if link.up { "up" } else { "down" },
                if link.carrier { "" } else { ", no carrier" },
            ),
        }];
        lines.push(port.describe_mode());
        for queue in &port.queues {
            let [rx, tx] = queue.describe();
            lines.push(format!("RX queue {}: {rx}", queue.number));
            lines.push(format!("TX queue {}: {tx}", queue.number));
        }
        let used = port.queues.len() as u32;
        if used < port.device_queues {
            let (first, last) = (used, port.device_queues - 1);
            lines.push(format!(
                "packets of the device's queues {first} to {last} are left to the host"
            ));
        }
        let held: usize = port.queues.iter().map(|queue| queue.count()).sum();
        lines.push(format!("buffers held: {held}"));
        let Losses { dropped, ring_full, refused, no_buffers, closed: _, .. } =
            *port.losses.borrow();
        lines.push(format!(
            "missed: no buffer or too long {dropped}, ring full {ring_full}; fill ring found empty {no_buffers}; not sent {refused}"
        ));
        if let Some((trouble, _)) = &*port.trouble.borrow() {
            lines.push(format!("last error: {trouble}"));
        }
        lines
    }
}

impl Port {
    fn describe_mode(&self) -> String {
        let attached = self.attached.borrow();
        let program = attached.as_ref().map_or_else(String::new, Attached::describe);
        let several =
            if self.how.several { "several buffers a packet" } else { "one buffer a packet" };
        let copying = match (self.how.zero_copy, &self.copies_because) {
            (true, _) => "zero-copy".to_owned(),
            (false, None) => "the kernel copies".to_owned(),
            (false, Some(error)) => format!("the kernel copies (zero-copy: {error})"),
        };
        let checksums = if self.completes { ", checksums left open are noted" } else { "" };
        format!("{program}, {copying}, {several}{checksums}")
    }
}

impl Drop for XdpDevice {
    fn drop(&mut self) {
        self.0.close();
    }
}
