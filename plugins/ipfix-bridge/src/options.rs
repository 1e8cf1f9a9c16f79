//! What the commands say, with the names and ranges of Open vSwitch's tables.

use core::num::NonZeroU32;
use std::{collections::BTreeSet, time::Duration};

use vnet::ipfix::profile::{FlowTemplates, Framing};

use crate::Target;

/// Seconds between two sendings of templates.
pub(crate) const TEMPLATE_INTERVAL: u32 = 600;
/// The largest `cache_active_timeout`: times of records are told in microseconds of 32 bits.
pub(crate) const MAX_ACTIVE: u32 = 4200;

/// How records are put into messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// As RFC 7011 has it: messages hold what fits, and sequence numbers count records from 0 on.
    #[default]
    Rfc,
    /// As Open vSwitch does, to the octet: one record a message, sequence numbers from 1 on.
    Ovs,
}

impl Profile {
    /// The words of the commands.
    pub(crate) const WORDS: [(&'static str, Self); 2] = [("rfc", Self::Rfc), ("ovs", Self::Ovs)];

    pub(crate) fn word(self) -> &'static str {
        Self::WORDS[self as usize].0
    }

    pub(crate) fn templates(self) -> FlowTemplates {
        FlowTemplates::of_switch(match self {
            Self::Rfc => Framing::SWITCH,
            Self::Ovs => Framing::OVS,
        })
    }
}

/// What both kinds of exporters have: which flows are held, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// `targets`: where records go. Their order does not matter.
    pub targets: BTreeSet<Target>,
    /// `cache_active_timeout`, seconds, 0 to 4200: a flow ends when its first packet is this old. With 0 it does at once.
    pub active_timeout: u32,
    /// `cache_max_flows`: the oldest flow makes room for one more. Without room for any each packet is a record.
    pub max_flows: u32,
    /// `cache_idle_timeout`, seconds: a flow ends when no packet came for so long; 0 for never. Open vSwitch has none.
    pub idle_timeout: u32,
    /// `end-of-flow`: a flow ends by a FIN or RST, two seconds later. Open vSwitch does not look at that.
    pub end_of_flow: bool,
    /// `ip-length`: IP octets are no more than the IP header tells of, without what pads a frame. Open vSwitch counts that.
    pub ip_length: bool,
    /// How records are sent.
    pub profile: Profile,
}

impl Cache {
    pub(crate) fn active(&self) -> Duration {
        Duration::from_secs(self.active_timeout.into())
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_timeout.into())
    }
}

/// What `ipfix bridge` says of a bridge domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeOptions {
    /// Flows and targets.
    pub cache: Cache,
    /// `sampling`: one packet of so many is measured.
    pub sampling: NonZeroU32,
    /// `obs_domain_id`.
    pub obs_domain_id: u32,
    /// `obs_point_id`.
    pub obs_point_id: u32,
    /// `enable-tunnel-sampling`: records of packets that came or leave in a tunnel tell of it.
    pub tunnel_sampling: bool,
    /// `enable-input-sampling`: frames are measured as they come.
    pub input_sampling: bool,
    /// `enable-output-sampling`: frames are measured as they leave.
    pub output_sampling: bool,
}

impl BridgeOptions {
    /// As Open vSwitch has them.
    pub(crate) fn new() -> Self {
        Self {
            cache: Cache::default(),
            sampling: const { NonZeroU32::new(400).unwrap() },
            obs_domain_id: 0,
            obs_point_id: 0,
            tunnel_sampling: true,
            input_sampling: true,
            output_sampling: true,
        }
    }
}

/// What `ipfix collector-set` says of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// Flows and targets; domain, point and rate come with each sample.
    pub cache: Cache,
}

/// What a line changes of that; what it leaves out stays.
#[derive(Clone, Debug, Default)]
pub struct CacheChange {
    /// See [`Cache::targets`].
    pub targets: Option<BTreeSet<Target>>,
    /// See [`Cache::active_timeout`].
    pub active_timeout: Option<u32>,
    /// See [`Cache::max_flows`].
    pub max_flows: Option<u32>,
    /// See [`Cache::idle_timeout`].
    pub idle_timeout: Option<u32>,
    /// See [`Cache::end_of_flow`].
    pub end_of_flow: Option<bool>,
    /// See [`Cache::ip_length`].
    pub ip_length: Option<bool>,
    /// See [`Cache::profile`].
    pub profile: Option<Profile>,
}

/// The same of a bridge domain.
#[derive(Clone, Debug, Default)]
pub struct BridgeChange {
    /// Of flows and targets.
    pub cache: CacheChange,
    /// See [`BridgeOptions::sampling`].
    pub sampling: Option<NonZeroU32>,
    /// See [`BridgeOptions::obs_domain_id`].
    pub obs_domain_id: Option<u32>,
    /// See [`BridgeOptions::obs_point_id`].
    pub obs_point_id: Option<u32>,
    /// See [`BridgeOptions::tunnel_sampling`].
    pub tunnel_sampling: Option<bool>,
    /// See [`BridgeOptions::input_sampling`].
    pub input_sampling: Option<bool>,
    /// See [`BridgeOptions::output_sampling`].
    pub output_sampling: Option<bool>,
}

/// The same of a collector set.
#[derive(Clone, Debug, Default)]
pub struct SetChange {
    /// Of flows and targets.
    pub cache: CacheChange,
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl CacheChange {
    fn apply(self, to: &mut Cache) {
        set(&mut to.targets, self.targets);
        set(&mut to.active_timeout, self.active_timeout);
        set(&mut to.max_flows, self.max_flows);
        set(&mut to.idle_timeout, self.idle_timeout);
        set(&mut to.end_of_flow, self.end_of_flow);
        set(&mut to.ip_length, self.ip_length);
        set(&mut to.profile, self.profile);
    }
}

impl BridgeChange {
    pub(crate) fn apply(self, to: &mut BridgeOptions) {
        self.cache.apply(&mut to.cache);
        set(&mut to.sampling, self.sampling);
        set(&mut to.obs_domain_id, self.obs_domain_id);
        set(&mut to.obs_point_id, self.obs_point_id);
        set(&mut to.tunnel_sampling, self.tunnel_sampling);
        set(&mut to.input_sampling, self.input_sampling);
        set(&mut to.output_sampling, self.output_sampling);
    }
}

impl SetChange {
    pub(crate) fn apply(self, to: &mut SetOptions) {
        self.cache.apply(&mut to.cache);
    }
}
