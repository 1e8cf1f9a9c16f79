//! How many datagrams, how many fragments, and for how long.

use std::ops::RangeInclusive;

use thiserror::Error;
use vnet::{
    command::{ApiError, OperationError},
    fib::Family,
    plugin::Registrar,
    runtime::{BarrierHeld, Dispatching, Main, Shared},
};

/// Which reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Datagrams are put together.
    Full,
    /// Fragments are told what their datagram begins with.
    ShallowVirtual,
}

/// The limits of a kind of reassembly and a family, of each thread. They are VPP's, except for the fragments of full reassembly: three
/// of them, which VPP allows unless told otherwise, are no more than 4,440 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Milliseconds after which a datagram is given up: of full reassembly since its first fragment came (RFC 8200, section 4.5), of
    /// shallow since its latest.
    pub(super) timeout: u32,
    /// Datagrams at a time.
    pub(super) max_reassemblies: u32,
    /// Fragments of a datagram that wait.
    pub(super) max_length: u32,
    /// Milliseconds between two looks for datagrams whose time is over, where no fragment comes meanwhile.
    pub(super) expire_walk_interval: u32,
}

/// What each of them can be.
pub(super) struct Limits;

impl Limits {
    /// Up to a day; 0 is until somebody looks.
    pub(super) const TIMEOUT: RangeInclusive<u32> = 0..=86_400_000;
    pub(super) const INTERVAL: RangeInclusive<u32> = 1..=600_000;
    pub(super) const REASSEMBLIES: RangeInclusive<u32> = 0..=65536;
    pub(super) const LENGTH: RangeInclusive<u32> = 1..=8192;
}

impl Settings {
    /// Fragments that may wait on a thread at most: for each there is a place from the beginning.
    const MOST: u64 = 1 << 20;

    pub(super) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Full => Self {
                timeout: 200,
                max_reassemblies: 1024,
                max_length: 64,
                expire_walk_interval: 50,
            },
            Kind::ShallowVirtual => Self {
                timeout: 100,
                max_reassemblies: 1024,
                max_length: 3,
                expire_walk_interval: 10_000,
            },
        }
    }

    /// Whether it is more than memory is reserved for.
    fn check(self) -> Result<(), ReassemblyError> {
        let fragments = u64::from(self.max_reassemblies) * u64::from(self.max_length);
        if fragments > Self::MOST {
            return Err(ReassemblyError::TooMany { fragments, most: Self::MOST });
        }
        Ok(())
    }
}

/// Why settings are not changed; nothing is applied.
#[derive(Debug, Error)]
pub(super) enum ReassemblyError {
    /// More memory than is sensible.
    #[error(
        "max-reassemblies times max-reassembly-length is {fragments}: at most {most} fragments can wait on a thread"
    )]
    TooMany {
        /// Places that there would be.
        fragments: u64,
        /// And may be.
        most: u64,
    },
}

impl OperationError for ReassemblyError {
    fn api_error(&self) -> ApiError {
        ApiError::InvalidValue
    }
}

/// What all nodes look at.
#[derive(Clone, Copy)]
struct All {
    settings: [[Settings; 2]; 2],
    threads: usize,
}

/// The settings in force. Clones are the same.
#[derive(Clone)]
pub(super) struct InForce(Shared<All>);

impl InForce {
    pub(super) fn new(r: &mut Registrar) -> Self {
        let settings = [Kind::Full, Kind::ShallowVirtual].map(|kind| [Settings::of(kind); 2]);
        let all = Self(r.shared(All { settings, threads: 1 }));
        let of_start = all.0.clone();
        r.on_start(move |main| {
            let threads = main.threads();
            of_start.write(main.held_mut()).threads = threads;
            Ok(())
        });
        all
    }

    pub(super) fn read(&self, token: Dispatching<'_>, kind: Kind, family: Family) -> Settings {
        self.0.read(token).settings[kind as usize][family as usize]
    }

    pub(super) fn held(&self, held: &BarrierHeld, kind: Kind, family: Family) -> Settings {
        self.0.view(held).settings[kind as usize][family as usize]
    }

    /// Threads of the engine, the main one included.
    pub(super) fn threads(&self, token: Dispatching<'_>) -> usize {
        self.0.read(token).threads
    }

    /// Sets them. Threads give up what they have when they see that.
    pub(super) fn set(
        &self,
        main: &mut Main,
        kind: Kind,
        family: Family,
        settings: Settings,
    ) -> Result<(), ReassemblyError> {
        settings.check()?;
        self.0.write(main.held_mut()).settings[kind as usize][family as usize] = settings;
        Ok(())
    }
}
