//! Templates of a user's own.

use vnet::{
    flow::{Config, FlowRecord, Meter, RecordSet, Scope},
    ipfix::{
        fields::FieldList,
        template::{Template, TemplateId},
    },
};

use super::{
    flow::{START, packet},
    input::Input,
};

/// A list is refused with a text that can be printed, or it can be written and read again, makes sound templates, and has every
/// packet of a flow in a record of the octets that its template says.
///
/// The first line is the list; packets follow as those of the flow target.
pub fn fields(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == b'\n');
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let list = match FieldList::parse(&text) {
        Ok(list) => list,
        Err(error) => {
            let told = error.to_string();
            assert!(!told.chars().any(char::is_control), "{told:?}");
            return;
        }
    };
    let written = list.to_string();
    let again = FieldList::parse(&written).expect("what was written can be read");
    assert_eq!(again.to_string(), written);
    let nothing = Config::new(list.families(), RecordSet::empty());
    let config = list.metering(Config { max_flows: 64, ..nothing });
    let templates = list.templates(config.families);
    for encoder in templates.encoders() {
        let template = Template::new(TemplateId::FIRST, 0, encoder.fields());
        let octets = template.expect("a template that is sound").min_record_len();
        assert_eq!(octets, encoder.record_len());
    }
    let mut meter = Meter::new(&config).expect("the table is small");
    let (mut input, mut time) = (Input::new(parts.next().unwrap_or_default()), START);
    let mut told = 0;
    let mut sink = |record: &FlowRecord| {
        let (_, encoder) = templates.select(record).expect("what is measured has a template");
        encoder.encode(record, &mut vec![0; encoder.len_of(record)]);
        told += record.all_packets();
    };
    while !input.is_empty() {
        meter.frame([packet(&mut input, &mut time)], &mut sink);
    }
    meter.flush(Scope::All, &mut sink);
    assert_eq!(told, meter.counters().measured);
}
