//! Duplicate address detection (RFC 4862 section 5.4): an address is ours when nobody else on the link says that it is theirs.

pub mod api;

use std::{
    cell::Cell,
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use vnet::{
    command::{Record, choice, keyword, value},
    fib::Family,
    interface::{Event, SwIfIndex},
    log::Level,
    plugin::{Command, CommandCx, Registrar},
    process::{Bell, Cx},
    runtime::{EngineTime, Main, Shared},
};

use super::message::{To, advertisement, probe};
use crate::neighbor::{links::Links, send};
use api::{Told, ip6_dad_state};

/// How often is asked for an address at most.
const MAX_TRANSMITS: u8 = 10;

vnet::args! {
    struct Set {
        enable: bool = choice([("enable", true), ("disable", false)]),
        transmits: Option<u8> = keyword("transmits", value::number(1..=MAX_TRANSMITS)).optional()
            .help("how often is asked for an address"),
        delay: Option<Duration> = keyword("delay", value::seconds()).optional()
            .help("the time between two of these, and after the last"),
    }
}

/// An address that is asked for.
#[derive(Clone, Copy)]
struct Asked {
    /// Solicitations to come, of how many.
    left: u8,
    of: u8,
    due: EngineTime,
}

/// What the main thread knows of addresses that may be somebody else's. Clones are the same.
#[derive(Clone)]
pub(super) struct Detector(Rc<State>);

struct State {
    links: Shared<Links>,
    enabled: Cell<bool>,
    transmits: Cell<u8>,
    delay: Cell<Duration>,
    asked: RefCell<BTreeMap<(SwIfIndex, Ipv6Addr), Asked>>,
    bell: Bell,
    told: Told,
}

/// Registers process, hook, commands and messages.
pub(super) fn register(r: &mut Registrar, links: &Shared<Links>) -> Detector {
    let detector = Detector(Rc::new(State {
        links: links.clone(),
        enabled: Cell::new(false),
        transmits: Cell::new(1),
        delay: Cell::new(Duration::from_secs(1)),
        asked: RefCell::default(),
        bell: Bell::new(),
        told: Told::default(),
    }));
    api::register(r, &detector);
    let (of_process, of_hook, of_set, of_show) =
        (detector.clone(), detector.clone(), detector.clone(), detector.clone());
    r.process("ip6-dad-process", move |cx| of_process.run(cx));
    r.on_interface_event(move |main, event| of_hook.follow(main, event));
    r.command(
        Command::sync(
            "set ip6 dad",
            "Look whether somebody else has an IPv6 address before it is used, or do not.",
            move |_: CommandCx, args: Set| of_set.set(&args),
        )
        .details("It is about addresses that interfaces get from now on."),
    );
    r.command(Command::sync(
        "show ip6 dad",
        "Show whether somebody is asked for new IPv6 addresses, and for which now.",
        move |cx: CommandCx, (): ()| cx.with(|main| of_show.show(main)),
    ));
    detector
}

impl Detector {
    pub(super) fn is_enabled(&self) -> bool {
        self.0.enabled.get()
    }

    fn set(&self, args: &Set) {
        self.0.enabled.set(args.enable);
        args.transmits.into_iter().for_each(|n| self.0.transmits.set(n));
        args.delay.into_iter().for_each(|d| self.0.delay.set(d));
    }

    fn show(&self, main: &Main) -> Record {
        let State { enabled, transmits, delay, asked, .. } = &*self.0;
        let word = if enabled.get() { "enabled" } else { "disabled" };
        let seconds = delay.get().as_secs_f64();
        let record = Record::new()
            .line(format!(
                "DAD is {word}, transmits {}, delay {seconds:.1} seconds",
                transmits.get()
            ))
            .field("enabled", vnet::command::Cell::shown("", enabled.get()))
            .field("transmits", u64::from(transmits.get()))
            .field("delay", vnet::command::Cell::Fixed(seconds, 1));
        asked.borrow().keys().fold(record, |record, (interface, address)| {
            record.line(format!("  {address} on {}", main.interface_name(*interface)))
        })
    }

    fn follow(&self, main: &mut Main, event: &Event) {
        match *event {
            Event::AddressAdded { sw_if_index, address, .. } => {
                if let IpAddr::V6(address) = address.address() {
                    self.begin(main, sw_if_index, address);
                }
            }
            Event::LinkLocal { sw_if_index, address: Some(address) } => {
                self.begin(main, sw_if_index, address);
            }
            Event::AddressRemoved { sw_if_index, address, .. } => {
                if let IpAddr::V6(address) = address.address() {
                    self.end(main, sw_if_index, address);
                }
            }
            Event::Deleted { sw_if_index, .. }
            | Event::LinkLocal { sw_if_index, address: None } => {
                let asked = self.0.asked.borrow().keys().copied().collect::<Vec<_>>();
                let gone = |&(interface, address): &(SwIfIndex, Ipv6Addr)| {
                    let is_local = address.is_unicast_link_local();
                    interface == sw_if_index && (is_local || matches!(event, Event::Deleted { .. }))
                };
                asked.into_iter().filter(gone).for_each(|(i, address)| self.end(main, i, address));
            }
            Event::Admin { up: true, .. } | Event::Link { .. } => self.0.bell.ring(),
            _ => {}
        }
    }

    /// An interface has a new address, which is not used before nobody has said that it is theirs.
    fn begin(&self, main: &mut Main, interface: SwIfIndex, address: Ipv6Addr) {
        if !self.is_enabled() || self.0.links.view(main.held()).get(interface).is_none() {
            return;
        }
        let due = main.clock().now();
        let transmits = self.0.transmits.get();
        let asked = Asked { left: transmits, of: transmits, due };
        self.0.asked.borrow_mut().insert((interface, address), asked);
        suspend(main, interface, address, true);
        self.tell((interface, address), asked, ip6_dad_state::IP6_DAD_STATE_TENTATIVE);
        self.0.bell.ring();
    }

    /// Tells clients what becomes of an address.
    fn tell(&self, key: (SwIfIndex, Ipv6Addr), asked: Asked, state: ip6_dad_state) {
        self.0.told.send(|()| Some(api::event(key, asked, state)));
    }

    /// Nobody asks for an address any more.
    fn end(&self, main: &mut Main, interface: SwIfIndex, address: Ipv6Addr) {
        if self.0.asked.borrow_mut().remove(&(interface, address)).is_some() {
            suspend(main, interface, address, false);
        }
    }

    /// Somebody else has an address, or asks for it as well: it is taken from the interface.
    pub(super) fn is_duplicate(&self, main: &mut Main, interface: SwIfIndex, address: Ipv6Addr) {
        let Some(asked) = self.0.asked.borrow().get(&(interface, address)).copied() else { return };
        self.end(main, interface, address);
        self.tell((interface, address), asked, ip6_dad_state::IP6_DAD_STATE_DUPLICATE);
        let name = main.interface_name(interface);
        let class = main.log().class("ip6-nd", "dad");
        let text = format!("{address} on {name} is somebody else's: it is removed");
        main.log().write(class, Level::Err, text);
        let held = main.interfaces().interface(interface).and_then(|i| {
            i.addresses.iter().copied().find(|held| held.address() == IpAddr::V6(address))
        });
        let removed = main.change_interfaces(|table| match held {
            Some(held) => table.remove_address(interface, held),
            None => table.remove_link_local(interface),
        });
        debug_assert!(removed.is_ok(), "it was there a moment ago");
    }

    async fn run(self, cx: Cx) {
        loop {
            match cx.with(|main| self.go_on(main)) {
                None => self.0.bell.wait().await,
                Some(at) => {
                    let left = at.since(cx.now());
                    let _: Result<(), _> = cx.timeout(left, self.0.bell.wait()).await;
                }
            }
        }
    }

    /// Asks for what is due, and lets those be used that nobody has claimed; when to do so again.
    fn go_on(&self, main: &mut Main) -> Option<EngineTime> {
        let now = main.clock().now();
        let due: Vec<_> = self.0.asked.borrow().iter().map(|(&key, &asked)| (key, asked)).collect();
        let mut next = None;
        for ((interface, address), asked) in due {
            let Asked { left, of, due } = asked;
            let link =
                self.0.links.view(main.held()).get(interface).filter(|link| link.up).cloned();
            // Nobody can be asked as long as the link is down.
            let Some(link) = link else { continue };
            let again = match (due <= now, left) {
                (false, _) => due,
                (true, 0) => {
                    self.end(main, interface, address);
                    let state = ip6_dad_state::IP6_DAD_STATE_PREFERRED;
                    self.tell((interface, address), asked, state);
                    send(main, interface, &advertisement(&link, address, To::All));
                    continue;
                }
                (true, left) => {
                    send(main, interface, &probe(&link, address));
                    let due = now.after(self.0.delay.get());
                    let asked = Asked { left: left - 1, of, due };
                    self.0.asked.borrow_mut().insert((interface, address), asked);
                    let state = ip6_dad_state::IP6_DAD_STATE_TENTATIVE;
                    self.tell((interface, address), asked, state);
                    due
                }
            };
            next = Some(next.map_or(again, |next: EngineTime| next.min(again)));
        }
        next
    }
}

/// Has an address not used, or used from now on. Its interface may have gone, with all that it had.
fn suspend(main: &mut Main, interface: SwIfIndex, address: Ipv6Addr, on: bool) {
    if main.interfaces().interface(interface).is_some() {
        let done = main.change_interfaces(|table| table.set_tentative(interface, address, on));
        debug_assert!(done.is_ok(), "the interface is there");
    }
}

/// Whether an interface has IPv6 addresses at all.
pub(super) fn has_ip6(main: &Main, interface: SwIfIndex) -> bool {
    main.interfaces().interface(interface).is_some_and(|i| {
        i.link_local.is_some() || i.addresses.iter().any(|a| a.family() == Family::Ip6)
    })
}
