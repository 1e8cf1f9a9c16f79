//! A bridge as one would write it down: maps, lists, and a look at all of them for each frame.

use std::collections::{BTreeMap, BTreeSet};

/// Interfaces.
pub(super) const PORTS: usize = 6;
/// Bridge domains, numbered from 1.
pub(super) const DOMAINS: usize = 2;

/// An address: of a station below [`GROUP`], a group's from there on. Number 0 is address zero.
pub(super) type Address = u8;
pub(super) const GROUP: Address = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Member,
    UuFwd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Learn,
    Forward,
    Flood,
    UuFlood,
}

impl Switch {
    pub(super) const ALL: [Self; 4] = [Self::Learn, Self::Forward, Self::Flood, Self::UuFlood];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Learn => "learn",
            Self::Forward => "forward",
            Self::Flood => "flood",
            Self::UuFlood => "uu-flood",
        }
    }
}

/// What happens to a bridge.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Frame {
        port: usize,
        source: Address,
        destination: Address,
    },
    Join {
        port: usize,
        domain: usize,
        shg: u8,
        role: Role,
    },
    Connect {
        port: usize,
        peer: usize,
    },
    Leave {
        port: usize,
    },
    FlushAll,
    FlushPort(usize),
    FlushDomain(usize),
    Add {
        mac: Address,
        domain: usize,
        port: usize,
        is_static: bool,
    },
    Filter {
        mac: Address,
        domain: usize,
    },
    Delete {
        mac: Address,
        domain: usize,
    },
    Switch {
        domain: usize,
        what: Switch,
        on: bool,
    },
    PortSwitch {
        port: usize,
        what: Switch,
        on: bool,
    },
    Limit {
        domain: usize,
        limit: usize,
    },
    /// The age is set, and a minute goes by.
    Age {
        domain: usize,
        minutes: u64,
    },
    Minutes(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Learned,
    Added,
    Static,
    Filter,
}

#[derive(Clone, Copy, Debug)]
struct Station {
    port: usize,
    kind: Kind,
    seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Routed,
    Bridged { domain: usize, shg: u8, role: Role },
    Connected(usize),
}

struct Domain {
    exists: bool,
    on: [bool; 4],
    limit: usize,
    age: u64,
}

pub(super) struct Naive {
    ports: [(Mode, [bool; 4]); PORTS],
    domains: [Domain; DOMAINS],
    stations: BTreeMap<(usize, Address), Station>,
    minute: u64,
}

impl Naive {
    pub(super) fn new() -> Self {
        let domain = || Domain { exists: false, on: [true; 4], limit: usize::MAX, age: 0 };
        Self {
            ports: [(Mode::Routed, [true; 4]); PORTS],
            domains: core::array::from_fn(|_| domain()),
            stations: BTreeMap::new(),
            minute: 0,
        }
    }

    /// Whether the step is possible, or by which ports a frame leaves.
    pub(super) fn run(&mut self, step: &Step) -> Result<BTreeSet<usize>, ()> {
        let no = |refused: bool| if refused { Err(()) } else { Ok(()) };
        match *step {
            Step::Frame { port, source, destination } => {
                return Ok(self.frame(port, source, destination));
            }
            Step::Join { port, domain, shg, role } => {
                let other = (0..PORTS).any(|other| other != port && self.is_uu_fwd(other, domain));
                no(role == Role::UuFwd && other)?;
                self.leave(port, Some(domain));
                self.domains[domain].exists = true;
                self.ports[port].0 = Mode::Bridged { domain, shg, role };
            }
            Step::Connect { port, peer } => {
                no(port == peer)?;
                self.leave(port, None);
                self.ports[port].0 = Mode::Connected(peer);
            }
            Step::Leave { port } => {
                self.leave(port, None);
                self.ports[port] = (Mode::Routed, [true; 4]);
            }
            Step::FlushAll => self.flush(|_, _| true),
            Step::FlushPort(port) => self.flush(|_, station| station.port == port),
            Step::FlushDomain(domain) => {
                no(!self.domains[domain].exists)?;
                self.flush(|of, _| of == domain);
            }
            Step::Add { mac, domain, port, is_static } => {
                let is_member =
                    matches!(self.ports[port].0, Mode::Bridged { domain: of, .. } if of == domain);
                no(!is_member || mac == 0 || mac >= GROUP)?;
                let kind = if is_static { Kind::Static } else { Kind::Added };
                self.stations.insert((domain, mac), Station { port, kind, seen: self.minute });
            }
            Step::Filter { mac, domain } => {
                no(!self.domains[domain].exists || mac == 0 || mac >= GROUP)?;
                let station = Station { port: usize::MAX, kind: Kind::Filter, seen: self.minute };
                self.stations.insert((domain, mac), station);
            }
            Step::Delete { mac, domain } => {
                no(self.stations.remove(&(domain, mac)).is_none())?;
            }
            Step::Switch { domain, what, on } => {
                no(!self.domains[domain].exists)?;
                self.domains[domain].on[what as usize] = on;
            }
            Step::PortSwitch { port, what, on } => {
                no(self.ports[port].0 == Mode::Routed)?;
                self.ports[port].1[what as usize] = on;
            }
            Step::Limit { domain, limit } => {
                no(!self.domains[domain].exists)?;
                self.domains[domain].limit = limit;
            }
            Step::Age { domain, minutes } => {
                no(!self.domains[domain].exists)?;
                self.domains[domain].age = minutes;
                self.pass(1);
            }
            Step::Minutes(minutes) => self.pass(minutes),
        }
        Ok(BTreeSet::new())
    }

    fn is_uu_fwd(&self, port: usize, of: usize) -> bool {
        matches!(self.ports[port].0, Mode::Bridged { domain, role: Role::UuFwd, .. } if domain == of)
    }

    fn pass(&mut self, minutes: u64) {
        for _ in 0..minutes {
            self.minute += 1;
            let (now, domains) = (self.minute, &self.domains);
            self.stations.retain(|(domain, _), station| {
                let age = domains[*domain].age;
                let ages = matches!(station.kind, Kind::Learned | Kind::Added);
                !ages || age == 0 || now - station.seen <= age
            });
        }
    }

    fn flush(&mut self, wanted: impl Fn(usize, &Station) -> bool) {
        self.stations.retain(|(domain, _), station| {
            !matches!(station.kind, Kind::Learned | Kind::Added) || !wanted(*domain, station)
        });
    }

    /// What was known behind a port goes; those that were put there stay where it comes back to its domain.
    fn leave(&mut self, port: usize, to: Option<usize>) {
        let Mode::Bridged { domain: from, .. } = self.ports[port].0 else { return };
        self.flush(|_, station| station.port == port);
        if to != Some(from) {
            self.stations.retain(|_, station| station.port != port);
        }
    }

    fn frame(&mut self, port: usize, source: Address, destination: Address) -> BTreeSet<usize> {
        let (mode, own) = self.ports[port];
        let (of, shg) = match mode {
            Mode::Routed => return BTreeSet::new(),
            Mode::Connected(peer) => return BTreeSet::from([peer]),
            Mode::Bridged { domain, shg, .. } => (domain, shg),
        };
        let domain = &self.domains[of];
        let on = |what: Switch| domain.on[what as usize] && own[what as usize];
        let (flood, uu_flood) = (on(Switch::Flood), on(Switch::UuFlood));
        let forward = on(Switch::Forward);
        if on(Switch::Learn) && !self.learn(of, port, source) {
            return BTreeSet::new();
        }
        if destination == 0 {
            return BTreeSet::new();
        }
        let behind = |to: usize| matches!(self.ports[to].0, Mode::Bridged { shg: other, .. } if shg != 0 && shg == other);
        let everywhere = || {
            let gets = |to: &usize| {
                *to != port
                    && !behind(*to)
                    && matches!(self.ports[*to].0, Mode::Bridged { domain, role: Role::Member, .. } if domain == of)
            };
            (0..PORTS).filter(gets).collect()
        };
        if destination >= GROUP {
            return if flood { everywhere() } else { BTreeSet::new() };
        }
        if let Some(station) = self.stations.get(&(of, destination)).filter(|_| forward) {
            let dropped =
                station.kind == Kind::Filter || station.port == port || behind(station.port);
            return if dropped { BTreeSet::new() } else { BTreeSet::from([station.port]) };
        }
        match (0..PORTS).find(|to| self.is_uu_fwd(*to, of)) {
            Some(to) if to != port => BTreeSet::from([to]),
            Some(_) => BTreeSet::new(),
            None if uu_flood => everywhere(),
            None => BTreeSet::new(),
        }
    }

    /// Whether the frame may go on.
    fn learn(&mut self, of: usize, port: usize, source: Address) -> bool {
        let learned =
            self.stations.iter().filter(|((d, _), s)| *d == of && s.kind == Kind::Learned).count();
        let new = Station { port, kind: Kind::Learned, seen: self.minute };
        match self.stations.get_mut(&(of, source)) {
            Some(Station { kind: Kind::Filter, .. }) => false,
            Some(Station { kind: Kind::Static, port: at, .. }) => *at == port,
            Some(station) => {
                *station = new;
                true
            }
            None => {
                if source != 0 && source < GROUP && learned < self.domains[of].limit {
                    self.stations.insert((of, source), new);
                }
                true
            }
        }
    }

    /// How many stations are known.
    pub(super) fn known(&self) -> usize {
        self.stations.len()
    }
}
