//! Messages about exporters and their reports. Those about classifier tables are answered where tables are reported.

use std::net::{IpAddr, SocketAddr};

use super::{Collector, ExporterError, Ipfix, Settings};
use crate::{
    api::{
        Retval,
        ip_types::{address, address_family, ip_proto},
    },
    command::ApiError,
    ipfix::export::{DEFAULT_PATH_MTU, DEFAULT_PORT, DEFAULT_TEMPLATE_INTERVAL, ExporterRequest},
    plugin::Registrar,
    runtime::Main,
};

crate::api! {
    /// The file `ipfix_export.api`.
    file IPFIX_EXPORT = "ipfix_export", [2, 0, 3], 0x63e0810a;
    call set_ipfix_exporter = 0x5530c8a0 {
        collector_address: address,
        collector_port: u16,
        src_address: address,
        vrf_id: u32,
        path_mtu: u32,
        template_interval: u32,
        udp_checksum: bool,
    }
        -> set_ipfix_exporter_reply = 0xe8d4e804 {};
    dump ipfix_exporter_dump = 0x51077d14 {}
        -> ipfix_exporter_details = 0x0dedbfe4 {
        collector_address: address,
        collector_port: u16,
        src_address: address,
        vrf_id: u32,
        path_mtu: u32,
        template_interval: u32,
        udp_checksum: bool,
    };
    call ipfix_exporter_create_delete = 0x0753a768 {
        is_create: bool,
        collector_address: address,
        collector_port: u16,
        src_address: address,
        vrf_id: u32,
        path_mtu: u32,
        template_interval: u32,
        udp_checksum: bool,
    }
        -> ipfix_exporter_create_delete_reply = 0x9ffac24b { stat_index: u32 };
    get ipfix_all_exporter_get = 0xf75ba505 { cursor: u32 }
        -> ipfix_all_exporter_get_reply = 0x53b48f5d { cursor: u32 }
        of ipfix_all_exporter_details = 0x0dedbfe4 {
        collector_address: address,
        collector_port: u16,
        src_address: address,
        vrf_id: u32,
        path_mtu: u32,
        template_interval: u32,
        udp_checksum: bool,
    };
    call set_ipfix_classify_stream = 0xc9cbe053 { domain_id: u32, src_port: u16 }
        -> set_ipfix_classify_stream_reply = 0xe8d4e804 {};
    dump ipfix_classify_stream_dump = 0x51077d14 {}
        -> ipfix_classify_stream_details = 0x2903539d { domain_id: u32, src_port: u16 };
    call ipfix_classify_table_add_del = 0x3e449bb9 {
        table_id: u32,
        ip_version: address_family,
        transport_protocol: ip_proto,
        is_add: bool,
    }
        -> ipfix_classify_table_add_del_reply = 0xe8d4e804 {};
    dump ipfix_classify_table_dump = 0x51077d14 {}
        -> ipfix_classify_table_details = 0x1af8c28c {
        table_id: u32,
        ip_version: address_family,
        transport_protocol: ip_proto,
    };
    call ipfix_flush = 0x51077d14 {}
        -> ipfix_flush_reply = 0xe8d4e804 {};
}

/// The cursor of who has been told everything.
const END: u32 = u32::MAX;

pub(super) fn register(registrar: &mut Registrar, ipfix: &Ipfix) {
    let api = registrar.api();
    api.file(&IPFIX_EXPORT);
    let of = ipfix.clone();
    api.call(move |cx, request: set_ipfix_exporter| -> Result<(), Retval> {
        let request = ExporterRequest::try_from(&Said::from(request))?;
        cx.with(|main| of.configure(main, request))?;
        Ok(())
    });
    let of = ipfix.clone();
    api.dump(move |_, _: ipfix_exporter_dump| of.said().into_iter().next().map(Into::into));
    let of = ipfix.clone();
    api.call(move |cx, request: ipfix_exporter_create_delete| -> Result<_, Retval> {
        let is_create = request.is_create;
        let request = ExporterRequest::try_from(&Said::from(request))?;
        let exporter = cx.with(|main| match is_create {
            true => of.create(main, request),
            false => of.delete(main, request.collector),
        })?;
        Ok(ipfix_exporter_create_delete_reply { stat_index: exporter })
    });
    let of = ipfix.clone();
    api.get(move |_, request: ipfix_all_exporter_get| {
        let all = of.exporters();
        let told = all.get(request.cursor as usize..).filter(|told| !told.is_empty());
        let told = told.ok_or(ApiError::InvalidValue)?;
        let details: Vec<ipfix_all_exporter_details> =
            told.iter().flat_map(Ipfix::said).map(Into::into).collect();
        Ok::<_, ApiError>((details, ipfix_all_exporter_get_reply { cursor: END }))
    });
    let of = ipfix.clone();
    api.call(move |_, _: ipfix_flush| {
        of.run_soon();
        Ok::<_, ApiError>(())
    });
}

/// What messages say of an exporter and its collector.
struct Said {
    collector: address,
    port: u16,
    source: address,
    table: u32,
    path_mtu: u32,
    template_interval: u32,
    udp_checksum: bool,
}

/// Between what messages say and the messages, all of which have the same fields.
macro_rules! said {
    (from $($request:ident),*; into $($details:ident),*) => {
        $(impl From<$request> for Said {
            fn from(request: $request) -> Self {
                Self {
                    collector: request.collector_address,
                    port: request.collector_port,
                    source: request.src_address,
                    table: request.vrf_id,
                    path_mtu: request.path_mtu,
                    template_interval: request.template_interval,
                    udp_checksum: request.udp_checksum,
                }
            }
        })*
        $(impl From<Said> for $details {
            fn from(said: Said) -> Self {
                Self {
                    collector_address: said.collector,
                    collector_port: said.port,
                    src_address: said.source,
                    vrf_id: said.table,
                    path_mtu: said.path_mtu,
                    template_interval: said.template_interval,
                    udp_checksum: said.udp_checksum,
                }
            }
        })*
    };
}

said! {
    from set_ipfix_exporter, ipfix_exporter_create_delete;
    into ipfix_exporter_details, ipfix_all_exporter_details
}

/// All bits set is the default, as with VPP; and an interval of 0, which is "as often as can be" there, is the shortest one here.
impl TryFrom<&Said> for ExporterRequest {
    type Error = ApiError;

    fn try_from(said: &Said) -> Result<Self, ApiError> {
        fn or<T: PartialEq>(value: T, none: T, default: T) -> T {
            if value == none { default } else { value }
        }
        let mtu = or(said.path_mtu, u32::MAX, DEFAULT_PATH_MTU.into());
        let interval = or(said.template_interval, u32::MAX, DEFAULT_TEMPLATE_INTERVAL);
        Ok(Self {
            collector: (&said.collector).try_into()?,
            port: or(said.port, u16::MAX, DEFAULT_PORT),
            source: (&said.source).try_into()?,
            fib_id: (said.table != u32::MAX).then_some(said.table),
            path_mtu: mtu,
            template_interval: interval.max(1),
            udp_checksum: said.udp_checksum,
            ..Self::NOTHING
        })
    }
}

impl Said {
    fn new(settings: &Settings, collector: SocketAddr) -> Self {
        let common = &settings.common;
        let source = match collector {
            SocketAddr::V4(_) => IpAddr::from(settings.source4),
            SocketAddr::V6(_) => IpAddr::from(settings.source6),
        };
        Self {
            collector: collector.ip().into(),
            port: collector.port(),
            source: source.into(),
            table: common.fib_id.unwrap_or(u32::MAX),
            path_mtu: common.path_mtu,
            template_interval: common.template_interval,
            udp_checksum: common.udp_checksum,
        }
    }
}

impl Ipfix {
    /// What is said of each of its collectors over UDP, messages having no words for others; or of no collector, where it has none.
    fn said(&self) -> Vec<Said> {
        let settings = self.settings();
        let udp = |collector: &Collector| match collector {
            Collector::Udp(address) => Some(*address),
            Collector::Reliable(..) => None,
        };
        let mut all: Vec<_> = settings.collectors.iter().filter_map(udp).collect();
        if all.is_empty() {
            let ExporterRequest { collector, port, .. } = ExporterRequest::NOTHING;
            all.push(SocketAddr::new(collector, port));
        }
        all.into_iter().map(|collector| Said::new(&settings, collector)).collect()
    }

    /// The exporter with a collector of this address over UDP.
    fn with_collector(&self, address: IpAddr) -> Option<Self> {
        let sends_there = |exporter: &Self| {
            let collectors = exporter.settings().collectors;
            collectors.iter().any(|to| matches!(to, Collector::Udp(to) if to.ip() == address))
        };
        self.exporters().into_iter().find(sends_there)
    }

    /// Changes the exporter with this collector, or makes one, which is called by the collector's address. Its number.
    fn create(&self, main: &mut Main, request: ExporterRequest) -> Result<u32, ExporterError> {
        if let Some(known) = self.with_collector(request.collector) {
            known.configure(main, request)?;
            return Ok(known.id().number());
        }
        let new = self.add_exporter(&request.collector.to_string())?;
        let number = new.id().number();
        match new.configure(main, request) {
            Ok(_) => Ok(number),
            Err(error) => {
                new.delete_exporter(main)?;
                Err(error.into())
            }
        }
    }

    /// Deletes the exporter with this collector. Its number.
    fn delete(&self, main: &mut Main, collector: IpAddr) -> Result<u32, ExporterError> {
        let known = self.with_collector(collector);
        let known = known.ok_or_else(|| ExporterError::NoSuchExporter(collector.to_string()))?;
        let number = known.id().number();
        known.delete_exporter(main).map(|()| number)
    }
}
