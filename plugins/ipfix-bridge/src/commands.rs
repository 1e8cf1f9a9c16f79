//! `ipfix bridge`, `ipfix collector-set`, and what shows them.

use core::num::NonZeroU32;
use std::collections::BTreeSet;

use vnet::{
    command::{Error, flag, keyword, positional, value},
    l2::BdId,
    plugin::{Command, CommandCx, Registrar},
};

use crate::{
    BridgeChange, CacheChange, IpfixBridge, Profile, SetChange, Target, options::MAX_ACTIVE, show,
};

fn bd_id() -> value::Value<BdId> {
    value::number(1..=BdId::MAX).hint("bridge-domain-id").map(BdId)
}

fn boolean() -> value::Value<bool> {
    value::words(&[("true", true), ("false", false)])
}

/// `host[:port],...`, or `none`.
fn targets() -> value::Value<BTreeSet<Target>> {
    value::word("host[:port],...|none").try_map(|text, word| match text.as_str() {
        "none" => Ok(BTreeSet::new()),
        list => list
            .split(',')
            .map(|target| {
                Target::parse(target).map_err(|_| Error::BadValue {
                    word: word.to_owned(),
                    expected: "host[:port],... with ports 1 to 65535, or none".to_owned(),
                })
            })
            .collect(),
    })
}

fn active() -> value::Value<u32> {
    value::number(0..=MAX_ACTIVE).hint("seconds")
}

/// The arguments of a command that configures an exporter: its own, and those of flows and targets, which all have.
macro_rules! exporter_args {
    (struct $name:ident { $($own:ident: $type:ty = $member:expr),+ $(,)? }) => {
        vnet::args! {
            struct $name {
                $($own: $type = $member,)+
                del: bool = flag("del").help("measures no more; what is held is sent first"),
                targets: Option<BTreeSet<Target>> = keyword("targets", targets()).optional()
                    .help("collectors over UDP, port 4739 unless said"),
                active_timeout: Option<u32> = keyword("cache_active_timeout", active()).optional()
                    .help("a flow ends when it is so old"),
                max_flows: Option<u32> = keyword("cache_max_flows", value::id("n")).optional()
                    .help("the oldest flow makes room for one more; 0: a record a packet"),
                idle_timeout: Option<u32> = keyword("cache_idle_timeout", value::id("seconds")).optional()
                    .help("a flow ends when no packet came for so long; 0, the default: it does not"),
                end_of_flow: Option<bool> = keyword("end-of-flow", boolean()).optional()
                    .help("a FIN or RST ends a flow, false unless said"),
                ip_length: Option<bool> = keyword("ip-length", boolean()).optional()
                    .help("what pads a frame is no part of IP, false unless said"),
                profile: Option<Profile> = keyword("profile", value::words(&Profile::WORDS)).optional()
                    .help("messages as RFC 7011 has them, or as Open vSwitch sends them; rfc unless said"),
            }
        }

        impl $name {
            fn cache(&self) -> CacheChange {
                CacheChange {
                    targets: self.targets.clone(),
                    active_timeout: self.active_timeout,
                    max_flows: self.max_flows,
                    idle_timeout: self.idle_timeout,
                    end_of_flow: self.end_of_flow,
                    ip_length: self.ip_length,
                    profile: self.profile,
                }
            }
        }
    };
}

exporter_args! {
    struct Bridge {
        id: BdId = positional(bd_id()),
        sampling: Option<NonZeroU32> = keyword("sampling", value::number(1..=u32::MAX).hint("n")
            .map(|n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN))).optional()
            .help("one frame of n, 400 unless said"),
        obs_domain_id: Option<u32> = keyword("obs_domain_id", value::id("n")).optional(),
        obs_point_id: Option<u32> = keyword("obs_point_id", value::id("n")).optional(),
        tunnel_sampling: Option<bool> = keyword("enable-tunnel-sampling", boolean()).optional()
            .help("records tell of tunnels, true unless said"),
        input_sampling: Option<bool> = keyword("enable-input-sampling", boolean()).optional()
            .help("frames that come, true unless said"),
        output_sampling: Option<bool> = keyword("enable-output-sampling", boolean()).optional()
            .help("frames that leave, true unless said"),
    }
}

exporter_args! {
    struct Set {
        id: u32 = positional(value::id("id")),
    }
}

pub(crate) fn register(r: &mut Registrar, bridge: &IpfixBridge) {
    let of = bridge.clone();
    let set = move |cx: CommandCx, args: Bridge| {
        cx.with(|main| match args.del {
            true => of.delete_bridge(main, args.id),
            false => of.set_bridge(main, args.id, args.into()),
        })
    };
    let help = "Have flow records made of what a bridge domain carries.";
    r.command(Command::sync("ipfix bridge", help, set).details(
        "Options are those of Open vSwitch's table IPFIX. What a line leaves out stays as it is; a line that changes nothing does nothing.",
    ));
    let of = bridge.clone();
    let set = move |cx: CommandCx, args: Set| {
        cx.with(|main| match args.del {
            true => of.delete_collector_set(main, args.id),
            false => of.set_collector_set(main, args.id, args.into()),
        })
    };
    let help = "Have flow records made of what is sampled into a collector set.";
    r.command(Command::sync("ipfix collector-set", help, set).details(
        "Samples come from the action `sample'; domain, point and rate come with them. What a line leaves out stays as it is.",
    ));
    let of = bridge.clone();
    r.command(Command::sync(
        "show ipfix bridge",
        "Show what is measured of bridge domains.",
        move |cx: CommandCx, (): ()| cx.with(|main| show::bridges(&of, main)),
    ));
    let of = bridge.clone();
    r.command(Command::sync(
        "show ipfix collector-set",
        "Show collector sets.",
        move |cx: CommandCx, (): ()| cx.with(|main| show::sets(&of, main)),
    ));
}

impl From<Bridge> for BridgeChange {
    fn from(args: Bridge) -> Self {
        Self {
            cache: args.cache(),
            sampling: args.sampling,
            obs_domain_id: args.obs_domain_id,
            obs_point_id: args.obs_point_id,
            tunnel_sampling: args.tunnel_sampling,
            input_sampling: args.input_sampling,
            output_sampling: args.output_sampling,
        }
    }
}

impl From<Set> for SetChange {
    fn from(args: Set) -> Self {
        Self { cache: args.cache() }
    }
}
