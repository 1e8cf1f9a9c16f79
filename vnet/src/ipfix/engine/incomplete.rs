//! What a flush could not send, and why.

use core::fmt;
use std::net::SocketAddr;

/// Not everything reached the collector, as far as this host knows: the exporter's counters tell what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incomplete {
    /// Where it was to go.
    pub collector: Option<SocketAddr>,
    /// Messages that failed.
    pub failed: u64,
    /// Messages that were sent and for which the collector's host said that nobody listens.
    pub refused: u64,
    /// Messages that still wait for a socket.
    pub unsent: usize,
    /// Reports whose templates could not be sent yet, so that their records wait.
    pub waiting: usize,
    /// Why the last message failed that did.
    pub why: Option<String>,
}

impl Incomplete {
    /// Nothing of it is so if everything was sent.
    pub(super) fn or_done(self) -> Result<(), Self> {
        let Self { failed, refused, unsent, waiting, .. } = &self;
        if (*failed, *refused, *unsent, *waiting) == (0, 0, 0, 0) { Ok(()) } else { Err(self) }
    }
}

impl core::error::Error for Incomplete {}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(collector) = self.collector {
            write!(f, "collector {collector}: ")?;
        }
        write!(f, "not everything was sent")?;
        for (count, what) in [
            (self.failed, "messages failed"),
            (self.refused, "messages were refused: nobody listens there"),
            (self.unsent as u64, "messages wait for their socket"),
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
        let sound = Incomplete { collector: "192.0.2.1:9".parse().ok(), ..Incomplete::default() };
        assert_eq!(sound.clone().or_done(), Ok(()));
        let why = Some("Network is unreachable".to_owned());
        let error = Incomplete { failed: 2, waiting: 1, why, ..sound }.or_done().unwrap_err();
        assert_eq!(
            error.to_string(),
            "collector 192.0.2.1:9: not everything was sent, 2 messages failed, 1 reports wait for their templates to be \
             sent (Network is unreachable)"
        );
    }
}
