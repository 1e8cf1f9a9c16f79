//! `ip4-flow-classify`, `ip6-flow-classify`: packets counted by classifier tables, which learn their sessions from them.
//!
//! `set flow classify` gives an interface a table for each family. The nodes let every packet go on along its arc.

mod api;
pub(crate) mod attach;
mod commands;
mod node;

use vnet::{
    fib::Family,
    graph::FeatureSpec,
    plugin::{Command, Registrar},
};

use attach::{Attachments, Place};

/// Packets of a family, which are counted on their way to its routes.
impl Place for Family {
    const ALL: &'static [Self] = &[Self::Ip4, Self::Ip6];
    const PURPOSE: &'static str = "flow classification";

    fn node(self) -> &'static str {
        match self {
            Self::Ip4 => "ip4-flow-classify",
            Self::Ip6 => "ip6-flow-classify",
        }
    }

    fn arcs(self) -> &'static [&'static str] {
        match self {
            Self::Ip4 => &["ip4-unicast"],
            Self::Ip6 => &["ip6-unicast"],
        }
    }
}

/// Registers the nodes, their features and their commands.
pub(crate) fn register(r: &mut Registrar) {
    let classifier = r.classifier();
    for &family in <Family as Place>::ALL {
        let (acl_plugin, acl, last) = match family {
            Family::Ip4 => ("acl-plugin-in-ip4-fa", "ip4-inacl", "ip4-lookup"),
            Family::Ip6 => ("acl-plugin-in-ip6-fa", "ip6-inacl", "ip6-lookup"),
        };
        r.node(node::FlowClassify::spec(family.node(), classifier.clone()));
        for arc in family.arcs() {
            let feature = FeatureSpec::new(arc, family.node()).after_optional(acl_plugin);
            r.feature(feature.before_optional(acl).before(last));
        }
    }
    let attachments = Attachments::new(r, classifier);
    api::register(r, &attachments);
    let commands: [Command; 2] = commands::commands(&attachments);
    commands.into_iter().for_each(|command| r.command(command));
}
