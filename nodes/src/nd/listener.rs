//! Multicast listener discovery, the listener's side (RFC 3810): which groups an interface listens to, told when that changes and when
//! somebody asks.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    graph::{Map, NodeSpec, PacketCx, Slot},
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    process::{Bell, Cx},
    random::Random,
    runtime::{EngineTime, Main, Shared},
    wire::{
        icmp::{self, kind6},
        ip4::protocol,
        ip6::Header,
        mld::{Query, ROUTER_ALERT, Record, Report, record},
        nd,
    },
};
use zerocopy::{FromBytes, IntoBytes, network_endian::U16};

use super::{
    Error, Next,
    message::{ALL_ROUTERS, finish_report, message},
};
use crate::{
    neighbor::{
        Ears,
        announce::Announcer,
        frame::FrameBytes,
        links::{Link, Links},
        news::News,
        send,
    },
    trace::{Ip6Trace, Snap},
};

/// Routers on a link that understand version 2 listen to this group.
const ALL_MLD_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// How often a change is told, and within which time (RFC 3810 sections 9.1 and 9.11).
const ROBUSTNESS: u8 = 2;
const UNSOLICITED: Duration = Duration::from_secs(1);

/// Registration of the node that takes messages of all these types.
pub(super) fn spec(ears: &Ears) -> NodeSpec {
    let ears = ears.clone();
    NodeSpec::map(super::LISTENER, move |_| Hear(ears.clone()))
}

struct Hear(Ears);

/// RFC 3810, section 5.1.14: a query from a host on the link, with its router alert.
fn judge(buffer: &Buffer) -> Result<(Query, bool), Error> {
    let ip = buffer.view::<Header>().ok_or(Error::Truncated)?;
    let message = message(buffer, ip)?;
    if message.first() != Some(&kind6::LISTENER_QUERY) {
        return Err(Error::ListenerReports);
    }
    let (query, _) = Query::ref_from_prefix(message).map_err(|_| Error::Truncated)?;
    if !Ipv6Addr::from(ip.source).is_unicast_link_local() || ip.hop_limit != 1 {
        return Err(Error::QueryNotOfLink);
    }
    let behind = buffer.current().get(size_of::<Header>()..).unwrap_or_default();
    if ip.next_header != protocol::HOP_BY_HOP || !has_router_alert(behind) {
        return Err(Error::QueryWithoutAlert);
    }
    // Longer than the first version and shorter than the second is neither.
    match message.len() {
        24 => Ok((*query, false)),
        Query::V2.. => Ok((*query, true)),
        _ => Err(Error::Truncated),
    }
}

/// Whether hop-by-hop options have a router alert for these messages.
fn has_router_alert(header: &[u8]) -> bool {
    let [_, units, ..] = *header else { return false };
    let length = (usize::from(units) + 1) * 8;
    let mut options = header.get(2..length).unwrap_or_default();
    while let [kind, rest @ ..] = options {
        // One byte of padding has no length.
        if *kind == 0 {
            options = rest;
            continue;
        }
        if options.starts_with(&ROUTER_ALERT[2..6]) {
            return true;
        }
        let Some(&length) = rest.first() else { return false };
        options = rest.get(1 + usize::from(length)..).unwrap_or_default();
    }
    false
}

impl Map for Hear {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let error = match judge(buffer) {
            Ok((query, is_v2)) => {
                let within = query.max_response(is_v2);
                let (interface, group) = (buffer.rx, query.group.into());
                let asks = News::ListenersWanted { interface, group, within, is_v2 };
                self.0.reporter.say(cx, asks, Error::LearningFull);
                Error::ListenerQueries
            }
            Err(error) => error,
        };
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}

/// What is to be told, and when.
#[derive(Clone, Copy)]
enum Plan {
    /// What the interface listens to, so often.
    Change { left: u8 },
    /// The same, to somebody who has asked: for a group, or for all.
    Answer { group: Ipv6Addr, is_v2: bool },
}

/// What the main thread knows of listeners. Clones are the same.
#[derive(Clone)]
pub(super) struct Listener(Rc<State>);

struct State {
    links: Shared<Links>,
    announcer: Announcer,
    plans: RefCell<BTreeMap<SwIfIndex, (Plan, EngineTime)>>,
    random: RefCell<Random>,
    bell: Bell,
}

/// The groups that an interface listens to and tells of: those of its addresses, and that of all routers.
pub(super) fn groups(link: &Link) -> BTreeSet<Ipv6Addr> {
    let of = |address: Ipv6Addr| Ipv6Addr::from(nd::solicited_node(address.octets()));
    let addresses = link.all6().chain(link.tentative.iter().copied());
    let mut groups: BTreeSet<_> = addresses.map(of).collect();
    if !groups.is_empty() {
        groups.insert(ALL_ROUTERS);
    }
    groups
}

/// Registers process and hook.
pub(super) fn register(
    r: &mut Registrar,
    links: &Shared<Links>,
    announcer: &Announcer,
) -> Listener {
    let listener = Listener(Rc::new(State {
        links: links.clone(),
        announcer: announcer.clone(),
        plans: RefCell::default(),
        random: RefCell::new(Random::new(0)),
        bell: Bell::new(),
    }));
    let (of_process, of_hook) = (listener.clone(), listener.clone());
    r.process("ip6-mld-process", move |cx| of_process.run(cx));
    r.on_interface_event(move |main, event| of_hook.follow(main, event));
    listener
}

impl Listener {
    fn follow(&self, main: &mut Main, event: &Event) {
        let on = |hw_if_index| {
            let all = main.interfaces().interfaces();
            all.filter(|i| i.hw_if_index == hw_if_index).map(|i| i.index).collect()
        };
        let changed = match *event {
            Event::AddressAdded { sw_if_index, address, .. }
                if matches!(address.address(), IpAddr::V6(_)) =>
            {
                vec![sw_if_index]
            }
            Event::LinkLocal { sw_if_index, address: Some(_) }
            | Event::Admin { sw_if_index, up: true } => vec![sw_if_index],
            Event::Link { hw_if_index, link } if link.up => on(hw_if_index),
            Event::Deleted { sw_if_index, .. } => {
                self.0.plans.borrow_mut().remove(&sw_if_index);
                return;
            }
            _ => return,
        };
        for interface in changed.into_iter().filter(|&i| self.0.announcer.speaks(main, i)) {
            self.plan(main, interface, Plan::Change { left: ROBUSTNESS }, UNSOLICITED);
        }
    }

    /// Somebody asks which groups have listeners.
    pub(super) fn wanted(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        group: Ipv6Addr,
        (within, is_v2): (Duration, bool),
    ) {
        self.plan(main, interface, Plan::Answer { group, is_v2 }, within);
    }

    /// To be done at some time within `within`; what is planned already stays as it is, if it is sooner.
    fn plan(&self, main: &Main, interface: SwIfIndex, plan: Plan, within: Duration) {
        let milliseconds = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        let wait = self.0.random.borrow_mut().below(milliseconds.saturating_add(1));
        let at = main.clock().now().after(Duration::from_millis(wait.into()));
        let mut plans = self.0.plans.borrow_mut();
        let planned = plans.get(&interface).copied();
        if planned.is_none_or(|(plan, due)| at < due && !matches!(plan, Plan::Change { .. })) {
            plans.insert(interface, (plan, at));
            self.0.bell.ring();
        }
    }

    async fn run(self, cx: Cx) {
        loop {
            let next = self.0.plans.borrow().values().map(|(_, at)| *at).min();
            match next {
                None => self.0.bell.wait().await,
                Some(at) if at <= cx.now() => cx.with(|main| self.tell(main)),
                Some(at) => {
                    let left = at.since(cx.now());
                    let _: Result<(), _> = cx.timeout(left, self.0.bell.wait()).await;
                }
            }
        }
    }

    fn tell(&self, main: &mut Main) {
        let now = main.clock().now();
        let mut due = Vec::new();
        self.0.plans.borrow_mut().retain(|&interface, (plan, at)| {
            if *at > now {
                return true;
            }
            due.push((interface, *plan));
            match plan {
                Plan::Change { left: 2.. } => {
                    *plan = Plan::Change { left: ROBUSTNESS - 1 };
                    *at = now.after(UNSOLICITED);
                    true
                }
                _ => false,
            }
        });
        for (interface, plan) in due {
            // The operator may have changed his mind since.
            if matches!(plan, Plan::Change { .. }) && !self.0.announcer.speaks(main, interface) {
                continue;
            }
            let link =
                self.0.links.view(main.held()).get(interface).filter(|link| link.up).cloned();
            let frames = link.map(|link| frames(&link, plan)).unwrap_or_default();
            frames.iter().for_each(|frame| send(main, interface, frame));
        }
    }
}

/// What is to be sent.
fn frames(link: &Link, plan: Plan) -> Vec<FrameBytes> {
    let mut groups = groups(link);
    let (kind, is_v2) = match plan {
        Plan::Change { .. } => (record::TO_EXCLUDE, true),
        Plan::Answer { group, is_v2 } => {
            groups.retain(|own| group.is_unspecified() || *own == group);
            (record::IS_EXCLUDE, is_v2)
        }
    };
    // Without a link-local address of its own an interface speaks as nobody (RFC 3590).
    let source = link.link_local.unwrap_or(Ipv6Addr::UNSPECIFIED);
    if groups.is_empty() {
        return Vec::new();
    }
    if is_v2 {
        let groups: Vec<_> = groups.into_iter().collect();
        return groups.chunks(RECORDS).map(|some| report(link, source, kind, some)).collect();
    }
    groups.into_iter().map(|group| report_v1(link, source, group)).collect()
}

/// Records of one report: as many as fit a packet of 1280 bytes.
const RECORDS: usize = 60;

fn header(kind: u8) -> icmp::Header {
    icmp::Header { kind, code: 0, checksum: U16::ZERO }
}

fn report(link: &Link, source: Ipv6Addr, kind: u8, groups: &[Ipv6Addr]) -> FrameBytes {
    let fixed = Report {
        icmp: header(kind6::LISTENER_REPORT_V2),
        reserved: U16::ZERO,
        records: U16::new(groups.len() as u16),
    };
    let record =
        |group: &Ipv6Addr| Record { kind, auxiliary: 0, sources: U16::ZERO, group: group.octets() };
    let records: Vec<Record> = groups.iter().map(record).collect();
    let frame = link.frame_to_group(ALL_MLD_ROUTERS);
    finish_report(frame, [source, ALL_MLD_ROUTERS], &[fixed.as_bytes(), records.as_bytes()])
}

fn report_v1(link: &Link, source: Ipv6Addr, group: Ipv6Addr) -> FrameBytes {
    let fixed = Query {
        icmp: header(kind6::LISTENER_REPORT),
        max_response_code: U16::ZERO,
        reserved: U16::ZERO,
        group: group.octets(),
    };
    finish_report(link.frame_to_group(group), [source, group], &[fixed.as_bytes()])
}
