//! IPFIX over TLS (RFC 7011 sections 10.4 and 11): the collector proves who it is, and so do we if it asks.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use super::{
    link::{Link, PATIENCE},
    tcp::{closed, connect, write_some},
    unsent::unacknowledged,
};

/// A collector may refuse our certificate after the handshake, and its host has acknowledged data by then: none counts as
/// delivered before the collector has said something, or has been content for so long.
const PROBATION: Duration = Duration::from_secs(1);
/// Plain octets that wait in a connection to be encrypted.
const BUFFER: usize = 64 * 1024;

/// Files of certificates and keys, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that may vouch for the collector.
    pub ca: PathBuf,
    /// Our certificate, with those that vouch for it behind it, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
    /// The name that the collector's certificate must have, if it is not that of the host.
    pub name: Option<String>,
}

/// Whom a session trusts, and who we are in it.
pub struct TlsIdentity {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// What it was made of.
    pub files: TlsFiles,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or has nothing of what it should have.
    #[error("{}: {what}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected in it.
        what: &'static str,
        /// What is there.
        why: String,
    },
    /// Not a name that a certificate can have.
    #[error("`{0}' is no name or address that a certificate can have")]
    Name(String),
    /// Certificate and key do not go together, or not with TLS.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl TlsIdentity {
    /// Reads the files. The collector at `host` must have a certificate for that name or address, unless the files say
    /// another one.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: TlsFiles, host: &str) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.ca)? {
            roots.add(authority)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match &files.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?)?
            }
        };
        let name = files.name.as_deref().unwrap_or(host);
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Self { config: Arc::new(config), name, files })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |why: String| TlsError::File { path: path.to_owned(), what: "certificates", why };
    let read = CertificateDer::pem_file_iter(path).map_err(|e| error(e.to_string()))?;
    let found: Result<Vec<_>, _> = read.collect();
    match found.map_err(|e| error(e.to_string()))? {
        none if none.is_empty() => Err(error("there are none in it".to_owned())),
        some => Ok(some),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        what: "a private key",
        why: error.to_string(),
    })
}

/// Says which files, and nothing of what is in them.
impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("files", &self.files).finish_non_exhaustive()
    }
}

/// A connection.
pub(super) struct TlsLink {
    stream: TcpStream,
    tls: ClientConnection,
    /// Octets given to the stream.
    written: u64,
    /// Plain octets taken.
    plain: u64,
    /// At these octets of the stream all plain octets up to those had left.
    marks: VecDeque<(u64, u64)>,
    acknowledged: u64,
    since: Instant,
    trusted: bool,
}

impl TlsLink {
    pub(super) fn open(host: &str, port: u16, identity: &TlsIdentity) -> io::Result<Self> {
        let mut stream = connect(host, port)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut tls = ClientConnection::new(identity.config.clone(), identity.name.clone())
            .map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(BUFFER));
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).map_err(|error| match error.kind() {
                ErrorKind::WouldBlock => {
                    io::Error::new(ErrorKind::TimedOut, "the collector does not answer in TLS")
                }
                _ => error,
            })?;
        }
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            tls,
            written: 0,
            plain: 0,
            marks: VecDeque::new(),
            acknowledged: 0,
            since: Instant::now(),
            trusted: false,
        })
    }

    /// Gives the stream what is encrypted.
    fn pump(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            let mut out = Counting { stream: &mut self.stream, written: &mut self.written };
            match self.tls.write_tls(&mut out) {
                Ok(0) => return Ok(()),
                Ok(_) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.marks.back().is_none_or(|(_, plain)| *plain < self.plain) {
            self.marks.push_back((self.written, self.plain));
        }
        Ok(())
    }

    fn hear(&mut self) -> io::Result<()> {
        match self.tls.read_tls(&mut self.stream) {
            Ok(0) => return Err(closed()),
            Ok(_) => self.trusted = true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        self.tls.process_new_packets().map_err(io::Error::other)?;
        // A collector has nothing to say; what it says all the same is passed over.
        let mut room = [0; 4096];
        while matches!(self.tls.reader().read(&mut room), Ok(n) if n > 0) {}
        Ok(())
    }
}

impl Link for TlsLink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = self.tls.writer().write(octets)?;
        self.plain += taken as u64;
        self.pump()?;
        Ok(taken)
    }

    fn service(&mut self) -> io::Result<()> {
        self.hear()?;
        self.pump()
    }

    fn acknowledged(&mut self) -> io::Result<u64> {
        if !self.trusted && self.since.elapsed() < PROBATION {
            return Ok(0);
        }
        let octets = self.written - unacknowledged(&self.stream)?;
        while self.marks.front().is_some_and(|(written, _)| *written <= octets)
            && let Some((_, plain)) = self.marks.pop_front()
        {
            self.acknowledged = plain;
        }
        Ok(self.acknowledged)
    }

    fn close(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.pump()
    }
}

/// A stream whose octets are counted.
struct Counting<'a> {
    stream: &'a mut TcpStream,
    written: &'a mut u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = write_some(self.stream, octets)?;
        if taken == 0 && !octets.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        *self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
