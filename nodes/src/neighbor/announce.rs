//! Announcements: an interface tells its link of its addresses when it gets one, when it comes up, when its MAC address changes.
//!
//! Twice, two seconds apart (RFC 5227 section 2.3, RFC 4861 section 7.2.6). Packet generators and loopback interfaces are silent unless the operator says
//! otherwise: nobody is on their links.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use vnet::{
    command::{Align, Column, Table, choice, one_of, positional, value},
    interface::{Event, SwIfIndex},
    plugin::{Command, CommandCx, Registrar},
    process::{Bell, Cx},
    runtime::{EngineTime, Main, Shared},
    wire::{arp::Packet, ethernet::MacAddress},
};

use super::{frame, links::Links, process::send};
use crate::nd::message::{To, advertisement};

/// How often an address is announced, and the time between.
const TIMES: u8 = 2;
const INTERVAL: Duration = Duration::from_secs(2);
/// Devices behind which nobody is.
const SILENT: &[&str] = &[crate::pg::CLASS, vnet::l2::LOOPBACK_CLASS];

vnet::args! {
    struct Set {
        interface: Option<SwIfIndex> = one_of([
            choice([("all", None)]),
            positional(value::interface()).map(Some),
        ]),
        enable: bool = choice([("enable", true), ("disable", false)]),
    }
}

/// What the main thread knows of announcements. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Announcer(Rc<State>);

#[derive(Default)]
struct State {
    /// What the operator has said of interfaces, and of all others.
    said: RefCell<BTreeMap<SwIfIndex, bool>>,
    said_of_all: Cell<Option<bool>>,
    /// How often interfaces are still to announce themselves, and when next.
    due: RefCell<BTreeMap<SwIfIndex, (u8, EngineTime)>>,
    bell: Bell,
}

/// Registers process, hook and commands.
pub(super) fn register(r: &mut Registrar, links: &Shared<Links>) -> Announcer {
    let announcer = Announcer::default();
    let (of_hook, of_process, of_set, of_show) =
        (announcer.clone(), announcer.clone(), announcer.clone(), announcer.clone());
    r.on_interface_event(move |main, event| of_hook.follow(main, event));
    let links = links.clone();
    r.process("ip-neighbor-announce-process", move |cx| of_process.run(cx, links));
    r.command(Command::sync(
        "set ip neighbor-announce",
        "Tell the link of an interface of its addresses unasked, or do not.",
        move |cx: CommandCx, args: Set| {
            cx.with(|main| of_set.set(main, args.interface, args.enable));
        },
    ));
    r.command(Command::sync(
        "show ip neighbor-announce",
        "Show which interfaces tell their links of their addresses unasked.",
        move |cx: CommandCx, (): ()| cx.with(|main| of_show.show(main)),
    ));
    announcer
}

impl Announcer {
    /// Whether an interface says anything unasked.
    pub(crate) fn speaks(&self, main: &Main, interface: SwIfIndex) -> bool {
        let said = self.0.said.borrow().get(&interface).copied();
        if let Some(said) = said.or(self.0.said_of_all.get()) {
            return said;
        }
        let hardware = main.interfaces().hardware_of(interface);
        hardware.is_ok_and(|hw| hw.is_ethernet() && !SILENT.contains(&hw.device_class))
    }

    /// One interface, or all that nothing is said of alone, are to speak, or to be silent.
    fn set(&self, main: &Main, interface: Option<SwIfIndex>, enable: bool) {
        match interface {
            Some(interface) => {
                self.0.said.borrow_mut().insert(interface, enable);
                self.begin(main, interface);
            }
            None => {
                self.0.said_of_all.set(Some(enable));
                let all = main.interfaces().interfaces();
                all.for_each(|interface| self.begin(main, interface.index));
            }
        }
    }

    fn follow(&self, main: &mut Main, event: &Event) {
        let begin = |interfaces: Vec<SwIfIndex>| {
            interfaces.into_iter().for_each(|interface| self.begin(main, interface));
        };
        let on = |hw_if_index| {
            let all = main.interfaces().interfaces();
            all.filter(|i| i.hw_if_index == hw_if_index).map(|i| i.index).collect()
        };
        match *event {
            Event::AddressAdded { sw_if_index, .. }
            | Event::LinkLocal { sw_if_index, address: Some(_) }
            | Event::Unnumbered { sw_if_index, .. }
            | Event::Admin { sw_if_index, up: true } => begin(vec![sw_if_index]),
            Event::Link { hw_if_index, link } if link.up => begin(on(hw_if_index)),
            Event::Mac { hw_if_index, .. } => begin(on(hw_if_index)),
            Event::Deleted { sw_if_index, .. } => {
                self.0.said.borrow_mut().remove(&sw_if_index);
                self.0.due.borrow_mut().remove(&sw_if_index);
            }
            _ => {}
        }
    }

    /// An interface is to announce itself from now on, if it is one that does.
    fn begin(&self, main: &Main, interface: SwIfIndex) {
        if self.speaks(main, interface) {
            self.0.due.borrow_mut().insert(interface, (TIMES, main.clock().now()));
            self.0.bell.ring();
        }
    }

    async fn run(self, cx: Cx, links: Shared<Links>) {
        loop {
            let next = self.0.due.borrow().values().map(|(_, at)| *at).min();
            match next {
                None => self.0.bell.wait().await,
                Some(at) if at <= cx.now() => cx.with(|main| self.announce(main, &links)),
                Some(at) => {
                    let left = at.since(cx.now());
                    let _: Result<(), _> = cx.timeout(left, self.0.bell.wait()).await;
                }
            }
        }
    }

    /// Announces all that is due.
    fn announce(&self, main: &mut Main, links: &Shared<Links>) {
        let now = main.clock().now();
        let mut due = Vec::new();
        self.0.due.borrow_mut().retain(|&interface, (left, at)| {
            if *at <= now {
                due.push(interface);
                *left -= 1;
                *at = now.after(INTERVAL);
            }
            *left > 0
        });
        for interface in due {
            let link = links.view(main.held()).get(interface).filter(|link| link.up).cloned();
            let Some(link) = link.filter(|_| self.speaks(main, interface)) else { continue };
            for (address, _) in &link.ip4 {
                let packet = Packet::announcement((link.mac, address.octets()));
                send(main, interface, &frame::arp(&link, MacAddress::BROADCAST, &packet));
            }
            for address in link.all6() {
                send(main, interface, &advertisement(&link, address, To::All));
            }
        }
    }

    fn show(&self, main: &Main) -> Table {
        let columns =
            [Column::new("Interface", 32, Align::Left), Column::new("Announces", 10, Align::Left)];
        let mut table = Table::new(columns);
        for interface in main.interfaces().interfaces() {
            let speaks = if self.speaks(main, interface.index) { "yes" } else { "no" };
            table.row([interface.name.clone().into(), speaks.into()]);
        }
        table
    }
}
