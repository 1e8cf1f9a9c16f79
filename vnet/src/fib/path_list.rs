//! Path lists: what routes with the same paths share.
//!
//! A million routes through one next hop have one path list. It is resolved once, its result is the word that each of
//! its routes publishes, and a change of the next hop walks the list's routes.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::path::PathSet;
use super::{Dpo, LoadBalanceIndex};
use crate::adjacency::AdjacencyIndex;

/// Number of a path list. Only the writer uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub(crate) struct PathListId(u32);

impl fmt::Display for PathListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One of the things that a path list forwards to, after all recursion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) dpo: Dpo,
    /// Its share relative to the other members', above 0.
    pub(super) weight: u32,
}

/// Members of a path list.
pub(super) type Members = SmallVec<[Member; 1]>;

/// Routes with the same paths, and how they forward.
#[derive(Debug)]
pub(super) struct PathList {
    pub(super) set: Arc<PathSet>,
    /// Routes and sources of routes that have the list, those among them that another source outranks.
    users: u32,
    /// The first of the routes that forward by the list; they are chained.
    pub(super) first: LoadBalanceIndex,
    /// What each of them publishes.
    pub(super) dpo: Dpo,
    pub(super) members: Members,
    /// The adjacencies that the members come from, each used and watched.
    pub(super) adjacencies: SmallVec<[AdjacencyIndex; 1]>,
    /// Whether a path leads back to the list itself. Such paths forward nothing.
    pub(super) looped: bool,
}

impl PathList {
    /// How many routes and sources of routes have the list.
    pub(super) const fn users(&self) -> u32 {
        self.users
    }
}

/// All path lists, found by their content.
#[derive(Debug)]
pub(super) struct PathLists {
    lists: Vec<Option<PathList>>,
    free: Vec<u32>,
    by_set: HashMap<Arc<PathSet>, PathListId>,
}

impl PathLists {
    pub(super) fn new() -> Self {
        Self { lists: Vec::new(), free: Vec::new(), by_set: HashMap::new() }
    }

    /// The list with these paths, with one user more, if there is one.
    pub(super) fn reuse(&mut self, set: &PathSet) -> Option<PathListId> {
        let id = *self.by_set.get(set)?;
        self.get_mut(id)?.users += 1;
        Some(id)
    }

    /// A new list, with one user and not resolved yet.
    pub(super) fn add(&mut self, set: PathSet) -> PathListId {
        let (dpo, set) = (set.nowhere(), Arc::new(set));
        let list = PathList {
            set: Arc::clone(&set),
            users: 1,
            first: LoadBalanceIndex::NONE,
            dpo,
            members: Members::new(),
            adjacencies: SmallVec::new(),
            looped: false,
        };
        let id = if let Some(free) = self.free.pop() {
            self.lists[free as usize] = Some(list);
            PathListId(free)
        } else {
            self.lists.push(Some(list));
            PathListId(self.lists.len() as u32 - 1)
        };
        self.by_set.insert(set, id);
        id
    }

    /// One user less; without any, the list is gone, and what it held is the caller's to release.
    pub(super) fn release(&mut self, id: PathListId) -> Option<PathList> {
        let slot = self.lists.get_mut(id.0 as usize)?;
        let list = slot.as_mut()?;
        list.users -= 1;
        if list.users > 0 {
            return None;
        }
        debug_assert_eq!(list.first, LoadBalanceIndex::NONE, "a route that forwards by it uses it");
        let list = slot.take()?;
        self.by_set.remove(&list.set);
        self.free.push(id.0);
        Some(list)
    }

    pub(super) fn get(&self, id: PathListId) -> Option<&PathList> {
        self.lists.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: PathListId) -> Option<&mut PathList> {
        self.lists.get_mut(id.0 as usize)?.as_mut()
    }

    /// All lists.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PathListId, &PathList)> {
        let ids = (0..).map(PathListId);
        ids.zip(&self.lists).filter_map(|(id, list)| Some((id, list.as_ref()?)))
    }

    /// How many lists there are.
    pub(super) fn len(&self) -> usize {
        self.by_set.len()
    }
}
