//! Records as JSON objects, one a line: what `replay --json` and `collect --json` print.
//!
//! Keys are IANA names, or `PEN/ID` for elements that no registry knows. Times are RFC 3339 in UTC with every known
//! digit, addresses text, MAC addresses `xx:xx:xx:xx:xx:xx`, octets hexadecimal, counters numbers of up to 64 bits. A
//! name that occurs more than once in a template has an array of its values.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io::Write as _;

use super::{
    decode::{Context, Field, Items, List, Record, TemplateStore, Value},
    elements::{ElementInfo, Registry},
    profile::{FlowEncoder, FlowTemplates, RecordSet},
    time::{Precision, Timestamp},
};
use crate::{
    flow::{Addresses, FlowRecord},
    interface::SwIfIndex,
};

/// Lists within lists beyond this depth are shown as octets.
const MAX_DEPTH: usize = 8;

/// Appends a number or a string. Writing to memory does not fail.
macro_rules! scalar {
    ($out:expr, $value:expr) => {{
        let out: &mut Vec<u8> = $out;
        let _: Result<(), serde_json::Error> = serde_json::to_writer(out, $value);
    }};
}

/// Appends a decoded record as an object, without a line end.
pub fn write_record(out: &mut Vec<u8>, record: &Record<'_>) {
    write_nested(out, record, 0);
}

/// Appends a flow record as an object, without a line end, under the names that its template under
/// [`super::profile::Profile::Rfc`] would give.
///
/// Nothing is encoded and decoded on the way, so that times have all the digits that `precision` says are known, and
/// what is not known (an interface, the VLAN of an untagged flow) is left out.
pub fn write_flow(out: &mut Vec<u8>, record: &FlowRecord, set: RecordSet, precision: Precision) {
    let mut object = Object::open(out);
    for (name, interface) in
        [("ingressInterface", record.ingress), ("egressInterface", record.egress)]
    {
        if interface != SwIfIndex::NONE {
            object.number(name, interface.0.into());
        }
    }
    object.number("flowDirection", record.direction as u64);
    object.number("packetDeltaCount", record.packets);
    for (name, time) in
        [("flowStartMilliseconds", record.start), ("flowEndMilliseconds", record.end)]
    {
        write_time(object.key(name), Timestamp::from_unix_nanos(time.0, precision));
    }
    object.number("flowEndReason", record.end_reason as u64);
    let ip = record.addresses != Addresses::None;
    if !ip || set.contains(RecordSet::L2) {
        write_mac(object.key("sourceMacAddress"), record.source_mac);
        write_mac(object.key("destinationMacAddress"), record.destination_mac);
        object.number("ethernetType", record.ethertype.into());
    }
    if let Some(vlan) = record.vlan
        && (!ip || set.intersects(RecordSet::L2 | RecordSet::VLAN))
    {
        object.number("vlanId", vlan.into());
    }
    if ip {
        write_network(&mut object, record, set);
    } else {
        object.number("layer2OctetDeltaCount", record.layer2_octets);
    }
    object.close();
}

/// Writes flow records of templates that a user made, each with the fields of its template.
#[derive(Debug)]
pub struct FlowWriter {
    templates: FlowTemplates,
    /// Names and types, a template.
    infos: Vec<Vec<ElementInfo>>,
    octets: Vec<u8>,
    // Without templates: flow records have no lists.
    store: TemplateStore,
    registry: Registry,
}

impl FlowWriter {
    /// For records of these templates.
    #[must_use]
    pub fn new(templates: FlowTemplates) -> Self {
        let registry = Registry::new();
        let infos = |encoder: &FlowEncoder| {
            encoder.fields().iter().map(|field| registry.resolve(field.element)).collect()
        };
        let infos = templates.encoders().iter().map(infos).collect();
        Self { infos, octets: Vec::new(), store: TemplateStore::default(), registry, templates }
    }

    /// Appends a record as an object, without a line end: what a collector would decode. Nothing for a record that has no
    /// template.
    pub fn write(&mut self, out: &mut Vec<u8>, record: &FlowRecord) {
        let Self { templates, infos, octets, store, registry } = self;
        let Some((slot, encoder)) = templates.select(record) else { return };
        octets.resize(encoder.len_of(record), 0);
        encoder.encode(record, octets);
        let context = Context { templates: store, registry };
        let (mut object, mut rest) = (Object::open(out), &octets[..]);
        for (field, info) in encoder.fields().iter().zip(&infos[slot.index()]) {
            let len = if field.is_variable() {
                // No text has more octets than one of length says.
                usize::from(rest.split_off_first().copied().unwrap_or(0))
            } else {
                field.length.into()
            };
            let (value, behind) = rest.split_at(len.min(rest.len()));
            write_value(object.key(&info.name), Value::read(info.data_type, value), context, 0);
            rest = behind;
        }
        object.close();
    }
}

fn write_network(object: &mut Object<'_>, record: &FlowRecord, set: RecordSet) {
    const ICMP: u8 = 1;
    const ICMP6: u8 = 58;
    let icmp_name = match record.addresses {
        Addresses::V4(..) if record.protocol == ICMP => Some("icmpTypeCodeIPv4"),
        Addresses::V6(..) if record.protocol == ICMP6 => Some("icmpTypeCodeIPv6"),
        _ => None,
    };
    if set.contains(RecordSet::L3) {
        match record.addresses {
            Addresses::None => {}
            Addresses::V4(source, destination) => {
                write_ip(object.key("sourceIPv4Address"), Ipv4Addr::from(source).into());
                write_ip(object.key("destinationIPv4Address"), Ipv4Addr::from(destination).into());
            }
            Addresses::V6(source, destination) => {
                write_ip(object.key("sourceIPv6Address"), Ipv6Addr::from(source).into());
                write_ip(object.key("destinationIPv6Address"), Ipv6Addr::from(destination).into());
            }
        }
    }
    if set.intersects(RecordSet::L3 | RecordSet::L4) {
        object.number("protocolIdentifier", record.protocol.into());
    }
    object.number("octetDeltaCount", record.octets);
    if !set.contains(RecordSet::L4) {
        return;
    }
    if let Some(name) = icmp_name {
        object.number(name, record.destination_port.into());
    } else {
        object.number("sourceTransportPort", record.source_port.into());
        object.number("destinationTransportPort", record.destination_port.into());
        object.number("tcpControlBits", record.tcp_flags.into());
    }
}

fn write_nested(out: &mut Vec<u8>, record: &Record<'_>, depth: usize) {
    let context = record.context();
    let mut object = Object::open(out);
    if record.template().repeats() {
        let fields: Vec<Field<'_>> = record.fields().collect();
        for field in fields.iter().filter(|field| !field.info.repeated) {
            let out = object.key(&field.info.name);
            write_same(out, field, &fields, context, depth);
        }
    } else {
        for field in record.fields() {
            write_field(object.key(&field.info.name), &field, context, depth);
        }
    }
    object.close();
}

/// The value of `first`, or an array if later fields have the same name.
fn write_same(
    out: &mut Vec<u8>,
    first: &Field<'_>,
    fields: &[Field<'_>],
    context: Context<'_>,
    depth: usize,
) {
    if first.info.next_same.is_none() {
        return write_field(out, first, context, depth);
    }
    let next = |field: &&Field<'_>| fields.get(usize::from(field.info.next_same?));
    let same = core::iter::successors(Some(first), next);
    write_array(out, same, |out, field| write_field(out, field, context, depth));
}

fn write_field(out: &mut Vec<u8>, field: &Field<'_>, context: Context<'_>, depth: usize) {
    write_value(out, field.value(), context, depth);
}

fn write_value(out: &mut Vec<u8>, value: Value<'_>, context: Context<'_>, depth: usize) {
    match value {
        Value::Unsigned(n) => scalar!(out, &n),
        Value::Signed(n) => scalar!(out, &n),
        // JSON has no infinities: those are null.
        Value::Float32(n) => scalar!(out, &n),
        Value::Float64(n) => scalar!(out, &n),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Mac(octets) => write_mac(out, octets),
        Value::Ip(address) => write_ip(out, address),
        Value::String(text) => scalar!(out, text),
        Value::Time(time) => write_time(out, time),
        Value::Octets(octets) => write_octets(out, octets),
        Value::List(list) => match list.items(context) {
            Some(items) if depth < MAX_DEPTH => write_list(out, list, items, context, depth + 1),
            _ => write_octets(out, list.octets),
        },
    }
}

/// `{"semantic": ..., NAME: [values]}` or `{"semantic": ..., "records": [objects]}`.
fn write_list(
    out: &mut Vec<u8>,
    list: List<'_>,
    items: Items<'_>,
    context: Context<'_>,
    depth: usize,
) {
    let mut object = Object::open(out);
    scalar!(object.key("semantic"), list.semantic_name());
    match items {
        Items::Values(info, values) => {
            write_array(object.key(&info.name), values, |out, value| {
                write_value(out, value, context, depth);
            });
        }
        Items::Records(records) => {
            write_array(object.key("records"), records, |out, record| {
                write_nested(out, &record, depth);
            });
        }
    }
    object.close();
}

fn write_array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn write_time(out: &mut Vec<u8>, time: Timestamp) {
    // What RFC 3339 cannot write is a number.
    if time.is_rfc3339() {
        out.push(b'"');
        time.write(out);
        out.push(b'"');
    } else {
        time.write(out);
    }
}

fn write_ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => write_ip4(out, address),
        IpAddr::V6(address) => {
            let _: Result<(), _> = write!(out, "\"{address}\"");
        }
    }
}

/// By hand: the formatting machinery costs more than the rest of a flow's fields.
fn write_ip4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let mut text = *b"\"255.255.255.255\"";
    let mut end = 0;
    for octet in address.octets() {
        // The opening quote, then the dots.
        text[end] = if end == 0 { b'"' } else { b'.' };
        end += 1;
        for (limit, digit) in [(100, octet / 100), (10, octet / 10 % 10), (0, octet % 10)] {
            if octet >= limit {
                text[end] = b'0' + digit;
                end += 1;
            }
        }
    }
    text[end] = b'"';
    out.extend_from_slice(&text[..=end]);
}

fn write_mac(out: &mut Vec<u8>, octets: [u8; 6]) {
    let mut text = *b"\"00:00:00:00:00:00\"";
    for (digits, octet) in text[1..].chunks_mut(3).zip(octets) {
        digits[..2].copy_from_slice(&hex(octet));
    }
    out.extend_from_slice(&text);
}

fn write_octets(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(b'"');
    octets.iter().for_each(|&octet| out.extend_from_slice(&hex(octet)));
    out.push(b'"');
}

fn hex(octet: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]
}

/// An object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes a key and returns where its value goes. Names have no characters that JSON escapes.
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn number(&mut self, name: &str, value: u64) {
        scalar!(self.key(name), &value);
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::tests::sample;

    fn flow(record: &FlowRecord, set: RecordSet, precision: Precision) -> String {
        let mut out = Vec::new();
        write_flow(&mut out, record, set, precision);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_are_written_as_std_writes_them() {
        for octets in [[0, 0, 0, 0], [255, 255, 255, 255], [1, 10, 100, 109], [9, 90, 99, 200]] {
            let mut out = Vec::new();
            write_ip(&mut out, octets.into());
            assert_eq!(out, format!("\"{}\"", Ipv4Addr::from(octets)).into_bytes());
        }
    }

    #[test]
    fn a_flow_has_the_names_and_the_digits_of_its_capture() {
        let [non_ip, tcp, icmp, tcp6, icmp6] = sample::one_of_each_shape();
        let set = RecordSet::L3 | RecordSet::L4;
        assert_eq!(
            flow(&tcp, set, Precision::Nanoseconds),
            "{\"ingressInterface\":1,\"flowDirection\":0,\"packetDeltaCount\":10,\
             \"flowStartMilliseconds\":\"2023-11-14T22:13:20.123456789Z\",\
             \"flowEndMilliseconds\":\"2023-11-14T22:14:20.456789012Z\",\"flowEndReason\":3,\
             \"sourceIPv4Address\":\"192.0.2.1\",\"destinationIPv4Address\":\"198.51.100.2\",\
             \"protocolIdentifier\":6,\"octetDeltaCount\":4294967296,\
             \"sourceTransportPort\":49152,\"destinationTransportPort\":80,\"tcpControlBits\":27}"
        );
        let text = flow(&icmp, set, Precision::Microseconds);
        assert!(
            text.contains("22:13:20.123456Z\"") && text.ends_with("\"icmpTypeCodeIPv4\":2048}")
        );
        let text = flow(&tcp6, RecordSet::all(), Precision::Milliseconds);
        assert!(text.contains("\"sourceIPv6Address\":\"2001:db8::1\"") && !text.contains("vlanId"));
        assert!(text.contains("\"egressInterface\":7") && text.contains("20.123Z\""));
        assert!(flow(&icmp6, set, Precision::Seconds).contains("\"icmpTypeCodeIPv6\":33024}"));
        let text = flow(&non_ip, set, Precision::Milliseconds);
        assert!(text.contains("\"sourceMacAddress\":\"02:00:00:00:00:01\""));
        assert!(text.contains("\"ethernetType\":2054,\"vlanId\":42"));
        assert!(text.ends_with("\"layer2OctetDeltaCount\":420}"));
    }
}
