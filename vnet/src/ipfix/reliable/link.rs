//! The way to a collector.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use super::{Rotation, TlsIdentity, file::FileLink, tcp::TcpLink, tls::TlsLink};

/// How long a connection, or a handshake, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// An open session with a collector.
pub trait Link: Send {
    /// Takes as many octets as it can now; 0: none.
    ///
    /// # Errors
    /// When the session is over.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize>;

    /// Why it takes nothing, where that lasts and the session goes on all the same.
    fn trouble(&self) -> Option<&str> {
        None
    }

    /// Goes on with what is under way, and hears what the collector has to say.
    ///
    /// # Errors
    /// When the session is over.
    fn service(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Octets of those taken that the collector's host has acknowledged, counted from the beginning.
    ///
    /// # Errors
    /// When the session is over.
    fn acknowledged(&mut self) -> io::Result<u64>;

    /// Whether the session should end once everything is acknowledged, and another one begin.
    fn is_complete(&self) -> bool {
        false
    }

    /// Ends the session, after everything was acknowledged or when nobody waits any longer.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a session goes.
#[derive(Clone)]
pub enum Target {
    /// A collector over TCP, by its name or address.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A collector over TLS.
    Tls {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Whom to trust, and who we are.
        identity: Arc<TlsIdentity>,
    },
    /// An IPFIX File.
    File {
        /// Its path.
        path: PathBuf,
        /// When it is complete.
        rotation: Rotation,
    },
}

impl Target {
    /// Begins a session. Blocks.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open(&self) -> io::Result<Box<dyn Link>> {
        Ok(match self {
            Self::Tcp { host, port } => Box::new(TcpLink::open(host, *port)?),
            Self::Tls { host, port, identity } => Box::new(TlsLink::open(host, *port, identity)?),
            Self::File { path, rotation } => Box::new(FileLink::create(path, *rotation)?),
        })
    }

    /// Whether templates that nobody needs any more are withdrawn. A file's reader has no use for that.
    pub(super) fn wants_withdrawals(&self) -> bool {
        !matches!(self, Self::File { .. })
    }
}
