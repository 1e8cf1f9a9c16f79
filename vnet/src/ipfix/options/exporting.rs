//! Flow records that were not sent (RFC 7011 section 4.3).

use std::{cell::RefCell, rc::Rc};

use super::{
    lost::Lost,
    subject::{About, Records, Subject, View},
};
use crate::ipfix::export::TemplateFields;

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

type Source = Box<dyn Fn() -> NotSent>;

/// Those who lost records before the exporter had them. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct NotSentSources(Rc<RefCell<Vec<Source>>>);

impl NotSentSources {
    pub(super) fn add(&self, source: impl Fn() -> NotSent + 'static) {
        self.0.borrow_mut().push(Box::new(source));
    }

    fn sum(&self) -> NotSent {
        let mut sum = NotSent::default();
        self.0.borrow().iter().for_each(|source| sum += source());
        sum
    }
}

/// An engine has one.
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
    flows: u64,
    /// Milliseconds since 1970.
    first: u64,
    last: u64,
}

impl Exporting {
    pub(super) fn new(sources: NotSentSources, lost: Lost) -> Self {
        Self { sources, lost, flows: 0, first: 0, last: 0 }
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
        let mut sum = self.sources.sum();
        sum += self.lost.total();
        if sum.flows > self.flows {
            self.flows = sum.flows;
            self.last = view.main.clock().wall().0 / 1_000_000;
            if self.first == 0 {
                self.first = self.last;
            }
        }
        let NotSent { flows, packets, octets } = sum;
        let (process, first, last) = (EXPORTING_PROCESS, self.first, self.last);
        records.push(0, &NotExported { process, flows, packets, octets, first, last });
    }
}
