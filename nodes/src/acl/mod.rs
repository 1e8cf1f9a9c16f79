//! Input and output access lists: packets that classifier tables let pass, drop, or send elsewhere.
//!
//! `set interface input acl` and `set interface output acl` give an interface a table, with those behind it, for what it receives
//! or sends: IPv4 and IPv6 packets on the arcs of their family, and frames that it bridges. Sessions say where their packets go
//! (`hit-next`), and the last table where those of none do (`miss-next`): `deny` is the node's first slot, a drop, and `permit` the
//! next feature. Tables of `local0` for what is punted are asked about all packets on the arcs of these.

mod api;
mod commands;
mod input_output;
mod place;

use vnet::{
    graph::FeatureSpec,
    plugin::{Command, Registrar},
};

use crate::classify::attach::{Attachments, Place as _};
use place::Place;

/// Registers the nodes, their features and their commands.
pub(crate) fn register(r: &mut Registrar) {
    let (classifier, actions) = (r.classifier(), r.actions());
    for &place in Place::ALL {
        r.node(input_output::spec(place, &classifier, &actions));
        for arc in place.arcs() {
            let mut feature = FeatureSpec::new(arc, place.node()).before(place.end());
            if let Some(list) = place.list_of_plugin() {
                feature = feature.after_optional(list);
            }
            if let Some(later) = place.later() {
                feature = feature.before_optional(later);
            }
            r.feature(feature);
        }
    }
    let attachments = Attachments::new(r, classifier);
    api::register(r, &attachments);
    let commands: [Command; 4] = commands::commands(&attachments);
    commands.into_iter().for_each(|command| r.command(command));
}
