//! The socket at which readers get the descriptor of the segment.

use std::{
    fs::{DirBuilder, File},
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::DirBuilderExt,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::{MsgHdr, Socket, Type};
use vnet::{
    host::local_socket::{self, ListenError, SocketFile},
    log::Level,
    process::{Cx, Interest},
};

/// Pause after an accept that failed for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// Who may connect: the engine's user and group, as with VPP.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[error("statseg: socket {}: {error}", path.display())]
pub struct SocketError {
    path: PathBuf,
    error: ListenError,
}

/// A listening socket. Its file goes when this is dropped.
pub(crate) struct Listener {
    socket: Socket,
    /// The segment, open for reading only.
    segment: File,
    _file: SocketFile,
}

impl Listener {
    /// Listens at `path`. `make_folder` makes the folder that it lies in.
    pub(crate) fn bind(path: &Path, make_folder: bool, segment: File) -> Result<Self, SocketError> {
        let failed = |error| SocketError { path: path.to_owned(), error };
        if make_folder && let Some(folder) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
            made.map_err(|error| failed(error.into()))?;
        }
        let (socket, _file) = local_socket::listen(path, Type::SEQPACKET, MODE).map_err(failed)?;
        Ok(Self { socket, segment, _file })
    }

    /// Gives every reader that comes the descriptor, and lets it go.
    pub(crate) async fn serve(self, cx: Cx) {
        loop {
            match self.socket.accept() {
                Ok((reader, _)) => {
                    if let Err(error) = hand_over(&reader, &self.segment) {
                        tell(&cx, &error);
                    }
                    drop(reader);
                    // However many there are, packets and commands have their turn.
                    cx.yield_now().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    cx.ready(&self.socket, Interest::Readable).await;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => cx.sleep(PAUSE).await,
            }
        }
    }
}

/// Sends a message without octets and with one descriptor. It waits in the reader's own queue, so that a slow one holds nobody up.
fn hand_over(reader: &Socket, segment: &File) -> io::Result<()> {
    let (nothing, control) = ([IoSlice::new(&[])], rights(segment.as_raw_fd()));
    let message = MsgHdr::new().with_buffers(&nothing).with_control(&control);
    reader.sendmsg(&message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL).map(|_| ())
}

/// Octets of the ancillary data that pass a descriptor on: a `cmsghdr` and the descriptor, padded to words.
fn rights(fd: RawFd) -> Vec<u8> {
    let length = size_of::<libc::cmsghdr>() + size_of::<RawFd>();
    let mut data = Vec::with_capacity(length.next_multiple_of(size_of::<usize>()));
    data.extend(length.to_ne_bytes());
    data.extend(libc::SOL_SOCKET.to_ne_bytes());
    data.extend(libc::SCM_RIGHTS.to_ne_bytes());
    data.extend(fd.to_ne_bytes());
    data.resize(length.next_multiple_of(size_of::<usize>()), 0);
    data
}

fn tell(cx: &Cx, error: &io::Error) {
    cx.with(|main| {
        let log = main.log();
        let class = log.class("statseg", "");
        log.write(class, Level::Notice, format_args!("a reader got no descriptor: {error}"));
    });
}
