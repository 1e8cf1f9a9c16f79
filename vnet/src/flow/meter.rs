//! The metering process of one observation point on one worker.

use core::time::Duration;
use std::io;

use super::{
    Config, Counters, FlowRecord, Keys, Observed, Switch,
    details::{DetailMeters, Sequenced},
    key::{
        Other, OtherContext, OtherDetail, OtherSwitched, OtherTunnelled, V4, V4Context, V4Detail,
        V4Mac, V4Switched, V4Tunnelled, V6, V6Context, V6Detail, V6Mac, V6Switched, V6Tunnelled,
    },
    tables::Tables,
};
use crate::{interface::SwIfIndex, runtime::PacketTime};

/// Measures packets and makes flow records. See the [module](super).
#[derive(Debug)]
pub struct Meter {
    layout: Layout,
}

/// Which flows a flush ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Those that came in or left by this interface.
    Interface(SwIfIndex),
}

/// Why a meter cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// The tables would have more slots than can be numbered.
    #[error("{flows} flows are more than a flow cache can hold (at most {} flows)", MAX_FLOWS)]
    TooManyFlows {
        /// What was asked for.
        flows: usize,
    },
    /// The table of fragments could not be reserved.
    #[error("cannot reserve memory for the table of fragments; leave them out")]
    Fragments,
    /// The address space could not be reserved.
    #[error("cannot reserve memory for {flows} flows: {source}; configure fewer")]
    Memory {
        /// What was asked for.
        flows: usize,
        /// What the system said.
        source: io::Error,
    },
}

/// Most flows that a table can be configured for.
pub(super) const MAX_FLOWS: usize = 1 << 30;

/// Which slots the tables have; settled by the configuration, looked at once a frame.
enum Layout {
    Narrow(Box<Tables<V4, V6, Other>>),
    Wide(Box<Tables<V4Mac, V6Mac, Other>>),
    Detailed(Box<DetailedTables<DetailMeters>>),
    Sequenced(Box<DetailedTables<Sequenced>>),
    Contextual(Box<ContextTables<DetailMeters>>),
    SequencedContextual(Box<ContextTables<Sequenced>>),
    Switched(Switch, Box<Tables<V4Switched, V6Switched, OtherSwitched>>),
    Tunnelled(Switch, Box<Tables<V4Tunnelled, V6Tunnelled, OtherTunnelled>>),
}

type DetailedTables<E> = Tables<V4Detail<E>, V6Detail<E>, OtherDetail<E>>;
type ContextTables<E> = Tables<V4Context<E>, V6Context<E>, OtherContext<E>>;

macro_rules! each_layout {
    ($meter:expr, $tables:ident => $body:expr) => {
        match &$meter.layout {
            Layout::Narrow($tables) => $body,
            Layout::Wide($tables) => $body,
            Layout::Detailed($tables) => $body,
            Layout::Sequenced($tables) => $body,
            Layout::Contextual($tables) => $body,
            Layout::SequencedContextual($tables) => $body,
            Layout::Switched(_, $tables) => $body,
            Layout::Tunnelled(_, $tables) => $body,
        }
    };
    (mut $meter:expr, $tables:ident => $body:expr) => {
        match &mut $meter.layout {
            Layout::Narrow($tables) => $body,
            Layout::Wide($tables) => $body,
            Layout::Detailed($tables) => $body,
            Layout::Sequenced($tables) => $body,
            Layout::Contextual($tables) => $body,
            Layout::SequencedContextual($tables) => $body,
            Layout::Switched(_, $tables) => $body,
            Layout::Tunnelled(_, $tables) => $body,
        }
    };
}

impl Meter {
    /// Reserves the tables.
    ///
    /// # Errors
    /// See [`MeterError`].
    pub fn new(config: &Config) -> Result<Self, MeterError> {
        let selected = config.selected();
        let layout = if let Some(switch) = config.switch {
            if switch.tunnels {
                Layout::Tunnelled(switch, Box::new(Tables::new(config)?))
            } else {
                Layout::Switched(switch, Box::new(Tables::new(config)?))
            }
        } else if selected.needs_context() && selected.sequence {
            Layout::SequencedContextual(Box::new(Tables::new(config)?))
        } else if selected.needs_context() {
            Layout::Contextual(Box::new(Tables::new(config)?))
        } else if selected.sequence {
            Layout::Sequenced(Box::new(Tables::new(config)?))
        } else if selected.needs_details() {
            Layout::Detailed(Box::new(Tables::new(config)?))
        } else if (selected.ip4 | selected.ip6).intersects(Keys::LINK) {
            Layout::Wide(Box::new(Tables::new(config)?))
        } else {
            Layout::Narrow(Box::new(Tables::new(config)?))
        };
        Ok(Self { layout })
    }

    /// Measures packets, in order. Records that fall due go to `sink`.
    ///
    /// How packets are divided into frames changes no record. A frame of 256 is what makes it fast: more are cut into frames
    /// of 256.
    #[inline]
    pub fn frame<'a, S: FnMut(&FlowRecord)>(
        &mut self,
        packets: impl IntoIterator<Item = Observed<'a>>,
        sink: &mut S,
    ) {
        match &mut self.layout {
            Layout::Narrow(tables) => tables.frame(packets, sink),
            Layout::Wide(tables) => tables.frame(packets, sink),
            Layout::Detailed(tables) => tables.frame_aside(packets, sink),
            Layout::Sequenced(tables) => tables.frame_aside(packets, sink),
            Layout::Contextual(tables) => tables.frame_aside(packets, sink),
            Layout::SequencedContextual(tables) => tables.frame_aside(packets, sink),
            Layout::Switched(switch, tables) => tables.frame_switched(*switch, packets, sink),
            Layout::Tunnelled(switch, tables) => tables.frame_switched(*switch, packets, sink),
        }
    }

    /// Has other timers from now on, as [`Config`] has them. Flows that are held are judged by them, too: flush first where records are to be of one
    /// setting.
    pub fn set_timers(&mut self, active: Duration, passive: Duration) {
        each_layout!(mut self, tables => tables.rules.set_timers(active, passive));
    }

    /// Holds so many flows from now on, and has other timers as [`Self::set_timers`] says, where it is that of a switch. What is too
    /// much goes with the next frame, or the next [`sweep`](Self::sweep).
    pub fn set_aging(&mut self, most_flows: usize, active: Duration, passive: Duration) {
        each_layout!(mut self, tables => tables.rules.set_aging(most_flows, active, passive));
    }

    /// Holds so many flows from now on, where it is that of a switch and holds any: what may change with every frame. What is too much
    /// goes as [`Self::set_aging`] says.
    #[inline]
    pub fn set_most_flows(&mut self, most_flows: usize) {
        each_layout!(mut self, tables => tables.rules.set_most_flows(most_flows));
    }

    /// Tells that it is `now` though no packet came, so that flows can fall due. For live engines, where packet time is the
    /// time of receipt. An earlier time than the last one changes nothing.
    pub fn advance(&mut self, now: PacketTime) {
        each_layout!(mut self, tables => tables.watermark = tables.watermark.max(now.0));
    }

    /// Makes some of the records that are due, of at most `limit` times 64 slots a table, and says whether there may be more to
    /// do now. Call it with a small `limit` after each frame and when idle; when it is called changes no record.
    pub fn sweep<S: FnMut(&FlowRecord)>(&mut self, limit: usize, sink: &mut S) -> bool {
        each_layout!(mut self, tables => tables.sweep(limit, sink))
    }

    /// Moves a part of the tables in use to huge pages, where the configuration says [`Pages::Settling`](super::Pages), and says
    /// whether there is more to move. Takes a fraction of a millisecond.
    pub fn settle(&mut self) -> bool {
        each_layout!(mut self, tables => tables.settle())
    }

    /// Makes the records of all flows of `scope` and forgets them: the interface was disabled, or the capture is over. What
    /// was due before has its own reason.
    pub fn flush<S: FnMut(&FlowRecord)>(&mut self, scope: Scope, sink: &mut S) {
        each_layout!(mut self, tables => tables.flush(scope, sink));
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        each_layout!(self, tables => &tables.counters)
    }

    /// Flows held now. One whose record was made by the active timeout is held until it is idle.
    #[must_use]
    pub fn live_flows(&self) -> usize {
        each_layout!(self, tables => tables.live_flows())
    }

    /// Octets that are reserved for the tables. Memory is taken of them as flows come.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        each_layout!(self, tables => tables.reserved()) as u64
    }

    /// The latest packet time seen.
    #[must_use]
    pub fn watermark(&self) -> PacketTime {
        PacketTime(each_layout!(self, tables => tables.watermark))
    }

    /// Shows all flows held, each as the record that a flush would make of it. One without packets since its last record has
    /// zero of them.
    pub fn for_each_flow(&self, visit: &mut impl FnMut(&FlowRecord)) {
        each_layout!(self, tables => tables.for_each_flow(visit));
    }
}

impl Scope {
    /// `interfaces` is the key's word.
    pub(super) fn has(self, interfaces: u64) -> bool {
        match self {
            Self::All => true,
            Self::Interface(SwIfIndex(index)) => {
                interfaces as u32 == index || (interfaces >> 32) as u32 == index
            }
        }
    }
}

impl core::fmt::Debug for Layout {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Narrow(_) => "Narrow",
            Self::Wide(_) => "Wide",
            Self::Detailed(_) => "Detailed",
            Self::Sequenced(_) => "Sequenced",
            Self::Contextual(_) => "Contextual",
            Self::SequencedContextual(_) => "SequencedContextual",
            Self::Switched(..) => "Switched",
            Self::Tunnelled(..) => "Tunnelled",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Families, Pages, RecordSet, Start};

    /// A meter of IPv4 that was shown a packet of each of so many flows.
    struct Shown(Meter, Vec<[u8; 46]>);

    impl Shown {
        fn new(flows: u16, pages: Pages) -> Self {
            let record = RecordSet::L3 | RecordSet::L4;
            let meter = Meter::new(&Config { pages, ..Config::new(Families::IP4, record) });
            let packet = |port: u16| {
                let mut packet = [0; 46];
                packet[..10].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
                packet[20..22].copy_from_slice(&port.to_be_bytes());
                packet
            };
            let mut shown = Self(meter.unwrap(), (0..flows).map(packet).collect());
            assert!(!shown.0.settle(), "an idle table stays as it is");
            shown.again();
            shown
        }

        fn again(&mut self) {
            let observed = self.1.iter();
            let observed = observed.map(|p| Observed::new(p, Start::Network(0), SwIfIndex(1)));
            self.0.frame(observed, &mut |_: &FlowRecord| ());
        }

        /// Moves what is in use to huge pages; how many that took.
        fn settle(&mut self) -> usize {
            std::iter::repeat_with(|| self.0.settle()).take_while(|more| *more).count()
        }
    }

    #[test]
    fn a_table_that_settles_on_huge_pages_keeps_its_flows() {
        let mut shown = Shown::new(600, Pages::Settling);
        assert!(shown.settle() > 0);
        assert_eq!(shown.settle(), 0);
        shown.again();
        assert_eq!(shown.0.live_flows(), 600);
        shown.0.for_each_flow(&mut |record| assert_eq!(record.packets, 2));
    }

    #[test]
    fn a_table_uses_no_more_memory_than_its_flows_need() {
        assert_eq!(Shown::new(600, Pages::Small).settle(), 0);
        // Of its 128 MiB: two to five slots of 64 octets a flow, in pages of 2 MiB, and one that begins before.
        for (flows, pages) in [(600, 1..=2), (20_000, 2..=5), (60_000, 4..=11)] {
            let settled = Shown::new(flows, Pages::Settling).settle();
            assert!(pages.contains(&settled), "{flows} flows, {settled} pages");
        }
    }
}
