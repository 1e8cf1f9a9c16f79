//! `set ipfix exporter` and `ipfix flush`.

use std::net::IpAddr;

use super::Ipfix;
use crate::{
    command::{ApiError, Error, OperationError, flag, keyword, value},
    ipfix::export::{
        ConfigError, DEFAULT_PATH_MTU, DEFAULT_PORT, DEFAULT_TEMPLATE_INTERVAL, ExporterRequest,
        Via,
    },
    plugin::{Command, CommandCx, Registrar},
};

crate::args! {
    struct Set {
        collector: Option<IpAddr> = keyword("collector", value::ip()).optional()
            .help("where to send; without, or 0.0.0.0: nothing is sent"),
        port: u16 = keyword("port", value::port()).or(DEFAULT_PORT),
        source: Option<IpAddr> = keyword("src", value::ip()).optional()
            .help("needed but for `via kernel'"),
        fib_id: Option<u32> = keyword("fib-id", value::id("table")).optional()
            .help("the table in which the collector is looked up"),
        path_mtu: u32 = keyword("path-mtu", value::id("bytes")).or(u32::from(DEFAULT_PATH_MTU))
            .help("68 to 1450; no packet is longer"),
        template_interval: u32 = keyword("template-interval", value::id("seconds"))
            .or(DEFAULT_TEMPLATE_INTERVAL).help("at least 1"),
        udp_checksum: bool = flag("udp-checksum").help("over IPv4, too"),
        via: Via = keyword("via", value::words(&[("kernel", Via::Kernel), ("graph", Via::Graph)]))
            .or(Via::Graph).help("by a UDP socket of the host, or as packets of the graph"),
    }
}

impl OperationError for ConfigError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchFib(_) => ApiError::NoSuchFib,
            Self::NoSuchExporter => ApiError::NoSuchEntry,
            _ => ApiError::InvalidValue,
        }
    }
}

pub(super) fn register(r: &mut Registrar, ipfix: &Ipfix) {
    let exporter = ipfix.clone();
    let set = move |cx: CommandCx, args: Set| cx.with(|main| exporter.configure(main, args.into()));
    r.command(
        Command::sync("set ipfix exporter", "Say where flow records go.", set).details(
            "A line says everything: what it leaves out is as before the first line, and a line without collector \
             disables the exporter.",
        ),
    );
    let exporter = ipfix.clone();
    let flush = move |_: CommandCx, (): ()| {
        let exporter = exporter.clone();
        // As VPP's it never fails: a script goes on, whatever became of a collector.
        async move {
            let told = exporter.flush().await.err();
            Ok::<_, Error>(told.map(|told| format!("{told}\n")).unwrap_or_default())
        }
    };
    r.command(
        Command::new("ipfix flush", "Send what is pending in all reports.", flush)
            .details(
                "Ends when it has left, and says which messages could not be sent or were refused since the flush before.",
            ),
    );
}

impl From<Set> for ExporterRequest {
    fn from(set: Set) -> Self {
        Self {
            collector: set.collector.unwrap_or(Self::NOTHING.collector),
            port: set.port,
            source: set.source.unwrap_or(Self::NOTHING.source),
            fib_id: set.fib_id,
            path_mtu: set.path_mtu,
            template_interval: set.template_interval,
            udp_checksum: set.udp_checksum,
            via: set.via,
            ..Self::NOTHING
        }
    }
}
