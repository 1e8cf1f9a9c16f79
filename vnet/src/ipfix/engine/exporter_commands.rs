//! `ipfix exporter ...` and `ipfix collector ...`: what VPP's line cannot say.

use core::num::NonZeroU32;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{CollectorRequest, ExporterError, Ipfix, Settings};
use crate::{
    command::{Error, keyword, one_of, positional, value},
    ipfix::{
        export::{DEFAULT_PORT, MAX_DSCP, MAX_PATH_MTU, MIN_PATH_MTU, Policy, Via},
        reliable::{Limits, Rotation, TlsFiles},
    },
    plugin::{Command, CommandCx, Registrar},
};

/// IPFIX over TLS (RFC 7011 section 10).
const TLS_PORT: u16 = 4740;
/// Octets of a spool file that is not given a size.
const SPOOL_SIZE: u64 = 1 << 30;

crate::args! {
    struct Name {
        name: String = positional(value::word("name")),
    }
}

crate::args! {
    struct Set {
        name: String = positional(value::word("name")),
        policy: Option<Policy> = keyword("policy", value::words(&[
            ("copy", Policy::Copy), ("failover", Policy::Failover), ("share", Policy::Share),
        ])).optional().help("each collector gets everything, the first that can be reached does, or each flow goes to one"),
        domain: Option<u32> = keyword("domain", value::id("n")).optional().help("observation domain"),
        source_port: Option<u16> = keyword("source-port", value::port()).optional(),
        source: Option<IpAddr> = keyword("src", value::ip()).optional()
            .help("for collectors of its family; `via kernel' needs none"),
        via: Option<Via> = keyword("via", value::words(&[("kernel", Via::Kernel), ("graph", Via::Graph)]))
            .optional().help("collectors over UDP: by sockets of the host, or as packets of the graph"),
        fib_id: Option<u32> = keyword("fib-id", value::id("table")).optional(),
        path_mtu: Option<u32> = keyword("path-mtu",
            value::number(u32::from(MIN_PATH_MTU)..=u32::from(MAX_PATH_MTU)).hint("bytes")).optional()
            .help("no packet is longer"),
        template_interval: Option<u32> = keyword("template-interval",
            value::number(1..=u32::MAX).hint("seconds")).optional(),
        template_messages: Option<u32> = keyword("template-messages", value::id("n")).optional()
            .help("templates are sent after so many messages, too; 0: they are not"),
        udp_checksum: Option<bool> = keyword("udp-checksum", value::on_off()).optional(),
        dscp: Option<u8> = keyword("dscp", value::number(0..=MAX_DSCP)).optional(),
        rate_limit: Option<u32> = keyword("rate-limit", value::id("kbps")).optional()
            .help("kilobits of messages a second; 0: as fast as possible"),
    }
}

/// Where to, as words.
#[derive(Clone, Debug)]
enum Where {
    Udp(IpAddr),
    Tcp(String),
    Tls(String),
    File(PathBuf),
}

fn place() -> crate::command::Field<Where> {
    one_of([
        keyword("udp", value::ip()).map(Where::Udp),
        keyword("tcp", value::word("host")).map(Where::Tcp),
        keyword("tls", value::word("host")).map(Where::Tls),
        keyword("file", value::file()).map(Where::File).help("an IPFIX File"),
    ])
}

crate::args! {
    struct Add {
        name: String = positional(value::word("exporter")),
        place: Where = place(),
        port: Option<u16> = keyword("port", value::port()).optional().help("4739, or 4740 for tls"),
        ca: Option<PathBuf> = keyword("ca", value::file()).optional()
            .help("tls: who may vouch for the collector, in PEM"),
        cert: Option<PathBuf> = keyword("cert", value::file()).optional().help("tls: our certificate"),
        key: Option<PathBuf> = keyword("key", value::file()).optional().help("tls: its key"),
        server_name: Option<String> = keyword("server-name", value::word("name")).optional()
            .help("tls: what the collector's certificate is for, if not for the host"),
        rotate_size: Option<u64> = keyword("rotate-size", value::size(1 << 10..=1 << 40)).optional()
            .help("file: complete when it is so large"),
        rotate_interval: Option<Duration> =
            keyword("rotate-interval", value::seconds_in(1..=31_536_000)).optional()
            .help("file: complete when it is so old"),
        queue: usize = keyword("queue", value::size(1 << 16..=1 << 32).map(|size| size as usize))
            .or(Limits::DEFAULT.memory)
            .help("messages that wait in memory for a collector that is away or slow; not for udp"),
        spool: Option<PathBuf> = keyword("spool", value::file()).optional()
            .help("a file for what finds no room there; not for udp"),
        spool_size: Option<u64> = keyword("spool-size", value::size(1 << 16..=1 << 44)).optional()
            .help("1G unless said otherwise"),
    }
}

crate::args! {
    struct Del {
        name: String = positional(value::word("exporter")),
        place: Where = place(),
        port: Option<u16> = keyword("port", value::port()).optional(),
    }
}

pub(super) fn register(r: &mut Registrar, ipfix: &Ipfix) {
    let of = ipfix.clone();
    r.command(
        Command::sync("ipfix exporter add", "Add an exporter.", move |_: CommandCx, args: Name| {
            of.add_exporter(&args.name).map(drop)
        })
        .details("It sends nothing until it has a collector (`ipfix collector add')."),
    );
    let of = ipfix.clone();
    r.command(Command::sync(
        "ipfix exporter del",
        "Delete an exporter.",
        move |cx: CommandCx, args: Name| {
            let exporter = find(&of, &args.name)?;
            cx.with(|main| exporter.delete_exporter(main))
        },
    ));
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "ipfix exporter set",
            "Change settings of an exporter.",
            move |cx: CommandCx, args: Set| -> Result<(), Error> {
                let exporter = find(&of, &args.name)?;
                args.check()?;
                cx.with(|main| exporter.change(main, |settings| args.change(settings)))?;
                Ok(())
            },
        )
        .details("What a line leaves out stays as it is. All of a line is applied, or nothing."),
    );
    let of = ipfix.clone();
    r.command(
        Command::sync(
            "ipfix collector add",
            "Add a collector to an exporter.",
            move |cx: CommandCx, args: Add| -> Result<(), Error> {
                let exporter = find(&of, &args.name)?;
                let (request, limits) = args.request()?;
                cx.with(|main| exporter.add_collector(main, request, &limits))?;
                Ok(())
            },
        )
        .details(
            "Over tcp and tls, and to files, everything is delivered in the end, as far as queue and spool have room.",
        ),
    );
    let of = ipfix.clone();
    r.command(Command::sync(
        "ipfix collector del",
        "Delete a collector of an exporter.",
        move |cx: CommandCx, args: Del| {
            let exporter = find(&of, &args.name)?;
            let request = args.request();
            cx.with(|main| exporter.delete_collector(main, &request))
        },
    ));
}

fn find(ipfix: &Ipfix, name: &str) -> Result<Ipfix, ExporterError> {
    ipfix.named(name).ok_or_else(|| ExporterError::NoSuchExporter(name.to_owned()))
}

impl Set {
    fn check(&self) -> Result<(), Error> {
        let Self { policy, domain, source_port, source, via, fib_id, path_mtu, .. } = self;
        let Self { template_interval, template_messages, udp_checksum, dscp, rate_limit, .. } =
            self;
        let is_said = policy.is_some()
            || [*domain, *fib_id, *path_mtu, *template_interval, *template_messages, *rate_limit]
                .iter()
                .any(Option::is_some)
            || source_port.is_some()
            || source.is_some()
            || via.is_some()
            || udp_checksum.is_some()
            || dscp.is_some();
        if is_said { Ok(()) } else { Err(Error::failed(NOTHING_SAID.0, NOTHING_SAID.1)) }
    }

    fn change(&self, settings: &mut Settings) {
        fn set<T: Copy>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let common = &mut settings.common;
        set(&mut settings.policy, self.policy);
        set(&mut settings.stream.domain, self.domain);
        if let Some(port) = self.source_port {
            settings.stream.source_port = port;
            common.fixed_port = true;
        }
        set(&mut common.via, self.via);
        set(&mut common.fib_id, self.fib_id.map(Some));
        set(&mut common.path_mtu, self.path_mtu);
        set(&mut common.template_interval, self.template_interval);
        set(&mut common.template_messages, self.template_messages.map(NonZeroU32::new));
        set(&mut common.udp_checksum, self.udp_checksum);
        set(&mut common.dscp, self.dscp);
        set(&mut settings.rate_kbps, self.rate_limit.map(NonZeroU32::new));
        if let Some(source) = self.source {
            settings.set_source(source);
        }
    }
}

const NOTHING_SAID: (crate::command::ApiError, &str) =
    (crate::command::ApiError::InvalidValue, "nothing to set: name a setting and its value");

impl Where {
    fn request(self, port: Option<u16>) -> CollectorRequest {
        match self {
            Self::Udp(address) => {
                CollectorRequest::Udp(SocketAddr::new(address, port.unwrap_or(DEFAULT_PORT)))
            }
            Self::Tcp(host) => CollectorRequest::Tcp { host, port: port.unwrap_or(DEFAULT_PORT) },
            Self::Tls(host) => {
                let files = TlsFiles { ca: PathBuf::new(), own: None, name: None };
                CollectorRequest::Tls { host, port: port.unwrap_or(TLS_PORT), files }
            }
            Self::File(path) => CollectorRequest::File { path, rotation: Rotation::default() },
        }
    }
}

impl Del {
    fn request(self) -> CollectorRequest {
        self.place.request(self.port)
    }
}

impl Add {
    /// What is asked for; words that have no meaning there are errors.
    fn request(self) -> Result<(CollectorRequest, Limits), Error> {
        let invalid = |text: &str| Error::failed(crate::command::ApiError::InvalidValue, text);
        let is_tls = matches!(self.place, Where::Tls(_));
        let is_file = matches!(self.place, Where::File(_));
        let is_udp = matches!(self.place, Where::Udp(_));
        let says_tls = self.ca.is_some() || self.cert.is_some() || self.key.is_some();
        if !is_tls && (says_tls || self.server_name.is_some()) {
            return Err(invalid("`ca', `cert', `key' and `server-name' are for tls"));
        }
        if !is_file && (self.rotate_size.is_some() || self.rotate_interval.is_some()) {
            return Err(invalid("`rotate-size' and `rotate-interval' are for files"));
        }
        if is_file && self.port.is_some() {
            return Err(invalid("a file has no port"));
        }
        if is_udp && (self.spool.is_some() || self.queue != Limits::DEFAULT.memory) {
            return Err(invalid("`queue' and `spool' are for tcp, tls and files"));
        }
        if self.spool.is_none() && self.spool_size.is_some() {
            return Err(invalid("`spool-size' without `spool'"));
        }
        let size = self.spool_size.unwrap_or(SPOOL_SIZE);
        let spool = self.spool.map(|path| (path, size));
        let limits = Limits { memory: self.queue, spool };
        let mut request = self.place.request(self.port);
        match &mut request {
            CollectorRequest::Tls { files, .. } => {
                files.ca = self.ca.ok_or_else(|| invalid("tls needs `ca <file>'"))?;
                files.name = self.server_name;
                files.own = match (self.cert, self.key) {
                    (None, None) => None,
                    (Some(cert), Some(key)) => Some((cert, key)),
                    _ => return Err(invalid("`cert' and `key' go together")),
                };
            }
            CollectorRequest::File { rotation, .. } => {
                *rotation = Rotation { size: self.rotate_size, age: self.rotate_interval };
            }
            CollectorRequest::Udp(_) | CollectorRequest::Tcp { .. } => (),
        }
        Ok((request, limits))
    }
}
