//! Random edits, judged by a model that looks at every route for every question.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A small world, so that edits meet: these are all the addresses, and prefixes are made from them.
const IP4: [&str; 8] = [
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.128",
    "10.0.1.0",
    "10.1.255.255",
    "11.0.0.0",
    "192.0.2.1",
    "255.255.255.254",
];
const IP4_LENGTHS: [u8; 10] = [0, 1, 7, 8, 16, 23, 24, 25, 31, 32];
const IP6: [&str; 8] = [
    "2001:db8::",
    "2001:db8::1",
    "2001:db8:0:1::",
    "2001:db8::8000:0:0:0",
    "2001:db9::",
    "2a00::1",
    "::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
];
const IP6_LENGTHS: [u8; 10] = [0, 1, 16, 17, 32, 48, 63, 64, 127, 128];

#[derive(Clone, Debug)]
enum Step {
    SetRoute(IpPrefix, Source, Vec<Path>),
    AddPaths(IpPrefix, Source, Vec<Path>),
    RemovePath(IpPrefix, Source, PathTarget),
    DeleteRoute(IpPrefix, Source),
    SetNeighbor(SwIfIndex, IpAddr),
    DeleteNeighbor(SwIfIndex, IpAddr),
    SetUp(SwIfIndex, bool),
    DeleteInterface(SwIfIndex),
    Seal,
    Reclaim,
}

fn addresses(family: Family) -> Vec<IpAddr> {
    match family {
        Family::Ip4 => IP4.map(address).to_vec(),
        Family::Ip6 => IP6.map(address).to_vec(),
    }
}

fn any_prefix(family: Family) -> impl Strategy<Value = IpPrefix> {
    let lengths = match family {
        Family::Ip4 => IP4_LENGTHS,
        Family::Ip6 => IP6_LENGTHS,
    };
    (prop::sample::select(addresses(family)), prop::sample::select(lengths.to_vec()))
        .prop_map(|(address, len)| IpPrefix::new(address, len).unwrap())
}

fn any_path(family: Family) -> impl Strategy<Value = Path> {
    let next_hop = || prop::sample::select(addresses(family));
    let interface = || (1..=2_u32).prop_map(SwIfIndex);
    let target = prop_oneof![
        4 => (next_hop(), interface())
            .prop_map(|(next_hop, interface)| PathTarget::AttachedNextHop { next_hop, interface }),
        1 => interface().prop_map(|interface| PathTarget::Attached { interface }),
        6 => next_hop().prop_map(|next_hop| PathTarget::Recursive { next_hop, table: FIB }),
        1 => prop::sample::select(vec![
            PathTarget::Drop,
            PathTarget::Refuse(Refusal::Prohibited),
            PathTarget::Punt,
            PathTarget::Local { interface: SwIfIndex(1) },
            PathTarget::Lookup { table: FIB },
        ]),
    ];
    (target, 0..4_u8, 0..3_u8).prop_map(|(target, weight, preference)| {
        Path::to(target).weighted(weight).preferred(preference)
    })
}

fn any_step(family: Family) -> impl Strategy<Value = Step> {
    let source = || prop::sample::select(vec![Source::Interface, Source::Api, Source::Cli]);
    let prefix = || any_prefix(family);
    let interface = || (1..=2_u32).prop_map(SwIfIndex);
    let neighbor = || (interface(), prop::sample::select(addresses(family)));
    prop_oneof![
        8 => (prefix(), source(), prop::collection::vec(any_path(family), 1..4))
            .prop_map(|(prefix, source, paths)| Step::SetRoute(prefix, source, paths)),
        4 => (prefix(), source(), prop::collection::vec(any_path(family), 1..3))
            .prop_map(|(prefix, source, paths)| Step::AddPaths(prefix, source, paths)),
        2 => (prefix(), source(), any_path(family))
            .prop_map(|(p, s, path)| Step::RemovePath(p, s, path.target)),
        4 => (prefix(), source()).prop_map(|(prefix, source)| Step::DeleteRoute(prefix, source)),
        3 => neighbor().prop_map(|(interface, address)| Step::SetNeighbor(interface, address)),
        2 => neighbor().prop_map(|(interface, address)| Step::DeleteNeighbor(interface, address)),
        2 => (interface(), any::<bool>()).prop_map(|(interface, up)| Step::SetUp(interface, up)),
        1 => interface().prop_map(Step::DeleteInterface),
        2 => Just(Step::Seal),
        2 => Just(Step::Reclaim),
    ]
}

/// What was ordered, and nothing derived.
struct Model {
    routes: BTreeMap<IpPrefix, BTreeMap<Source, Paths>>,
    neighbors: BTreeSet<(SwIfIndex, IpAddr)>,
    up: BTreeMap<SwIfIndex, bool>,
}

/// Weight and preference of each target.
type Paths = BTreeMap<PathTarget, (u8, u8)>;

impl Model {
    fn new(forwarding: &Forwarding, family: Family) -> Self {
        let mut routes = BTreeMap::new();
        for (prefix, index) in forwarding.routes(family, FIB).unwrap() {
            let info = forwarding.route(index).unwrap();
            let sources =
                info.sources.into_iter().map(|(source, paths)| (source, paths_of(&paths)));
            routes.insert(prefix, sources.collect());
        }
        Self { routes, neighbors: BTreeSet::new(), up: BTreeMap::new() }
    }

    fn set(&mut self, prefix: IpPrefix, source: Source, paths: Paths) {
        self.routes.entry(prefix).or_default().insert(source, paths);
    }

    fn delete(&mut self, prefix: IpPrefix, source: Source) -> bool {
        let Some(sources) = self.routes.get_mut(&prefix) else { return false };
        let known = sources.remove(&source).is_some();
        if sources.is_empty() {
            self.routes.remove(&prefix);
        }
        known
    }

    fn paths(&self, prefix: IpPrefix, source: Source) -> Option<Paths> {
        self.routes.get(&prefix)?.get(&source).cloned()
    }

    fn knows(&self, path: &Path) -> bool {
        path.target.interface().is_none_or(|interface| self.up.contains_key(&interface))
    }

    /// The paths of an address: those of the first source of its longest prefix.
    fn lookup(&self, address: IpAddr) -> (IpPrefix, &Paths) {
        let around = self.routes.iter().filter(|(prefix, _)| prefix.contains(address));
        let (prefix, sources) = around.max_by_key(|(prefix, _)| prefix.len()).unwrap();
        (*prefix, sources.values().next().unwrap())
    }

    /// Whether the recursion of some paths comes to other ones.
    fn leads_to(&self, from: &Paths, to: &Paths) -> bool {
        let mut seen: BTreeSet<&Paths> = BTreeSet::new();
        let mut todo = vec![from];
        while let Some(paths) = todo.pop() {
            if paths == to {
                return true;
            }
            if seen.insert(paths) {
                let via = paths.keys().filter_map(|target| recursive(*target));
                todo.extend(via.map(|next_hop| self.lookup(next_hop).1));
            }
        }
        false
    }

    /// Where packets go, without shares: by the paths of the first preference that lead anywhere.
    fn ways(&self, paths: &Paths) -> BTreeSet<Way> {
        let preferences: BTreeSet<u8> = paths.values().map(|(_, preference)| *preference).collect();
        let with = |preference| {
            paths.iter().filter(move |(_, (_, p))| *p == preference).map(|(target, _)| *target)
        };
        let mut each = preferences.into_iter().map(|p| self.ways_of(paths, with(p)));
        each.find(|ways| !ways.is_empty()).unwrap_or_default()
    }

    /// Where packets go by some targets of `paths`.
    fn ways_of(&self, paths: &Paths, targets: impl Iterator<Item = PathTarget>) -> BTreeSet<Way> {
        let mut ways = BTreeSet::new();
        for target in targets {
            match target {
                PathTarget::Drop | PathTarget::Refuse(_) => {}
                PathTarget::Punt => ways.extend([Way::Punt]),
                PathTarget::Local { interface } => ways.extend([Way::Local(interface)]),
                PathTarget::Lookup { table } => ways.extend([Way::Lookup(table)]),
                PathTarget::Attached { interface } if self.up[&interface] => {
                    ways.extend([Way::Glean(interface)]);
                }
                PathTarget::AttachedNextHop { next_hop, interface } if self.up[&interface] => {
                    ways.extend([self.send(interface, next_hop)]);
                }
                PathTarget::Recursive { next_hop, .. } => {
                    let (_, via) = self.lookup(next_hop);
                    if self.leads_to(via, paths) {
                        continue;
                    }
                    ways.extend(self.ways(via).into_iter().map(|way| match way {
                        Way::Glean(interface) => self.send(interface, next_hop),
                        way => way,
                    }));
                }
                PathTarget::Attached { .. } | PathTarget::AttachedNextHop { .. } => {}
            }
        }
        ways
    }

    fn send(&self, interface: SwIfIndex, next_hop: IpAddr) -> Way {
        if self.neighbors.contains(&(interface, next_hop)) {
            Way::Send(interface, next_hop)
        } else {
            Way::Ask(interface, next_hop)
        }
    }

    fn delete_neighbor(&mut self, interface: SwIfIndex, address: IpAddr) {
        self.neighbors.remove(&(interface, address));
        let prefix = IpPrefix::host(address);
        let mut paths = self.paths(prefix, Source::Adjacency).unwrap_or_default();
        paths.remove(&Path::via(address, interface).target);
        if paths.is_empty() {
            self.delete(prefix, Source::Adjacency);
        } else {
            self.set(prefix, Source::Adjacency, paths);
        }
    }
}

fn recursive(target: PathTarget) -> Option<IpAddr> {
    match target {
        PathTarget::Recursive { next_hop, .. } => Some(next_hop),
        _ => None,
    }
}

fn paths_of(paths: &[Path]) -> Paths {
    paths.iter().map(|path| (path.target, (path.weight.max(1), path.preference))).collect()
}

/// Does a step in both worlds. Both must accept it, or both refuse.
fn apply(forwarding: &mut Forwarding, model: &mut Model, step: &Step) {
    match *step {
        Step::SetRoute(prefix, source, ref paths) => {
            let done = forwarding.set_route(FIB, prefix, source, paths);
            let fine = paths.iter().all(|path| model.knows(path));
            assert_eq!(done.is_ok(), fine);
            if fine {
                model.set(prefix, source, paths_of(paths));
            }
        }
        Step::AddPaths(prefix, source, ref more) => {
            let done = forwarding.add_paths(FIB, prefix, source, more);
            assert_eq!(done.is_ok(), more.iter().all(|path| model.knows(path)));
            if done.is_ok() {
                let mut paths = model.paths(prefix, source).unwrap_or_default();
                paths.extend(paths_of(more));
                model.set(prefix, source, paths);
            }
        }
        Step::RemovePath(prefix, source, target) => {
            let done = forwarding.remove_paths(FIB, prefix, source, &[target]);
            let mut paths = model.paths(prefix, source).unwrap_or_default();
            assert_eq!(done.is_ok(), paths.remove(&target).is_some());
            if done.is_ok() && paths.is_empty() {
                model.delete(prefix, source);
            } else if done.is_ok() {
                model.set(prefix, source, paths);
            }
        }
        Step::DeleteRoute(prefix, source) => {
            let done = forwarding.delete_route(FIB, prefix, source);
            assert_eq!(done.is_ok(), model.delete(prefix, source));
        }
        Step::SetNeighbor(interface, address) => {
            let flags = NeighborFlags::STATIC;
            let mac = [2, 0, 0, 0, 0, 9];
            let done = forwarding.set_neighbor(interface, address, mac, flags, EngineTime(0));
            assert_eq!(done.is_ok(), model.up.contains_key(&interface));
            if done.is_ok() {
                model.neighbors.insert((interface, address));
                let prefix = IpPrefix::host(address);
                let mut paths = model.paths(prefix, Source::Adjacency).unwrap_or_default();
                paths.insert(Path::via(address, interface).target, (1, 0));
                model.set(prefix, Source::Adjacency, paths);
            }
        }
        Step::DeleteNeighbor(interface, address) => {
            let done = forwarding.delete_neighbor(interface, address);
            let known = model.neighbors.contains(&(interface, address));
            assert_eq!(done.is_ok(), known);
            if known {
                model.delete_neighbor(interface, address);
            }
        }
        Step::SetUp(interface, up) => {
            forwarding.set_interface(interface, ethernet(interface.0, up)).unwrap();
            model.up.insert(interface, up);
        }
        Step::DeleteInterface(interface) => {
            let done = forwarding.delete_interface(interface);
            assert_eq!(done.is_ok(), model.up.remove(&interface).is_some());
            for (_, address) in model.neighbors.clone().into_iter().filter(|n| n.0 == interface) {
                model.delete_neighbor(interface, address);
            }
            for sources in model.routes.values_mut() {
                for paths in sources.values_mut() {
                    paths.retain(|target, _| target.interface() != Some(interface));
                }
                sources.retain(|_, paths| !paths.is_empty());
            }
            model.routes.retain(|_, sources| !sources.is_empty());
        }
        Step::Seal => forwarding.seal(),
        Step::Reclaim => forwarding.reclaim(),
    }
}

fn agrees(family: Family, steps: &[Step]) {
    let mut forwarding = Forwarding::new().unwrap();
    let reader = forwarding.reader();
    let mut model = Model::new(&forwarding, family);
    for step in steps {
        apply(&mut forwarding, &mut model, step);
        for destination in addresses(family) {
            let (prefix, paths) = model.lookup(destination);
            let route = forwarding.longest_match(FIB, destination).unwrap();
            assert_eq!(forwarding.route(route).unwrap().prefix, prefix, "{step:?}");
            let mut expected = model.ways(paths);
            if expected.is_empty() {
                expected.insert(Way::Drop);
            }
            let found: BTreeSet<_> = ways(&reader, FIB, destination).into_iter().collect();
            assert_eq!(found, expected, "{destination} after {step:?}");
        }
        let listed = forwarding.routes(family, FIB).unwrap().map(|(prefix, _)| prefix);
        assert!(listed.eq(model.routes.keys().copied()));
        for (prefix, index) in forwarding.routes(family, FIB).unwrap() {
            let info = forwarding.route(index).unwrap();
            let sources: BTreeMap<_, _> =
                info.sources.iter().map(|(source, paths)| (*source, paths_of(paths))).collect();
            assert_eq!(sources, model.routes[&prefix]);
        }
    }
    // Nothing is left behind when all is taken away.
    for interface in [1, 2].map(SwIfIndex) {
        let _: Result<(), FibError> = forwarding.delete_interface(interface);
    }
    let left: Vec<_> = forwarding.routes(family, FIB).unwrap().map(|(prefix, _)| prefix).collect();
    for prefix in left {
        for source in [Source::Interface, Source::Api, Source::Cli] {
            let _: Result<(), FibError> = forwarding.delete_route(FIB, prefix, source);
        }
    }
    let fresh = Forwarding::new().unwrap();
    assert_eq!(forwarding.counts(), fresh.counts());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ip4_forwarding_follows_what_was_ordered(
        steps in prop::collection::vec(any_step(Family::Ip4), 1..60),
    ) {
        agrees(Family::Ip4, &steps);
    }

    #[test]
    fn ip6_forwarding_follows_what_was_ordered(
        steps in prop::collection::vec(any_step(Family::Ip6), 1..60),
    ) {
        agrees(Family::Ip6, &steps);
    }
}
