//! `ip4-flow-classify`, `ip6-flow-classify`: packets counted by classifier tables, which learn their sessions from them.
//!
//! `set flow classify` gives an interface a table for each family. The nodes let every packet go on along its arc.

mod attach;
mod commands;
mod node;

use vnet::{
    fib::Family,
    graph::FeatureSpec,
    plugin::{Command, Registrar},
};

use attach::Attachments;

const FAMILIES: [Family; 2] = [Family::Ip4, Family::Ip6];

/// The arc and the node of a family.
const fn place(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::Ip4 => ("ip4-unicast", "ip4-flow-classify"),
        Family::Ip6 => ("ip6-unicast", "ip6-flow-classify"),
    }
}

/// Registers the nodes, their features and their commands.
pub(crate) fn register(r: &mut Registrar) {
    let classifier = r.classifier();
    for family in FAMILIES {
        let (arc, node) = place(family);
        let (acl_plugin, acl, last) = match family {
            Family::Ip4 => ("acl-plugin-in-ip4-fa", "ip4-inacl", "ip4-lookup"),
            Family::Ip6 => ("acl-plugin-in-ip6-fa", "ip6-inacl", "ip6-lookup"),
        };
        r.node(node::FlowClassify::spec(node, classifier.clone()));
        r.feature(
            FeatureSpec::new(arc, node)
                .after_optional(acl_plugin)
                .before_optional(acl)
                .before(last),
        );
    }
    let attachments = Attachments::new(classifier);
    attachments.register(r);
    let commands: [Command; 2] = commands::commands(&attachments);
    commands.into_iter().for_each(|command| r.command(command));
}
