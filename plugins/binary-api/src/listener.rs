//! The socket, and who comes to it.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::Path,
    time::Duration,
};

use socket2::Type;
use vnet::{
    host::local_socket::{self, ListenError},
    process::{Cx, Interest},
};

use crate::session::Server;

/// Pause after an accept that failed for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket. Its file goes when this is dropped.
pub(crate) struct Listener {
    socket: UnixListener,
    _file: local_socket::SocketFile,
}

impl Listener {
    /// Listens at `path`, for this user alone.
    pub(crate) fn bind(path: &Path) -> Result<Self, ListenError> {
        let (socket, file) = local_socket::listen(path, Type::STREAM, 0o600)?;
        Ok(Self { socket: OwnedFd::from(socket).into(), _file: file })
    }

    /// Serves every client that comes, each in a task of its own.
    pub(crate) async fn serve(self, cx: Cx, server: Server) {
        loop {
            match self.socket.accept() {
                Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => {
                    // One client too many is hung up; it reads that.
                    server.serve(&cx, stream);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    cx.ready(&self.socket, Interest::Readable).await;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => cx.sleep(PAUSE).await,
            }
        }
    }
}
