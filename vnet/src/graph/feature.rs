//! Feature arcs: optional nodes on a packet's way, in an order that their constraints give, enabled per interface.
//!
//! Where nothing is enabled on an interface the arc costs one load and one compare. Where something is, the packet carries
//! its position in the interface's chain, and the next node is one load away.

use std::collections::HashMap;

use thiserror::Error;

use super::{NodeIndex, Slot};
use crate::{buffer::Buffer, interface::SwIfIndex};

/// Names an arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArcIndex(pub u16);

impl ArcIndex {
    /// An arc that does not exist: nothing is enabled on it.
    pub const ABSENT: Self = Self(u16::MAX);
}

/// Where an arc starts for the packets of one interface. Found and used while a node looks at one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArcStart(pub(crate) u32);

impl ArcStart {
    /// Nothing is enabled there.
    pub const NO_FEATURE: Self = Self(0);
}

/// The first feature of an arc for the packets of one interface, or where they go when there is none. Good for one frame, as its
/// [`ArcStart`].
#[derive(Clone, Copy, Debug)]
pub struct ArcDoor<Next> {
    pub(super) position: u32,
    pub(super) slot: Slot<Next>,
}

impl<Next> ArcDoor<Next> {
    /// Sends a packet there.
    #[inline(always)]
    pub fn enter(self, buffer: &mut Buffer) -> Slot<Next> {
        buffer.feature = self.position;
        self.slot
    }
}

/// An arc as it is registered.
#[derive(Clone, Debug)]
pub struct ArcSpec {
    pub(crate) name: String,
    pub(crate) starts: Vec<String>,
    pub(crate) last: String,
}

impl ArcSpec {
    /// The arc `name` that packets enter at the nodes `starts` and leave to the node `last`.
    #[must_use]
    pub fn new(name: &str, starts: &[&str], last: &str) -> Self {
        let starts = starts.iter().map(|&s| s.to_owned()).collect();
        Self { name: name.to_owned(), starts, last: last.to_owned() }
    }
}

/// A feature as it is registered: a node on an arc, and what it must come before and after.
#[derive(Clone, Debug)]
pub struct FeatureSpec {
    pub(crate) arc: String,
    pub(crate) node: String,
    before: Vec<Constraint>,
    after: Vec<Constraint>,
}

#[derive(Clone, Debug)]
struct Constraint {
    node: String,
    optional: bool,
}

impl FeatureSpec {
    /// The node `node` as a feature of `arc`.
    #[must_use]
    pub fn new(arc: &str, node: &str) -> Self {
        Self { arc: arc.to_owned(), node: node.to_owned(), before: Vec::new(), after: Vec::new() }
    }

    /// It comes before `node`, which must be on the arc.
    #[must_use]
    pub fn before(mut self, node: &str) -> Self {
        self.before.push(Constraint { node: node.to_owned(), optional: false });
        self
    }

    /// It comes after `node`, which must be on the arc.
    #[must_use]
    pub fn after(mut self, node: &str) -> Self {
        self.after.push(Constraint { node: node.to_owned(), optional: false });
        self
    }

    /// It comes before `node`, if that is on the arc.
    #[must_use]
    pub fn before_optional(mut self, node: &str) -> Self {
        self.before.push(Constraint { node: node.to_owned(), optional: true });
        self
    }

    /// It comes after `node`, if that is on the arc.
    #[must_use]
    pub fn after_optional(mut self, node: &str) -> Self {
        self.after.push(Constraint { node: node.to_owned(), optional: true });
        self
    }
}

/// Why features cannot be arranged or enabled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// Two arcs of the same name.
    #[error("feature arc `{0}' is registered twice")]
    DuplicateArc(String),
    /// A feature on an arc that does not exist.
    #[error("feature `{feature}' is for the arc `{arc}', which does not exist")]
    UnknownArc {
        /// The arc named.
        arc: String,
        /// The feature that names it.
        feature: String,
    },
    /// The same node twice on an arc.
    #[error("feature `{feature}' is registered twice on the arc `{arc}'")]
    DuplicateFeature {
        /// The arc.
        arc: String,
        /// The node.
        feature: String,
    },
    /// A constraint names a node that is not on the arc.
    #[error(
        "feature `{feature}' on the arc `{arc}' is to run {word} `{named}', which is not on that arc"
    )]
    UnknownNeighbor {
        /// The arc.
        arc: String,
        /// The feature whose constraint it is.
        feature: String,
        /// `before` or `after`.
        word: &'static str,
        /// The node named.
        named: String,
    },
    /// The constraints contradict each other.
    #[error(
        "features of the arc `{arc}' cannot be ordered: each of {features} must run before another one of them"
    )]
    Cycle {
        /// The arc.
        arc: String,
        /// The nodes on the cycle.
        features: String,
    },
    /// A node that the graph does not have.
    #[error("the arc `{arc}' names the node `{node}', which does not exist")]
    UnknownNode {
        /// The arc.
        arc: String,
        /// The node.
        node: String,
    },
    /// Enabling what is not on the arc.
    #[error("no feature `{feature}' on the arc `{arc}'")]
    NoSuchFeature {
        /// The arc.
        arc: String,
        /// The feature.
        feature: String,
    },
    /// Disabling what is not enabled.
    #[error("feature `{feature}' is not enabled on the arc `{arc}' of that interface")]
    NotEnabled {
        /// The arc.
        arc: String,
        /// The feature.
        feature: String,
    },
}

struct Feature {
    node: NodeIndex,
    name: String,
}

struct Enabled {
    /// How often it was enabled; it goes with the last disable.
    references: u32,
    config: u32,
}

struct FeatureArc {
    name: String,
    starts: Vec<String>,
    last: NodeIndex,
    last_name: String,
    /// In the order in which packets meet them.
    features: Vec<Feature>,
    enabled: HashMap<SwIfIndex, HashMap<usize, Enabled>>,
}

/// All arcs with their features, and what is enabled where. Lives on the main thread; nodes read [`FeatureTables`].
pub struct Features {
    arcs: Vec<FeatureArc>,
    drop: NodeIndex,
}

impl Features {
    /// Arranges the features of all arcs.
    ///
    /// # Errors
    /// When names are unknown or used twice, or constraints contradict each other.
    pub(crate) fn solve(
        arcs: Vec<ArcSpec>,
        features: Vec<FeatureSpec>,
        drop: NodeIndex,
        node: impl Fn(&str) -> Option<NodeIndex>,
    ) -> Result<Self, FeatureError> {
        for (i, arc) in arcs.iter().enumerate() {
            if arcs[..i].iter().any(|a| a.name == arc.name) {
                return Err(FeatureError::DuplicateArc(arc.name.clone()));
            }
        }
        if let Some(f) = features.iter().find(|f| !arcs.iter().any(|a| a.name == f.arc)) {
            let (arc, feature) = (f.arc.clone(), f.node.clone());
            return Err(FeatureError::UnknownArc { arc, feature });
        }
        let arcs = arcs
            .into_iter()
            .map(|arc| {
                let of_arc: Vec<&FeatureSpec> =
                    features.iter().filter(|f| f.arc == arc.name).collect();
                let lookup = |name: &str| {
                    node(name).ok_or_else(|| FeatureError::UnknownNode {
                        arc: arc.name.clone(),
                        node: name.to_owned(),
                    })
                };
                let features = order(&arc, &of_arc)?
                    .into_iter()
                    .map(|i| {
                        let name = of_arc[i].node.clone();
                        Ok(Feature { node: lookup(&name)?, name })
                    })
                    .collect::<Result<_, FeatureError>>()?;
                let last = lookup(&arc.last)?;
                Ok(FeatureArc {
                    last,
                    features,
                    name: arc.name,
                    starts: arc.starts,
                    last_name: arc.last,
                    enabled: HashMap::new(),
                })
            })
            .collect::<Result<_, FeatureError>>()?;
        Ok(Self { arcs, drop })
    }

    /// The arc called `name`.
    #[must_use]
    pub fn arc(&self, name: &str) -> Option<ArcIndex> {
        self.arcs.iter().position(|a| a.name == name).map(|i| ArcIndex(i as u16))
    }

    /// Each arc: its name, the nodes that start it, its features in order, and its last node.
    pub fn arcs(&self) -> impl Iterator<Item = (&str, &[String], Vec<&str>, &str)> {
        self.arcs.iter().map(|a| {
            let features = a.features.iter().map(|f| f.name.as_str()).collect();
            (a.name.as_str(), a.starts.as_slice(), features, a.last_name.as_str())
        })
    }

    /// The features enabled on `interface`, in order, by arc; arcs without any are left out.
    #[must_use]
    pub fn enabled(&self, interface: SwIfIndex) -> Vec<(&str, Vec<&str>)> {
        let names = |arc: &FeatureArc| -> Vec<usize> { arc.enabled_on(interface) };
        self.arcs
            .iter()
            .map(|a| (a, names(a)))
            .filter(|(_, on)| !on.is_empty())
            .map(|(a, on)| {
                (a.name.as_str(), on.iter().map(|&i| a.features[i].name.as_str()).collect())
            })
            .collect()
    }

    /// Whether `feature` is enabled on `arc` of `interface`.
    #[must_use]
    pub fn is_enabled(&self, arc: &str, feature: &str, interface: SwIfIndex) -> bool {
        let arc = self.arcs.iter().find(|a| a.name == arc);
        arc.is_some_and(|a| a.enabled_on(interface).iter().any(|&i| a.features[i].name == feature))
    }

    fn find(&mut self, arc: &str, feature: &str) -> Result<(&mut FeatureArc, usize), FeatureError> {
        let missing =
            || FeatureError::NoSuchFeature { arc: arc.to_owned(), feature: feature.to_owned() };
        let arc = self.arcs.iter_mut().find(|a| a.name == arc).ok_or_else(missing)?;
        let i = arc.features.iter().position(|f| f.name == feature).ok_or_else(missing)?;
        Ok((arc, i))
    }

    pub(crate) fn enable(
        &mut self,
        arc: &str,
        feature: &str,
        interface: SwIfIndex,
        config: u32,
    ) -> Result<(), FeatureError> {
        let (arc, i) = self.find(arc, feature)?;
        let enabled = arc.enabled.entry(interface).or_default();
        let entry = enabled.entry(i).or_insert(Enabled { references: 0, config });
        entry.references += 1;
        entry.config = config;
        Ok(())
    }

    pub(crate) fn disable(
        &mut self,
        arc: &str,
        feature: &str,
        interface: SwIfIndex,
    ) -> Result<(), FeatureError> {
        let not_enabled =
            || FeatureError::NotEnabled { arc: arc.to_owned(), feature: feature.to_owned() };
        let (of_arc, i) = self.find(arc, feature)?;
        let enabled = of_arc.enabled.get_mut(&interface).ok_or_else(not_enabled)?;
        let entry = enabled.get_mut(&i).ok_or_else(not_enabled)?;
        entry.references -= 1;
        if entry.references == 0 {
            enabled.remove(&i);
        }
        Ok(())
    }

    /// Disables everything on `interface`, which goes.
    pub(crate) fn forget(&mut self, interface: SwIfIndex) {
        for arc in &mut self.arcs {
            arc.enabled.remove(&interface);
        }
    }

    /// What the nodes read.
    pub(crate) fn tables(&self) -> FeatureTables {
        let mut positions = vec![Position { node: self.drop, config: 0 }];
        let mut heads = Vec::with_capacity(self.arcs.len());
        for arc in &self.arcs {
            let mut of_arc: Vec<ArcStart> = Vec::new();
            for &interface in arc.enabled.keys() {
                let on = arc.enabled_on(interface);
                if on.is_empty() {
                    continue;
                }
                let at = interface.0 as usize;
                if of_arc.len() <= at {
                    of_arc.resize(at + 1, ArcStart::NO_FEATURE);
                }
                of_arc[at] = ArcStart(positions.len() as u32);
                positions.extend(on.iter().map(|i| Position {
                    node: arc.features[*i].node,
                    config: arc.enabled[&interface][i].config,
                }));
                positions.push(Position { node: arc.last, config: 0 });
            }
            heads.push(of_arc.into_boxed_slice());
        }
        FeatureTables { heads, positions }
    }
}

impl FeatureArc {
    fn enabled_on(&self, interface: SwIfIndex) -> Vec<usize> {
        let mut on: Vec<usize> =
            self.enabled.get(&interface).map(|e| e.keys().copied().collect()).unwrap_or_default();
        on.sort_unstable();
        on
    }
}

/// Indices into `features` in an order that satisfies all constraints; among several, that of registration.
fn order(arc: &ArcSpec, features: &[&FeatureSpec]) -> Result<Vec<usize>, FeatureError> {
    let position = |name: &str| features.iter().position(|f| f.node == name);
    // `runs_before[i]` holds what must come before feature i.
    let mut runs_before: Vec<Vec<usize>> = vec![Vec::new(); features.len()];
    for (i, feature) in features.iter().enumerate() {
        if position(&feature.node) != Some(i) {
            let (arc, feature) = (arc.name.clone(), feature.node.clone());
            return Err(FeatureError::DuplicateFeature { arc, feature });
        }
        for (word, constraints) in [("before", &feature.before), ("after", &feature.after)] {
            for c in constraints {
                match position(&c.node) {
                    Some(other) if word == "before" => runs_before[other].push(i),
                    Some(other) => runs_before[i].push(other),
                    // The last node comes after everything, so "before" it is always true.
                    None if c.node == arc.last && word == "before" => {}
                    None if c.optional => {}
                    None => {
                        return Err(FeatureError::UnknownNeighbor {
                            arc: arc.name.clone(),
                            feature: feature.node.clone(),
                            word,
                            named: c.node.clone(),
                        });
                    }
                }
            }
        }
    }
    let mut placed = vec![false; features.len()];
    let mut order = Vec::with_capacity(features.len());
    while order.len() < features.len() {
        let ready = |i: &usize| !placed[*i] && runs_before[*i].iter().all(|&b| placed[b]);
        let Some(i) = (0..features.len()).find(ready) else {
            let left = (0..features.len()).filter(|&i| !placed[i]);
            let names: Vec<_> = left.map(|i| format!("`{}'", features[i].node)).collect();
            let (arc, features) = (arc.name.clone(), names.join(", "));
            return Err(FeatureError::Cycle { arc, features });
        };
        placed[i] = true;
        order.push(i);
    }
    Ok(order)
}

#[derive(Clone, Copy)]
struct Position {
    node: NodeIndex,
    config: u32,
}

/// The chains of all interfaces, as nodes read them.
pub struct FeatureTables {
    heads: Vec<Box<[ArcStart]>>,
    positions: Vec<Position>,
}

impl FeatureTables {
    /// Where the chain of `interface` on `arc` starts.
    #[inline]
    #[must_use]
    pub fn start(&self, arc: ArcIndex, interface: SwIfIndex) -> ArcStart {
        let heads = self.heads.get(arc.0 as usize);
        heads.and_then(|h| h.get(interface.0 as usize)).copied().unwrap_or(ArcStart::NO_FEATURE)
    }

    /// The node at `position`, where the packet now is.
    #[inline]
    pub(crate) fn at(&self, position: u32, buffer: &mut Buffer) -> NodeIndex {
        buffer.feature = position;
        self.node_at(position)
    }

    /// The node at `position`.
    #[inline]
    pub(crate) fn node_at(&self, position: u32) -> NodeIndex {
        // A position of a chain that is gone leads to the first entry, which drops.
        self.positions.get(position as usize).unwrap_or(&self.positions[0]).node
    }

    /// What was given when the feature that the packet is at was enabled.
    #[inline]
    #[must_use]
    pub fn config(&self, buffer: &Buffer) -> u32 {
        self.positions.get(buffer.feature as usize).map_or(0, |p| p.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 6] = ["error-drop", "a", "b", "c", "d", "last"];

    fn node(name: &str) -> Option<NodeIndex> {
        NODES.iter().position(|&n| n == name).map(|i| NodeIndex(i as u16))
    }

    fn solve(features: Vec<FeatureSpec>) -> Result<Features, FeatureError> {
        let arcs = vec![ArcSpec::new("arc", &["start"], "last")];
        Features::solve(arcs, features, NodeIndex(0), node)
    }

    fn names(features: &Features) -> Vec<&str> {
        features.arcs().next().unwrap().2
    }

    #[test]
    fn constraints_give_the_order_and_registration_breaks_ties() {
        let f = solve(vec![
            FeatureSpec::new("arc", "a").after("c").before("last"),
            FeatureSpec::new("arc", "b"),
            FeatureSpec::new("arc", "c").before("b").after_optional("nowhere"),
        ])
        .unwrap();
        assert_eq!(names(&f), ["c", "a", "b"]);
    }

    #[test]
    fn a_cycle_is_an_error_that_names_its_members() {
        let e = solve(vec![
            FeatureSpec::new("arc", "a").before("b"),
            FeatureSpec::new("arc", "b").before("a"),
            FeatureSpec::new("arc", "c"),
        ])
        .err()
        .unwrap();
        assert_eq!(
            e.to_string(),
            "features of the arc `arc' cannot be ordered: each of `a', `b' must run before another one of them"
        );
    }

    #[test]
    fn an_unknown_name_is_an_error_unless_optional() {
        let e = solve(vec![FeatureSpec::new("arc", "a").after("x")]).err().unwrap();
        assert_eq!(
            e.to_string(),
            "feature `a' on the arc `arc' is to run after `x', which is not on that arc"
        );
        assert!(solve(vec![FeatureSpec::new("arc", "a").after_optional("x")]).is_ok());
        assert!(matches!(
            solve(vec![FeatureSpec::new("brc", "a")]).err().unwrap(),
            FeatureError::UnknownArc { .. }
        ));
        assert!(matches!(
            solve(vec![FeatureSpec::new("arc", "zz")]).err().unwrap(),
            FeatureError::UnknownNode { .. }
        ));
    }

    #[test]
    fn packets_follow_what_is_enabled_on_their_interface() {
        let mut f =
            solve(["a", "b", "c"].map(|n| FeatureSpec::new("arc", n)).into_iter().collect())
                .unwrap();
        let (arc, i3) = (f.arc("arc").unwrap(), SwIfIndex(3));
        f.enable("arc", "c", i3, 7).unwrap();
        f.enable("arc", "a", i3, 0).unwrap();
        f.enable("arc", "a", i3, 0).unwrap();
        let t = f.tables();
        assert_eq!(t.start(arc, SwIfIndex(2)), ArcStart::NO_FEATURE);
        assert_eq!(t.start(arc, SwIfIndex(4)), ArcStart::NO_FEATURE);
        let mut b = Box::new(Buffer::empty());
        assert_eq!(t.at(t.start(arc, i3).0, &mut b), node("a").unwrap());
        assert_eq!(t.at(b.feature + 1, &mut b), node("c").unwrap());
        assert_eq!(t.config(&b), 7);
        assert_eq!(t.at(b.feature + 1, &mut b), node("last").unwrap());
        assert_eq!(t.at(1000, &mut b), node("error-drop").unwrap());
        // Enabled twice: one disable leaves it on.
        f.disable("arc", "a", i3).unwrap();
        assert_eq!(f.enabled(i3), [("arc", vec!["a", "c"])]);
        f.disable("arc", "a", i3).unwrap();
        assert!(matches!(f.disable("arc", "a", i3), Err(FeatureError::NotEnabled { .. })));
        f.forget(i3);
        assert_eq!(f.tables().start(arc, i3), ArcStart::NO_FEATURE);
    }
}
