//! The tables of a meter, one a family, and how packets come into them.

use super::{
    Config, Counters, Families, FlowRecord, MeterError, Observed, Scope, StartTime, Unmeasured,
    cache::Cache,
    details::Extra,
    directory::LEAST_HOMES,
    fragments::Fragments,
    key::{Key as _, Kind, Kind4, Kind6, KindOther, SampleOf, is_sent},
    lanes::batch,
    meter::MAX_FLOWS,
    order::has_shortcuts,
    rules::{Rules, Sample},
};
use crate::wire::{
    ethernet::EtherType,
    ip4::protocol,
    walk::{self, Ip, Link, Transport},
};

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
    pub(super) fn new(config: &Config) -> Result<Self, MeterError> {
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
    pub(super) fn frame<'a, S: FnMut(&FlowRecord)>(
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
            if n.is_multiple_of(batch::<F>()) {
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
    pub(super) fn frame_aside<'a, S: FnMut(&FlowRecord)>(
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

    pub(super) fn sweep<S: FnMut(&FlowRecord)>(&mut self, limit: usize, sink: &mut S) -> bool {
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

    pub(super) fn flush<S: FnMut(&FlowRecord)>(&mut self, scope: Scope, sink: &mut S) {
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

    pub(super) fn settle(&mut self) -> bool {
        self.v4.as_mut().is_some_and(Cache::settle)
            || self.v6.as_mut().is_some_and(Cache::settle)
            || self.other.as_mut().is_some_and(Cache::settle)
    }

    pub(super) fn live_flows(&self) -> usize {
        self.v4.as_ref().map_or(0, Cache::flows)
            + self.v6.as_ref().map_or(0, Cache::flows)
            + self.other.as_ref().map_or(0, Cache::flows)
    }

    pub(super) fn reserved(&self) -> usize {
        self.v4.as_ref().map_or(0, Cache::reserved)
            + self.v6.as_ref().map_or(0, Cache::reserved)
            + self.other.as_ref().map_or(0, Cache::reserved)
    }

    pub(super) fn for_each_flow(&self, visit: &mut impl FnMut(&FlowRecord)) {
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
