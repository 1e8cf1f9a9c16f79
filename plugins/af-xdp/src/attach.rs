//! The program on the host's interface, in the driver or behind it.

use std::io;

use crate::{
    abi::{XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE},
    bpf::{Link, SocketMap},
    error::XdpError,
    open::Mode,
    program::{self, NAME},
    socket::XdpSocket,
};

/// The program while it is on an interface.
pub(crate) struct Attached {
    map: SocketMap,
    #[expect(dead_code, reason = "the program is on the interface as long as this is there")]
    link: Link,
    id: u32,
    pub(crate) is_native: bool,
    /// Why it is not in the driver.
    fallback: Option<io::Error>,
}

impl Attached {
    /// Puts the program on the interface `ifindex`, with no sockets. Unless `mode` says otherwise the driver runs it if it can.
    pub(crate) fn new(name: &str, ifindex: u32, queues: u32, mode: Mode) -> Result<Self, XdpError> {
        let failed = |what| move |error| XdpError::of(name, what, error);
        let map = SocketMap::new(NAME, queues).map_err(failed("make a map of sockets"))?;
        let program = program::load(&map).map_err(failed("load the program"))?;
        let id = program.id().map_err(failed("ask for the program"))?;
        let attach = |flags| program.attach(ifindex, flags);
        let mut fallback = None;
        let native = match mode {
            Mode::Generic => None,
            Mode::Native => Some(attach(XDP_FLAGS_DRV_MODE).map_err(failed("run in the driver"))?),
            Mode::Auto => match attach(XDP_FLAGS_DRV_MODE) {
                Ok(link) => Some(link),
                Err(error) if is_final(&error) => {
                    return Err(XdpError::of(name, "attach the program", error));
                }
                Err(error) => {
                    fallback = Some(error);
                    None
                }
            },
        };
        let is_native = native.is_some();
        let link = match native {
            Some(link) => link,
            None => attach(XDP_FLAGS_SKB_MODE).map_err(failed("attach the program"))?,
        };
        Ok(Self { map, link, id, is_native, fallback })
    }

    /// Gives packets of `queue` to a socket, or leaves them to the host.
    pub(crate) fn set(&self, queue: u32, socket: Option<&XdpSocket>) -> io::Result<()> {
        match socket {
            Some(socket) => self.map.set(queue, socket),
            None => match self.map.clear(queue) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                result => result,
            },
        }
    }

    pub(crate) fn describe(&self) -> String {
        let id = self.id;
        match (self.is_native, &self.fallback) {
            (true, _) => format!("XDP program {id} native"),
            (false, None) => format!("XDP program {id} generic"),
            (false, Some(error)) => format!("XDP program {id} generic (native: {error})"),
        }
    }
}

/// Whether the other mode would fail as well.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPERM | libc::EACCES | libc::EBUSY | libc::EEXIST | libc::ENODEV | libc::ENOMEM)
    )
}
