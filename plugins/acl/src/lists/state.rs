//! Which lists there are, and who has them.

use std::{collections::BTreeMap, rc::Rc};

use vnet::interface::SwIfIndex;

use super::{ELEMENTS, MAX_RULES};
use crate::{direction::Direction, error::AclError, rule::Rule};

/// A list.
pub(crate) struct List {
    pub(crate) tag: String,
    pub(crate) rules: Rc<[Rule]>,
    /// The element of the counter of its first rule.
    pub(crate) counters: u32,
}

/// What an interface has in one direction.
pub(crate) struct Applied {
    /// In the order in which they are asked.
    pub(crate) acls: Vec<u32>,
    /// VPP's lookup context index.
    pub(crate) context: u32,
    pub(crate) epoch: u32,
    /// Whether shallow reassembly stands in front, of IPv4 and of IPv6.
    pub(super) reassembled: [bool; 2],
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) lists: Vec<Option<List>>,
    pub(crate) applied: BTreeMap<(SwIfIndex, Direction), Applied>,
    pub(super) epochs: u32,
}

impl State {
    pub(crate) fn list(&self, acl: u32) -> Result<&List, AclError> {
        let list = self.lists.get(acl as usize).and_then(Option::as_ref);
        list.ok_or(AclError::NoSuchAcl(acl))
    }

    /// The lists of an interface, in their order.
    pub(crate) fn acls(&self, interface: SwIfIndex, direction: Direction) -> &[u32] {
        let applied = self.applied.get(&(interface, direction));
        applied.map_or(&[], |applied| applied.acls.as_slice())
    }

    /// All lists with their numbers.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (u32, &List)> {
        (0..).zip(&self.lists).filter_map(|(acl, list)| Some((acl, list.as_ref()?)))
    }

    pub(super) fn put(&mut self, acl: u32, list: Option<List>) -> Option<List> {
        let at = acl as usize;
        if self.lists.len() <= at {
            self.lists.resize_with(at + 1, || None);
        }
        core::mem::replace(&mut self.lists[at], list)
    }

    pub(super) fn free_index(&self) -> u32 {
        let free = self.lists.iter().position(Option::is_none);
        free.unwrap_or(self.lists.len()) as u32
    }

    pub(super) fn free_context(&self) -> u32 {
        let taken = |index| self.applied.values().any(|applied| applied.context == index);
        (0..).find(|&index| !taken(index)).unwrap_or(0)
    }

    /// The first of so many elements of the counter in a row that no list has, behind one that none has.
    pub(super) fn free_counters(&self, rules: usize) -> Result<u32, AclError> {
        let ranges = self.lists().map(|(_, list)| (list.counters as usize, list.rules.len()));
        let mut taken: Vec<_> = ranges.collect();
        let all = taken.iter().map(|(_, length)| *length).sum::<usize>() + rules;
        taken.sort_unstable();
        taken.push((ELEMENTS + 1, 0));
        let mut from = 1;
        for (start, length) in taken {
            if all <= MAX_RULES && start.saturating_sub(from) > rules {
                return Ok(from as u32);
            }
            from = from.max(start + length + 1);
        }
        Err(AclError::TooManyRules { rules, limit: MAX_RULES })
    }
}
