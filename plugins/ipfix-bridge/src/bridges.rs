//! [`IpfixBridge`]: what is configured, and where it is kept.

use std::{
    cell::{Ref, RefCell, RefMut},
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
};

use vnet::{
    action::ActionError,
    flow::Alarm,
    graph::{Gate, Gates},
    interface::{Event, SwIfIndex},
    ipfix::engine::Ipfix,
    l2::BdId,
    plugin::Registrar,
    process::Bell,
    runtime::{Local, Main},
};

use crate::{
    bridge::Bridge,
    metering::Places,
    node, past,
    point::{LocalPoint, MeteringId, Point},
    retry,
    sample::{self, Sample},
    sets::Set,
    target::{Resolver, of_host},
    tunnel::Tunnel,
    walker,
};

/// The IPFIX exporters of an engine's bridge domains and collector sets. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub struct IpfixBridge(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    ipfix: Ipfix,
    point: LocalPoint,
    gates: Local<Gates>,
    /// Somebody has to be asked for addresses.
    bell: Bell,
    resolver: RefCell<Resolver>,
    state: RefCell<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) bridges: BTreeMap<BdId, Bridge>,
    pub(crate) sets: BTreeMap<u32, Set>,
    /// Exporters that go as soon as they have sent everything.
    pub(crate) leaving: Vec<Ipfix>,
    next: u32,
    /// Interfaces that are ends of tunnels.
    pub(crate) tunnels: BTreeMap<SwIfIndex, Tunnel>,
    /// What rules of others sample, by number.
    pub(crate) samples: Vec<Option<Sample>>,
}

/// How many frames were seen and sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Frames that came in.
    pub input: u64,
    /// Frames that left.
    pub output: u64,
    /// Those that were sampled of both.
    pub sampled: u64,
}

impl IpfixBridge {
    /// Adds nodes, features and processes to an engine.
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, ActionError> {
        let (point, alarm, bell) = (r.local(|_| Point::default()), Alarm::default(), Bell::new());
        node::register(r, point, &alarm);
        walker::register(r, point, &alarm);
        let resolver = RefCell::new(of_host());
        let inner = Inner {
            ipfix: r.ipfix(),
            point,
            gates: r.gates(),
            bell,
            resolver,
            state: RefCell::default(),
        };
        let bridge = Self(Rc::new(inner));
        retry::register(r, &bridge);
        let of = bridge.clone();
        r.on_interface_event(move |main, event| {
            if let Event::Deleted { sw_if_index, .. } = event {
                of.state().tunnels.remove(sw_if_index);
            }
            if matches!(event, Event::Layer2 { .. } | Event::Deleted { .. }) {
                of.follow_ports(main);
            }
        });
        let of = bridge.clone();
        r.on_drain(move |main| of.flush(main));
        past::register(r, point, &alarm)?;
        sample::register(r, &bridge, point, &alarm)?;
        Ok(bridge)
    }

    /// Asks for the addresses of targets by `resolver`, in place of the host's.
    pub fn set_resolver(
        &self,
        resolver: impl Fn(&str, u16) -> std::io::Result<SocketAddr> + Send + Sync + 'static,
    ) {
        *self.0.resolver.borrow_mut() = std::sync::Arc::new(resolver);
    }

    /// Ends all flows and hands their records over.
    pub fn flush(&self, main: &mut Main) {
        let state = self.look();
        let bridges = state.bridges.values().filter_map(|bridge| bridge.metering.as_ref());
        let sets = state.sets.values().filter_map(|set| set.metering.as_ref());
        bridges.chain(sets).for_each(|metering| metering.flush(main));
    }

    pub(crate) fn ipfix(&self) -> &Ipfix {
        &self.0.ipfix
    }

    pub(crate) fn places(&self, own: Option<[Gate; 2]>) -> Places {
        Places { point: self.0.point, gates: self.0.gates, own }
    }

    pub(crate) fn next_id(&self) -> MeteringId {
        let mut state = self.state();
        state.next += 1;
        MeteringId(state.next)
    }

    pub(crate) fn resolver(&self) -> Resolver {
        self.0.resolver.borrow().clone()
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.0.bell
    }

    pub(crate) fn point(&self) -> LocalPoint {
        self.0.point
    }

    pub(crate) fn look(&self) -> Ref<'_, State> {
        self.0.state.borrow()
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.0.state.borrow_mut()
    }
}
