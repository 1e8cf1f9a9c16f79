//! Which interfaces are mirrored where.

use std::collections::BTreeMap;

use vnet::{
    command::{ApiError, OperationError},
    graph::FeatureError,
    interface::SwIfIndex,
    runtime::{Dispatching, Main, Shared},
};

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
    const fn has(self, other: Self) -> bool {
        matches!((self, other), (Self::Both, _) | (Self::Rx, Self::Rx) | (Self::Tx, Self::Tx))
    }

    const fn and(self, other: Self) -> Self {
        if self.has(other) { self } else { Self::Both }
    }
}

/// Which of an interface's packets can be mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// All that its device receives or sends.
    Device,
    /// The frames that it bridges or cross-connects.
    Layer2,
}

/// Where packets are copied.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) layer: Layer,
    /// [`Direction::Rx`] or [`Direction::Tx`].
    pub(super) direction: Direction,
}

impl Place {
    pub(super) const ALL: [Self; 4] = [
        Self { layer: Layer::Device, direction: Direction::Rx },
        Self { layer: Layer::Device, direction: Direction::Tx },
        Self { layer: Layer::Layer2, direction: Direction::Rx },
        Self { layer: Layer::Layer2, direction: Direction::Tx },
    ];

    /// The node that copies there.
    pub(super) const fn node(self) -> &'static str {
        match (self.layer, self.direction) {
            (Layer::Device, Direction::Rx) => "span-input",
            (Layer::Device, _) => "span-output",
            (Layer::Layer2, Direction::Rx) => "span-l2-input",
            (Layer::Layer2, _) => "span-l2-output",
        }
    }

    /// The arcs of which the node is a feature.
    pub(super) const fn arcs(self) -> &'static [&'static str] {
        match (self.layer, self.direction) {
            (Layer::Device, Direction::Rx) => &["device-input"],
            (Layer::Device, _) => &["interface-output"],
            (Layer::Layer2, Direction::Rx) => &["l2-input-ip4", "l2-input-ip6", "l2-input-nonip"],
            (Layer::Layer2, _) => &["l2-output-ip4", "l2-output-ip6", "l2-output-nonip"],
        }
    }

    const fn position(self) -> usize {
        self.layer as usize * 2 + matches!(self.direction, Direction::Tx) as usize
    }
}

/// What of an interface is mirrored to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirroring {
    /// Whose packets.
    pub source: SwIfIndex,
    /// Where the copies go.
    pub destination: SwIfIndex,
    /// Which packets of its device.
    pub device: Option<Direction>,
    /// Which bridged frames.
    pub layer2: Option<Direction>,
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
    #[error(
        "{0} is a sub-interface: what it receives can be mirrored on the interface above it, or, where it is bridged, with `l2'"
    )]
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

/// Where packets of each interface are mirrored to, for each place.
#[derive(Debug, Default)]
pub(super) struct Mirrors([BTreeMap<SwIfIndex, Vec<SwIfIndex>>; Place::ALL.len()]);

impl Mirrors {
    /// Where the packets of an interface are mirrored to at a place.
    pub(super) fn of(&self, place: Place, source: SwIfIndex) -> &[SwIfIndex] {
        let at = self.0.get(place.position());
        at.and_then(|at| at.get(&source)).map_or(&[], Vec::as_slice)
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

    /// Every source with its destinations, and what goes there.
    #[must_use]
    pub fn list(&self, main: &Main) -> Vec<Mirroring> {
        let mut pairs = BTreeMap::new();
        let mirrors = self.0.view(main.held());
        for place in Place::ALL {
            for (&source, targets) in &mirrors.0[place.position()] {
                for &destination in targets {
                    let none = Mirroring { source, destination, device: None, layer2: None };
                    let pair = pairs.entry((source, destination)).or_insert(none);
                    let known = match place.layer {
                        Layer::Device => &mut pair.device,
                        Layer::Layer2 => &mut pair.layer2,
                    };
                    let with = |known: Direction| known.and(place.direction);
                    *known = Some(known.map_or(place.direction, with));
                }
            }
        }
        pairs.into_values().collect()
    }

    /// Mirrors packets of `source` to `target`, at this layer in this direction and no other.
    ///
    /// # Errors
    /// When they are the same, or the source is a sub-interface of which all received packets are wanted.
    pub fn mirror(
        &self,
        main: &mut Main,
        (source, target): (SwIfIndex, SwIfIndex),
        layer: Layer,
        direction: Direction,
    ) -> Result<(), SpanError> {
        if source == target {
            return Err(SpanError::Itself);
        }
        let is_sub = main.interfaces().interface(source).is_some_and(|sw| sw.sub().is_some());
        if is_sub && layer == Layer::Device && direction.has(Direction::Rx) {
            return Err(SpanError::SubInterface(main.interface_name(source)));
        }
        for place in Place::ALL.into_iter().filter(|place| place.layer == layer) {
            self.set(main, place, (source, target), direction.has(place.direction))?;
        }
        Ok(())
    }

    /// Mirrors no packets of `source` any more at a layer: to `target`, or to anybody.
    ///
    /// # Errors
    /// When there are none that are.
    pub fn stop(
        &self,
        main: &mut Main,
        source: SwIfIndex,
        target: Option<SwIfIndex>,
        layer: Layer,
    ) -> Result<(), SpanError> {
        let mut ended = 0;
        for place in Place::ALL.into_iter().filter(|place| place.layer == layer) {
            let known = self.0.view(main.held()).of(place, source).to_vec();
            for known in known.into_iter().filter(|known| target.is_none_or(|t| t == *known)) {
                self.set(main, place, (source, known), false)?;
                ended += 1;
            }
        }
        if ended == 0 { Err(SpanError::NotMirrored) } else { Ok(()) }
    }

    /// An interface is gone; features of its own went with it.
    pub(super) fn forget(&self, main: &mut Main, interface: SwIfIndex) {
        for Mirroring { source, destination, device, layer2 } in self.list(main) {
            let concerned = source != interface && destination == interface;
            for (layer, on) in [(Layer::Device, device), (Layer::Layer2, layer2)] {
                if concerned && on.is_some() {
                    let stopped = self.stop(main, source, Some(destination), layer);
                    debug_assert!(stopped.is_ok(), "it was listed");
                }
            }
        }
        let mirrors = self.0.write(main.held_mut());
        mirrors.0.iter_mut().for_each(|at| drop(at.remove(&interface)));
    }

    fn set(
        &self,
        main: &mut Main,
        place: Place,
        (source, target): (SwIfIndex, SwIfIndex),
        on: bool,
    ) -> Result<(), SpanError> {
        let known = self.0.view(main.held()).of(place, source);
        let (was, others) = (known.contains(&target), known.iter().any(|other| *other != target));
        if was == on {
            return Ok(());
        }
        if !others {
            for arc in place.arcs() {
                main.switch_feature(arc, place.node(), source, on)?;
            }
        }
        let mirrors = self.0.write(main.held_mut());
        let targets = mirrors.0[place.position()].entry(source).or_default();
        match on {
            true => targets.push(target),
            false => targets.retain(|known| *known != target),
        }
        Ok(())
    }
}
