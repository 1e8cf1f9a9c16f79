//! Which fields of a template tell flows apart (RFC 7011 section 4.4).

use super::subject::{About, Records, Refresh, Subject, View};
use crate::ipfix::{
    elements::{Element, Semantics},
    export::TemplateFields,
    fields::{Field, Role},
    template::{FieldSpecifier, Template},
};

crate::data_record! {
    /// Bit `n` says of the `n`-th field that it is a flow key.
    struct Keys {
        template: u16 = "templateId",
        fields: u64 = "flowKeyIndicator",
    }
}

/// The subject.
pub(super) struct FlowKeys;

impl Subject for FlowKeys {
    fn about(&self) -> About {
        About {
            word: "flow-keys",
            report: "options-flow-keys",
            help: "Tell collectors which fields of each template tell flows apart.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        vec![TemplateFields { scopes: 1, ..TemplateFields::of::<Keys>() }]
    }

    fn refresh(&self) -> Refresh {
        Refresh::WithTemplates
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let of_stream = view.exporter.reports().filter(|report| report.stream == view.stream);
        for report in of_stream {
            for template in report.templates.iter().filter(|template| !template.is_options()) {
                let fields = indicator(template);
                if fields != 0 {
                    records.push(0, &Keys { template: template.id().get(), fields });
                }
            }
        }
    }
}

/// The indicator has a bit for each of the first 64 fields; a later one cannot be told.
fn indicator(template: &Template) -> u64 {
    let fields = template.fields().iter().take(64).enumerate();
    fields.filter(|(_, field)| is_key(field)).fold(0, |bits, (n, _)| bits | 1 << n)
}

/// Identifiers and addresses to the registry that are found by whoever looks at a flow, and are not compared.
const NO_KEYS: [&str; 5] = [
    "selectorId",
    "samplerId",
    "bgpNextHopIPv4Address",
    "ipNextHopIPv4Address",
    "ipNextHopIPv6Address",
];

/// The table of what flow records can have says what is a key of theirs. In other reports what packets of a flow have in common
/// is an identifier or an address; what is counted, timed or collected of them is neither.
fn is_key(field: &FieldSpecifier) -> bool {
    let Some(element) = field.element.element() else { return false };
    match Field::named(element.name) {
        Some(known) => matches!(known.role, Role::Key(_)),
        None => {
            (element.semantics == Semantics::Identifier || is_address(element))
                && !NO_KEYS.contains(&element.name)
        }
    }
}

fn is_address(element: &Element) -> bool {
    use crate::ipfix::elements::DataType::{Ipv4Address, Ipv6Address, MacAddress};
    matches!(element.data_type, Ipv4Address | Ipv6Address | MacAddress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        flow::{Families, RecordSet},
        ipfix::{fields::FieldList, profile::Profile, template::TemplateId},
    };

    /// By hand, from the table of blocks in docs/IPFIX.md.
    #[test]
    fn keys_of_flow_templates_are_what_the_meter_compares() {
        let names = |set: RecordSet| {
            let templates = Profile::Rfc.templates(set, Families::IP4);
            let fields = templates.encoders()[0].fields().to_vec();
            let bits = indicator(&Template::new(TemplateId::FIRST, 0, fields.clone()).unwrap());
            let keys = fields.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
            keys.map(|(_, f)| f.element.element().unwrap().name).collect::<Vec<_>>()
        };
        let point = ["ingressInterface", "egressInterface", "flowDirection"];
        let link = ["sourceMacAddress", "destinationMacAddress", "ethernetType", "vlanId"];
        let network = ["sourceIPv4Address", "destinationIPv4Address", "protocolIdentifier"];
        let ports = ["sourceTransportPort", "destinationTransportPort"];
        let l2 = RecordSet::L2 | RecordSet::VLAN;
        assert_eq!(
            names(l2 | RecordSet::L3 | RecordSet::L4),
            [&point[..], &link, &network, &ports].concat()
        );
        assert_eq!(names(RecordSet::L3), [&point[..], &network].concat());
    }

    #[test]
    fn keys_of_a_users_template_are_those_that_its_fields_make() {
        let words = "flowId,sourceIPv4Address,ipDiffServCodePoint,dot1qPriority,minimumTTL,packetDeltaCount";
        let list = FieldList::parse(words).unwrap();
        let fields: Vec<FieldSpecifier> = list.fields().map(|(_, specifier)| specifier).collect();
        let bits = indicator(&Template::new(TemplateId::FIRST, 0, fields).unwrap());
        assert_eq!(bits, 0b1110);
    }
}
