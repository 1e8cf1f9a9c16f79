//! Flow records that were not sent (RFC 7011 section 4.3).

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    lost::Lost,
    span::Span,
    subject::{About, Records, Subject, View},
};
use crate::ipfix::{engine::ExporterId, export::TemplateFields};

/// Flow records that were not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotSent {
    /// Records.
    pub flows: u64,
    /// Packets in them.
    pub packets: u64,
    /// IP octets of those packets.
    pub octets: u64,
}

impl core::ops::AddAssign for NotSent {
    fn add_assign(&mut self, other: Self) {
        self.flows += other.flows;
        self.packets += other.packets;
        self.octets += other.octets;
    }
}

type Source = Box<dyn Fn(ExporterId) -> NotSent>;

/// Those who lost records before the exporter had them. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct NotSentSources(Rc<RefCell<Vec<Source>>>);

impl NotSentSources {
    pub(super) fn add(&self, source: impl Fn(ExporterId) -> NotSent + 'static) {
        self.0.borrow_mut().push(Box::new(source));
    }

    fn sum(&self, exporter: ExporterId) -> NotSent {
        let mut sum = NotSent::default();
        self.0.borrow().iter().for_each(|source| sum += source(exporter));
        sum
    }
}

/// That of exporter 0; the others are counted on.
const EXPORTING_PROCESS: u32 = 1;

crate::data_record! {
    /// Totals since the start, and when the first and the last record was lost: 0 before one was.
    struct NotExported {
        process: u32 = "exportingProcessId",
        flows: u64 = "notSentFlowTotalCount",
        packets: u64 = "notSentPacketTotalCount",
        octets: u64 = "notSentOctetTotalCount",
        first: u64 = "observationTimeMilliseconds",
        last: u64 = "observationTimeMilliseconds",
    }
}

/// The subject.
pub(super) struct Exporting {
    sources: NotSentSources,
    lost: Lost,
    /// Flow records that each exporter had not sent when this was told last, and when that came about.
    known: BTreeMap<ExporterId, (u64, Span)>,
}

impl Exporting {
    pub(super) fn new(sources: NotSentSources, lost: Lost) -> Self {
        Self { sources, lost, known: BTreeMap::new() }
    }
}

impl Subject for Exporting {
    fn about(&self) -> About {
        About {
            word: "exporting-reliability",
            report: "options-exporting",
            help: "Tell collectors how many flow records were not sent.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        vec![TemplateFields { scopes: 1, ..TemplateFields::of::<NotExported>() }]
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let mut sum = self.sources.sum(view.id);
        sum += self.lost.total(view.id);
        let NotSent { flows, packets, octets } = sum;
        let (known, span) = self.known.entry(view.id).or_default();
        if flows > *known {
            *known = flows;
            span.note(view.main);
        }
        let Span { first, last } = *span;
        let process = EXPORTING_PROCESS + view.id.number();
        records.push(0, &NotExported { process, flows, packets, octets, first, last });
    }
}
