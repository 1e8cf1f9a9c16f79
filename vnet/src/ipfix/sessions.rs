//! The transport sessions by which this process exports, for who measures what the host sends and is not to measure that.
//!
//! Sockets are a process's, and so is this list. Who opens one says so before its first packet leaves: of a TCP connection to be
//! made the local address is not known yet, and stands as unspecified until it is. A session that is over stays for a while,
//! since its last packets may still come; the latest [`KEPT`] are known.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// As many sessions are known.
pub const KEPT: usize = 64;

static VERSION: AtomicU64 = AtomicU64::new(0);
static SESSIONS: Mutex<VecDeque<OwnSession>> = Mutex::new(VecDeque::new());

/// A transport session of this process with a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnSession {
    /// IP protocol.
    pub protocol: u8,
    /// This end; the address can be unspecified.
    pub local: SocketAddr,
    /// The collector.
    pub remote: SocketAddr,
}

impl OwnSession {
    /// Whether a packet with these addresses and ports is one of it, whichever way it goes.
    #[must_use]
    pub fn has(
        &self,
        protocol: u8,
        (source, source_port): (IpAddr, u16),
        (destination, destination_port): (IpAddr, u16),
    ) -> bool {
        let is_local = |address: IpAddr, port| {
            port == self.local.port()
                && (self.local.ip().is_unspecified() || self.local.ip() == address)
        };
        let is_remote =
            |address: IpAddr, port| port == self.remote.port() && self.remote.ip() == address;
        protocol == self.protocol
            && ((is_local(source, source_port) && is_remote(destination, destination_port))
                || (is_remote(source, source_port) && is_local(destination, destination_port)))
    }

    /// Whether ports and protocol are its own: what is to be looked at before addresses.
    #[inline]
    #[must_use]
    pub fn has_ports(&self, protocol: u8, source: u16, destination: u16) -> bool {
        let (local, remote) = (self.local.port(), self.remote.port());
        protocol == self.protocol
            && ((source, destination) == (local, remote)
                || (source, destination) == (remote, local))
    }
}

/// Makes a session known. One with an unspecified address gives way to the same one with its address.
pub fn note(session: OwnSession) {
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_same = |other: &OwnSession| {
        other.has_ports(session.protocol, session.local.port(), session.remote.port())
            && other.remote == session.remote
            && (other.local.ip().is_unspecified() || other.local == session.local)
    };
    sessions.retain(|other| !is_same(other));
    if sessions.len() == KEPT {
        sessions.pop_front();
    }
    sessions.push_back(session);
    VERSION.fetch_add(1, Ordering::Release);
}

/// Goes up with every change.
#[inline]
#[must_use]
pub fn version() -> u64 {
    VERSION.load(Ordering::Acquire)
}

/// Those that are known.
#[must_use]
pub fn all() -> Vec<OwnSession> {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_their_packets_both_ways_and_no_others() {
        let session = |local: &str| OwnSession {
            protocol: 6,
            local: local.parse().unwrap(),
            remote: "192.0.2.9:4739".parse().unwrap(),
        };
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 9]));
        for session in [session("192.0.2.1:5000"), session("0.0.0.0:5000")] {
            assert!(session.has(6, (here, 5000), (there, 4739)));
            assert!(session.has(6, (there, 4739), (here, 5000)));
            assert!(session.has_ports(6, 4739, 5000) && session.has_ports(6, 5000, 4739));
            assert!(!session.has(17, (here, 5000), (there, 4739)));
            assert!(!session.has(6, (here, 5001), (there, 4739)));
            assert!(!session.has(6, (here, 4739), (there, 5000)));
            assert!(!session.has(6, (there, 5000), (here, 4739)));
        }
        let other = IpAddr::from([192, 0, 2, 2]);
        assert!(!session("192.0.2.1:5000").has(6, (other, 5000), (there, 4739)));
    }

    #[test]
    fn a_session_gets_its_address_and_old_ones_go() {
        let remote = "198.51.100.77:4739".parse().unwrap();
        let of = |local: &str| OwnSession { protocol: 6, local: local.parse().unwrap(), remote };
        let known = || all().into_iter().filter(|s| s.remote == remote).collect::<Vec<_>>();
        let before = version();
        note(of("0.0.0.0:1"));
        note(of("192.0.2.1:1"));
        assert_eq!(known(), [of("192.0.2.1:1")]);
        assert!(version() > before);
        for port in 2..2 + KEPT {
            note(of(&format!("192.0.2.1:{port}")));
        }
        assert_eq!(known().len(), KEPT);
        assert!(!known().contains(&of("192.0.2.1:1")));
    }
}
