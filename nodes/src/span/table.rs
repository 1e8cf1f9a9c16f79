//! Which interfaces are mirrored where.

use std::collections::BTreeMap;

use vnet::{
    command::{ApiError, OperationError},
    graph::FeatureError,
    interface::SwIfIndex,
    runtime::{Dispatching, Main, Shared},
};

use super::PLACES;

/// Which packets of an interface are mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those that it receives.
    Rx,
    /// Those that it sends.
    Tx,
    /// Both.
    Both,
}

impl Direction {
    const fn has(self, place: usize) -> bool {
        matches!((self, place), (Self::Both, _) | (Self::Rx, 0) | (Self::Tx, 1))
    }
}

/// Why an interface is not mirrored, or still is. Nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum SpanError {
    /// A copy would be copied for ever.
    #[error("an interface cannot be mirrored to itself")]
    Itself,
    /// There is nothing to be taken back.
    #[error("the interface is not mirrored")]
    NotMirrored,
    /// Features of devices are those of main interfaces.
    #[error("{0} is a sub-interface: what it receives can be mirrored on the interface above it")]
    SubInterface(String),
    /// The graph refused.
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for SpanError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Itself | Self::NotMirrored => ApiError::InvalidValue,
            Self::SubInterface(_) => ApiError::InvalidSwIfIndex,
            Self::Feature(_) => ApiError::CannotEnableDisableFeature,
        }
    }
}

/// Where packets of each interface are mirrored to: those that it receives, those that it sends.
#[derive(Debug, Default)]
pub(super) struct Mirrors([BTreeMap<SwIfIndex, Vec<SwIfIndex>>; 2]);

impl Mirrors {
    /// Where the packets of an interface are mirrored to at a place.
    pub(super) fn of(&self, place: usize, source: SwIfIndex) -> &[SwIfIndex] {
        self.0.get(place).and_then(|at| at.get(&source)).map_or(&[], Vec::as_slice)
    }
}

/// The mirrored interfaces. Clones are the same.
#[derive(Clone)]
pub struct Span(Shared<Mirrors>);

impl Span {
    pub(super) fn new(mirrors: Shared<Mirrors>) -> Self {
        Self(mirrors)
    }

    pub(super) fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a Mirrors {
        self.0.read(token)
    }

    /// Every source with its destinations, and which packets go there.
    #[must_use]
    pub fn list(&self, main: &Main) -> Vec<(SwIfIndex, SwIfIndex, Direction)> {
        let [rx, tx] = &self.0.view(main.held()).0;
        let mut pairs: BTreeMap<(SwIfIndex, SwIfIndex), Direction> = BTreeMap::new();
        for (all, direction) in [(rx, Direction::Rx), (tx, Direction::Tx)] {
            for (source, targets) in all {
                for target in targets {
                    let known = pairs.entry((*source, *target)).or_insert(direction);
                    if *known != direction {
                        *known = Direction::Both;
                    }
                }
            }
        }
        pairs.into_iter().map(|((source, target), direction)| (source, target, direction)).collect()
    }

    /// Mirrors packets of `source` to `target`, in this direction and no other.
    ///
    /// # Errors
    /// When they are the same, or the source is a sub-interface whose received packets are wanted.
    pub fn mirror(
        &self,
        main: &mut Main,
        source: SwIfIndex,
        target: SwIfIndex,
        direction: Direction,
    ) -> Result<(), SpanError> {
        if source == target {
            return Err(SpanError::Itself);
        }
        let is_sub = main.interfaces().interface(source).is_some_and(|sw| sw.sub().is_some());
        if is_sub && direction.has(0) {
            return Err(SpanError::SubInterface(main.interface_name(source)));
        }
        for place in 0..PLACES.len() {
            self.set(main, place, source, target, direction.has(place))?;
        }
        Ok(())
    }

    /// Mirrors no packets of `source` any more: to `target`, or to anybody.
    ///
    /// # Errors
    /// When there are none that are.
    pub fn stop(
        &self,
        main: &mut Main,
        source: SwIfIndex,
        target: Option<SwIfIndex>,
    ) -> Result<(), SpanError> {
        let known = self.list(main).into_iter();
        let ended: Vec<_> = known
            .filter(|(of, to, _)| *of == source && target.is_none_or(|target| *to == target))
            .collect();
        if ended.is_empty() {
            return Err(SpanError::NotMirrored);
        }
        for (source, target, _) in ended {
            for place in 0..PLACES.len() {
                self.set(main, place, source, target, false)?;
            }
        }
        Ok(())
    }

    /// An interface is gone; features of its own went with it.
    pub(super) fn forget(&self, main: &mut Main, interface: SwIfIndex) {
        for (source, target, _) in self.list(main) {
            if source != interface && target == interface {
                let stopped = self.stop(main, source, Some(target));
                debug_assert!(stopped.is_ok(), "it was listed");
            }
        }
        let mirrors = self.0.write(main.held_mut());
        mirrors.0.iter_mut().for_each(|at| drop(at.remove(&interface)));
    }

    fn set(
        &self,
        main: &mut Main,
        place: usize,
        source: SwIfIndex,
        target: SwIfIndex,
        on: bool,
    ) -> Result<(), SpanError> {
        let known = self.0.view(main.held()).of(place, source);
        let (was, others) = (known.contains(&target), known.iter().any(|other| *other != target));
        if was == on {
            return Ok(());
        }
        if !others {
            let (arc, node) = PLACES[place];
            main.switch_feature(arc, node, source, on)?;
        }
        let targets = self.0.write(main.held_mut()).0[place].entry(source).or_default();
        match on {
            true => targets.push(target),
            false => targets.retain(|known| *known != target),
        }
        Ok(())
    }
}
