//! The host's side of a TAP interface: the kernel's interface, and what the operator wants of it.

use std::{
    fs::{File, OpenOptions},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::OpenOptionsExt,
    sync::atomic::{AtomicBool, Ordering},
};

use netlink_packet_route::link::LinkAttribute;
use vnet::{
    command::value::IpWithLength,
    host::{Link, Namespace},
};

use crate::{error::TapError, netlink, sys};

/// What packets of an interface begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An Ethernet header.
    Tap,
    /// An IPv4 or IPv6 header.
    Tun,
}

impl Kind {
    /// What names of its interfaces begin with.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::Tun => "tun",
        }
    }

    fn flags(self) -> libc::c_int {
        let kind = match self {
            Self::Tap => libc::IFF_TAP,
            Self::Tun => libc::IFF_TUN,
        };
        kind | libc::IFF_NO_PI
    }
}

/// What the host may leave to be done to its packets. It takes packets to which all of that is to be done, unless it is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Nothing.
    #[default]
    None,
    /// The making of checksums.
    Checksum,
    /// That, and the cutting of large packets.
    Gso,
}

impl Offload {
    /// `TUN_F_*` of linux/if_tun.h, with and without those that kernels before 6.2 do not know.
    fn flags(self) -> [u32; 2] {
        let checksum = libc::TUN_F_CSUM;
        let large = libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        match self {
            Self::None => [0, 0],
            Self::Checksum => [checksum, checksum],
            Self::Gso => [checksum | large | libc::TUN_F_USO4 | libc::TUN_F_USO6, checksum | large],
        }
    }
}

/// What is asked of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRequest {
    /// What packets begin with.
    pub kind: Kind,
    /// Name of the host's interface; the kernel chooses one where there is none.
    pub name: Option<String>,
    /// Network namespace: a name in `/var/run/netns`, `pid:<n>`, or the path of a file.
    pub namespace: Option<String>,
    /// Queues.
    pub queues: u16,
    /// Use an interface that is there, instead of making one.
    pub attach: bool,
    /// Its MAC address.
    pub mac: Option<[u8; 6]>,
    /// Its MTU in octets.
    pub mtu: Option<u32>,
    /// The bridge that it becomes a port of.
    pub bridge: Option<String>,
    /// Its IPv4 address.
    pub ip4: Option<IpWithLength>,
    /// Its IPv6 address.
    pub ip6: Option<IpWithLength>,
    /// The host's default gateway.
    pub gateway4: Option<Ipv4Addr>,
    /// The host's default gateway of IPv6.
    pub gateway6: Option<Ipv6Addr>,
    /// What it may leave to be done.
    pub offload: Offload,
}

impl HostRequest {
    /// Whether it makes sense with an interface here that is to have that MAC address.
    ///
    /// # Errors
    /// When it has words of Ethernet for packets that have none.
    pub(crate) fn check(&self, mac: Option<[u8; 6]>) -> Result<(), TapError> {
        let ethernet = [
            (mac.is_some(), "hw-addr"),
            (self.mac.is_some(), "host-mac-addr"),
            (self.bridge.is_some(), "host-bridge"),
        ];
        match ethernet.iter().find(|(given, _)| self.kind == Kind::Tun && *given) {
            Some((_, word)) => Err(TapError::NoEthernet(word)),
            None => Ok(()),
        }
    }
}

/// An interface of the host, whose other end are the queues. It goes when they are closed, unless it is to persist.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) kind: Kind,
    pub(crate) offload: Offload,
    pub(crate) queues: Vec<File>,
    gone: AtomicBool,
}

/// An interface of the host that was just made, and how and where it is.
pub(crate) struct Made {
    pub(crate) host: Host,
    pub(crate) link: Link,
    /// `None` for the program's own.
    pub(crate) namespace: Option<Namespace>,
    /// As the operator wrote it.
    pub(crate) namespace_name: Option<String>,
    /// All that was asked for.
    pub(crate) asked: HostRequest,
}

impl Host {
    /// Makes the interface and sets it up. Moves the calling thread into the namespace, so it needs one of its own.
    ///
    /// # Errors
    /// What the host has against it; nothing is left behind then.
    pub(crate) fn make(request: &HostRequest) -> Result<Made, TapError> {
        let namespace = request.namespace.as_deref().map(enter).transpose()?;
        let (name, queues) = open_queues(request)?;
        let failed = |error| TapError::Setting { name: name.clone(), setting: "its use", error };
        let link = Link::named(&name)
            .and_then(|link| link.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(failed)?;
        set_up(&name, link.index, request)?;
        let link = Link::named(&name).map_err(failed)?.unwrap_or(link);
        let gone = AtomicBool::new(false);
        Ok(Made {
            host: Self { kind: request.kind, offload: request.offload, queues, gone },
            link,
            namespace,
            namespace_name: request.namespace.clone(),
            asked: request.clone(),
        })
    }

    /// The host's interface was deleted.
    pub(crate) fn note_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Whether the host's interface was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Where the host's interface is, and how; `None` when it was deleted.
    ///
    /// # Errors
    /// When the process may not look there, or the kernel does not tell (before Linux 5.2).
    pub(crate) fn find(&self) -> io::Result<Option<(Namespace, Link)>> {
        let Some(queue) = self.queues.first() else { return Ok(None) };
        let Some(name) = sys::name(queue)? else { return Ok(None) };
        let namespace = Namespace::of(sys::namespace(queue)?)?;
        let link = namespace.run(|| Link::named(&name))?;
        Ok(link.map(|link| (namespace, link)))
    }

    /// Tells the host whether there is a carrier. One that is gone needs to know nothing.
    pub(crate) fn set_carrier(&self, on: bool) {
        if let Some(queue) = self.queues.first() {
            // Kernels before 4.20 cannot be told; their interfaces have a carrier always.
            let _: io::Result<()> = sys::set_carrier(queue, on);
        }
    }

    /// Has the host's interface stay when its queues are closed.
    ///
    /// # Errors
    /// What the kernel has against it.
    pub(crate) fn persist(&self) -> io::Result<()> {
        self.queues.first().map_or(Ok(()), |queue| sys::set_persistent(queue, true))
    }
}

/// Moves the calling thread into the namespace of that name.
fn enter(name: &str) -> Result<Namespace, TapError> {
    let entered = Namespace::named(name).and_then(|found| found.enter().map(|()| found));
    entered.map_err(|error| {
        let needs = "entering a namespace needs the capability CAP_SYS_ADMIN";
        let name = name.to_owned();
        TapError::refused(needs, error, |error| TapError::Namespace { name, error })
    })
}

fn open_queue() -> Result<File, TapError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open("/dev/net/tun");
    file.map_err(|error| {
        TapError::refused(
            "/dev/net/tun may be opened by those to whom its permissions allow it",
            error,
            TapError::NoDevice,
        )
    })
}

/// Opens all queues; the first one makes the interface, or finds it.
fn open_queues(request: &HostRequest) -> Result<(String, Vec<File>), TapError> {
    let mut flags = request.kind.flags();
    if request.queues > 1 {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    if request.offload != Offload::None {
        flags |= libc::IFF_VNET_HDR;
    }
    let first = open_queue()?;
    let name = match (&request.name, request.attach) {
        (None, true) => return Err(TapError::AttachToNothing),
        (Some(name), true) => attach(&first, name, &mut flags)?,
        (name, false) => make(&first, name.as_deref().unwrap_or_default(), flags)?,
    };
    set_offload(&name, &first, request.offload)?;
    let mut queues = vec![first];
    while queues.len() < usize::from(request.queues) {
        let queue = open_queue()?;
        sys::attach(&queue, &name, flags).map_err(|error| TapError::Setting {
            name: name.clone(),
            setting: "the number of queues",
            error,
        })?;
        queues.push(queue);
    }
    Ok((name, queues))
}

/// Tells the interface of a queue what it may leave to be done, which one that persists may know otherwise.
fn set_offload(name: &str, queue: &File, offload: Offload) -> Result<(), TapError> {
    let [all, older] = offload.flags();
    sys::set_offload(queue, all).or_else(|_| sys::set_offload(queue, older)).map_err(|error| {
        TapError::Setting { name: name.to_owned(), setting: "gso or csum-offload", error }
    })
}

fn make(queue: &File, name: &str, flags: libc::c_int) -> Result<String, TapError> {
    // Exclusive: what is there already is not ours to take.
    sys::attach(queue, name, flags | libc::IFF_TUN_EXCL).map_err(|error| {
        TapError::refused(
            "making an interface of the host needs the capability CAP_NET_ADMIN",
            error,
            |error| {
                let name = name.to_owned();
                match error.raw_os_error() {
                    Some(libc::EBUSY | libc::EEXIST) => TapError::HostNameTaken(name),
                    _ => TapError::Setting { name, setting: "its use", error },
                }
            },
        )
    })
}

/// Attaches to an interface that is there. One with several queues takes also who wants only one.
fn attach(queue: &File, name: &str, flags: &mut libc::c_int) -> Result<String, TapError> {
    let found = Link::named(name).map_err(|error| TapError::Setting {
        name: name.to_owned(),
        setting: "its use",
        error,
    })?;
    if found.is_none() {
        return Err(TapError::NoSuchHost(name.to_owned()));
    }
    let is_other = |error: &io::Error| error.raw_os_error() == Some(libc::EINVAL);
    sys::attach(queue, name, *flags)
        .or_else(|error| match is_other(&error) {
            true => {
                *flags |= libc::IFF_MULTI_QUEUE;
                sys::attach(queue, name, *flags)
            }
            false => Err(error),
        })
        .map_err(|error| {
            TapError::refused(
                "attaching to an interface of the host needs the capability CAP_NET_ADMIN",
                error,
                |error| match error.raw_os_error() {
                    Some(libc::EBUSY) => TapError::InUse(name.to_owned()),
                    _ => TapError::CannotAttach(name.to_owned()),
                },
            )
        })
}

/// Does what else is asked of the interface `index`, called `name`.
fn set_up(name: &str, index: u32, request: &HostRequest) -> Result<(), TapError> {
    let failed = |setting| {
        let name = name.to_owned();
        move |error| {
            TapError::refused(
                "setting up an interface of the host needs the capability CAP_NET_ADMIN",
                error,
                |error| TapError::Setting { name, setting, error },
            )
        }
    };
    if let Some(mac) = request.mac {
        netlink::set(index, LinkAttribute::Address(mac.to_vec()))
            .map_err(failed("host-mac-addr"))?;
    }
    if let Some(mtu) = request.mtu {
        netlink::set(index, LinkAttribute::Mtu(mtu)).map_err(failed("host-mtu-size"))?;
    }
    if let Some(bridge) = &request.bridge {
        let found = Link::named(bridge).map_err(failed("host-bridge"))?;
        let found = found.ok_or_else(|| TapError::NoSuchBridge(bridge.clone()))?;
        netlink::set(index, LinkAttribute::Controller(found.index))
            .map_err(failed("host-bridge"))?;
    }
    for (address, setting) in [(request.ip4, "host-ip4-addr"), (request.ip6, "host-ip6-addr")] {
        if let Some(address) = address {
            netlink::add_address(index, address).map_err(failed(setting))?;
        }
    }
    netlink::set_up(index).map_err(failed("state up"))?;
    let gateways = [
        (request.gateway4.map(IpAddr::V4), "host-ip4-gw"),
        (request.gateway6.map(IpAddr::V6), "host-ip6-gw"),
    ];
    for (gateway, setting) in gateways {
        if let Some(gateway) = gateway {
            netlink::add_default_route(index, gateway).map_err(failed(setting))?;
        }
    }
    Ok(())
}
