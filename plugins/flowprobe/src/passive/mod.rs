//! `flowprobe-passive`: a passive observation point on the `device-input` arc, of captures and of live interfaces.
//!
//! It sees packets as they came, before anything validates them, from their link header on, whatever that is: a bad checksum
//! or a foreign MAC address changes nothing. Each thread has a point of its own, with a meter and the records that are due.
//! The node makes records while it looks at a frame; the main thread takes them between two rounds.
//!
//! Where the main thread does all, as in a replay, an input that is not polled meanwhile is held back and nothing is lost. With
//! workers it may be late: a thread on which [`MOST`] records wait makes none that can wait, and counts those as lost that cannot.
//!
//! | file | idea |
//! |---|---|
//! | `node` | the node, and the one that ends flows when no packet comes |
//! | `look` | what the meter is told of a packet: which way it goes, what is in it, whether it is of the own export |

mod look;
mod node;

use std::{cell::OnceCell, rc::Rc};

use vnet::{
    flow::{Config, Counters, FlowRecord, Meter, MeterError, Scope},
    interface::SwIfIndex,
    plugin::{Plugin, Registrar},
    runtime::{Interrupt, Local, Main},
};

use look::Look;
pub use look::Seen;

/// Name of the node and of the feature.
pub const FEATURE: &str = "flowprobe-passive";
/// The arc that the feature is on.
pub const ARC: &str = "device-input";

/// Records for which there is room from the start. A frame makes more only when its packets evict many flows each; then the
/// room grows, once.
const ROOM: usize = 4096;
/// Records of a thread that wait for the main thread, at most.
pub const MOST: usize = 1 << 17;

/// What is measured, and of which packets.
#[derive(Clone, Debug)]
pub struct Passive {
    /// What is measured, and how.
    pub meter: Config,
    /// What tunnels carry is measured in place of them.
    pub inner: bool,
    /// Packets come from a live interface: there may be large ones, which stand for several, such as the host itself sends, and
    /// such by which this process exports.
    pub live: bool,
}

impl From<Config> for Passive {
    fn from(meter: Config) -> Self {
        Self { meter, inner: false, live: false }
    }
}

/// What a thread measures, and the records that nobody has taken yet.
struct Point {
    meter: Result<Meter, MeterError>,
    look: Look,
    records: Records,
}

/// Records that nobody has taken yet.
struct Records {
    waiting: Vec<FlowRecord>,
    lost: Lost,
}

/// Records that nobody took, and the packets that they told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Records.
    pub records: u64,
    /// Packets in them.
    pub packets: u64,
}

/// Sums over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of the meters.
    pub flows: Counters,
    /// Flows that are held.
    pub live_flows: u64,
    /// Of what was looked at.
    pub seen: Seen,
    /// Records for which there was no room.
    pub lost: Lost,
}

impl Point {
    fn new(passive: &Passive) -> Self {
        Self {
            meter: Meter::new(&passive.meter),
            look: Look::new(passive.inner, passive.live),
            records: Records { waiting: Vec::with_capacity(ROOM), lost: Lost::default() },
        }
    }
}

impl Records {
    #[inline]
    fn push(&mut self, record: &FlowRecord) {
        if self.waiting.len() < MOST {
            self.waiting.push(*record);
        } else {
            self.lost.records += 1;
            self.lost.packets += record.all_packets();
        }
    }

    /// Whether there is room for what can wait.
    #[inline]
    fn has_room(&self) -> bool {
        self.waiting.len() < MOST / 2
    }
}

/// The points of all threads, as the main thread sees them.
#[derive(Clone, Default)]
pub struct PassivePoints(Rc<OnceCell<Local<Point>>>);

/// The plugin with the node, which measures as it is told on every interface where the feature [`FEATURE`] of the arc [`ARC`] is
/// enabled, and the way to its records.
#[must_use]
pub fn plugin(passive: impl Into<Passive>) -> (Plugin, PassivePoints) {
    let (passive, points) = (passive.into(), PassivePoints::default());
    let key = points.0.clone();
    let register = move |r: &mut Registrar| {
        let local = *key.get_or_init(|| r.local(move |_| Point::new(&passive)));
        node::register(r, local);
        Ok(())
    };
    let about = "Flow records of all that comes in";
    (Plugin::new(FEATURE, env!("CARGO_PKG_VERSION"), about, register).load_after("nodes"), points)
}

impl PassivePoints {
    /// Hands the records that are due to `sink`, in the order in which they were made.
    pub fn take(&self, main: &mut Main, sink: &mut impl FnMut(&FlowRecord)) {
        self.each(main, |point| point.records.waiting.drain(..).for_each(|record| sink(&record)));
    }

    /// Takes the records that are due from all threads, to be looked at when those run again: to the end of `into`.
    pub fn collect(&self, main: &mut Main, into: &mut Vec<FlowRecord>) {
        self.each(main, |point| into.append(&mut point.records.waiting));
    }

    /// As [`Self::take`], and then the records of all flows that are still held: metering is over.
    pub fn flush(&self, main: &mut Main, sink: &mut impl FnMut(&FlowRecord)) {
        self.each(main, |point| {
            point.records.waiting.drain(..).for_each(|record| sink(&record));
            if let Ok(meter) = &mut point.meter {
                meter.flush(Scope::All, sink);
            }
        });
    }

    /// What was seen and counted so far, of all threads.
    #[must_use]
    pub fn sums(&self, main: &mut Main) -> Sums {
        let mut sums = Sums::default();
        self.each(main, |point| {
            if let Ok(meter) = &point.meter {
                sums.flows += *meter.counters();
                sums.live_flows += meter.live_flows() as u64;
            }
            sums.seen += point.look.seen;
            sums.lost.records += point.records.lost.records;
            sums.lost.packets += point.records.lost.packets;
        });
        sums
    }

    /// What the main thread's meter counted so far.
    ///
    /// # Errors
    /// When there is no meter, because there was no memory for it.
    pub fn counters<'m>(&self, main: &'m Main) -> Result<Counters, &'m MeterError> {
        let point = self.0.get().and_then(|key| main.local(*key));
        let counters = |point: &'m Point| point.meter.as_ref().map(|meter| *meter.counters());
        point.map_or(Ok(Counters::default()), counters)
    }

    /// Has records tell of an interface by another number: that which the host knows it by.
    pub fn set_number(&self, main: &mut Main, interface: SwIfIndex, number: SwIfIndex) {
        self.each(main, |point| point.look.set_number(interface, number));
    }

    /// What has each thread end the flows that are due, though no packet comes: to be set now and then.
    #[must_use]
    pub fn walkers(main: &Main) -> Vec<Interrupt> {
        main.graph().find(node::WALKER).map_or_else(Vec::new, |node| main.interrupts(node))
    }

    fn each(&self, main: &mut Main, f: impl FnMut(&mut Point)) {
        if let Some(key) = self.0.get() {
            main.for_each_local(*key, f);
        }
    }
}
