//! The graph as a transport: messages become packets of the engine's own.

use crate::{
    buffer::BufferFlags,
    interface::SwIfIndex,
    ipfix::export::{Endpoints, SendError, Session},
    runtime::Main,
};

/// Enqueues a packet with `message` to the lookup node of the collector's family.
///
/// The packet says that it is local and the exporter's, and which table to look the collector up in.
pub(super) fn send(main: &mut Main, session: &Session, message: &[u8]) -> Result<(), SendError> {
    let (lookup, ip_header) = match session.exporter.endpoints() {
        Endpoints::V4 { .. } => ("ip4-lookup", 20),
        Endpoints::V6 { .. } => ("ip6-lookup", 40),
    };
    let node = main.graph().find(lookup).ok_or(SendError::NoNode(lookup))?;
    let time = main.clock().wall();
    let headers = session.headers(message);
    let fib = session.exporter.fib();
    let mut frame = main.frame_to(node);
    let pushed = frame.push(|buffer| {
        // Both fit: no exported packet is longer than the largest path MTU by more than a record, and that is less than a
        // buffer.
        let written = buffer.append(&headers) + buffer.append(message);
        debug_assert_eq!(written, headers.len() + message.len());
        buffer.set_flags(BufferFlags::FLOW_REPORT | BufferFlags::LOCALLY_ORIGINATED);
        buffer.rx = SwIfIndex::LOCAL0;
        buffer.tx = fib.map_or(SwIfIndex::NONE, |fib| SwIfIndex(fib.index));
        buffer.l4_offset = ip_header;
        buffer.time = time;
        buffer.wire_length = written as u32;
    });
    pushed.ok_or(SendError::NoBuffer)
}
