//! Neighbour discovery (RFC 4861), and what belongs to it: link-local addresses, duplicate address detection (RFC 4862), router
//! advertisements, multicast listener discovery (RFC 3810).
//!
//! Nodes check messages, answer those for addresses of their interfaces, and tell the rest to the main thread.

mod advertise;
pub mod api;
pub mod dad;
mod heard;
mod link_local;
mod listener;
pub(crate) mod message;
mod neighbor;
mod proxy;
mod router;
mod show;

use vnet::{plugin::Registrar, runtime::Main, wire::icmp::kind6};

use crate::{
    icmp6::Icmp6Types,
    neighbor::{Desk, Ears, news::News},
};

const SOLICITATION: &str = "icmp6-neighbor-solicitation";
const ADVERTISEMENT: &str = "icmp6-neighbor-advertisement";
const ROUTER_SOLICITATION: &str = "icmp6-router-solicitation";
const ROUTER_ADVERTISEMENT: &str = "icmp6-router-advertisement";
const LISTENER: &str = "icmp6-multicast-listener";

vnet::node_errors! {
    /// What nodes of neighbour discovery count, and why messages end. All count by these reasons, each under its own name.
    pub(crate) enum Error {
        Truncated => ("truncated", "message without its headers", Error),
        TooLong => ("too-long", "message longer than a buffer", Error),
        Fragmented => ("nd-fragment", "neighbor discovery in a fragment", Error),
        OptionsLength => ("options-with-odd-length", "total option length not multiple of 8 bytes", Error),
        OptionWithZeroLength => ("option-with-zero-length", "option has zero length", Error),
        UnsupportedInterface => ("unsupported-interface", "neighbor discovery unsupported interface", Error),
        TargetIsMulticast => ("target-is-multicast", "target address is multicast", Error),
        UnspecifiedToOthers => ("unspecified-to-others", "from nobody and not to the group of the target", Error),
        UnspecifiedWithAddress => ("unspecified-with-address", "from nobody, with a link-layer address", Error),
        SourceNotOnLink => ("source-not-on-link", "neighbor solicitations from source not on link", Error),
        SourceIsOurs => ("source-is-ours", "source or advertised address is one of ours", Error),
        NoHost => ("link-address-no-host", "link-layer address is no host's, or our own", Error),
        UnknownTarget => ("unknown-target", "neighbor solicitations for unknown targets", Error),
        Tentative => ("tentative", "about an address that is not ours yet", Info),
        SolicitedByAll => ("solicited-multicast", "an answer to a solicitation, sent to all", Error),
        NoAddress => ("no-link-address", "neighbor advertisements without a link-layer address", Error),
        AdvertisementsSent => ("neighbor-advertisements-tx", "neighbor advertisements sent", Info),
        AdvertisementsReceived => ("neighbor-advertisements-rx", "neighbor advertisements received", Info),
        RouterSourceNotOnLink => ("router-source-not-on-link", "router solicitations from source not on link", Error),
        RouterSolicitations => ("router-solicitations-rx", "router solicitations received", Info),
        RouterNotLinkLocal => ("router-not-link-local", "router advertisement source not link local", Error),
        RouterAdvertisements => ("router-advertisements-rx", "router advertisements received", Info),
        QueryNotOfLink => ("query-not-of-link", "multicast listener query from behind a router", Error),
        QueryWithoutAlert => ("query-without-alert", "multicast listener query without router alert", Error),
        ListenerQueries => ("listener-queries-rx", "multicast listener queries received", Info),
        ListenerReports => ("listener-reports-rx", "multicast listener reports of others", Info),
        LearningFull => ("learning-full", "no room to tell of a neighbour", Warn),
    }
}

vnet::next_nodes! {
    /// Where messages go from nodes that may answer.
    pub(crate) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
    }
}

/// Registers nodes, processes and commands.
pub(crate) fn register(r: &mut Registrar, (ears, desk): (&Ears, &Desk), types: &Icmp6Types) {
    r.api().file(&api::IP6_ND);
    let proxied = proxy::register(r);
    neighbor::specs(ears, &proxied).into_iter().for_each(|spec| r.node(spec));
    let listeners = heard::register(r);
    router::specs(ears, &listeners).into_iter().for_each(|spec| r.node(spec));
    r.node(listener::spec(ears));
    link_local::register(r);
    let advertiser = advertise::register(r, ears);
    let detector = dad::register(r, &ears.links);
    let listener = listener::register(r, &ears.links, &desk.announcer);
    r.command(show::command(&ears.links, &advertiser, &detector));
    let reader = move |main: &mut Main, letter: News| match letter {
        News::Duplicate { interface, target } => detector.is_duplicate(main, interface, target),
        News::RouterWanted { interface, host, mac } => {
            advertiser.wanted(main, interface, host, mac);
        }
        News::ListenersWanted { interface, group, within, is_v2 } => {
            listener.wanted(main, interface, group, (within, is_v2));
        }
        News::Heard { .. } | News::Asked(_) => {}
    };
    desk.readers.borrow_mut().push(Box::new(reader));
    let types = types.clone();
    r.on_start(move |main| {
        for (kind, name) in [
            (kind6::NEIGHBOR_SOLICITATION, SOLICITATION),
            (kind6::NEIGHBOR_ADVERTISEMENT, ADVERTISEMENT),
            (kind6::ROUTER_SOLICITATION, ROUTER_SOLICITATION),
            (kind6::ROUTER_ADVERTISEMENT, ROUTER_ADVERTISEMENT),
            (kind6::LISTENER_QUERY, LISTENER),
            (kind6::LISTENER_REPORT, LISTENER),
            (kind6::LISTENER_DONE, LISTENER),
            (kind6::LISTENER_REPORT_V2, LISTENER),
        ] {
            let node = main.graph().require(name)?;
            types.register(main, kind, node)?;
        }
        Ok(())
    });
}
