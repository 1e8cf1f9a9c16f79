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
    /// Counters of streams that went away.
    retired: Counters,
}

#[derive(Debug)]
struct Slot {
    /// Of the next template identifier. Outlives the stream, so that an identifier is not given another meaning soon
    /// after the report that had it went away (RFC 7011 section 8).
    ordinal: u16,
    /// The last stream here, and its sequence number. When it comes back the collector still knows it.
    last: Option<(StreamKey, u32)>,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    stream: Stream,
    reports: usize,
}

impl StreamTable {
    /// The stream of this name, if there is one, and if nothing of the name belongs to another stream.
    pub(super) fn find(&self, key: StreamKey) -> Result<Option<StreamIndex>, StreamConflict> {
        for (index, stream) in self.indexed() {
            let present = stream.key();
            if present == key {
                return Ok(Some(index));
            }
            if present.domain == key.domain || present.source_port == key.source_port {
                return Err(StreamConflict { asked: key, present });
            }
        }
        Ok(None)
    }

    /// The stream of this name for one more report; a new one has messages of at most `limit` octets.
    pub(super) fn acquire(
        &mut self,
        key: StreamKey,
        limit: usize,
    ) -> Result<StreamIndex, StreamConflict> {
        let index = self.find(key)?.unwrap_or_else(|| self.vacant(key));
        let Slot { last, live, .. } = &mut self.slots[index.0];
        let sequence = last.filter(|(name, _)| *name == key).map_or(0, |(_, sequence)| sequence);
        live.get_or_insert_with(|| Live {
            stream: Stream::resume(key, limit, sequence),
            reports: 0,
        })
        .reports += 1;
        Ok(index)
    }

    /// One report less; the stream goes away with its last one.
    pub(super) fn release(&mut self, index: StreamIndex) {
        let Slot { live, last, .. } = &mut self.slots[index.0];
        if let Some(Live { stream, .. }) = live.take_if(|live| live.reports == 1) {
            *last = Some((stream.key(), stream.sequence()));
            self.retired += stream.counters();
        } else if let Some(live) = live {
            live.reports -= 1;
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

    pub(super) fn get_mut(&mut self, index: StreamIndex) -> Option<&mut Stream> {
        Some(&mut self.slots.get_mut(index.0)?.live.as_mut()?.stream)
    }

    pub(super) fn get(&self, index: StreamIndex) -> Option<&Stream> {
        Some(&self.slots.get(index.0)?.live.as_ref()?.stream)
    }

    pub(super) fn indexed(&self) -> impl Iterator<Item = (StreamIndex, &Stream)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(i, slot)| Some((StreamIndex(i), &slot.live.as_ref()?.stream)))
    }

    pub(super) fn indexed_mut(&mut self) -> impl Iterator<Item = (StreamIndex, &mut Stream)> {
        let slots = self.slots.iter_mut().enumerate();
        slots.filter_map(|(i, slot)| Some((StreamIndex(i), &mut slot.live.as_mut()?.stream)))
    }

    /// What all streams have done, those that went away included.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = self.retired;
        for (_, stream) in self.indexed() {
            counters += stream.counters();
        }
        counters
    }

    /// New sessions begin: no collector remembers a stream that went.
    pub(super) fn forget(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.last = None);
    }

    /// A place without a stream; the one where a stream of that name was, if there is one.
    fn vacant(&mut self, key: StreamKey) -> StreamIndex {
        let was = |slot: &Slot| slot.last.is_some_and(|(name, _)| name == key);
        let mut holes = self.slots.iter().enumerate().filter(|(_, slot)| slot.live.is_none());
        let first = holes.clone().next().map(|(index, _)| index);
        let hole = holes.find(|(_, slot)| was(slot)).map(|(index, _)| index).or(first);
        StreamIndex(hole.unwrap_or_else(|| {
            self.slots.push(Slot { ordinal: 0, last: None, live: None });
            self.slots.len() - 1
        }))
    }
}
