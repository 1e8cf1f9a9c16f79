//! Edits of many routes at once: all of them are done, or none.

use super::{FibError, FibIndex, Forwarding, IpPrefix, Path, PathTarget, Source};

impl Forwarding {
    /// [`Self::set_route`] for each of `prefixes`, with the same paths.
    ///
    /// # Errors
    /// As for one route; all routes are as they were then.
    pub fn set_routes(
        &mut self,
        fib: FibIndex,
        prefixes: impl Iterator<Item = IpPrefix> + Clone,
        source: Source,
        paths: &[Path],
    ) -> Result<(), FibError> {
        // Only a route that is new needs room which there may not be, so the new ones come first.
        let mut is_new = Vec::new();
        for prefix in prefixes.clone() {
            let new = self.paths_of(fib, prefix, source)?.is_none();
            is_new.push(new);
            if new && let Err(error) = self.set_route(fib, prefix, source, paths) {
                is_new.pop();
                let made = prefixes.zip(is_new).filter(|(_, new)| *new);
                for (prefix, _) in made {
                    self.delete_route(fib, prefix, source)?;
                }
                return Err(error);
            }
        }
        for (prefix, _) in prefixes.zip(is_new).filter(|(_, new)| !new) {
            self.set_route(fib, prefix, source, paths)?;
        }
        Ok(())
    }

    /// [`Self::delete_route`] for each of `prefixes`.
    ///
    /// # Errors
    /// As for one route; all routes are as they were then.
    pub fn delete_routes(
        &mut self,
        fib: FibIndex,
        mut prefixes: impl Iterator<Item = IpPrefix> + Clone,
        source: Source,
    ) -> Result<(), FibError> {
        for prefix in prefixes.clone() {
            self.paths_of(fib, prefix, source)?.ok_or(FibError::NoSuchRoute(prefix))?;
        }
        prefixes.try_for_each(|prefix| self.delete_route(fib, prefix, source))
    }

    /// [`Self::remove_path`] for each of `prefixes` and each of `targets`.
    ///
    /// # Errors
    /// As for one path of one route; all routes are as they were then.
    pub fn remove_paths(
        &mut self,
        fib: FibIndex,
        mut prefixes: impl Iterator<Item = IpPrefix> + Clone,
        source: Source,
        targets: &[PathTarget],
    ) -> Result<(), FibError> {
        for prefix in prefixes.clone() {
            let paths = self.paths_of(fib, prefix, source)?;
            let paths = paths.ok_or(FibError::NoSuchRoute(prefix))?;
            let has = |target: &PathTarget| paths.iter().any(|path| path.target == *target);
            if !targets.iter().all(has) {
                return Err(FibError::NoSuchPath(prefix));
            }
        }
        prefixes.try_for_each(|prefix| {
            let paths = self.paths_of(fib, prefix, source)?;
            let mut paths = paths.ok_or(FibError::NoSuchRoute(prefix))?;
            paths.retain(|path| !targets.contains(&path.target));
            match paths.as_slice() {
                [] => self.delete_route(fib, prefix, source),
                left => self.set_route(fib, prefix, source, left).map(|_| ()),
            }
        })
    }
}
