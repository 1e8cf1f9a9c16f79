//! Which nodes of a graph lead back to themselves.

/// The strongly connected components of a graph, given each node's successors: each component comes after all that it
/// leads to. Iterative, since an operator decides how long a chain is.
pub(super) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        visits: vec![None; edges.len()],
        open: Vec::new(),
        count: 0,
        found: Vec::new(),
    };
    for start in 0..edges.len() {
        if search.visits[start].is_none() {
            search.run(start);
        }
    }
    search.found
}

/// Tarjan's algorithm.
struct Search<'a> {
    edges: &'a [Vec<usize>],
    visits: Vec<Option<Visit>>,
    /// Visited nodes whose component is not complete.
    open: Vec<usize>,
    count: usize,
    found: Vec<Vec<usize>>,
}

#[derive(Clone, Copy)]
struct Visit {
    number: usize,
    /// The lowest number of an open node that it leads to.
    lowest: usize,
    is_open: bool,
}

impl Search<'_> {
    fn run(&mut self, start: usize) {
        // Nodes on the way, with how many of their edges were followed.
        let mut way = vec![(start, 0)];
        self.enter(start);
        while let Some((node, followed)) = way.last_mut() {
            let node = *node;
            if let Some(&next) = self.edges[node].get(*followed) {
                *followed += 1;
                match self.visits[next] {
                    None => {
                        self.enter(next);
                        way.push((next, 0));
                    }
                    Some(Visit { number, is_open: true, .. }) => self.lower(node, number),
                    Some(_) => {}
                }
            } else {
                way.pop();
                let Some(visit) = self.visits[node] else { continue };
                if visit.lowest == visit.number {
                    self.close(node);
                }
                if let Some(&(parent, _)) = way.last() {
                    self.lower(parent, visit.lowest);
                }
            }
        }
    }

    fn enter(&mut self, node: usize) {
        let number = self.count;
        self.count += 1;
        self.visits[node] = Some(Visit { number, lowest: number, is_open: true });
        self.open.push(node);
    }

    fn lower(&mut self, node: usize, number: usize) {
        if let Some(visit) = &mut self.visits[node] {
            visit.lowest = visit.lowest.min(number);
        }
    }

    fn close(&mut self, root: usize) {
        let first = self.open.iter().rposition(|&node| node == root).unwrap_or(0);
        let component = self.open.split_off(first);
        for &node in &component {
            if let Some(visit) = &mut self.visits[node] {
                visit.is_open = false;
            }
        }
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `reach[a][b]`: whether one or more edges lead from a to b.
    fn reachability(edges: &[Vec<usize>]) -> Vec<Vec<bool>> {
        let n = edges.len();
        let mut reach = vec![vec![false; n]; n];
        for (a, successors) in edges.iter().enumerate() {
            successors.iter().for_each(|&b| reach[a][b] = true);
        }
        for via in 0..n {
            for a in 0..n {
                for b in 0..n {
                    reach[a][b] |= reach[a][via] && reach[via][b];
                }
            }
        }
        reach
    }

    proptest! {
        #[test]
        fn nodes_share_a_component_when_each_reaches_the_other(
            edges in (1..12_usize).prop_flat_map(|n| {
                prop::collection::vec(prop::collection::vec(0..n, 0..4), n)
            }),
        ) {
            let found = components(&edges);
            let reach = reachability(&edges);
            let mut of = vec![usize::MAX; edges.len()];
            for (number, component) in found.iter().enumerate() {
                for &node in component {
                    prop_assert_eq!(of[node], usize::MAX, "each node is in one component");
                    of[node] = number;
                }
            }
            for a in 0..edges.len() {
                prop_assert_ne!(of[a], usize::MAX);
                for b in 0..edges.len() {
                    prop_assert_eq!(of[a] == of[b], a == b || (reach[a][b] && reach[b][a]));
                    prop_assert!(!reach[a][b] || of[b] <= of[a], "what is led to comes first");
                }
            }
        }
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let edges: Vec<_> = (0..1_000_000).map(|node| vec![(node + 1) % 1_000_000]).collect();
        assert_eq!(components(&edges).len(), 1);
    }
}
