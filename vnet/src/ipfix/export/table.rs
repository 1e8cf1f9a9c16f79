//! The streams of an exporter and the template identifiers on them.

use super::stream::{Counters, Stream, StreamKey};
use crate::ipfix::template::TemplateId;

/// A domain or a source port belongs to another stream of the exporter already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "domain {} and port {} must be used together or not at all: a stream has domain {} and port {}",
    .asked.domain, .asked.source_port, .present.domain, .present.source_port
)]
pub struct StreamConflict {
    /// The stream asked for.
    pub asked: StreamKey,
    /// The stream in the way.
    pub present: StreamKey,
}

/// Place of a stream in its table; stays as long as the stream lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamIndex(usize);

#[derive(Debug, Default)]
pub(super) struct StreamTable {
    slots: Vec<Slot>,
    /// Longest message of each lane.
    limits: Vec<usize>,
    /// Counters of streams that went away, by lane.
    gone: Vec<Counters>,
    /// Counters of lanes that went away.
    retired: Counters,
}

#[derive(Debug)]
struct Slot {
    key: StreamKey,
    /// Without reports there is no stream. Its parts stay for as long as nobody needs the place: when it comes back, the
    /// collectors still know their sequence numbers.
    reports: usize,
    /// Of the next template identifier. Outlives the stream, so that an identifier is not given another meaning soon
    /// after the report that had it went away (RFC 7011 section 8).
    ordinal: u16,
    /// One a lane.
    lanes: Vec<Stream>,
}

impl StreamTable {
    /// The stream of this name, if there is one, and if nothing of the name belongs to another stream.
    pub(super) fn find(&self, key: StreamKey) -> Result<Option<StreamIndex>, StreamConflict> {
        match self.live().find(|(_, slot)| slot.key == key) {
            Some((index, _)) => Ok(Some(index)),
            None => self.check(None, key).map(|()| None),
        }
    }

    /// The stream of this name, for one more report.
    pub(super) fn acquire(&mut self, key: StreamKey) -> Result<StreamIndex, StreamConflict> {
        let index = self.find(key)?.unwrap_or_else(|| self.vacant(key));
        self.slots[index.0].reports += 1;
        Ok(index)
    }

    /// One report less; the stream goes away with its last one.
    pub(super) fn release(&mut self, index: StreamIndex) {
        let slot = &mut self.slots[index.0];
        slot.reports = slot.reports.saturating_sub(1);
    }

    /// The stream `old`, if it may be called `new`.
    pub(super) fn rename_of(
        &self,
        old: StreamKey,
        new: StreamKey,
    ) -> Result<Option<StreamIndex>, StreamConflict> {
        let Some((index, _)) = self.live().find(|(_, slot)| slot.key == old) else {
            return Ok(None);
        };
        self.check(Some(index), new)?;
        Ok(Some(index))
    }

    /// Renames a stream, whose sessions begin anew.
    pub(super) fn rename(&mut self, index: StreamIndex, new: StreamKey) {
        let slot = &mut self.slots[index.0];
        slot.key = new;
        for (stream, &limit) in slot.lanes.iter_mut().zip(&self.limits) {
            stream.reconfigure(new, limit);
            stream.reset();
        }
    }

    /// The next `count` identifiers that are not in use; `None` when there are not that many.
    pub(super) fn allocate(
        &mut self,
        index: StreamIndex,
        count: usize,
        in_use: impl Fn(TemplateId) -> bool,
    ) -> Option<Box<[TemplateId]>> {
        let ordinal = &mut self.slots[index.0].ordinal;
        let mut ids = Vec::new();
        for _ in 0..TemplateId::COUNT {
            if ids.len() == count {
                break;
            }
            let id = TemplateId::from_ordinal(*ordinal);
            *ordinal = (*ordinal + 1) % TemplateId::COUNT;
            if !in_use(id) {
                ids.push(id);
            }
        }
        (ids.len() == count).then(|| ids.into())
    }

    /// Gives streams other lanes, with messages of at most so many octets. Lane `n` is the former lane `kept[n]`, which goes
    /// on, or a new one. No message may be open.
    pub(super) fn relane(&mut self, kept: &[Option<usize>], limits: Vec<usize>) {
        for slot in &mut self.slots {
            let mut old: Vec<Option<Stream>> = slot.lanes.drain(..).map(Some).collect();
            for (&kept, &limit) in kept.iter().zip(&limits) {
                let stream = kept.and_then(|at| old.get_mut(at)?.take());
                let mut stream = stream.unwrap_or_else(|| Stream::new(slot.key, limit));
                stream.reconfigure(slot.key, limit);
                slot.lanes.push(stream);
            }
            old.into_iter().flatten().for_each(|stream| self.retired += stream.counters());
        }
        let mut gone: Vec<Option<Counters>> = self.gone.drain(..).map(Some).collect();
        let mut took = |kept: &Option<usize>| kept.and_then(|at| gone.get_mut(at)?.take());
        self.gone = kept.iter().map(|kept| took(kept).unwrap_or_default()).collect();
        gone.into_iter().flatten().for_each(|counters| self.retired += counters);
        self.limits = limits;
    }

    pub(super) fn key(&self, index: StreamIndex) -> Option<StreamKey> {
        Some(self.slots.get(index.0)?.key)
    }

    /// The parts of a stream, one a lane.
    pub(super) fn get(&self, index: StreamIndex) -> Option<&[Stream]> {
        Some(&self.slots.get(index.0)?.lanes)
    }

    pub(super) fn get_mut(&mut self, index: StreamIndex) -> Option<&mut [Stream]> {
        Some(&mut self.slots.get_mut(index.0)?.lanes)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (StreamKey, &[Stream])> {
        self.live().map(|(_, slot)| (slot.key, &slot.lanes[..]))
    }

    pub(super) fn iter_mut(
        &mut self,
    ) -> impl Iterator<Item = (StreamIndex, StreamKey, &mut [Stream])> {
        let live = self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.reports > 0);
        live.map(|(i, slot)| (StreamIndex(i), slot.key, &mut slot.lanes[..]))
    }

    /// What all streams have done, those that went away included.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = self.retired;
        (0..self.limits.len()).for_each(|at| counters += self.lane_counters(at));
        counters
    }

    /// What was given to a lane.
    pub(super) fn lane_counters(&self, at: usize) -> Counters {
        let mut counters = self.gone.get(at).copied().unwrap_or_default();
        let streams = self.slots.iter().filter_map(|slot| slot.lanes.get(at));
        streams.for_each(|stream| counters += stream.counters());
        counters
    }

    fn live(&self) -> impl Iterator<Item = (StreamIndex, &Slot)> {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| slot.reports > 0).map(|(i, slot)| (StreamIndex(i), slot))
    }

    /// Whether nothing of a name belongs to a stream but `itself`.
    fn check(&self, itself: Option<StreamIndex>, asked: StreamKey) -> Result<(), StreamConflict> {
        for (_, slot) in self.live().filter(|(index, _)| Some(*index) != itself) {
            let present = slot.key;
            if present.domain == asked.domain || present.source_port == asked.source_port {
                return Err(StreamConflict { asked, present });
            }
        }
        Ok(())
    }

    /// A place without a stream; the one where a stream of that name was, if there is one.
    fn vacant(&mut self, key: StreamKey) -> StreamIndex {
        let vacant = |slot: &Slot| slot.reports == 0;
        if let Some(at) = self.slots.iter().position(|slot| vacant(slot) && slot.key == key) {
            return StreamIndex(at);
        }
        let lanes = self.limits.iter().map(|&limit| Stream::new(key, limit)).collect();
        let Some(at) = self.slots.iter().position(vacant) else {
            self.slots.push(Slot { key, reports: 0, ordinal: 0, lanes });
            return StreamIndex(self.slots.len() - 1);
        };
        let slot = &mut self.slots[at];
        slot.key = key;
        for (gone, old) in self.gone.iter_mut().zip(std::mem::replace(&mut slot.lanes, lanes)) {
            *gone += old.counters();
        }
        StreamIndex(at)
    }
}
