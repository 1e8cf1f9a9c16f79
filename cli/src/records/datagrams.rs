//! Messages over UDP.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
};

use vnet::{
    ipfix::{
        export::SendError,
        sessions::{self, OwnSession},
    },
    wire::ip4::protocol,
};

use super::{
    collector::{CollectorError, Feed},
    pace::Pace,
    target::Target,
};

/// Octets of IP and UDP headers.
const HEADERS: [usize; 2] = [28, 48];

/// The socket and how fast it is used.
pub(super) struct Datagrams {
    socket: UdpSocket,
    remote: SocketAddr,
    pace: Pace,
    is_live: bool,
    /// What is wrong, and whether that was told.
    trouble: Option<(String, bool)>,
    is_well: bool,
}

impl Datagrams {
    pub(super) fn connect(target: &Target, feed: Feed) -> Result<Self, CollectorError> {
        let (socket, remote) = connect(target)?;
        if let Ok(local) = socket.local_addr() {
            sessions::note(OwnSession { protocol: protocol::UDP, local, remote });
        }
        let pace = match feed {
            Feed::Patient(Some(rate)) => Pace::fixed(rate.get()),
            _ => Pace::to(&socket, remote),
        };
        let is_live = feed == Feed::Live;
        Ok(Self { socket, remote, pace, is_live, trouble: None, is_well: true })
    }

    /// Octets of the headers in front of a message.
    pub(super) fn headers(&self) -> usize {
        HEADERS[usize::from(self.remote.is_ipv6())]
    }

    pub(super) fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.pace.wait(message.len());
        let mut is_again = false;
        loop {
            match self.socket.send(message) {
                Ok(_) => {
                    self.is_well = !is_again;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // That of an earlier message, which takes nothing away from this one.
                Err(error)
                    if error.kind() == ErrorKind::ConnectionRefused
                        && self.is_live
                        && !is_again =>
                {
                    is_again = true;
                    self.note("nobody listens there (connection refused)".to_owned());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn dropped(&mut self) -> Option<u64> {
        self.pace.dropped()
    }

    /// Something is wrong.
    pub(super) fn note(&mut self, reason: String) {
        self.is_well = false;
        self.trouble.get_or_insert((reason, false));
    }

    /// What is wrong, once; it is told again after messages were sent.
    pub(super) fn news(&mut self) -> Option<String> {
        if self.is_well {
            self.trouble = None;
        }
        let (reason, told) = self.trouble.as_mut()?;
        (!core::mem::replace(told, true)).then(|| reason.clone())
    }

    pub(super) fn check_refusal(&self, target: &Target) -> Result<(), CollectorError> {
        match self.socket.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(source)) | Err(source) => Err(error(target, source)),
        }
    }
}

/// Why a message was not sent.
pub(super) fn error(target: &Target, source: io::Error) -> CollectorError {
    let target = target.clone();
    match source.raw_os_error() {
        Some(libc::ECONNREFUSED) => CollectorError::Refused { target },
        Some(libc::EMSGSIZE) => CollectorError::TooLong { target },
        _ => CollectorError::Send { target, source },
    }
}

/// A socket that is connected to the first of the target's addresses to which there is a way.
fn connect(target: &Target) -> Result<(UdpSocket, SocketAddr), CollectorError> {
    let resolve = |source| CollectorError::Resolve { target: target.clone(), source };
    let connect = |source| CollectorError::Connect { target: target.clone(), source };
    let mut failure = None;
    for address in (target.host.as_str(), target.port).to_socket_addrs().map_err(resolve)? {
        let own: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((own, 0))
            .and_then(|socket| socket.connect(address).map(|()| (socket, address)));
        match socket {
            Ok(connected) => return Ok(connected),
            Err(error) => failure = Some(error),
        }
    }
    Err(connect(failure.unwrap_or_else(|| ErrorKind::NotFound.into())))
}
