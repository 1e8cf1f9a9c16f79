//! Arcs and features as they are registered, and the order that their constraints give.

use super::FeatureError;

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
    pub(crate) is_gated: bool,
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
        let (arc, node) = (arc.to_owned(), node.to_owned());
        Self { arc, node, is_gated: false, before: Vec::new(), after: Vec::new() }
    }

    /// Where it is alone on the arc for an interface, nodes may let packets pass it by the [`Gate`](crate::graph::Gate) whose action
    /// is given, as [bits](crate::action::ActionId::bits), when it is enabled.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.is_gated = true;
        self
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

/// Indices into `features` in an order that satisfies all constraints; among several, that of registration.
pub(super) fn order(arc: &ArcSpec, features: &[&FeatureSpec]) -> Result<Vec<usize>, FeatureError> {
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
