//! The action `sample`: packets that rules of others choose, by chance, for a collector set.
//!
//! A rule says probability, collector set, observation domain and point, as Open vSwitch's action of that name does. Without the
//! set its samples are counted and lost; with it they are measured like frames that come in.

use core::num::NonZeroU16;

use vnet::{
    action::{self, Action, Packets, Perform, PerformCx},
    buffer::{Buffer, BufferFlags},
    command::{Error, NoNames, keyword, value},
    flow::{
        Alarm, Context, Direction, Observed, Rate, Site, Start,
        sample::{Method, Sampler, Selection},
    },
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::Main,
    wire::{ethernet, link::LinkType},
};

use crate::{
    IpfixBridge, IpfixBridgeError,
    bridge::Seeds,
    node::Unseen,
    point::{LocalPoint, MeteringId, Moment, NOBODY, Point},
};

vnet::args! {
    struct Arguments {
        probability: u16 = keyword("probability", value::number(1..=u16::MAX).hint("1-65535"))
            .help("of 65535"),
        set: u32 = keyword("collector-set", value::id("id")),
        obs_domain_id: u32 = keyword("obs_domain_id", value::id("n")).or(0),
        obs_point_id: u32 = keyword("obs_point_id", value::id("n")).or(0),
    }
}

/// What a rule samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) probability: NonZeroU16,
    pub(crate) set: u32,
    pub(crate) domain: u32,
    pub(crate) point: u32,
}

/// What a thread has for it.
pub(crate) struct ThreadSample {
    sample: Sample,
    /// Position of the set's meter.
    meter: u8,
    context: Context,
    /// Nobody, where all are measured.
    sampler: Option<Sampler>,
    counts: Counts,
}

/// What became of packets that a rule chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All.
    pub(crate) chosen: u64,
    /// Those that chance selected.
    pub(crate) sampled: u64,
    /// Of these, those for which there was no collector set.
    pub(crate) lost: u64,
}

/// Registers the action.
pub(crate) fn register(
    r: &mut Registrar,
    bridge: &IpfixBridge,
    point: LocalPoint,
    alarm: &Alarm,
) -> Result<(), action::ActionError> {
    let alarm = alarm.clone();
    let perform = move |_| Performer { point, alarm: alarm.clone() };
    r.action("sample", SampleAction(bridge.clone()), perform)
}

struct SampleAction(IpfixBridge);

impl Action for SampleAction {
    fn configure(&self, main: &mut Main, arguments: &str) -> Result<u32, Error> {
        let args = action::parse::<Arguments>(arguments, &NoNames)?;
        let Arguments { probability, set, obs_domain_id: domain, obs_point_id: point } = args;
        let probability = NonZeroU16::new(probability).unwrap_or(NonZeroU16::MIN);
        let sample = Sample { probability, set, domain, point };
        Ok(self.0.add_sample(main, sample)?)
    }

    fn release(&self, main: &mut Main, config: u32) {
        self.0.remove_sample(main, config);
    }

    fn describe(&self, _: &Main, config: u32) -> String {
        let Some(sample) = self.0.sample(config) else { return String::new() };
        let Sample { probability, set, domain, point } = sample;
        format!(
            "probability {probability} collector-set {set} obs_domain_id {domain} obs_point_id {point}"
        )
    }
}

impl IpfixBridge {
    /// How many rules sample into a set.
    pub(crate) fn users_of_set(&self, set: u32) -> usize {
        self.look().samples.iter().flatten().filter(|sample| sample.set == set).count()
    }

    /// The observation domains of what is sampled into a set.
    pub(crate) fn domains_of_set(&self, set: u32) -> Vec<u32> {
        let state = self.look();
        let of_set = state.samples.iter().flatten().filter(|sample| sample.set == set);
        let mut domains: Vec<u32> = of_set.map(|sample| sample.domain).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    fn sample(&self, config: u32) -> Option<Sample> {
        self.look().samples.get(config as usize).copied().flatten()
    }

    fn add_sample(&self, main: &mut Main, sample: Sample) -> Result<u32, IpfixBridgeError> {
        let at = {
            let samples = &mut self.state().samples;
            let free = samples.iter().position(Option::is_none);
            let at = free.unwrap_or(samples.len());
            samples.resize(samples.len().max(at + 1), None);
            samples[at] = Some(sample);
            at
        };
        if let Err(error) = self.follow_samples(main, sample.set) {
            self.state().samples[at] = None;
            return Err(error);
        }
        Ok(at as u32)
    }

    fn remove_sample(&self, main: &mut Main, config: u32) {
        let place = self.state().samples.get_mut(config as usize).and_then(Option::take);
        if let Some(Sample { set, .. }) = place {
            // Nothing new is opened when a domain goes.
            drop(self.follow_samples(main, set));
        }
    }

    /// Tells threads what rules sample, and which meters are whose.
    pub(crate) fn tell_samples(&self, main: &mut Main) {
        let state = self.look();
        let of_set = |set: u32| Some(state.sets.get(&set)?.metering.as_ref()?.id);
        let told: Vec<Option<(Sample, Option<MeteringId>)>> =
            state.samples.iter().map(|sample| sample.map(|s| (s, of_set(s.set)))).collect();
        let mut seeds = Seeds::of(main, MeteringId(u32::MAX));
        main.for_each_local(self.point(), |local| local.set_samples(&told, &mut seeds));
    }

    /// What became of the packets of each rule that samples into a set.
    pub(crate) fn sample_counts(&self, main: &mut Main, set: u32) -> Vec<(Sample, Counts)> {
        let mut all: Vec<Option<(Sample, Counts)>> = Vec::new();
        main.for_each_local(self.point(), |local| {
            all.resize(all.len().max(local.samples.len()), None);
            for (sum, of) in all.iter_mut().zip(&local.samples) {
                let Some(ThreadSample { sample, counts, .. }) = of else { continue };
                let (_, sum) = sum.get_or_insert((*sample, Counts::default()));
                sum.chosen += counts.chosen;
                sum.sampled += counts.sampled;
                sum.lost += counts.lost;
            }
        });
        all.into_iter().flatten().filter(|(sample, _)| sample.set == set).collect()
    }
}

impl Point {
    /// Has these, and goes on with those that were there.
    fn set_samples(&mut self, told: &[Option<(Sample, Option<MeteringId>)>], seeds: &mut Seeds) {
        self.samples.resize_with(told.len(), || None);
        let Self { samples, meters, .. } = self;
        for (place, told) in samples.iter_mut().zip(told) {
            let Some((sample, of)) = *told else {
                *place = None;
                continue;
            };
            if place.as_ref().is_none_or(|known| known.sample != sample) {
                *place = Some(ThreadSample::new(sample, seeds));
            }
            if let Some(known) = place {
                let at = meters.iter().position(|meter| Some(meter.of) == of);
                known.meter = at.map_or(NOBODY, |at| at as u8);
            }
        }
    }
}

impl ThreadSample {
    fn new(sample: Sample, seeds: &mut Seeds) -> Self {
        let Sample { probability, domain, point, .. } = sample;
        let rate = Rate::of_65535(probability);
        let seed = seeds.next();
        let all = probability == NonZeroU16::MAX;
        let method = Method::Probability(rate.probability());
        let site = Site { domain, point, rate };
        Self {
            sample,
            meter: NOBODY,
            context: Context { site, ..Context::NONE },
            sampler: (!all).then(|| Sampler::new(method, seed)),
            counts: Counts::default(),
        }
    }

    /// Whether chance selects the next packet.
    #[inline]
    fn selects(&mut self) -> bool {
        self.counts.chosen += 1;
        let Some(sampler) = &mut self.sampler else { return true };
        let mut selection = Selection::default();
        sampler.select(0..1, &mut Unseen, &mut selection);
        selection.has(0)
    }
}

/// A thread's own part.
struct Performer {
    point: LocalPoint,
    alarm: Alarm,
}

impl Perform for Performer {
    fn perform(&mut self, cx: &mut PerformCx<'_>, packets: &mut Packets<'_>) {
        let moment = Moment { engine: cx.now(), wall: cx.packet_time() };
        let Some(mut local) = cx.take_local(self.point) else { return };
        let Point { meters, samples, .. } = &mut *local;
        let mut wakes = false;
        packets.each(|buffer, config| {
            let Some(Some(sample)) = samples.get_mut(config as usize) else { return };
            if !sample.selects() {
                return;
            }
            sample.counts.sampled += 1;
            let Some(to) = meters.get_mut(usize::from(sample.meter)) else {
                sample.counts.lost += 1;
                return;
            };
            wakes |= to.meter.live_flows() == 0;
            let packet = observed(buffer, &sample.context, moment);
            to.measure([packet], moment);
        });
        if wakes {
            self.alarm.set();
        }
        cx.put_local(self.point, local);
    }
}

/// A packet as it came, from its Ethernet header on, wherever rules are looked at.
fn observed<'b>(buffer: &'b Buffer, context: &'b Context, moment: Moment) -> Observed<'b> {
    let (at, l2) = (buffer.current_data(), buffer.l2_offset);
    let link = LinkType::from_number(buffer.link_type).unwrap_or(LinkType::Ethernet);
    let before = usize::try_from(at.saturating_sub(l2)).unwrap_or(0);
    let has_header = before >= size_of::<ethernet::Header>();
    let (bytes, start) = match has_header {
        true => (buffer.from_offset(l2), Start::Link(LinkType::Ethernet)),
        false if link == LinkType::Ethernet => (buffer.current(), Start::Link(link)),
        // An IP packet that came without a link header.
        false => (buffer.current(), Start::Network(0)),
    };
    let front = if has_header { before } else { 0 };
    Observed {
        bytes,
        wire_length: (buffer.length_in_chain() + front) as u32,
        time: moment.metered(),
        rx: SwIfIndex::NONE,
        tx: SwIfIndex::NONE,
        direction: Direction::Ingress,
        start,
        is_own_export: buffer.flags().contains(BufferFlags::FLOW_REPORT),
        context,
        outer_port: 0,
    }
}
