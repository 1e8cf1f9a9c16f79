//! The socket file.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use vnet::process::Interest;

use super::server::Sessions;
use crate::{denied, sys};

/// Where the socket is unless told otherwise.
pub const DEFAULT_PATH: &str = "/run/peloton/cli.sock";
/// Pause after an accept that failed for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks at a lock that another program of ours holds for a moment.
const ATTEMPTS: usize = 100;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another engine has it.
    #[error("control socket {0}: another engine listens there")]
    InUse(PathBuf),
    /// There is something else.
    #[error("control socket {0}: there is a file that is no socket")]
    NoSocket(PathBuf),
    /// Anything else.
    #[error("control socket {path}: {error}{}", denied::help(error))]
    Io {
        /// Which socket.
        path: PathBuf,
        /// What failed.
        error: io::Error,
    },
}

/// A listening control socket. Its file goes when this is dropped.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, which by then may be another's.
    file: (u64, u64),
}

impl Listener {
    /// Listens at `path`, with mode 0600 from the first moment. What an engine left that is no more gives way.
    ///
    /// # Errors
    /// When another engine listens there, or there can be no socket.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        let io = |error| ListenError::Io { path: path.to_owned(), error };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = File::open(parent.unwrap_or(Path::new("."))).map_err(io)?;
        // Of several that find the same stale file, only one may take it away.
        lock(&folder).map_err(io)?;
        make_way(path)?;
        let socket = sys::with_umask(0o177, || UnixListener::bind(path)).map_err(io)?;
        let file = fs::symlink_metadata(path).map(|file| (file.dev(), file.ino())).map_err(io)?;
        socket.set_nonblocking(true).map_err(io)?;
        Ok(Self { socket, path: path.to_owned(), file })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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

impl Drop for Listener {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path).map(|file| (file.dev(), file.ino()));
        if now.is_ok_and(|file| file == self.file) {
            // Nobody is left to be told.
            let _: io::Result<()> = fs::remove_file(&self.path);
        }
    }
}

fn lock(folder: &File) -> io::Result<()> {
    for _ in 0..ATTEMPTS {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "its folder is locked by another program"))
}

/// Removes a socket at which nobody listens.
fn make_way(path: &Path) -> Result<(), ListenError> {
    let io = |error| ListenError::Io { path: path.to_owned(), error };
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(io)?,
    };
    if !file.file_type().is_socket() {
        return Err(ListenError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}
