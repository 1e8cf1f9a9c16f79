//! Messages over TCP and TLS, which deliver everything.

use core::time::Duration;
use std::{io, sync::Arc, thread, time::Instant};

use vnet::{
    ipfix::{
        export::{Counters, Outgoing, SendError},
        reliable::{Item, Limits, Phase, Sender, Target as Address, TlsFiles, TlsIdentity},
    },
    process::Bell,
    runtime::Clock,
};

use super::{
    collector::{CollectorError, Feed},
    target::{Target, Way},
};

/// How long a first session may take, with its handshake.
const FIRST: Duration = Duration::from_secs(11);
/// A collector that takes nothing for so long at the end takes nothing any more.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at the sender.
const NAP: Duration = Duration::from_millis(1);
/// Octets that may wait before somebody who can wait does so.
const ENOUGH: usize = 4 << 20;

/// The sender, as it was last seen.
pub(super) struct Session {
    sender: Sender,
    is_live: bool,
    phase: Phase,
    is_finished: bool,
}

impl Session {
    pub(super) fn begin(
        target: &Target,
        tls: Option<TlsFiles>,
        feed: Feed,
    ) -> Result<Self, CollectorError> {
        let (host, port) = (target.host.clone(), target.port);
        let address = match (target.way, tls) {
            (Way::Tls, Some(files)) => {
                let identity = TlsIdentity::load(files, &host)
                    .map_err(|source| CollectorError::Tls { target: target.clone(), source })?;
                Address::Tls { host, port, identity: Arc::new(identity) }
            }
            _ => Address::Tcp { host, port },
        };
        let failed = |source| CollectorError::Connect { target: target.clone(), source };
        let sender = Sender::new(address, &Limits::DEFAULT, Clock::real(), Bell::new());
        let sender = sender.map_err(failed)?;
        let is_live = feed == Feed::Live;
        let session = Self { sender, is_live, phase: Phase::Connecting, is_finished: false };
        if !is_live {
            session.wait_for_first().map_err(failed)?;
        }
        Ok(session)
    }

    fn wait_for_first(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            let status = self.sender.status();
            match status.phase {
                Phase::Up => return Ok(()),
                Phase::Connecting if start.elapsed() < FIRST => thread::sleep(NAP),
                _ => {
                    let reason = status.last_error.unwrap_or_else(|| "no answer".to_owned());
                    return Err(io::Error::other(reason));
                }
            }
        }
    }

    pub(super) fn push(&self, item: Item) {
        // There is always room for what is no message.
        let _: Result<(), Item> = self.sender.push(item);
    }

    /// Hands a message over, and waits for room where somebody can.
    pub(super) fn send(&self, outgoing: &Outgoing<'_>) -> Result<(), SendError> {
        if !self.is_live {
            self.wait_for_room()?;
        }
        let item = Item::Message {
            domain: outgoing.stream.domain,
            records: outgoing.draft.records(),
            advance: outgoing.advance,
            keeps_time: outgoing.keeps_time,
            octets: outgoing.message.into(),
        };
        self.sender.push(item).map_err(|_| SendError::QueueFull)
    }

    fn wait_for_room(&self) -> io::Result<()> {
        loop {
            let status = self.sender.status();
            if status.queued_octets < ENOUGH {
                return Ok(());
            }
            if status.phase == Phase::Down {
                return Err(io::Error::other(status.last_error.unwrap_or_default()));
            }
            thread::sleep(NAP);
        }
    }

    /// Waits until everything is delivered, as long as that gets on; else how many messages are not, and why.
    pub(super) fn finish(&mut self) -> Result<(), (u64, String)> {
        self.is_finished = true;
        let (mut since, mut before) = (Instant::now(), self.sender.status().delivered);
        while !self.sender.wait(Duration::from_millis(100)) {
            let status = self.sender.status();
            if status.delivered != before {
                (since, before) = (Instant::now(), status.delivered);
            }
            if since.elapsed() > PATIENCE {
                let reason = status.last_error.unwrap_or_else(|| "it takes nothing".to_owned());
                return Err((status.queued + status.in_flight, reason));
            }
        }
        Ok(())
    }

    /// What was delivered of what was handed over, when it is finished.
    pub(super) fn settled(&self, handed: Counters) -> Counters {
        if !self.is_finished {
            return handed;
        }
        let delivered = self.sender.status().delivered;
        Counters {
            messages: delivered.messages,
            octets: delivered.octets,
            records: delivered.records,
            records_not_sent: handed.records_not_sent
                + handed.records.saturating_sub(delivered.records),
            ..handed
        }
    }

    /// Whether the session ended or began since the last call.
    pub(super) fn news(&mut self) -> Option<String> {
        let status = self.sender.status();
        let before = core::mem::replace(&mut self.phase, status.phase);
        match (before, status.phase) {
            (Phase::Down, Phase::Up) => Some("connected again".to_owned()),
            (Phase::Connecting | Phase::Up, Phase::Down) => {
                let reason = status.last_error.unwrap_or_default();
                Some(format!("no session ({reason}); records wait for the next one"))
            }
            _ => None,
        }
    }
}
