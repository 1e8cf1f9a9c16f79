//! Interfaces that only listen: both directions of what the host's interface carries, for who measures it.
//!
//! The kernel gives a copy of each packet, of which the first octets are enough ([`Listening::octets`]), into a ring of the third
//! version. Nothing is sent, nothing of the host's interface is changed, and its stack does not notice. What the host itself
//! sends has [`Buffer::tx`](vnet::buffer::Buffer::tx) set beside `rx`. A loopback interface shows each packet twice, as it is sent and as it is received; it is taken
//! when it is received.

use nodes::interface::DeviceError;
use vnet::{
    host::{Link, LinkLayer},
    interface::SwIfIndex,
    runtime::Main,
};

use crate::{HostError, HostInterfaces, NewHostInterface};

/// How an interface listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Octets of each packet that are taken.
    pub octets: u32,
    /// Packets begin with their link header; else with what is behind it.
    pub has_link: bool,
    /// What the host itself sends is left out.
    pub ignores_outgoing: bool,
}

impl Listening {
    /// Milliseconds after which a block of packets is handed over that is not full. Nobody waits for these packets.
    pub(crate) const RETIRE_MS: u32 = 10;
}

/// What is asked for of an interface that is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name of the host's interface.
    pub name: String,
    /// Receive queues, among which flows are shared.
    pub queues: u16,
    /// The device is to receive all frames, not only those for the host.
    pub promiscuous: bool,
    /// Octets of each packet that are taken.
    pub octets: u32,
}

/// What became of the packets that a listening interface heard, large ones as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// By the kernel: those taken, those that wait, and those lost.
    pub packets: u64,
    /// For which the ring had no room.
    pub lost: u64,
    /// Taken out of the ring.
    pub taken: u64,
    /// Of those, such as could not be read.
    pub unreadable: u64,
}

impl Heard {
    /// Packets that wait in the ring.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.packets.saturating_sub(self.lost + self.taken)
    }
}

impl core::ops::AddAssign for Heard {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.taken += other.taken;
        self.unreadable += other.unreadable;
    }
}

impl HostInterfaces {
    /// Makes `host-<name>`, which only listens, and does so once it is set up.
    ///
    /// # Errors
    /// When the host has no such interface, or the process may not open packet sockets.
    pub fn listen(&self, main: &mut Main, new: &Listener) -> Result<SwIfIndex, HostError> {
        let asked = Link::named(&new.name);
        let asked = asked.map_err(|error| HostError::of(&new.name, "ask for it", error))?;
        let link = asked.ok_or_else(|| HostError::NoSuchLink(new.name.clone()))?;
        let ethernet = link.layer == LinkLayer::Ethernet;
        let listening = Listening {
            octets: new.octets,
            has_link: link.layer != LinkLayer::Other,
            ignores_outgoing: link.loopback,
        };
        let interface = self.create(
            main,
            &NewHostInterface {
                name: new.name.clone(),
                mac: None,
                rx_queues: new.queues,
                tx_queues: 0,
                ip: !ethernet,
                bypass_qdisc: false,
                offloads: true,
                v2: false,
                listening: Some(listening),
            },
        )?;
        if new.promiscuous && !link.loopback {
            let set = main.change_interfaces(|table| table.set_promiscuous(interface, true));
            set.map_err(DeviceError::from)?;
        }
        Ok(interface)
    }

    /// Lets no more packets in; what waits can still be taken.
    pub fn shut(&self, interface: SwIfIndex) {
        if let Some(port) = self.port(interface) {
            port.shut();
        }
    }

    /// What a listening interface has heard.
    #[must_use]
    pub fn heard(&self, interface: SwIfIndex) -> Heard {
        self.port(interface).map_or_else(Heard::default, |port| port.heard())
    }

    /// The host's interface behind one here, as it was last; `None` when it is gone.
    #[must_use]
    pub fn host_link(&self, interface: SwIfIndex) -> Option<Link> {
        self.port(interface)?.link()
    }
}
