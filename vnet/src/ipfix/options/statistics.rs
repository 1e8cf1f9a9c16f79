//! What was exported (RFC 7011 section 4.1).

use super::subject::{About, Records, Sent, Stamp, Subject, View};
use crate::ipfix::export::TemplateFields;

crate::data_record! {
    /// Totals since the start. They are those before the message that has them.
    #[derive(Default)]
    struct Exported {
        domain: u32 = "observationDomainId",
        messages: u64 = "exportedMessageTotalCount",
        flow_records: u64 = "exportedFlowRecordTotalCount",
        octets: u64 = "exportedOctetTotalCount",
        init: u64 = "systemInitTimeMilliseconds",
    }
}

/// The subject.
#[derive(Default)]
pub(super) struct Statistics {
    /// When the engine began, in milliseconds since 1970.
    init: Option<u64>,
}

impl Subject for Statistics {
    fn about(&self) -> About {
        About {
            word: "statistics",
            report: "options-statistics",
            help: "Tell collectors how many messages, records and octets were sent.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        vec![TemplateFields { scopes: 1, ..TemplateFields::of::<Exported>() }]
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let clock = view.main.clock();
        let init = *self.init.get_or_insert_with(|| (clock.wall().0 - clock.now().0) / 1_000_000);
        let domain = view.stream.domain;
        records.push(0, &Exported { domain, init, ..Exported::default() });
    }

    fn tells_changes(&self, _: usize) -> bool {
        false
    }

    fn stamp(&self) -> Option<Stamp> {
        Some(stamp)
    }
}

/// Fills in the counts behind the domain.
fn stamp(sent: &Sent, record: &mut [u8]) {
    let counts = [sent.messages, sent.flow_records, sent.octets];
    if let Some(room) = record.get_mut(4..28) {
        room.copy_from_slice(&counts.map(u64::to_be_bytes).concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::{record::DataRecord, template::FieldSpecifier};

    #[test]
    fn counts_are_written_where_the_template_has_them() {
        let at = |name| {
            let name_of = |field: &FieldSpecifier| field.element.element().unwrap().name;
            let before = Exported::FIELDS.iter().take_while(|field| name_of(field) != name);
            before.map(|field| usize::from(field.length)).sum::<usize>()
        };
        let sent = Sent { messages: 1, octets: 3, flow_records: 2 };
        let mut record = vec![0; Exported::len()];
        stamp(&sent, &mut record);
        assert_eq!(record[at("exportedMessageTotalCount") + 7], 1);
        assert_eq!(record[at("exportedFlowRecordTotalCount") + 7], 2);
        assert_eq!(record[at("exportedOctetTotalCount") + 7], 3);
        assert_eq!(record.iter().map(|&octet| u32::from(octet)).sum::<u32>(), 6);
    }
}
