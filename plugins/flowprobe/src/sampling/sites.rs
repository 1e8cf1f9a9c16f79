//! The samplers of a thread.

use vnet::{
    flow::{Direction, sample::Sampler},
    interface::SwIfIndex,
};

/// A selection process, and which one it is.
pub(crate) struct Selector {
    /// selectorId (IANA element 302).
    pub(crate) id: u64,
    /// The setting that it follows.
    pub(crate) generation: u64,
    pub(crate) sampler: Sampler,
}

/// The selectors of a variant on a thread, by direction and interface. What has none is measured whole.
#[derive(Default)]
pub(crate) struct Sites([Vec<Option<Box<Selector>>>; 2]);

impl Sites {
    /// The sampler of a site.
    #[inline]
    pub(crate) fn sampler(
        &mut self,
        direction: Direction,
        interface: SwIfIndex,
    ) -> Option<&mut Sampler> {
        let selector = self.0[direction as usize].get_mut(interface.0 as usize)?.as_mut()?;
        Some(&mut selector.sampler)
    }

    /// The selector of a site.
    pub(crate) fn get(&self, direction: Direction, interface: SwIfIndex) -> Option<&Selector> {
        self.0[direction as usize].get(interface.0 as usize)?.as_deref()
    }

    pub(crate) fn put(
        &mut self,
        direction: Direction,
        interface: SwIfIndex,
        selector: Option<Selector>,
    ) {
        let (sites, at) = (&mut self.0[direction as usize], interface.0 as usize);
        if sites.len() <= at && selector.is_some() {
            sites.resize_with(at + 1, || None);
        }
        if let Some(site) = sites.get_mut(at) {
            *site = selector.map(Box::new);
        }
    }

    /// All sites that have a selector.
    pub(crate) fn places(&self) -> Vec<(Direction, SwIfIndex)> {
        let directions = [Direction::Ingress, Direction::Egress];
        let of = |(direction, sites): (Direction, &Vec<Option<Box<Selector>>>)| {
            let used = sites.iter().enumerate().filter(|(_, site)| site.is_some());
            used.map(|(at, _)| (direction, SwIfIndex(at as u32))).collect::<Vec<_>>()
        };
        directions.into_iter().zip(&self.0).flat_map(of).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().flatten().all(Option::is_none)
    }
}
