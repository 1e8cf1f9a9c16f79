//! What a line of `ip route` asks for, done as a whole or not at all.

use std::{net::IpAddr, time::Instant};

use super::{Family, FibError, FibIndex, Forwarding, IpPrefix, Path, PathTarget, Source};
use crate::command::{ApiError, Error, OperationError, Output, value};

/// A line in the terms of the tables.
pub(super) struct Order {
    pub(super) fib: FibIndex,
    pub(super) prefixes: Vec<Prefixes>,
    pub(super) paths: Vec<Path>,
}

impl Order {
    /// Adds the paths to those of each route.
    pub(super) fn add(&self, forwarding: &mut Forwarding) -> Result<Output, Error> {
        self.apply(forwarding, |before| [before, &self.paths].concat())
    }

    /// Gives each route the paths instead of those that it has.
    pub(super) fn replace(&self, forwarding: &mut Forwarding) -> Result<Output, Error> {
        self.apply(forwarding, |_| self.paths.clone())
    }

    /// Takes the paths from each route, or the routes where no path is given. What is not there is found first: a route
    /// that goes and comes back would have lost its counts.
    pub(super) fn delete(&self, forwarding: &mut Forwarding) -> Result<Output, Error> {
        let start = Instant::now();
        self.check_distinct()?;
        let targets: Vec<PathTarget> = self.paths.iter().map(|path| path.target).collect();
        for prefix in self.each() {
            forwarding.check_paths(self.fib, prefix, Source::Cli, &targets)?;
        }
        if !targets.is_empty() {
            return self.apply(forwarding, |before| {
                let stays = |path: &&Path| !targets.contains(&path.target);
                before.iter().filter(stays).copied().collect()
            });
        }
        for prefix in self.each() {
            forwarding.delete_route(self.fib, prefix, Source::Cli)?;
        }
        Ok(self.said(start))
    }

    fn each(&self) -> impl Iterator<Item = IpPrefix> + '_ {
        self.prefixes.iter().flat_map(Prefixes::iter)
    }

    /// Gives each route the paths that `edit` makes of those it has; without any it goes. When one is refused, those
    /// before it are as they were.
    fn apply(
        &self,
        forwarding: &mut Forwarding,
        edit: impl Fn(&[Path]) -> Vec<Path>,
    ) -> Result<Output, Error> {
        let start = Instant::now();
        self.check_distinct()?;
        let mut before = Before::default();
        for prefix in self.each() {
            let had = forwarding.paths_of(self.fib, prefix, Source::Cli)?.unwrap_or_default();
            if let Err(error) = set(forwarding, self.fib, prefix, &edit(&had)) {
                let left = before.restore(forwarding, self.fib, self.each());
                return Err(match left {
                    0 => error.into(),
                    _ => Error::failed(
                        error.api_error(),
                        format_args!("{error} ({left} prefixes before it could not be restored)"),
                    ),
                });
            }
            before.push(had);
        }
        Ok(self.said(start))
    }

    /// A prefix that stands in the line twice cannot be deleted twice, and would have two states to go back to.
    fn check_distinct(&self) -> Result<(), Error> {
        let mut in_order: Vec<&Prefixes> = self.prefixes.iter().collect();
        in_order.sort_unstable_by_key(|prefixes| (prefixes.first.len(), prefixes.bits().0));
        let overlap = in_order.windows(2).find(|pair| pair[0].reaches(pair[1]));
        match overlap {
            None => Ok(()),
            Some(pair) => Err(Error::failed(
                ApiError::InvalidValue,
                format_args!("{} is in the line twice", pair[1].first),
            )),
        }
    }

    fn said(&self, start: Instant) -> Output {
        let seconds = start.elapsed().as_secs_f64().max(1e-9);
        let all: f64 = self.prefixes.iter().map(|prefixes| f64::from(prefixes.count)).sum();
        match self.prefixes.iter().any(|prefixes| prefixes.count > 1) {
            true => format!("{:.6e} routes/sec", all / seconds).into(),
            false => Output::None,
        }
    }
}

/// Gives a route these paths, or takes it away where there is none.
fn set(
    forwarding: &mut Forwarding,
    fib: FibIndex,
    prefix: IpPrefix,
    paths: &[Path],
) -> Result<(), FibError> {
    match paths {
        [] => forwarding.delete_route(fib, prefix, Source::Cli),
        _ => forwarding.set_route(fib, prefix, Source::Cli, paths).map(|_| ()),
    }
}

/// The paths that routes had, in order, none where there was no route. Those behind each other mostly have the same.
#[derive(Default)]
struct Before(Vec<(usize, Vec<Path>)>);

impl Before {
    fn push(&mut self, paths: Vec<Path>) {
        match self.0.last_mut() {
            Some((count, same)) if *same == paths => *count += 1,
            _ => self.0.push((1, paths)),
        }
    }

    /// Gives the routes of the first prefixes their paths back; how many did not take them.
    fn restore(
        self,
        forwarding: &mut Forwarding,
        fib: FibIndex,
        prefixes: impl Iterator<Item = IpPrefix>,
    ) -> usize {
        let runs = self.0.iter().flat_map(|(count, paths)| std::iter::repeat_n(paths, *count));
        let restored =
            prefixes.zip(runs).map(|(prefix, paths)| set(forwarding, fib, prefix, paths));
        restored.filter(Result::is_err).count()
    }
}

/// As many prefixes as `count` says, one behind the other.
pub(super) struct Prefixes {
    first: IpPrefix,
    count: u32,
}

impl Prefixes {
    pub(super) fn new(first: value::IpWithLength, count: u32) -> Result<Self, Error> {
        let bad = |error| Error::failed(ApiError::InvalidValue, error);
        let first = IpPrefix::new(first.address, first.length).map_err(bad)?;
        let all = Self { first, count };
        let (start, step, last) = all.bits();
        let room = (last - start) / step.max(1);
        // A step of 0 is one of all 128 bits.
        if u128::from(count - 1) > room || (step == 0 && count > 1) {
            return Err(Error::OutOfRange {
                word: count.to_string(),
                allowed: "as many prefixes as there are behind the first".to_owned(),
            });
        }
        Ok(all)
    }

    /// Whether the first of `later`, which has no lower address, is one of these.
    fn reaches(&self, later: &Self) -> bool {
        let (start, step, _) = self.bits();
        let end = start + step * u128::from(self.count - 1);
        self.first.len() == later.first.len() && later.bits().0 <= end
    }

    /// The first prefix, how far the next is, and the last address of the family.
    fn bits(&self) -> (u128, u128, u128) {
        let (start, width, last) = match self.first.address() {
            IpAddr::V4(first) => (u128::from(first.to_bits()), 32, u128::from(u32::MAX)),
            IpAddr::V6(first) => (first.to_bits(), 128, u128::MAX),
        };
        let step = 1_u128.checked_shl(width - u32::from(self.first.len())).unwrap_or(0);
        (start, step, last)
    }

    fn iter(&self) -> impl Iterator<Item = IpPrefix> + '_ {
        let (start, step, _) = self.bits();
        (0..self.count).map(move |i| {
            let bits = start + step * u128::from(i);
            let address: IpAddr = match self.first.family() {
                Family::Ip4 => std::net::Ipv4Addr::from_bits(bits as u32).into(),
                Family::Ip6 => std::net::Ipv6Addr::from_bits(bits).into(),
            };
            IpPrefix::around(address, self.first.len())
        })
    }
}
