//! What a thread has for a variant while that is enabled anywhere.
//!
//! All packets of a frame go to one meter, unless interfaces have settings of their own, are sampled, or have records with fields
//! of what is not in packets: what there is for that stands aside, and a node asks once a frame whether there is any.

use vnet::{
    flow::Meter,
    interface::SwIfIndex,
    ipfix::engine::{FlowQueues, Outbox},
    runtime::Local,
};

use crate::{
    ProbeError, context::Contexts, metering::MeteringId, recording::Recording, sampling::Sites,
};

/// Most settings that interfaces of a variant can have at a time.
pub const MAX_SETTINGS: usize = 16;

/// A thread's point of a variant.
pub(crate) type LocalPoint = Local<Option<Point>>;

/// A thread's share of a metering.
pub(crate) struct ThreadMeter {
    pub(crate) of: MeteringId,
    pub(crate) meter: Meter,
    pub(crate) outbox: Outbox,
    /// Whether link headers are recorded, so that IP packets are shown with theirs.
    pub(crate) with_link: bool,
    /// Whether packets are shown as those of the interface at which they are observed, whichever way they go.
    pub(crate) at_interface: bool,
    /// Where flows are told apart by what is not in packets.
    pub(crate) contexts: Option<Contexts>,
}

/// The meters of a thread.
pub(crate) struct Point {
    pub(crate) first: ThreadMeter,
    /// Where not all packets are shown to the first meter as they are.
    pub(crate) aside: Option<Box<Aside>>,
}

/// What there is beside the first meter.
#[derive(Default)]
pub(crate) struct Aside {
    others: Vec<ThreadMeter>,
    /// By interface; the first meter where there is none.
    places: Vec<Place>,
    /// Where some packets are measured instead of all.
    pub(crate) sites: Sites,
}

/// Position of a meter: the first one, and then the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(u8);

impl Place {
    /// All, in order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..MAX_SETTINGS as u8).map(Self)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl ThreadMeter {
    pub(crate) fn new(
        of: MeteringId,
        recording: &Recording,
        queues: &FlowQueues,
    ) -> Result<Self, ProbeError> {
        let meter = Meter::new(&recording.config)?;
        let Recording { with_link, at_interface, .. } = *recording;
        let contexts = recording.needs_context().then(Contexts::new);
        Ok(Self { of, meter, outbox: queues.outbox(), with_link, at_interface, contexts })
    }

    /// Whether it is not shown packets as they are, and nothing else.
    fn is_aside(&self) -> bool {
        self.at_interface || self.contexts.is_some()
    }
}

impl Point {
    /// Adds a meter to a point, which begins with the first one.
    pub(crate) fn add(place: &mut Option<Self>, meter: ThreadMeter) {
        match place {
            None => {
                let aside = meter.is_aside().then(Box::default);
                *place = Some(Self { first: meter, aside });
            }
            Some(point) => point.aside.get_or_insert_default().others.push(meter),
        }
    }

    /// Takes a meter away, and the point with its last one.
    pub(crate) fn remove(place: &mut Option<Self>, of: MeteringId) {
        let Some(point) = place else { return };
        let others = point.aside.as_mut().map(|aside| &mut aside.others);
        match others.filter(|others| !others.is_empty()) {
            Some(others) if point.first.of == of => point.first = others.remove(0),
            Some(others) => others.retain(|meter| meter.of != of),
            None if point.first.of == of => return *place = None,
            None => (),
        }
        point.tidy();
    }

    /// Says which meter measures which interface.
    pub(crate) fn assign(&mut self, assigned: &[(SwIfIndex, MeteringId)]) {
        let Some(aside) = &mut self.aside else { return };
        aside.places.clear();
        for (interface, of) in assigned {
            let other = aside.others.iter().position(|meter| meter.of == *of);
            if let Some(other) = other {
                let at = interface.0 as usize;
                if aside.places.len() <= at {
                    aside.places.resize(at + 1, Place::default());
                }
                aside.places[at] = Place(other as u8 + 1);
            }
        }
    }

    /// The meters, in the order of their places.
    pub(crate) fn meters(&self) -> impl Iterator<Item = &ThreadMeter> {
        let others = self.aside.iter().flat_map(|aside| &aside.others);
        core::iter::once(&self.first).chain(others)
    }

    /// The meters, in the order of their places.
    pub(crate) fn meters_mut(&mut self) -> impl Iterator<Item = &mut ThreadMeter> {
        let others = self.aside.iter_mut().flat_map(|aside| &mut aside.others);
        core::iter::once(&mut self.first).chain(others)
    }

    /// The meter of a metering.
    pub(crate) fn find_mut(&mut self, of: MeteringId) -> Option<&mut ThreadMeter> {
        self.meters_mut().find(|meter| meter.of == of)
    }

    /// Where some packets are measured instead of all.
    pub(crate) fn sites(&self) -> Option<&Sites> {
        self.aside.as_ref().map(|aside| &aside.sites)
    }

    /// Changes that.
    pub(crate) fn with_sites(&mut self, change: impl FnOnce(&mut Sites)) {
        change(&mut self.aside.get_or_insert_default().sites);
        self.tidy();
    }

    /// Keeps aside what is needed alone.
    fn tidy(&mut self) {
        if self.first.is_aside() {
            self.aside.get_or_insert_default();
        } else {
            self.aside.take_if(|aside| aside.others.is_empty() && aside.sites.is_empty());
        }
    }
}

impl Aside {
    /// Where the packets of an interface are measured.
    #[inline]
    pub(crate) fn place(&self, interface: SwIfIndex) -> Place {
        self.places.get(interface.0 as usize).copied().unwrap_or_default()
    }

    /// The meter at a place but the first, and by whom packets are selected.
    pub(crate) fn other(&mut self, place: Place) -> (Option<&mut ThreadMeter>, &Sites) {
        let other = place.index().checked_sub(1).and_then(|at| self.others.get_mut(at));
        (other, &self.sites)
    }
}
