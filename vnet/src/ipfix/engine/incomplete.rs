//! What a flush could not send, and why.

use core::fmt;
use std::net::SocketAddr;

/// Not everything reached the collectors, as far as this host knows: the exporters' counters tell what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incomplete {
    /// One an exporter that it is so of, at least one.
    pub shortfalls: Vec<Shortfall>,
}

/// What an exporter could not send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Its name.
    pub exporter: String,
    /// Where it was to go, if there is one collector and it has an address.
    pub collector: Option<SocketAddr>,
    /// Messages that failed.
    pub failed: u64,
    /// Messages that were sent and for which the collector's host said that nobody listens.
    pub refused: u64,
    /// Messages that still wait for a socket.
    pub unsent: usize,
    /// Messages that no collector has acknowledged yet.
    pub undelivered: u64,
    /// Reports whose templates could not be sent yet, so that their records wait.
    pub waiting: usize,
    /// Why the last message failed that did.
    pub why: Option<String>,
}

impl Shortfall {
    /// Nothing of it is so if everything was sent.
    pub(super) fn if_any(self) -> Option<Self> {
        let Self { failed, refused, unsent, undelivered, waiting, .. } = &self;
        let all = (*failed, *refused, *unsent, *undelivered, *waiting);
        (all != (0, 0, 0, 0, 0)).then_some(self)
    }
}

impl core::error::Error for Incomplete {}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, shortfall) in self.shortfalls.iter().enumerate() {
            write!(f, "{}{shortfall}", if n > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.collector {
            Some(collector) => write!(f, "collector {collector}: ")?,
            None => write!(f, "exporter {}: ", self.exporter)?,
        }
        write!(f, "not everything was sent")?;
        for (count, what) in [
            (self.failed, "messages failed"),
            (self.refused, "messages were refused: nobody listens there"),
            (self.unsent as u64, "messages wait for their socket"),
            (self.undelivered, "messages wait for their collector"),
            (self.waiting as u64, "reports wait for their templates to be sent"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        self.why.iter().try_for_each(|why| write!(f, " ({why})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_what_and_why() {
        let sound = Shortfall {
            exporter: "far".to_owned(),
            collector: "192.0.2.1:9".parse().ok(),
            ..Shortfall::default()
        };
        assert_eq!(sound.clone().if_any(), None);
        let why = Some("Network is unreachable".to_owned());
        let one = Shortfall { failed: 2, waiting: 1, why, ..sound.clone() };
        let other = Shortfall { undelivered: 3, collector: None, ..sound };
        assert_eq!(
            Incomplete { shortfalls: vec![one, other] }.to_string(),
            "collector 192.0.2.1:9: not everything was sent, 2 messages failed, 1 reports wait for their templates to be \
             sent (Network is unreachable); exporter far: not everything was sent, 3 messages wait for their collector"
        );
    }
}
