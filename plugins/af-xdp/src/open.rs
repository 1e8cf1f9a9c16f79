//! How the sockets of an interface are opened: whether the device reads and writes buffers itself, and packets of several buffers.

use std::{io, sync::Arc, thread, time::Duration};

use vnet::{
    buffer::{BufferPool, DATA_OFFSET, DATA_SIZE, PageKind},
    host::{Link, LinkLayer, Memberships},
};

use crate::{
    abi::PACKET_HEADROOM,
    attach::Attached,
    error::{BIND, OPEN, REGISTER, XdpError},
    queue::Queue,
    rx::RxSide,
    socket::{self, XdpSocket},
    tx::TxSide,
};

/// Octets in front of a packet that an MTU does not count: an Ethernet header and two tags.
pub(crate) const LINK_HEADERS: u32 = 22;
/// The most buffers of a packet: a socket buffer has no more fragments.
const MOST_BUFFERS: usize = 17;
/// How often and after what time a queue is asked for again that a socket has which was closed: the kernel takes its time with it.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

// The kernel leaves its own headroom free, and puts packets right behind: where the data of a buffer begin.
const _: () = assert!(DATA_OFFSET == PACKET_HEADROOM);

/// Where the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the driver if that can, behind it otherwise.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// Behind the driver.
    Generic,
}

/// Who moves packets between device and buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copying {
    /// The device if its driver has zero-copy, the kernel otherwise.
    #[default]
    Auto,
    /// The device.
    Never,
    /// The kernel.
    Always,
}

/// What `create interface af_xdp` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewXdpInterface {
    /// The name of the host's interface.
    pub host_if: String,
    /// The name here; `<host-if>/<n>` unless given.
    pub name: Option<String>,
    /// Queues; `None` for all that the device has.
    pub queues: Option<u32>,
    /// Entries of the rings of received packets, a power of two.
    pub rx_entries: u32,
    /// Entries of the rings of packets to send, a power of two.
    pub tx_entries: u32,
    /// Who moves packets.
    pub copying: Copying,
    /// Where the program runs.
    pub mode: Mode,
}

/// An interface that is open.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) attached: Attached,
    pub(crate) memberships: Memberships,
    pub(crate) queues: Vec<Arc<Queue>>,
    /// Receive queues of the device, those included that are left to the host.
    pub(crate) device_queues: u32,
    pub(crate) how: How,
    /// Why the device does not move packets itself, where it was asked to.
    pub(crate) copies_because: Option<io::Error>,
}

/// How sockets are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    pub(crate) zero_copy: bool,
    /// Packets may have several buffers.
    pub(crate) several: bool,
}

impl How {
    fn flags(self) -> u16 {
        let copy = if self.zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
        let several = if self.several { libc::XDP_USE_SG } else { 0 };
        libc::XDP_USE_NEED_WAKEUP | copy | several
    }

    /// The most buffers of a packet.
    pub(crate) fn most_buffers(self) -> usize {
        if self.several { MOST_BUFFERS } else { 1 }
    }

    /// Octets of the longest frame.
    pub(crate) fn longest(self) -> u32 {
        (self.most_buffers() * DATA_SIZE) as u32
    }
}

/// Opens the interface; packets are left to the host until its sockets are told to the program.
pub(crate) fn open(new: &NewXdpInterface, pool: &BufferPool) -> Result<Opened, XdpError> {
    let name = &new.host_if;
    let asked = Link::named(name).map_err(|error| XdpError::of(name, "ask for it", error))?;
    let link = asked.ok_or_else(|| XdpError::NoSuchLink(name.clone()))?;
    if link.layer != LinkLayer::Ethernet {
        return Err(XdpError::NotEthernet(name.clone()));
    }
    let has = device_queues(&link)?;
    let count = new.queues.unwrap_or(has);
    if count > has {
        return Err(XdpError::Queues { name: name.clone(), has, asked: count });
    }
    let memberships = Memberships::new(link.index);
    let memberships = memberships.map_err(|error| XdpError::of(name, OPEN, error))?;
    let attached = Attached::new(name, link.index, has, new.mode)?;
    let (how, queues, copies_because) = open_sockets(new, &link, count, pool)?;
    let most = how.longest() - LINK_HEADERS;
    if link.mtu > most && !how.several {
        return Err(XdpError::Mtu { name: name.clone(), mtu: link.mtu, most });
    }
    Ok(Opened { link, attached, memberships, queues, device_queues: has, how, copies_because })
}

fn device_queues(link: &Link) -> Result<u32, XdpError> {
    let asked = socket::receive_queues(&link.name);
    let counted = asked.map_err(|error| XdpError::of(&link.name, "count its queues", error))?;
    Ok(counted.or(link.rx_queues).unwrap_or(1).max(1))
}

/// The ways to bind that come into question, the best first.
fn ways(new: &NewXdpInterface, mtu: u32, pages: PageKind) -> Result<Vec<How>, XdpError> {
    let is_long = mtu + LINK_HEADERS > DATA_SIZE as u32;
    // A device may not have packets of several buffers, and need not as long as there are none.
    let several = [true, false].into_iter().filter(|&several| several || !is_long);
    let zero_copy = several.map(|several| How { zero_copy: true, several });
    let copy = [true, false].map(|several| How { zero_copy: false, several });
    let is_one_piece = pages != PageKind::Small;
    match new.copying {
        Copying::Always => Ok(copy.to_vec()),
        Copying::Never if !is_one_piece => Err(XdpError::SmallPages(pages.to_string())),
        Copying::Never => Ok(zero_copy.collect()),
        Copying::Auto if !is_one_piece => Ok(copy.to_vec()),
        Copying::Auto => Ok(zero_copy.chain(copy).collect()),
    }
}

type Sockets = (How, Vec<Arc<Queue>>, Option<io::Error>);

/// Why sockets are not open.
enum Failure {
    /// The kernel does not bind them like this.
    Bind(io::Error),
    Other(XdpError),
}

/// Opens sockets the best way that kernel and driver have.
fn open_sockets(
    new: &NewXdpInterface,
    link: &Link,
    count: u32,
    pool: &BufferPool,
) -> Result<Sockets, XdpError> {
    let name = &link.name;
    let (mut no_zero_copy, mut last) = (None, None);
    for how in ways(new, link.mtu, pool.arena().pages())? {
        match open_as(new, link, count, how, pool) {
            Ok(queues) => return Ok((how, queues, no_zero_copy)),
            // Drivers say in many ways that they cannot.
            Err(Failure::Bind(error)) if how.zero_copy && !is_final(&error) => {
                no_zero_copy = Some(error);
            }
            Err(Failure::Bind(error)) if is_lacking(&error) => last = Some(error),
            Err(Failure::Bind(error)) => return Err(XdpError::of(name, BIND, error)),
            Err(Failure::Other(error)) => return Err(error),
        }
    }
    Err(match (last, no_zero_copy) {
        (None, Some(error)) => XdpError::NoZeroCopy { name: name.clone(), error },
        (last, _) => XdpError::of(name, BIND, last.unwrap_or_else(io::Error::last_os_error)),
    })
}

/// Whether kernel or driver lack what was asked for.
fn is_lacking(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL))
}

/// Whether another way to bind would fail as well.
fn is_final(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EPERM | libc::ENODEV))
}

/// Opens a socket for each queue. All of them share the memory of the first, and how that is bound.
fn open_as(
    new: &NewXdpInterface,
    link: &Link,
    count: u32,
    how: How,
    pool: &BufferPool,
) -> Result<Vec<Arc<Queue>>, Failure> {
    let failed = |what| move |error| Failure::Other(XdpError::of(&link.name, what, error));
    let mut first: Option<Arc<XdpSocket>> = None;
    let mut queues = Vec::new();
    for number in 0..count {
        let socket = Arc::new(XdpSocket::new().map_err(failed(OPEN))?);
        if first.is_none() {
            socket.register(pool).map_err(failed(REGISTER))?;
        }
        let rx = RxSide::new(&socket, new.rx_entries, pool).map_err(failed("make its rings"))?;
        let tx = TxSide::new(&socket, new.tx_entries, how.zero_copy, pool);
        let tx = tx.map_err(failed("make its rings"))?;
        bind(&socket, link.index, number, how, first.as_deref()).map_err(Failure::Bind)?;
        queues.push(Arc::new(Queue::new(number, &socket, rx, tx, link.mtu, how)));
        first.get_or_insert(socket);
    }
    Ok(queues)
}

/// Binds a socket; waits for one before that has just been closed.
fn bind(
    socket: &XdpSocket,
    ifindex: u32,
    queue: u32,
    how: How,
    first: Option<&XdpSocket>,
) -> io::Result<()> {
    let flags = if first.is_some() { libc::XDP_SHARED_UMEM } else { how.flags() };
    let mut attempts = ATTEMPTS;
    loop {
        match socket.bind(ifindex, queue, flags, first) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && attempts > 0 => {
                attempts -= 1;
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways_of(copying: Copying, mtu: u32, pages: PageKind) -> Result<Vec<(bool, bool)>, XdpError> {
        let new = NewXdpInterface {
            host_if: "eth0".to_owned(),
            name: None,
            queues: Some(1),
            rx_entries: 1024,
            tx_entries: 1024,
            copying,
            mode: Mode::Auto,
        };
        let ways = ways(&new, mtu, pages)?;
        Ok(ways.into_iter().map(|how| (how.zero_copy, how.several)).collect())
    }

    #[test]
    fn the_device_moves_packets_where_it_can_and_may() {
        let all = [(true, true), (true, false), (false, true), (false, false)];
        let of = |copying, mtu, pages| ways_of(copying, mtu, pages).unwrap();
        assert_eq!(of(Copying::Auto, 1500, PageKind::Huge), all);
        assert_eq!(of(Copying::Always, 1500, PageKind::Huge), all[2..]);
        assert_eq!(of(Copying::Never, 1500, PageKind::TransparentHuge), all[..2]);
        // A device that takes one buffer a packet is none for long packets.
        assert_eq!(of(Copying::Auto, 9000, PageKind::Huge), [all[0], all[2], all[3]]);
        // Buffers of small pages are in several pieces to a device.
        assert_eq!(of(Copying::Auto, 1500, PageKind::Small), all[2..]);
        let refused = ways_of(Copying::Never, 1500, PageKind::Small).unwrap_err();
        assert!(refused.to_string().contains("huge pages"), "{refused}");
    }
}
