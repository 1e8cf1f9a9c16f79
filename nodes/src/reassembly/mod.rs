//! Fragments: told what their datagram begins with, for features that need ports ([`shallow`]), or put together ([`full`]).
//!
//! | file | idea |
//! |---|---|
//! | `datagrams` | a thread's datagrams, by what names them and by age |
//! | `settings` | how many, and for how long |
//! | `store` | the tables of all threads; how datagrams are given up |
//! | `family` | what of it depends on the version of IP |
//! | `shallow` | `ip4-sv-reassembly-feature` and the like |
//! | `full` | `ip4-local-full-reassembly`, `ip4-full-reassembly-feature` and the like |
//! | `holes` | which parts of a datagram are there |
//! | `handoff` | fragments on their way to another thread |
//! | `expire` | the end of those whose time is over |
//! | `errors`, `names` | what is counted; what things are called |
//! | `commands`, `show`, `api` | the limits as commands and messages |
//!
//! A datagram is looked after by one thread, chosen by a hash of what names it, and fragments that come to another one are handed over:
//! threads share nothing. With workers the main thread looks after none.

mod api;
mod commands;
mod datagrams;
mod errors;
mod expire;
mod family;
mod full;
mod handoff;
mod holes;
mod names;
mod settings;
mod shallow;
mod show;
mod store;

use vnet::{
    graph::FeatureSpec,
    plugin::Registrar,
    reassembly::{self, Direction},
};

use family::{Ip4, Ip6, Place, Version};
use full::Whole;
use settings::InForce;
use shallow::Begun;
use show::Shown;
use store::Store;

/// Registers nodes, processes and commands.
pub(crate) fn register(r: &mut Registrar) {
    let in_force = InForce::new(r);
    commands::register(r, &in_force);
    register_family::<Ip4>(r, &in_force);
    register_family::<Ip6>(r, &in_force);
}

fn register_family<V: Version>(r: &mut Registrar, in_force: &InForce) {
    let shallow = register_store::<V, Begun>(r, in_force);
    for (place, direction) in
        [(Place::ShallowInput, Direction::Input), (Place::ShallowOutput, Direction::Output)]
    {
        r.node(shallow::spec::<V>(&shallow, place));
        handoff::register::<V>(r, place);
        let arc = reassembly::arc(V::FAMILY, direction);
        r.feature(FeatureSpec::new(arc, reassembly::node(V::FAMILY, direction)));
    }
    let full = register_store::<V, Whole>(r, in_force);
    for place in [Place::FullFeature, Place::FullLocal] {
        r.node(full::spec::<V>(&full, place));
        handoff::register::<V>(r, place);
    }
    let arc = reassembly::arc(V::FAMILY, Direction::Input);
    r.feature(FeatureSpec::new(arc, V::nodes(Place::FullFeature).0));
}

fn register_store<V: Version, T: Shown>(r: &mut Registrar, in_force: &InForce) -> Store<T> {
    let store = Store::new(r, V::FAMILY, in_force);
    expire::register::<V, T>(r, &store);
    commands::register_show(r, &store);
    store
}
