//! Flow records of what interfaces carry: VPP's flowprobe.
//!
//! `flowprobe feature add-del` puts observation points on an interface, of up to four *variants* at once: `ip4` and `ip6` measure
//! routed packets on the arcs of their family, `l2` measures frames as they come from and go to devices, `drop` measures what is
//! dropped. Each variant has a meter of its own on each thread ([`vnet::flow::Meter`]) and a report of the engine's exporter
//! ([`vnet::ipfix::engine`]), for each setting that interfaces have; records go from one to the other through outboxes.
//!
//! | file | idea |
//! |---|---|
//! | `params` | what `flowprobe params` says |
//! | `variant` | variants, directions, and the arcs and nodes that they mean |
//! | `setting` | what is recorded, and when: of all interfaces, and of one that has something of its own |
//! | `probe` | [`FlowProbe`]: what is enabled where; the operations |
//! | `own` | settings of interfaces, and how what is measured follows them |
//! | `metering` | a report and the meters of a setting |
//! | `recording` | what the meters of a setting are told, and the templates of their records |
//! | `point` | what a thread has for a variant |
//! | `node` | the seven observation points in the graph |
//! | `aside` | packets of a frame where interfaces have settings of their own, are sampled, or have fields of what is not in packets |
//! | `context` | what the engine knows of packets that is not in them |
//! | `sampling` | some packets of an interface instead of all |
//! | `site` | where the headers of a packet are, at each of them |
//! | `walker` | `flowprobe-walker`: ends flows when no packet comes |
//! | `trace` | what a traced packet leaves at an observation point |
//! | `reliability` | packets not metered and records lost, for options records |
//! | `settings` | what can change while packets are measured |
//! | `show` | the four `show flowprobe` commands as data |
//! | `commands` | the commands |
//! | [`api`] | messages of the binary API |
//! | [`passive`] | the observation point of captures, apart from all this |
//!
//! `docs/FLOWPROBE.md` says how to use it, and where it differs from VPP's.

pub mod api;
mod aside;
mod commands;
mod context;
mod error;
mod large;
mod metering;
mod node;
mod own;
mod params;
pub mod passive;
mod point;
mod probe;
mod recording;
mod reliability;
mod sampling;
mod setting;
mod settings;
mod show;
mod site;
mod trace;
mod variant;
mod walker;

use std::{cell::Cell, rc::Rc};

use vnet::{
    ipfix::profile::Profile,
    plugin::{Plugin, Registrar, Stanza},
};

pub use error::ProbeError;
pub use own::{OwnRecord, OwnRequest};
pub use params::{DEFAULT_ACTIVE, DEFAULT_PASSIVE, Params, ParamsRequest};
pub use point::MAX_SETTINGS;
pub use probe::FlowProbe;
pub use sampling::{SamplingError, Site as SampledSite};
pub use setting::Layers;
pub use show::{Flow, SettingStatistics, Statistics};
pub use variant::{Directions, Variant};

/// The plugin. It provides the engine's [`FlowProbe`], and reads `flowprobe { profile rfc|vpp }`.
#[must_use]
pub fn plugin() -> Plugin {
    let profile = Rc::new(Cell::new(Profile::default()));
    let default = profile.clone();
    let stanza = Stanza::new("flowprobe").value("profile", "rfc or vpp", move |value| {
        let chosen = Profile::ALL.into_iter().find(|profile| profile.word() == value);
        chosen.inspect(|&chosen| profile.set(chosen)).is_some()
    });
    let register = move |r: &mut Registrar| {
        let probe = FlowProbe::register(r, default.get());
        api::register(r, &probe);
        commands::register(r, &probe);
        sampling::register(r, &probe);
        settings::register(r, &probe);
        show::tell_of_caches(r, &probe);
        r.provide(probe);
        Ok(())
    };
    let about = "Flow per Packet";
    Plugin::new("flowprobe", env!("CARGO_PKG_VERSION"), about, register)
        .load_after("nodes")
        .reads(stanza)
}
