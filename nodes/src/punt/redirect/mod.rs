//! `ip4-punt-redirect`, `ip6-punt-redirect`: packets that were punted, sent on by paths of the operator's.
//!
//! The features stand on `local0`, where the arcs of punted packets start, as long as there is a redirect of their family.

mod api;
mod commands;
mod node;

use vnet::{
    fib::{Family, FibError, Path},
    graph::FeatureSpec,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    runtime::Main,
};

use crate::{ip4::Ip4, ip6::Ip6};

const FAMILIES: [Family; 2] = [Family::Ip4, Family::Ip6];

/// The arc of a family, and the feature on it.
pub(super) const fn names(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::Ip4 => ("ip4-punt", "ip4-punt-redirect"),
        Family::Ip6 => ("ip6-punt", "ip6-punt-redirect"),
    }
}

/// Registers nodes, features, commands and messages.
pub(super) fn register(r: &mut Registrar) {
    r.node(node::spec::<Ip4>(r.forwarding()));
    r.node(node::spec::<Ip6>(r.forwarding()));
    for family in FAMILIES {
        let (arc, feature) = names(family);
        r.feature(FeatureSpec::new(arc, feature).before("error-punt"));
        commands::commands(family).into_iter().for_each(|command| r.command(command));
    }
    api::register(r.api());
    // Redirects go with their interfaces.
    r.on_interface_event(|main, event| {
        if let Event::Deleted { .. } = event {
            FAMILIES.iter().for_each(|&family| follow(main, family));
        }
    });
}

/// Gives the punted packets of an interface other paths.
fn set(main: &mut Main, family: Family, rx: SwIfIndex, paths: &[Path]) -> Result<(), FibError> {
    main.forwarding_mut().set_punt_redirect(family, rx, paths)?;
    follow(main, family);
    Ok(())
}

/// Takes their paths away.
fn delete(main: &mut Main, family: Family, rx: SwIfIndex) -> Result<(), FibError> {
    main.forwarding_mut().delete_punt_redirect(family, rx)?;
    follow(main, family);
    Ok(())
}

fn follow(main: &mut Main, family: Family) {
    let (arc, feature) = names(family);
    let wanted = main.forwarding().punt_redirects(family).next().is_some();
    let stands = main.features().is_enabled(arc, feature, SwIfIndex::LOCAL0);
    // Both exist: this crate registers them.
    let changed = match (wanted, stands) {
        (true, false) => main.enable_feature(arc, feature, SwIfIndex::LOCAL0, 0),
        (false, true) => main.disable_feature(arc, feature, SwIfIndex::LOCAL0),
        _ => Ok(()),
    };
    debug_assert!(changed.is_ok(), "{feature} is registered on {arc}");
}
