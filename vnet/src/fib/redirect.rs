//! Where packets go that are punted: by the paths that their interface has for that, or by those of all interfaces.
//!
//! A *redirect* has a path list, as routes have, and a word with what that forwards to, which has a number as routes' words have and no
//! prefix. The number stands in a table by interface, so that a node finds the word of a packet without a lookup.

use core::sync::atomic::Ordering;
use std::collections::BTreeMap;

use serde_json::Value as Json;
use thiserror::Error;

use super::path::PathSet;
use super::path_list::PathListId;
use super::{
    Dpo, Family, FibError, Forwarding, IpPrefix, LoadBalanceIndex, MAX_PATHS, Path, PathTarget,
    ShowContext,
};
use crate::command::{Cell, Record};
use crate::interface::SwIfIndex;

/// Why there is no such redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RedirectError {
    /// Without a path there is nowhere to go.
    #[error("a path is needed")]
    NoPaths,
    /// It would have too many.
    #[error("there can be {MAX_PATHS} paths at most")]
    TooManyPaths,
    /// A next hop is of the other family.
    #[error("a path is of another family")]
    FamilyMismatch,
    /// What is punted would come back, or be looked up where it was already.
    #[error("paths lead to next hops or interfaces, or drop")]
    Target,
    /// Nothing was said about the interface.
    #[error("there is none for what comes in by {}", Rx(*.0))]
    NotThere(SwIfIndex),
}

/// An interface as errors name it.
struct Rx(SwIfIndex);

impl core::fmt::Display for Rx {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            SwIfIndex::LOCAL0 => f.write_str("any interface"),
            one => write!(f, "interface {one}"),
        }
    }
}

/// What was said about the punted packets of an interface.
#[derive(Clone, Copy, Debug)]
pub struct Redirect<'a> {
    /// The interface that they came in by; [`SwIfIndex::LOCAL0`] for all that have no redirect of their own.
    pub rx: SwIfIndex,
    /// Where they go.
    pub paths: &'a [Path],
    /// What becomes of them now.
    pub dpo: Dpo,
}

#[derive(Debug)]
pub(super) struct Redirected {
    list: PathListId,
    word: LoadBalanceIndex,
}

/// All redirects.
pub(super) type Redirects = BTreeMap<(Family, SwIfIndex), Redirected>;

impl Forwarding {
    /// Has punted packets that came in by `rx` go by `paths`, in place of those that were given before. What is said of
    /// [`SwIfIndex::LOCAL0`], which receives nothing, holds for all interfaces of which nothing is said.
    ///
    /// # Errors
    /// When there is no such interface, no such path, or no room.
    pub fn set_punt_redirect(
        &mut self,
        family: Family,
        rx: SwIfIndex,
        paths: &[Path],
    ) -> Result<(), FibError> {
        let set = self.checked_redirect(family, rx, paths)?;
        let list = self.acquire_list(set)?;
        let dpo = self.lists.get(list).map_or(Dpo::DROP, |list| list.dpo);
        if let Some(known) = self.redirects.get_mut(&(family, rx)) {
            let before = core::mem::replace(&mut known.list, list);
            self.shared.load_balances.store(known.word, dpo);
            self.release_list(before);
            return Ok(());
        }
        let Some(word) = self.routes.reserve() else {
            self.release_list(list);
            return Err(FibError::RoutesFull);
        };
        // The word is right before a node can find it.
        self.shared.load_balances.store(word, dpo);
        self.redirects.insert((family, rx), Redirected { list, word });
        self.name_redirect(family, rx, word);
        Ok(())
    }

    /// Undoes [`Forwarding::set_punt_redirect`].
    ///
    /// # Errors
    /// When nothing was said about the interface.
    pub fn delete_punt_redirect(&mut self, family: Family, rx: SwIfIndex) -> Result<(), FibError> {
        let gone = self.redirects.remove(&(family, rx));
        let gone = gone.ok_or(FibError::Redirect(family, RedirectError::NotThere(rx)))?;
        self.name_redirect(family, rx, LoadBalanceIndex::NONE);
        self.release_list(gone.list);
        self.routes.retire(gone.word);
        Ok(())
    }

    /// What was said, by interface.
    pub fn punt_redirects(&self, family: Family) -> impl Iterator<Item = Redirect<'_>> {
        let all = self.redirects.iter().filter(move |((of, _), _)| *of == family);
        all.filter_map(|(&(_, rx), redirected)| {
            let list = self.lists.get(redirected.list)?;
            Some(Redirect { rx, paths: &list.set.paths, dpo: list.dpo })
        })
    }

    /// A redirect in the words of `show ip punt redirect`.
    #[must_use]
    pub fn describe_punt_redirect(
        &self,
        family: Family,
        rx: SwIfIndex,
        cx: &dyn ShowContext,
    ) -> Option<Record> {
        let Redirected { list: id, .. } = *self.redirects.get(&(family, rx))?;
        let list = self.lists.get(id)?;
        let any = IpPrefix::default_route(family);
        let name = cx.interface_name(rx);
        let mut record = Record::new().line(format!(" rx {name} via:")).field("rx", name);
        record = self.list_lines(id, any, cx).into_iter().fold(record, Record::line);
        let buckets = self.buckets_of(list.dpo);
        let buckets: Vec<String> =
            buckets.iter().map(|&dpo| self.describe_dpo(dpo, any, cx)).collect();
        record = record.line(" forwarding");
        for text in &buckets {
            record = record.line(format!("  {text}"));
        }
        let json = |path: &Path| self.path_json("punt-redirect", id, path, cx);
        let paths: Vec<Json> = list.set.paths.iter().map(json).collect();
        Some(
            record
                .field("buckets", Cell::shown("", buckets))
                .field("paths", Cell::shown("", paths)),
        )
    }

    /// Lets redirects follow a path list that forwards otherwise now.
    pub(super) fn publish_redirects(&self, list: PathListId, dpo: Dpo) {
        for redirected in self.redirects.values().filter(|redirected| redirected.list == list) {
            self.shared.load_balances.store(redirected.word, dpo);
        }
    }

    /// Forgets what was said about an interface that is deleted, and paths by it; redirects that have no other path go.
    pub(super) fn forget_redirects(&mut self, interface: SwIfIndex) {
        let concerns = |path: &Path| path.target.interface() == Some(interface);
        let keys: Vec<(Family, SwIfIndex)> = self.redirects.keys().copied().collect();
        for (family, rx) in keys {
            let known = self.redirects.get(&(family, rx)).and_then(|r| self.lists.get(r.list));
            let mut paths = known.map(|list| list.set.paths.to_vec()).unwrap_or_default();
            let before = paths.len();
            paths.retain(|path| !concerns(path));
            let stays = rx != interface && !paths.is_empty();
            if stays && paths.len() == before {
                continue;
            }
            if !stays || self.set_punt_redirect(family, rx, &paths).is_err() {
                let _: Result<(), FibError> = self.delete_punt_redirect(family, rx);
            }
        }
    }

    fn name_redirect(&self, family: Family, rx: SwIfIndex, word: LoadBalanceIndex) {
        if let Some(place) = self.shared.redirect(rx, family) {
            place.store(word.0, Ordering::Release);
        }
    }

    /// The paths as a set, if punted packets can have them.
    fn checked_redirect(
        &self,
        family: Family,
        rx: SwIfIndex,
        paths: &[Path],
    ) -> Result<PathSet, FibError> {
        if rx != SwIfIndex::LOCAL0 {
            self.interface(rx)?;
        }
        let refused = |why| Err(FibError::Redirect(family, why));
        let set = PathSet::new(family, paths);
        match set.paths.len() {
            0 => return refused(RedirectError::NoPaths),
            1..=MAX_PATHS => {}
            _ => return refused(RedirectError::TooManyPaths),
        }
        for path in &set.paths {
            match path.target {
                PathTarget::Punt | PathTarget::Local { .. } | PathTarget::Lookup { .. } => {
                    return refused(RedirectError::Target);
                }
                target if target.next_hop().is_some_and(|hop| Family::of(hop) != family) => {
                    return refused(RedirectError::FamilyMismatch);
                }
                _ => self.check_path(family, path)?,
            }
        }
        Ok(set)
    }
}
