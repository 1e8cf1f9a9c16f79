//! Sockets that programs of the same machine find by a path.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixDatagram, UnixStream},
        },
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use socket2::{Domain, SockAddr, Socket, Type};

/// Clients that may wait until somebody looks: as many as the system allows, for one that finds no place is not told to wait.
const BACKLOG: i32 = libc::SOMAXCONN;
/// Looks at a lock that another program of ours holds for a moment.
const ATTEMPTS: usize = 100;

/// Why nobody can listen at a path.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program does.
    #[error("another engine listens there")]
    InUse,
    /// There is something else.
    #[error("there is a file that is no socket")]
    NoSocket,
    /// Anything else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The file of a listening socket, which goes when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode of the file, which by then may be another's.
    file: (u64, u64),
}

impl SocketFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path).map(|file| (file.dev(), file.ino()));
        if now.is_ok_and(|file| file == self.file) {
            // Nobody is left to be told.
            let _: io::Result<()> = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path` with a socket of that kind, which does not block, and whose file has the permissions `mode` from the first
/// moment at which a client can come. What a program left that is no more gives way.
///
/// # Errors
/// When another program listens there, or there can be no socket.
pub fn listen(path: &Path, kind: Type, mode: u32) -> Result<(Socket, SocketFile), ListenError> {
    bound(path, kind, mode, |socket| socket.listen(BACKLOG))
}

/// As [`listen`], with a socket of datagrams, which receives from the first moment on.
///
/// # Errors
/// When another program receives there, or there can be no socket.
pub fn receive(path: &Path, mode: u32) -> Result<(UnixDatagram, SocketFile), ListenError> {
    let (socket, file) = bound(path, Type::DGRAM, mode, |_| Ok(()))?;
    Ok((UnixDatagram::from(OwnedFd::from(socket)), file))
}

/// A socket at `path`, to which nobody comes before `open`.
fn bound(
    path: &Path,
    kind: Type,
    mode: u32,
    open: impl FnOnce(&Socket) -> io::Result<()>,
) -> Result<(Socket, SocketFile), ListenError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = File::open(parent.unwrap_or(Path::new(".")))?;
    // Of several that find the same stale file, only one may take it away.
    lock(&folder)?;
    make_way(path)?;
    let socket = Socket::new(Domain::UNIX, kind.nonblocking().cloexec(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))?;
    let file = SocketFile { path: path.to_owned(), file };
    // Nobody can connect before it listens.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    open(&socket)?;
    Ok((socket, file))
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
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !file.file_type().is_socket() {
        return Err(ListenError::NoSocket);
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        // There is a socket of another kind, and somebody who listens: the kernel looks at the kind first.
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => other_kind(path),
        Err(error) => Err(error.into()),
    }
}

fn other_kind(path: &Path) -> Result<(), ListenError> {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Ok(()) => Err(ListenError::InUse),
        // Of datagrams, then.
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => Err(ListenError::InUse),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("peloton-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_socket_that_nobody_listens_at_gives_way_and_others_do_not() {
        let receives = |path: &Path, mode| {
            receive(path, mode).map(|(socket, file)| (OwnedFd::from(socket), file))
        };
        for kind in [Type::STREAM, Type::SEQPACKET, Type::DGRAM] {
            let path = path("gives-way");
            let open = |mode| match kind {
                Type::DGRAM => receives(&path, mode),
                _ => listen(&path, kind, mode).map(|(socket, file)| (socket.into(), file)),
            };
            let (socket, file) = open(0o600).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(matches!(open(0o600), Err(ListenError::InUse)));
            // As after kill -9: the file stays, and nobody listens.
            core::mem::forget(file);
            drop(socket);
            let (_socket, file) = open(0o660).unwrap();
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let path = path("no-socket");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(&path, Type::STREAM, 0o600), Err(ListenError::NoSocket)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
    }
}
