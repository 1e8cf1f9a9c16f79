//! Router advertisements: sent from time to time and to those that ask, on interfaces where that is configured.

mod api;
mod commands;
mod config;

use std::{cell::RefCell, collections::BTreeMap, net::Ipv6Addr, rc::Rc, time::Duration};

use vnet::{
    command::Record,
    interface::{Event, MtuKind, SwIfIndex},
    plugin::Registrar,
    process::{Bell, Cx},
    random::Random,
    runtime::{EngineTime, Main, Shared},
    wire::ethernet::MacAddress,
};

use crate::neighbor::{Ears, links::Links, news::Era, send};
use config::Router;

/// The least time between two advertisements to all (RFC 4861 section 10).
const MIN_DELAY: Duration = Duration::from_secs(3);
/// Answers wait up to this long, so that one is for several who ask.
const MAX_ANSWER_DELAY_MS: u32 = 500;

/// What the main thread knows of advertisements. Clones are the same.
#[derive(Clone)]
pub(crate) struct Advertiser(Rc<State>);

struct State {
    links: Shared<Links>,
    routers: RefCell<BTreeMap<SwIfIndex, Router>>,
    random: RefCell<Random>,
    bell: Bell,
    /// A new one begins when answers become others.
    era: Era,
}

/// Registers process, hook and commands.
pub(crate) fn register(r: &mut Registrar, ears: &Ears) -> Advertiser {
    let state = State {
        links: ears.links.clone(),
        era: ears.reporter.era(),
        routers: RefCell::default(),
        random: RefCell::new(Random::new(0)),
        bell: Bell::new(),
    };
    let advertiser = Advertiser(Rc::new(state));
    let (of_process, of_hook, of_start) =
        (advertiser.clone(), advertiser.clone(), advertiser.clone());
    // Routers of a link must not speak in step; under a virtual clock they are the same in each run.
    r.on_start(move |main| {
        *of_start.0.random.borrow_mut() = Random::new(main.clock().wall().0);
        Ok(())
    });
    r.process("ip6-ra-process", move |cx| of_process.run(cx));
    r.on_interface_event(move |main, event| of_hook.follow(main, event));
    api::register(r.api(), &advertiser);
    commands::commands(&advertiser).into_iter().for_each(|command| r.command(command));
    advertiser
}

impl Advertiser {
    /// A host asks who is a router.
    pub(crate) fn wanted(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        host: Ipv6Addr,
        mac: MacAddress,
    ) {
        let now = main.clock().now();
        let delay = self.0.random.borrow_mut().below(MAX_ANSWER_DELAY_MS);
        let mut routers = self.0.routers.borrow_mut();
        let Some(router) = routers.get_mut(&interface) else { return };
        router.solicited += 1;
        if !router.sends {
            router.dropped += 1;
        } else if router.unicast && !host.is_unspecified() {
            // What is not news is said once a second at most, so this is no more often either.
            router.sent += 1;
            let frame = self.frame(main, interface, router, Some((host, mac)));
            frame.into_iter().for_each(|frame| send(main, interface, &frame));
        } else {
            let soon = now.after(Duration::from_millis(delay.into()));
            let earliest = router.last.map_or(soon, |last| last.after(MIN_DELAY).max(soon));
            router.due = router.due.min(earliest);
            self.0.bell.ring();
        }
    }

    /// Whether anything was set of an interface.
    fn knows(&self, interface: SwIfIndex) -> bool {
        self.0.routers.borrow().contains_key(&interface)
    }

    /// The settings of an interface, as they are or would be.
    fn router(&self, interface: SwIfIndex) -> Router {
        self.0.routers.borrow().get(&interface).cloned().unwrap_or_else(Router::new)
    }

    fn frame(
        &self,
        main: &Main,
        interface: SwIfIndex,
        router: &Router,
        to: Option<(Ipv6Addr, MacAddress)>,
    ) -> Option<crate::neighbor::frame::FrameBytes> {
        let link = self.0.links.view(main.held()).get(interface).filter(|link| link.up)?;
        let mtu = main.interfaces().effective_mtu(interface, MtuKind::Ip6).ok()?;
        router.frame(link, mtu, to)
    }

    /// Adds the prefixes that an interface advertises to what is shown of it.
    pub(super) fn prefixes(&self, interface: SwIfIndex, record: Record) -> Record {
        let routers = self.0.routers.borrow();
        let record = record.line("  Advertised Prefixes:");
        let prefixes =
            routers.get(&interface).into_iter().flat_map(|router| router.prefixes.keys());
        prefixes.fold(record, |record, (prefix, length)| {
            record.line(format!("      prefix {prefix}, length {length}"))
        })
    }

    /// Adds the rest of what an interface advertises, and has advertised.
    pub(super) fn settings(&self, interface: SwIfIndex, record: Record) -> Record {
        let routers = self.0.routers.borrow();
        let Some(router) = routers.get(&interface) else {
            return record.line("    ND router advertisements are not configured");
        };
        let state = if router.sends { "sent" } else { "suppressed" };
        let [max, min] = [router.max_interval, router.min_interval].map(f64::from);
        let hosts = if router.managed { "use DHCP" } else { "use stateless autoconfig" };
        record
            .line(format!("    ND router advertisements are {state}"))
            .line(format!(
                "    ND router advertisements are sent every {max:.1} seconds (min interval is {min:.1})"
            ))
            .line(format!("    ND router advertisements live for {} seconds", router.lifetime))
            .line(format!("    Hosts {hosts} for addresses"))
            .line(format!("    ND router advertisements sent {}", router.sent))
            .line(format!("    ND router solicitations received {}", router.solicited))
            .line(format!("    ND router solicitations dropped {}", router.dropped))
            .field("sent", router.sent)
            .field("solicited", router.solicited)
    }

    async fn run(self, cx: Cx) {
        loop {
            let next = self.next(&cx);
            match next {
                None => self.0.bell.wait().await,
                Some(at) if at <= cx.now() => cx.with(|main| self.send_due(main)),
                Some(at) => {
                    let left = at.since(cx.now());
                    let _: Result<(), _> = cx.timeout(left, self.0.bell.wait()).await;
                }
            }
        }
    }

    fn next(&self, cx: &Cx) -> Option<EngineTime> {
        let routers = self.0.routers.borrow();
        let up = |interface: SwIfIndex| {
            cx.with(|main| {
                self.0.links.view(main.held()).get(interface).is_some_and(|link| link.up)
            })
        };
        let sending = routers.iter().filter(|&(&interface, router)| router.sends && up(interface));
        sending.map(|(_, router)| router.due).min()
    }

    fn send_due(&self, main: &mut Main) {
        let now = main.clock().now();
        let mut routers = self.0.routers.borrow_mut();
        for (&interface, router) in routers.iter_mut() {
            if !router.sends || now < router.due {
                continue;
            }
            let frame = self.frame(main, interface, router, None);
            // Also where it could not be sent: it is tried again.
            router.sent_to_all(now, &mut self.0.random.borrow_mut());
            frame.into_iter().for_each(|frame| send(main, interface, &frame));
        }
    }

    fn follow(&self, main: &mut Main, event: &Event) {
        let now = main.clock().now();
        match *event {
            Event::Deleted { sw_if_index, .. } => {
                self.0.routers.borrow_mut().remove(&sw_if_index);
            }
            Event::Admin { up: true, .. }
            | Event::Link { .. }
            | Event::Mac { .. }
            | Event::LinkLocal { .. } => {
                let mut routers = self.0.routers.borrow_mut();
                routers.values_mut().filter(|router| router.sends).for_each(|r| r.restart(now));
                self.0.bell.ring();
            }
            _ => {}
        }
    }
}
