//! Neighbours: whose MAC address a next hop has, asked for, learnt, and forgotten.
//!
//! Nodes of every thread hold packets whose next hop is not known, a few for each (`resolver`), and ask for it (`resolve`); nodes
//! that receive answers ([`crate::arp`]) tell the main thread by a bounded mailbox (`news`), whose process edits the
//! table of [`vnet::neighbor`] and calls the threads (`process`), which let their packets go on (`waiting`).

pub(crate) mod announce;
pub mod api;
mod commands;
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
    fib::{Family, ForwardingReader},
    plugin::Registrar,
    runtime::Shared,
};

use announce::Announcer;
use links::Links;
use news::Reporter;
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
}

/// What others do on the main thread with what is heard, and need to say something themselves.
pub(crate) struct Desk {
    /// Who reads what is not about neighbours.
    pub(crate) readers: Readers,
    pub(crate) announcer: Announcer,
}

/// Registers nodes, processes and commands.
pub(crate) fn register(r: &mut Registrar) -> (Ears, Desk) {
    let (news, busy) = (news::mailbox(), Arc::<AtomicUsize>::default());
    let links = r.shared(Links::default());
    let of_thread = Arc::clone(&busy);
    let resolver = r.local(move |_| Resolver::new(of_thread.clone()));
    let parts =
        Parts { reader: r.forwarding(), links: links.clone(), resolver, news: news.clone() };
    resolve::specs(&parts).into_iter().for_each(|spec| r.node(spec));
    r.node(waiting::spec(&parts));
    r.node(output::spec());
    let office = Office {
        news: news.clone(),
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
    let announcer = announce::register(r, &links);
    let desk = Desk { readers: office.others.clone(), announcer };
    r.on_drain(move |main| main.drop_waiting(resolver, |resolver| &mut resolver.waiting));
    (Ears { links, reader: parts.reader, reporter: Reporter::new(news) }, desk)
}
