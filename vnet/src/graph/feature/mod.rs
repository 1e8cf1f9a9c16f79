//! Feature arcs: optional nodes on a packet's way, in an order that their constraints give, enabled per interface.
//!
//! Where nothing is enabled on an interface the arc costs one load and one compare. Where something is, the packet carries
//! its position in the interface's chain, and the next node is one load away.

pub mod api;
mod error;
mod spec;
mod tables;

use std::collections::HashMap;

pub use error::FeatureError;
pub use spec::{ArcSpec, FeatureSpec};
pub use tables::{ArcDoor, ArcIndex, ArcStart, FeatureTables, Onward};

use super::NodeIndex;
use crate::interface::SwIfIndex;
use spec::order;
use tables::Position;

struct Feature {
    node: NodeIndex,
    name: String,
    is_gated: bool,
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
                        let is_gated = of_arc[i].is_gated;
                        Ok(Feature { node: lookup(&name)?, name, is_gated })
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

    /// What `feature` is configured for on `arc` of `interface`, where it is enabled.
    #[must_use]
    pub fn config(&self, arc: &str, feature: &str, interface: SwIfIndex) -> Option<u32> {
        let arc = self.arcs.iter().find(|a| a.name == arc)?;
        let feature = arc.features.iter().position(|f| f.name == feature)?;
        Some(arc.enabled.get(&interface)?.get(&feature)?.config)
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
        let mut positions = vec![Position::of(self.drop)];
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
                let is_alone = on.len() == 1;
                positions.extend(on.iter().map(|i| {
                    let Feature { node, is_gated, .. } = arc.features[*i];
                    let config = arc.enabled[&interface][i].config;
                    Position { node, config, is_gated: is_gated && is_alone }
                }));
                positions.push(Position::of(arc.last));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{action::ActionId, buffer::Buffer, graph::Gate};

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
    fn a_gate_is_open_where_its_feature_is_alone() {
        let features = vec![FeatureSpec::new("arc", "a").gated(), FeatureSpec::new("arc", "b")];
        let mut f = solve(features).unwrap();
        let (arc, i3) = (f.arc("arc").unwrap(), SwIfIndex(3));
        let gate = |f: &Features| {
            let tables = f.tables();
            tables.gate(tables.start(arc, i3))
        };
        assert_eq!(gate(&f), None);
        f.enable("arc", "a", i3, 5).unwrap();
        assert_eq!(gate(&f), Some(Gate(ActionId::from_bits(5))));
        f.enable("arc", "b", i3, 5).unwrap();
        assert_eq!(gate(&f), None);
        f.disable("arc", "a", i3).unwrap();
        assert_eq!(gate(&f), None);
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
