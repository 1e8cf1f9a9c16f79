//! What an interface advertises as a router (RFC 4861 section 6.2.1), with VPP's defaults.

use std::{collections::BTreeMap, net::Ipv6Addr, time::Duration};

use vnet::{
    random::Random,
    runtime::EngineTime,
    wire::{
        ethernet::{EtherType, MacAddress},
        icmp::kind6,
        nd::{LinkOption, MtuOption, PrefixOption, RouterAdvertisement, option},
    },
};
use zerocopy::{
    IntoBytes,
    network_endian::{U16, U32},
};

use crate::{
    nd::message::{ALL_NODES, finish},
    neighbor::{frame::FrameBytes, links::Link},
};

/// Seconds between advertisements, at most.
pub(super) const MAX_INTERVAL: u32 = 200;
/// Seconds for which the router is a default router.
const LIFETIME: u32 = 600;
/// The first advertisements follow each other faster.
pub(super) const INITIAL: u32 = 3;
pub(super) const INITIAL_INTERVAL: u32 = 16;
/// Seconds for which a prefix is valid (30 days), and preferred (7 days).
const VALID: u32 = 2_592_000;
const PREFERRED: u32 = 604_800;
/// For ever.
pub(super) const INFINITE: u32 = u32::MAX;
/// What hosts are told to begin with as hop limit.
pub(super) const HOP_LIMIT: u8 = 64;
/// Prefixes that one interface advertises: as many as an advertisement of 1280 bytes has room for.
pub(super) const MAX_PREFIXES: usize = 37;

/// A prefix that is advertised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) valid: u32,
    pub(super) preferred: u32,
    pub(super) advertise: bool,
    pub(super) on_link: bool,
    pub(super) autoconfig: bool,
}

impl Prefix {
    pub(super) const DEFAULT: Self = Self {
        valid: VALID,
        preferred: PREFERRED,
        advertise: true,
        on_link: true,
        autoconfig: true,
    };
}

/// An interface's settings, and what it has done.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) sends: bool,
    pub(super) managed: bool,
    pub(super) other: bool,
    pub(super) link_option: bool,
    pub(super) unicast: bool,
    pub(super) ceasing: bool,
    pub(super) lifetime: u32,
    pub(super) initial: u32,
    pub(super) initial_interval: u32,
    pub(super) max_interval: u32,
    pub(super) min_interval: u32,
    pub(super) prefixes: BTreeMap<(Ipv6Addr, u8), Prefix>,
    /// Initial advertisements that are still to be sent.
    pub(super) left: u32,
    /// When the next is due, and when the last one was sent to all.
    pub(super) due: EngineTime,
    pub(super) last: Option<EngineTime>,
    pub(super) sent: u64,
    pub(super) solicited: u64,
    pub(super) dropped: u64,
}

impl Router {
    /// Silent until it is configured.
    pub(super) fn new() -> Self {
        Self {
            sends: false,
            managed: false,
            other: false,
            link_option: true,
            unicast: false,
            ceasing: false,
            lifetime: LIFETIME,
            initial: INITIAL,
            initial_interval: INITIAL_INTERVAL,
            max_interval: MAX_INTERVAL,
            min_interval: default_min(MAX_INTERVAL),
            prefixes: BTreeMap::new(),
            left: INITIAL,
            due: EngineTime(0),
            last: None,
            sent: 0,
            solicited: 0,
            dropped: 0,
        }
    }

    /// Begins anew: the next is due at once, and the first ones follow each other faster.
    pub(super) fn restart(&mut self, now: EngineTime) {
        self.left = self.initial;
        self.due = now;
    }

    /// One was sent to all; when the next is due is by chance, between the two intervals.
    pub(super) fn sent_to_all(&mut self, now: EngineTime, random: &mut Random) {
        self.sent += 1;
        self.last = Some(now);
        let [min, max] = [self.min_interval, self.max_interval].map(|seconds| seconds * 1000);
        let wait = min + random.below(max - min + 1);
        self.left = self.left.saturating_sub(1);
        let wait = match self.left {
            0 => wait,
            _ => wait.min(self.initial_interval * 1000),
        };
        self.due = now.after(Duration::from_millis(wait.into()));
        if self.ceasing && self.left == 0 {
            self.sends = false;
        }
    }

    /// Back to the default lifetime and the default intervals.
    pub(super) fn reset_lifetime(&mut self) {
        self.lifetime = LIFETIME;
    }

    pub(super) fn reset_intervals(&mut self) {
        self.max_interval = MAX_INTERVAL;
        self.min_interval = default_min(MAX_INTERVAL);
    }

    /// The advertisement, to all or to one; `mtu` is the link's.
    pub(super) fn frame(
        &self,
        link: &Link,
        mtu: u32,
        to: Option<(Ipv6Addr, MacAddress)>,
    ) -> Option<FrameBytes> {
        // RFC 4861, section 6.1.2: from the link-local address alone.
        let source = link.link_local?;
        let (frame, destination) = match to {
            Some((host, mac)) => (link.frame(mac, EtherType::IP6), host),
            None => (link.frame_to_group(ALL_NODES), ALL_NODES),
        };
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        // Who ceases says that it is nobody's default router any more (section 6.2.5).
        let lifetime = if self.ceasing { 0 } else { self.lifetime };
        let fixed = RouterAdvertisement {
            icmp: vnet::wire::icmp::Header {
                kind: kind6::ROUTER_ADVERTISEMENT,
                code: 0,
                checksum: U16::ZERO,
            },
            hop_limit: HOP_LIMIT,
            flags: flag(self.managed, RouterAdvertisement::MANAGED)
                | flag(self.other, RouterAdvertisement::OTHER),
            lifetime: U16::new(u16::try_from(lifetime).unwrap_or(u16::MAX)),
            reachable_time: U32::ZERO,
            retransmit_time: U32::ZERO,
        };
        let mac = LinkOption::new(option::SOURCE, link.mac);
        let mtu =
            MtuOption { kind: option::MTU, length: 1, reserved: U16::ZERO, mtu: U32::new(mtu) };
        let advertised = self.prefixes.iter().filter(|(_, prefix)| prefix.advertise);
        let prefixes: Vec<PrefixOption> = advertised
            .map(|(&(address, length), prefix)| prefix_option(address, length, *prefix))
            .collect();
        let mut parts = vec![fixed.as_bytes()];
        if self.link_option {
            parts.push(mac.as_bytes());
        }
        parts.push(mtu.as_bytes());
        parts.push(prefixes.as_bytes());
        Some(finish(frame, [source, destination], &parts))
    }
}

fn prefix_option(address: Ipv6Addr, length: u8, prefix: Prefix) -> PrefixOption {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    PrefixOption {
        kind: option::PREFIX,
        length: 4,
        prefix_length: length,
        flags: flag(prefix.on_link, PrefixOption::ON_LINK)
            | flag(prefix.autoconfig, PrefixOption::AUTONOMOUS),
        valid: U32::new(prefix.valid),
        preferred: U32::new(prefix.preferred),
        reserved: U32::ZERO,
        prefix: address.octets(),
    }
}

/// Three quarters of the longest interval.
pub(super) const fn default_min(max_interval: u32) -> u32 {
    max_interval * 3 / 4
}
