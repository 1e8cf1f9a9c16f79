//! Bridging and cross-connects: from `ethernet-input` to `interface-output` past layer 3.
//!
//! `l2-input` does for most frames what VPP has six nodes for: it finds the port, rewrites tags, learns the source address, finds the
//! destination and says by which interface the frame leaves. `l2-flood` makes copies, `l2-output` does what a port asks for of
//! frames that leave by it; ports that ask for nothing cost nothing there.

mod arcs;
mod arp_term;
mod asked;
mod flood;
mod input;
mod output;
mod tables;
mod trace;

use arcs::Direction;
use vnet::{l2::L2, plugin::Registrar};

/// Registers the nodes and the commands.
pub(crate) fn register(r: &mut Registrar) {
    let l2 = L2::register(r);
    tables::register(r, &l2);
    for direction in [Direction::Input, Direction::Output] {
        arcs::register(r, direction);
    }
    input::specs(&l2, r.gates(), r.actions().performers())
        .into_iter()
        .for_each(|spec| r.node(spec));
    r.node(flood::Flood::spec(l2.clone()));
    let asking = asked::Asking::register(r);
    r.node(arp_term::ArpTerm::spec(l2.clone(), asking));
    output::specs(&l2).into_iter().for_each(|spec| r.node(spec));
}

#[cfg(test)]
mod tests;
