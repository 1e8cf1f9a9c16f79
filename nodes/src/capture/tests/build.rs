//! Capture files byte by byte, after the drafts and not after our writer.

/// The byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(super) fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(super) fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

pub(super) const MICROS: u32 = 0xa1b2c3d4;
pub(super) const NANOS: u32 = 0xa1b23c4d;
pub(super) const MODIFIED: u32 = 0xa1b2cd34;

/// A classic file's header.
pub(super) fn pcap(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let mut file = order.u32(magic).to_vec();
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    file.extend([0; 8]);
    file.extend(order.u32(65535));
    file.extend(order.u32(link));
    file
}

/// A classic record.
pub(super) fn record(
    order: Order,
    seconds: u32,
    fraction: u32,
    wire_len: u32,
    data: &[u8],
) -> Vec<u8> {
    let mut record = order.u32(seconds).to_vec();
    record.extend(order.u32(fraction));
    record.extend(order.u32(data.len() as u32));
    record.extend(order.u32(wire_len));
    record.extend(data);
    record
}

/// A pcapng block of any type.
pub(super) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = order.u32(padded as u32 + 12);
    let mut block = order.u32(kind).to_vec();
    block.extend(length);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(length);
    block
}

pub(super) fn section(order: Order) -> Vec<u8> {
    let mut body = order.u32(0x1a2b3c4d).to_vec();
    body.extend(order.u16(1));
    body.extend(order.u16(0));
    body.extend([0xff; 8]);
    block(order, 0x0a0d0d0a, &body)
}

pub(super) fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = order.u16(code).to_vec();
    option.extend(order.u16(value.len() as u16));
    option.extend(value);
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

pub(super) fn interface(order: Order, link: u16, snaplen: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let mut body = order.u16(link).to_vec();
    body.extend([0; 2]);
    body.extend(order.u32(snaplen));
    body.extend(options.concat());
    block(order, 1, &body)
}

pub(super) fn enhanced(order: Order, id: u32, ticks: u64, wire_len: u32, data: &[u8]) -> Vec<u8> {
    let mut body = order.u32(id).to_vec();
    packet_fields(order, &mut body, ticks, wire_len, data);
    block(order, 6, &body)
}

pub(super) fn obsolete(order: Order, id: u16, ticks: u64, wire_len: u32, data: &[u8]) -> Vec<u8> {
    let mut body = order.u16(id).to_vec();
    body.extend(order.u16(7));
    packet_fields(order, &mut body, ticks, wire_len, data);
    block(order, 2, &body)
}

fn packet_fields(order: Order, body: &mut Vec<u8>, ticks: u64, wire_len: u32, data: &[u8]) {
    body.extend(order.u32((ticks >> 32) as u32));
    body.extend(order.u32(ticks as u32));
    body.extend(order.u32(data.len() as u32));
    body.extend(order.u32(wire_len));
    body.extend(data);
}

pub(super) fn simple(order: Order, wire_len: u32, data: &[u8]) -> Vec<u8> {
    let mut body = order.u32(wire_len).to_vec();
    body.extend(data);
    block(order, 3, &body)
}
