//! Neighbours: whose MAC address a next hop has, asked for, learnt, and forgotten.
//!
//! Nodes of every thread hold packets whose next hop is not known, a few for each (`resolver`), and ask for it (`resolve`); nodes
//! that receive answers ([`crate::arp`]) tell the main thread by a bounded mailbox (`news`), whose process edits the
//! table of [`vnet::neighbor`] and calls the threads (`process`), which let their packets go on (`waiting`).

pub(crate) mod announce;
pub mod api;
mod commands;
pub(crate) mod counts;
pub(crate) mod follow;
pub(crate) mod frame;
pub(crate) mod links;
pub(crate) mod news;
mod output;
mod process;
mod resolve;
mod resolver;
mod waiting;

use std::{
    rc::Rc,
    sync::{Arc, atomic::AtomicUsize},
};

use vnet::{
    counter::CounterError,
    fib::{Family, ForwardingReader},
    neighbor::{Neighbor, NeighborKey},
    plugin::Registrar,
    runtime::Shared,
};

use announce::Announcer;
use counts::Counts;
use links::Links;
use news::{Era, Reporter};
pub(crate) use process::send;
use process::{Office, Readers};
use resolve::Parts;
use resolver::Resolver;

/// What nodes that receive from neighbours need.
#[derive(Clone)]
pub(crate) struct Ears {
    pub(crate) links: Shared<Links>,
    pub(crate) reader: ForwardingReader,
    pub(crate) reporter: Reporter,
    pub(crate) counts: Counts,
}

/// What others do on the main thread with what is heard, and need to say something themselves.
pub(crate) struct Desk {
    /// Who reads what is not about neighbours.
    pub(crate) readers: Readers,
    pub(crate) announcer: Announcer,
}

/// Registers nodes, processes and commands.
pub(crate) fn register(r: &mut Registrar) -> Result<(Ears, Desk), CounterError> {
    let counts = Counts::register(r)?;
    let (news, era, busy) = (news::mailbox(), Era::default(), Arc::<AtomicUsize>::default());
    let links = r.shared(Links::default());
    let of_thread = Arc::clone(&busy);
    let resolver = r.local(move |_| Resolver::new(of_thread.clone()));
    let parts = Parts {
        reader: r.forwarding(),
        links: links.clone(),
        resolver,
        news: news.clone(),
        counts: counts.clone(),
    };
    resolve::specs(&parts).into_iter().for_each(|spec| r.node(spec));
    r.node(waiting::spec(&parts));
    r.node(output::spec(&counts));
    let office = Office {
        news: news.clone(),
        era: era.clone(),
        busy,
        links: links.clone(),
        ages: Default::default(),
        others: Rc::default(),
        asked: Rc::default(),
    };
    commands::commands(&office.ages).into_iter().for_each(|command| r.command(command));
    api::register(r, &office.ages);
    let of_process = office.clone();
    r.process("ip-neighbor-process", move |cx| process::learn(cx, of_process));
    for (family, name) in
        [(Family::Ip4, "ip4-neighbor-age-process"), (Family::Ip6, "ip6-neighbor-age-process")]
    {
        let office = office.clone();
        r.process(name, move |cx| process::grow_old(cx, office, family));
    }
    let followed = links.clone();
    r.on_interface_event(move |main, event| follow::follow(main, &followed, event));
    let of_hook = era.clone();
    r.on_start(move |main| {
        let hook = move |_: NeighborKey, _: &Neighbor, is_there| match is_there {
            true => (),
            false => of_hook.begin(),
        };
        main.forwarding_mut().on_neighbor(hook);
        Ok(())
    });
    let announcer = announce::register(r, &links);
    let desk = Desk { readers: office.others.clone(), announcer };
    r.on_drain(move |main| main.drop_waiting(resolver, |resolver| &mut resolver.waiting));
    let reporter = Reporter::new(news, era);
    Ok((Ears { links, reader: parts.reader, reporter, counts }, desk))
}
