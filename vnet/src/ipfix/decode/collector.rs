//! The sessions of a UDP socket.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use super::{
    error::DecodeError,
    session::{Decoder, Event, SessionKind},
};
use crate::ipfix::{elements::Registry, message::Header};

/// Sessions that a collector remembers; the one that has been silent longest goes first.
pub const MAX_SESSIONS: usize = 256;

/// Decodes what exporters send to one UDP socket. An exporter's address and port are its session (RFC 7011 section
/// 10.3).
#[derive(Debug)]
pub struct Collector {
    registry: Arc<Registry>,
    sessions: HashMap<SocketAddr, Heard>,
    messages: u64,
}

#[derive(Debug)]
struct Heard {
    decoder: Decoder,
    /// Count of messages when this session sent its last.
    last: u64,
}

impl Collector {
    /// A collector that knows these elements.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, sessions: HashMap::new(), messages: 0 }
    }

    /// Decodes a datagram; see [`Decoder::decode`].
    pub fn decode(
        &mut self,
        exporter: SocketAddr,
        message: &[u8],
        sink: &mut dyn FnMut(&Header, Event<'_>),
    ) -> Result<Header, DecodeError> {
        if self.sessions.len() >= MAX_SESSIONS && !self.sessions.contains_key(&exporter) {
            let silent = self.sessions.iter().min_by_key(|(_, heard)| heard.last);
            if let Some(silent) = silent.map(|(address, _)| *address) {
                self.sessions.remove(&silent);
            }
        }
        self.messages += 1;
        let session = self.sessions.entry(exporter).or_insert_with(|| Heard {
            decoder: Decoder::new(SessionKind::Datagrams, Arc::clone(&self.registry)),
            last: 0,
        });
        session.last = self.messages;
        session.decoder.decode(message, sink)
    }

    /// The sessions that it remembers.
    pub fn sessions(&self) -> impl Iterator<Item = (SocketAddr, &Decoder)> {
        self.sessions.iter().map(|(address, heard)| (*address, &heard.decoder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_bounded_and_the_silent_go_first() {
        let mut collector = Collector::new(Arc::default());
        let address = |n: usize| SocketAddr::from(([127, 0, 0, 1], n as u16));
        let mut send = |n| {
            let _ = collector.decode(address(n), &[0; 3], &mut |_, _| ());
        };
        (0..MAX_SESSIONS).for_each(&mut send);
        send(0);
        send(MAX_SESSIONS);
        let known: Vec<SocketAddr> = collector.sessions().map(|(address, _)| address).collect();
        assert_eq!(known.len(), MAX_SESSIONS);
        assert!(known.contains(&address(0)) && !known.contains(&address(1)));
    }
}
