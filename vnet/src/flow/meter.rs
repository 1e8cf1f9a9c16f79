//! The metering process of one observation point on one worker.

use core::time::Duration;
use std::io;

use super::{
    Config, Counters, Families, FlowRecord, Keys, Observed, StartTime, Switch, Unmeasured,
    cache::Cache,
    details::{DetailMeters, Extra, Sequenced},
    directory::LEAST_HOMES,
    fragments::Fragments,
    key::{
        Key as _, Kind, Kind4, Kind6, KindOther, Other, OtherContext, OtherDetail, OtherSwitched,
        OtherTunnelled, SampleOf, V4, V4Context, V4Detail, V4Mac, V4Switched, V4Tunnelled, V6,
        V6Context, V6Detail, V6Mac, V6Switched, V6Tunnelled, is_sent,
    },
    lanes::BATCH,
    order::has_shortcuts,
    rules::{Rules, Sample},
};
use crate::{
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::{
        ethernet::EtherType,
        ip4::protocol,
        walk::{self, Ip, Link, Transport},
    },
};

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

pub(super) struct Tables<F: Kind, G: Kind, O: Kind> {
    pub(super) v4: Option<Cache<F>>,
    pub(super) v6: Option<Cache<G>>,
    pub(super) other: Option<Cache<O>>,
    /// IP behind tags or labels is of another kind.
    plain_ip: bool,
    /// Records have both directions.
    biflow: bool,
    /// Where later fragments belong, if that is asked for.
    fragments: Option<Fragments>,
    pub(super) rules: Rules,
    pub(super) counters: Counters,
    pub(super) watermark: u64,
}

impl<F: Kind4, G: Kind6, O: KindOther> Tables<F, G, O> {
    fn new(config: &Config) -> Result<Self, MeterError> {
        Ok(Self {
            v4: cache(config, Families::IP4)?,
            v6: cache(config, Families::IP6)?,
            other: cache(config, Families::OTHER)?,
            plain_ip: config.plain_ip && config.families.contains(Families::OTHER),
            biflow: config.selected().biflow,
            fragments: config.fragments.then(Fragments::new).transpose()?,
            rules: Rules::new(config),
            counters: Counters::default(),
            watermark: 0,
        })
    }

    #[inline]
    fn frame<'a, S: FnMut(&FlowRecord)>(
        &mut self,
        packets: impl IntoIterator<Item = Observed<'a>>,
        sink: &mut S,
    ) {
        let mut watermark = self.watermark;
        let mut n = 0_usize;
        for packet in packets {
            if !self.stage_common(&packet, &mut watermark) {
                // By value: a packet that is lent to no one stays in registers.
                watermark = self.stage_any(packet, watermark);
            }
            n += 1;
            if n.is_multiple_of(BATCH) {
                self.step(sink);
            }
        }
        self.watermark = watermark;
        self.counters.seen += n as u64;
        self.step(sink);
        self.step(sink);
    }

    /// [`Self::frame`] out of line, so that the code of those who want no details is compiled as if there were none.
    #[inline(never)]
    fn frame_aside<'a, S: FnMut(&FlowRecord)>(
        &mut self,
        packets: impl IntoIterator<Item = Observed<'a>>,
        sink: &mut S,
    ) {
        self.frame(packets, sink);
    }

    /// Stages what is plain TCP or UDP, as straight-line code; says `false` to all other packets.
    #[inline(always)]
    fn stage_common(&mut self, packet: &Observed<'_>, watermark: &mut u64) -> bool {
        if packet.is_own_export {
            return false;
        }
        let Some(link) = packet.common_link() else { return false };
        if self.plain_ip && link.vlan.is_some() {
            return false;
        }
        let Some(bytes) = packet.bytes.get(link.payload..) else { return false };
        let seen = packet.time.0.max(*watermark);
        let rules = &self.rules;
        match link.ethertype {
            EtherType::IP4 => {
                let (Some(cache), Some((ip, transport))) = (&mut self.v4, walk::common4(bytes))
                else {
                    return false;
                };
                let mut extra = F::Extra::of4(packet, &link, ip, &transport);
                let mut key = F::key(packet.point(), &link, ip, &transport, &extra);
                turn::<F>(self.biflow, &mut key, &mut extra);
                cache.stage(key, extra, &sample(packet, seen, &transport), rules);
            }
            _ => {
                let (Some(cache), Some((ip, transport))) = (&mut self.v6, walk::common6(bytes))
                else {
                    return false;
                };
                let mut extra = G::Extra::of6(packet, &link, ip, &transport);
                let mut key = G::key(packet.point(), &link, ip, &transport, &extra);
                turn::<G>(self.biflow, &mut key, &mut extra);
                cache.stage(key, extra, &sample(packet, seen, &transport), rules);
            }
        }
        *watermark = seen;
        true
    }

    /// Stages any packet or counts why not; returns the watermark after it.
    #[inline(never)]
    fn stage_any(&mut self, packet: Observed<'_>, watermark: u64) -> u64 {
        let (link, ip) = packet.walk();
        if packet.is_own_export {
            self.counters.count_unmeasured(Unmeasured::OwnExport, packet.octets_behind(link));
            return watermark;
        }
        let watermark = watermark.max(packet.time.0);
        let point = packet.point();
        let reason = match ip {
            Ok(_) => Unmeasured::OtherFamily,
            Err(miss) => miss.into(),
        };
        let is_ip = !self.plain_ip || link.is_ok_and(is_plain);
        let biflow = self.biflow;
        let Self { v4, v6, other, fragments, rules, counters, .. } = self;
        match (link, ip, v4, v6, other) {
            (Ok(link), Ok(Ip::V4(ip, mut transport)), Some(cache), _, _) if is_ip => {
                if let Some(fragments) = fragments {
                    let seen = (point, &link, packet.time);
                    fragments.see4(seen, ip, &mut transport, &mut counters.fragments);
                }
                let mut extra = F::Extra::of4(&packet, &link, ip, &transport);
                let mut key = F::key(point, &link, ip, &transport, &extra);
                turn::<F>(biflow, &mut key, &mut extra);
                let sample = sample(&packet, watermark, &transport);
                if transport.protocol == protocol::ICMP {
                    cache.stage_icmp(key, extra, &sample, rules);
                } else {
                    cache.stage(key, extra, &sample, rules);
                }
            }
            (Ok(link), Ok(Ip::V6(ip, mut transport)), _, Some(cache), _) if is_ip => {
                if let Some(fragments) = fragments {
                    let seen = (point, &link, packet.time);
                    let payload = packet.behind(ip, transport.octets);
                    fragments.see6(seen, ip, payload, &mut transport, &mut counters.fragments);
                }
                let mut extra = G::Extra::of6(&packet, &link, ip, &transport);
                let mut key = G::key(point, &link, ip, &transport, &extra);
                turn::<G>(biflow, &mut key, &mut extra);
                let sample = sample(&packet, watermark, &transport);
                if transport.protocol == protocol::ICMP6 {
                    cache.stage_icmp(key, extra, &sample, rules);
                } else {
                    cache.stage(key, extra, &sample, rules);
                }
            }
            (Ok(link), _, _, _, Some(cache)) => {
                let mut extra = O::Extra::of_frame(&packet, &link);
                let mut key = O::key(point, &link, &extra);
                turn::<O>(biflow, &mut key, &mut extra);
                cache.stage(key, extra, &sample_of_frame(&packet, watermark), rules);
            }
            _ => counters.count_unmeasured(reason, packet.octets_behind(link)),
        }
        watermark
    }

    /// Takes all staged packets a step further.
    #[inline(always)]
    pub(super) fn step<S: FnMut(&FlowRecord)>(&mut self, sink: &mut S) {
        if let Some(cache) = &mut self.v4 {
            cache.step(&self.rules, &mut self.counters, sink);
        }
        if let Some(cache) = &mut self.v6 {
            cache.step(&self.rules, &mut self.counters, sink);
        }
        if let Some(cache) = &mut self.other {
            cache.step(&self.rules, &mut self.counters, sink);
        }
    }

    fn sweep<S: FnMut(&FlowRecord)>(&mut self, limit: usize, sink: &mut S) -> bool {
        let mut more = false;
        if F::Extra::IS_ORDERED {
            more |= self.sweep_in_order(limit, sink);
            if !has_shortcuts(&self.rules) {
                return more;
            }
        }
        let Self { v4, v6, other, rules, counters, watermark, .. } = self;
        if let Some(cache) = v4 {
            more |= cache.sweep(*watermark, limit, rules, counters, sink);
        }
        if let Some(cache) = v6 {
            more |= cache.sweep(*watermark, limit, rules, counters, sink);
        }
        if let Some(cache) = other {
            more |= cache.sweep(*watermark, limit, rules, counters, sink);
        }
        more
    }

    fn flush<S: FnMut(&FlowRecord)>(&mut self, scope: Scope, sink: &mut S) {
        if F::Extra::IS_ORDERED {
            return self.flush_in_order(sink);
        }
        let Self { v4, v6, other, rules, counters, watermark, .. } = self;
        if let Some(cache) = v4 {
            cache.flush(*watermark, scope, rules, counters, sink);
        }
        if let Some(cache) = v6 {
            cache.flush(*watermark, scope, rules, counters, sink);
        }
        if let Some(cache) = other {
            cache.flush(*watermark, scope, rules, counters, sink);
        }
    }

    fn settle(&mut self) -> bool {
        self.v4.as_mut().is_some_and(Cache::settle)
            || self.v6.as_mut().is_some_and(Cache::settle)
            || self.other.as_mut().is_some_and(Cache::settle)
    }

    pub(super) fn live_flows(&self) -> usize {
        self.v4.as_ref().map_or(0, Cache::flows)
            + self.v6.as_ref().map_or(0, Cache::flows)
            + self.other.as_ref().map_or(0, Cache::flows)
    }

    fn reserved(&self) -> usize {
        self.v4.as_ref().map_or(0, Cache::reserved)
            + self.v6.as_ref().map_or(0, Cache::reserved)
            + self.other.as_ref().map_or(0, Cache::reserved)
    }

    fn for_each_flow(&self, visit: &mut impl FnMut(&FlowRecord)) {
        if let Some(cache) = &self.v4 {
            cache.for_each(&mut *visit);
        }
        if let Some(cache) = &self.v6 {
            cache.for_each(&mut *visit);
        }
        if let Some(cache) = &self.other {
            cache.for_each(&mut *visit);
        }
    }
}

fn cache<K: Kind>(config: &Config, family: Families) -> Result<Option<Cache<K>>, MeterError> {
    if !config.families.contains(family) {
        return Ok(None);
    }
    let flows = config.max_flows;
    if flows > MAX_FLOWS {
        return Err(MeterError::TooManyFlows { flows });
    }
    let homes = (flows * 2).next_power_of_two().max(LEAST_HOMES) as u32;
    let keeps_starts = config.start_time == StartTime::Flow;
    let cache = Cache::new(homes, config.selected().keys(family), keeps_starts, config.pages);
    cache.map(Some).map_err(|source| MeterError::Memory { flows, source })
}

/// Makes the keys of both directions the same where records have both. Compiled to nothing where they cannot.
#[inline(always)]
fn turn<K: Kind>(biflow: bool, key: &mut K::Key, extra: &mut SampleOf<K>) {
    if size_of::<K::Extra>() != 0 && biflow {
        K::Extra::set_side(extra, K::turn(key), is_sent(key.first()));
    }
}

/// Whether IP is announced by the link header itself.
fn is_plain(link: Link) -> bool {
    link.vlan.is_none() && matches!(link.ethertype, EtherType::IP4 | EtherType::IP6)
}

#[inline(always)]
fn sample(packet: &Observed<'_>, watermark: u64, transport: &Transport) -> Sample {
    Sample {
        octets: transport.octets,
        tcp_flags: transport.tcp_flags,
        ..sample_of_frame(packet, watermark)
    }
}

#[inline(always)]
fn sample_of_frame(packet: &Observed<'_>, watermark: u64) -> Sample {
    Sample { time: packet.time.0, watermark, octets: 0, layer2_octets: packet.wire(), tcp_flags: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Pages, RecordSet, Start};

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
