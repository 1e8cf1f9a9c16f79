//! Network namespaces of the host (network_namespaces(7)): interfaces are numbered, named and told of in each apart, and a socket
//! belongs to the one in which it was made.
#![allow(unsafe_code, reason = "setns(2)")]

use std::{
    fs::{self, File, Metadata},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    panic::resume_unwind,
    sync::Arc,
    thread,
};

/// Where `ip netns` keeps the names.
const NAMES: &str = "/var/run/netns";

/// A network namespace. It stays as long as this is there.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
    id: (u64, u64),
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Namespace {}

impl Namespace {
    /// The one of that name in `/var/run/netns`, that of a process for `pid:<n>`, or the one of a file for a path.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> io::Result<Self> {
        Self::of(match name.strip_prefix("pid:") {
            Some(pid) => File::open(format!("/proc/{pid}/ns/net")),
            None if name.starts_with('/') => File::open(name),
            None => File::open(format!("{NAMES}/{name}")),
        }?)
    }

    /// The one that an open file stands for.
    ///
    /// # Errors
    /// When the file cannot be asked which.
    pub fn of(file: File) -> io::Result<Self> {
        let id = id(&file.metadata()?);
        Ok(Self { file: Arc::new(file), id })
    }

    /// What `ip netns` calls it; its number, where that has no name for it.
    #[must_use]
    pub fn name(&self) -> String {
        let entries = fs::read_dir(NAMES).into_iter().flatten().flatten();
        let mut same = entries
            .filter(|entry| fs::metadata(entry.path()).is_ok_and(|found| id(&found) == self.id));
        let named = same.next().map(|entry| entry.file_name().to_string_lossy().into_owned());
        named.unwrap_or_else(|| format!("net:[{}]", self.id.1))
    }

    /// Moves the calling thread into it, and no other.
    ///
    /// # Errors
    /// When the process may not (CAP_SYS_ADMIN), or this is none.
    pub fn enter(&self) -> io::Result<()> {
        let fd = self.file.as_raw_fd();
        // SAFETY: two numbers; the descriptor is open as long as `self` is borrowed.
        let result = unsafe { libc::setns(fd, libc::CLONE_NEWNET) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Runs `f` in it, on a thread of its own, for which the calling one waits.
    ///
    /// # Errors
    /// As [`Self::enter`], and what `f` returns.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let result = thread::scope(|scope| scope.spawn(|| self.enter().and_then(|()| f())).join());
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_of_a_process_is_the_same_by_whichever_way_it_is_named() {
        let own = Namespace::named(&format!("pid:{}", std::process::id())).unwrap();
        assert_eq!(own, Namespace::named("/proc/self/ns/net").unwrap());
        let link = fs::read_link("/proc/self/ns/net").unwrap();
        let name = own.name();
        assert!(name == link.to_string_lossy() || fs::metadata(format!("{NAMES}/{name}")).is_ok());
        assert!(Namespace::named("no-such-namespace").is_err());
    }
}
