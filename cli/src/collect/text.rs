//! Records as lines of text.

use core::fmt;
use std::{io::Write, net::SocketAddr};

use vnet::ipfix::{
    decode::{Record, Value},
    message::Header,
};

/// Appends a record: where it comes from, then each field as `name value`. Without a line end.
pub(super) fn write_record(
    out: &mut Vec<u8>,
    exporter: SocketAddr,
    header: &Header,
    record: &Record<'_>,
) {
    let template = record.template().template().id();
    // Writing to memory does not fail.
    let _: std::io::Result<()> =
        write!(out, "{exporter} domain {} template {template}:", header.domain.get());
    for field in record.fields() {
        let _: std::io::Result<()> = write!(out, " {} {}", field.info.name, Text(&field.value()));
    }
}

struct Text<'a>(&'a Value<'a>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            Value::Unsigned(n) => write!(f, "{n}"),
            Value::Signed(n) => write!(f, "{n}"),
            Value::Float32(n) => write!(f, "{n}"),
            Value::Float64(n) => write!(f, "{n}"),
            Value::Boolean(b) => write!(f, "{b}"),
            Value::Ip(address) => write!(f, "{address}"),
            Value::Time(time) => write!(f, "{time}"),
            // Quoted, so that what an exporter sends can neither break the line nor drive the terminal.
            Value::String(text) => write!(f, "{text:?}"),
            Value::Mac([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Value::List(list) => write!(f, "{}:0x{}", list.semantic_name(), Hex(list.octets)),
            Value::Octets(octets) => write!(f, "0x{}", Hex(octets)),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
