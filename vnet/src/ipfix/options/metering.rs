//! Packets that were not metered (RFC 7011 section 4.2).

use std::{cell::RefCell, rc::Rc};

use super::{
    span::Span,
    subject::{About, Records, Subject, View},
};
use crate::{ipfix::export::TemplateFields, runtime::Main};

/// Packets that came and were not metered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Packets.
    pub packets: u64,
    /// Octets of those whose length is known, behind their link headers: a device does not tell of a packet for which it had
    /// no room.
    pub octets: u64,
}

impl core::ops::AddAssign for Ignored {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.octets += other.octets;
    }
}

type Source = Box<dyn Fn(&mut Main) -> Ignored>;

/// Those who know of such packets. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct IgnoredSources(Rc<RefCell<Vec<(Source, Ignored)>>>);

impl IgnoredSources {
    pub(super) fn add(&self, source: impl Fn(&mut Main) -> Ignored + 'static) {
        self.0.borrow_mut().push((Box::new(source), Ignored::default()));
    }

    /// What was ignored since this was asked before.
    fn news(&self, main: &mut Main) -> Ignored {
        let mut news = Ignored::default();
        for (source, before) in self.0.borrow_mut().iter_mut() {
            let now = source(main);
            news.packets += since(now.packets, before.packets);
            news.octets += since(now.octets, before.octets);
            *before = now;
        }
        news
    }
}

/// What was counted since a counter was `before`; one that is less than it was has begun anew.
fn since(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// What devices know: packets for which they had no room or no buffers.
pub(super) fn of_devices(main: &mut Main) -> Ignored {
    let counters = main.interface_counters();
    let missed = counters.rx_miss.nonzero().chain(counters.rx_no_buf.nonzero());
    Ignored { packets: missed.map(|(_, packets)| packets).sum(), octets: 0 }
}

crate::data_record! {
    /// Totals since the start, and when the first and the last packet was ignored: 0 before one was.
    struct NotMetered {
        domain: u32 = "observationDomainId",
        packets: u64 = "ignoredPacketTotalCount",
        octets: u64 = "ignoredOctetTotalCount",
        first: u64 = "observationTimeMilliseconds",
        last: u64 = "observationTimeMilliseconds",
    }
}

/// The subject.
pub(super) struct Metering {
    sources: IgnoredSources,
    total: Ignored,
    span: Span,
}

impl Metering {
    pub(super) fn new(sources: IgnoredSources) -> Self {
        sources.add(of_devices);
        Self { sources, total: Ignored::default(), span: Span::default() }
    }
}

impl Subject for Metering {
    fn about(&self) -> About {
        About {
            word: "metering-reliability",
            report: "options-metering",
            help: "Tell collectors how many packets came and were not metered.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        vec![TemplateFields { scopes: 1, ..TemplateFields::of::<NotMetered>() }]
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let news = self.sources.news(view.main);
        self.total.packets += news.packets;
        self.total.octets += news.octets;
        if news.packets > 0 {
            self.span.note(view.main);
        }
        let Self { total: Ignored { packets, octets }, span: Span { first, last }, .. } = *self;
        let domain = view.stream.domain;
        records.push(0, &NotMetered { domain, packets, octets, first, last });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_begins_anew_takes_nothing_back() {
        assert_eq!([since(7, 3), since(3, 3), since(2, 3)], [4, 0, 2]);
    }
}
