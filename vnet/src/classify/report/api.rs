//! Messages about classifier tables that are reported.

use super::{registry::Registry, template::Transport};
use crate::{
    api::{Retval, ip_types::ip_proto},
    classify::TableIndex,
    command::ApiError,
    fib::Family,
    ipfix::{engine::api::*, export::StreamKey},
    plugin::Registrar,
};

pub(super) fn register(registrar: &mut Registrar, registry: &Registry) {
    let api = registrar.api();
    let of = registry.clone();
    api.call(move |cx, request: set_ipfix_classify_stream| {
        let set_ipfix_classify_stream { domain_id: domain, src_port: source_port } = request;
        let stream = (source_port != 0).then_some(StreamKey { domain, source_port });
        cx.with(|main| of.set_stream(main, stream))
    });
    let of = registry.clone();
    api.dump(move |_, _: ipfix_classify_stream_dump| {
        let none = StreamKey { domain: 0, source_port: 0 };
        let StreamKey { domain, source_port } = of.stream().unwrap_or(none);
        [ipfix_classify_stream_details { domain_id: domain, src_port: source_port }]
    });
    let of = registry.clone();
    api.call(move |cx, request: ipfix_classify_table_add_del| -> Result<(), Retval> {
        let table = TableIndex(request.table_id);
        let family = Family::try_from(request.ip_version)?;
        let transport = transport(request.transport_protocol)?;
        Ok(cx.with(|main| match request.is_add {
            true => of.add(main, table, family, transport),
            false => of.remove(main, table),
        })?)
    });
    let of = registry.clone();
    api.dump(move |_, _: ipfix_classify_table_dump| {
        let all = of.reported().into_iter();
        all.map(|(TableIndex(table_id), reported, _)| {
            let ip_version = reported.family.into();
            let transport_protocol = match reported.transport {
                Transport::Any => ANY,
                Transport::Tcp => ip_proto::IP_API_PROTO_TCP,
                Transport::Udp => ip_proto::IP_API_PROTO_UDP,
            };
            ipfix_classify_table_details { table_id, ip_version, transport_protocol }
        })
    });
}

/// As VPP's messages say "whatever it is".
const ANY: ip_proto = ip_proto::IP_API_PROTO_RESERVED;

fn transport(protocol: ip_proto) -> Result<Transport, ApiError> {
    match protocol {
        ip_proto::IP_API_PROTO_TCP => Ok(Transport::Tcp),
        ip_proto::IP_API_PROTO_UDP => Ok(Transport::Udp),
        // A client that says nothing says 0.
        ANY | ip_proto::IP_API_PROTO_HOPOPT => Ok(Transport::Any),
        _ => Err(ApiError::InvalidProtocol),
    }
}
