//! The socket file.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::Type;
use vnet::{
    host::local_socket::{self, SocketFile},
    process::Interest,
};

use super::server::Sessions;
use crate::denied;

/// Where the socket is unless told otherwise.
pub const DEFAULT_PATH: &str = "/run/peloton/cli.sock";
/// Pause after an accept that failed for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error("control socket {}: {source}{}", path.display(), help(source))]
pub struct ListenError {
    /// Which socket.
    path: PathBuf,
    /// What is wrong.
    source: local_socket::ListenError,
}

fn help(error: &local_socket::ListenError) -> &'static str {
    match error {
        local_socket::ListenError::Io(error) => denied::help(error),
        _ => "",
    }
}

/// A listening control socket. Its file goes when this is dropped.
pub struct Listener {
    socket: UnixListener,
    file: SocketFile,
}

impl Listener {
    /// Listens at `path`, with mode 0600 from the first moment. What an engine left that is no more gives way.
    ///
    /// # Errors
    /// When another engine listens there, or there can be no socket.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        let (socket, file) = local_socket::listen(path, Type::STREAM, 0o600)
            .map_err(|source| ListenError { path: path.to_owned(), source })?;
        Ok(Self { socket: OwnedFd::from(socket).into(), file })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Serves every client that comes, each in a task of its own.
    pub async fn serve(self, sessions: Sessions) {
        let cx = sessions.cx();
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => {
                    if stream.set_nonblocking(true).is_ok() {
                        cx.executor().spawn(sessions.clone().serve(stream));
                    }
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
