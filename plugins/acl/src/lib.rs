//! Access lists: VPP's ACL plugin.
//!
//! A list is an ordered set of rules, each of which permits or denies packets by their five-tuple. Interfaces have lists for what they
//! receive and for what they send, routed packets and bridged frames alike; what matches none of an interface's lists is denied.
//! `permit+reflect` lets a packet begin a session, whose packets pass in both directions.
//!
//! | file | idea |
//! |---|---|
//! | `rule` | rules, and how they are shown |
//! | `grammar` | rules as they are typed |
//! | `lists` | [`Acl`]: lists, who has them, sessions: the operations |
//! | `compile` | what nodes read of the lists of an interface |
//! | `space` | rules by what they compare: a search that costs by the number of masks |
//! | `chain` | rules that differ in ranges of ports |
//! | `key` | a packet as lists see it |
//! | `tables` | all that nodes read |
//! | `place`, `direction` | where lists are asked |
//! | `node` | the eight nodes |
//! | `session` | sessions |
//! | `macip` | lists of MAC addresses and their IP addresses |
//! | `trace` | what a traced packet leaves |
//! | `commands`, `show`, `error` | the commands |
//! | [`api`] | messages of the binary API |
//!
//! `docs/ACL.md` says how to use it, what it costs, and where it differs from VPP's.

pub mod api;
mod chain;
mod commands;
mod compile;
mod direction;
mod error;
mod grammar;
mod key;
mod lists;
mod macip;
mod node;
mod place;
mod rule;
mod session;
mod show;
mod space;
mod tables;
mod trace;

use vnet::{
    graph::FeatureSpec,
    plugin::{Plugin, Registrar},
};

pub use direction::Direction;
pub use error::AclError;
pub use grammar::Request;
pub use lists::{Acl, MAX_RULES, MAX_SESSIONS};
pub use macip::{Macip, MacipRule};
pub use rule::{Named, Ports, Rule, TcpFlags, Verdict};
pub use session::state::TimeoutKind;

use place::Place;

/// The plugin. It provides the engine's [`Acl`] and [`Macip`].
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let acl = Acl::new(r)?;
        let performing = r.actions().performers();
        for place in Place::ALL {
            r.node(node::spec(place, &acl.reader, performing));
            let feature = FeatureSpec::new(place.arc(), place.node()).before(place.end());
            r.feature(match place.reassembly() {
                Some(node) => feature.after_optional(node),
                None => feature,
            });
        }
        let cleaned = acl.clone();
        r.process("acl-plugin-fa-cleaner-process", |cx| session::cleaner::clean(cx, cleaned));
        api::register(r, &acl);
        commands::register(r, &acl);
        macip::register(r);
        show::tell_of_sessions(r, &acl);
        r.provide(acl);
        Ok(())
    };
    let about = "Access Control Lists (ACL)";
    Plugin::new("acl", env!("CARGO_PKG_VERSION"), about, register).load_after("nodes")
}
