//! Names of interfaces, by the number that flow records have.

use super::subject::{About, Records, Subject, View, put_text};
use crate::{
    interface::{InterfaceTable, SwInterface},
    ipfix::{
        export::TemplateFields,
        template::{FieldSpecifier, VARIABLE_LENGTH},
    },
};

/// Scope: the interface. A collector takes the name for interfaces of either direction.
const FIELDS: [FieldSpecifier; 3] = [
    FieldSpecifier::iana("ingressInterface", 4),
    FieldSpecifier::iana("interfaceName", VARIABLE_LENGTH),
    FieldSpecifier::iana("interfaceDescription", VARIABLE_LENGTH),
];

/// The subject.
pub(super) struct Interfaces;

impl Subject for Interfaces {
    fn about(&self) -> About {
        About {
            word: "interfaces",
            report: "options-interfaces",
            help: "Tell collectors the names of interfaces.",
        }
    }

    fn templates(&self) -> Vec<TemplateFields> {
        vec![TemplateFields { scopes: 1, ..TemplateFields::data(&FIELDS) }]
    }

    fn tell(&mut self, view: &mut View<'_>, records: &mut Records) {
        let table = view.main.interfaces();
        for interface in table.interfaces() {
            let mut octets = interface.index.0.to_be_bytes().to_vec();
            put_text(&mut octets, &interface.name);
            put_text(&mut octets, description(table, interface));
            records.add(0, octets);
        }
    }
}

/// The operator's words (`set interface tag`), else what kind of device it is.
pub(in crate::ipfix) fn description<'a>(
    table: &'a InterfaceTable,
    interface: &'a SwInterface,
) -> &'a str {
    if !interface.tag.is_empty() {
        return &interface.tag;
    }
    table.hardware_interface(interface.hw_if_index).map_or("", |hardware| hardware.device_class)
}
