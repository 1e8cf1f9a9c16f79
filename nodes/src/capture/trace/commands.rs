//! The command `pcap trace`.

use std::path::PathBuf;

use vnet::{
    classify::FilterUse,
    command::{ApiError, Error, NameKind, OperationError, Output, flag, keyword, value},
    counter::ErrorIndex,
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
};

use super::{Directions, Request, Shared, TraceError};

impl OperationError for TraceError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::On => ApiError::InvalidValue,
            Self::Off => ApiError::ValueExist,
            Self::Nothing => ApiError::NoSuchEntry,
            Self::BytesEach | Self::Memory { .. } => ApiError::InvalidMemorySize,
            Self::Write(_) => ApiError::SyscallError1,
        }
    }
}

vnet::args! {
    struct Trace {
        rx: bool = flag("rx").help("Ethernet frames that are received"),
        tx: bool = flag("tx").help("packets that are sent"),
        drop: bool = flag("drop").help("packets that are dropped, the reason behind their last byte"),
        off: bool = flag("off").help("end the capture and write its file"),
        status: bool = flag("status").help("how far the capture is"),
        max: u32 = keyword("max", value::positive("n")).alias("packets-to-capture").or(1000),
        interface: Option<SwIfIndex> =
            keyword("intfc", interface()).alias("interface").or(None),
        file: Option<PathBuf> = keyword("file", value::tmp_file()).optional(),
        bytes_each: u32 = keyword("max-bytes-per-pkt", value::id("bytes")).or(512),
        error: Option<String> = keyword("error", value::word("node.reason"))
            .optional()
            .help("only drops for this reason"),
        preallocate: bool = flag("preallocate-data").help("take all memory at once"),
        free: bool = flag("free-data").help("give back the memory of a capture"),
        filter: bool = flag("filter").help("only packets that a classifier filter takes"),
    }
}

fn interface() -> value::Value<Option<SwIfIndex>> {
    value::named(NameKind::INTERFACE, |index| Some(SwIfIndex(index))).or_word("any", None)
}

pub(super) fn commands(trace: &Shared) -> Vec<Command> {
    let trace = trace.clone();
    vec![
        Command::sync("pcap trace", "Capture packets to a file.", move |cx: CommandCx, args: Trace| {
            cx.with(|main| run(&trace, main, args))
        })
        .details(
            "Packets are kept in memory, and written when the capture is ended. A file name that does not begin with / \
             is one in /tmp; without one it is /tmp/rx.pcap, /tmp/rxtx.pcap and so on. An interface's packets are \
             those of its sub-interfaces, too. Of an interface with a filter of its own (`classify filter') only what \
             that takes is captured.",
        ),
    ]
}

fn run(trace: &Shared, main: &mut Main, args: Trace) -> Result<Output, Error> {
    let mut trace = trace.borrow_mut();
    let Trace { rx, tx, drop, off, status, .. } = args;
    let directions = Directions { rx, tx, drop };
    if status {
        return Ok(trace.status().into());
    }
    match (directions.any(), off) {
        (false, false) => Err(Error::NothingToDo),
        // VPP's scripts say of what again; there is one capture.
        (_, true) => {
            let (packets, path) = trace.stop(main, args.free)?;
            let path = path.display();
            Ok(format!("Write {packets} packets to {path}, and stop capture...").into())
        }
        (true, false) => {
            trace.start(main, request(main, directions, args)?)?;
            Ok(Output::None)
        }
    }
}

fn request(main: &Main, directions: Directions, args: Trace) -> Result<Request, Error> {
    if args.filter {
        check_filter(main)?;
    }
    if args.error.is_some() && !directions.drop {
        return Err(Error::Missing {
            what: "drop, for only what is dropped has a reason".to_owned(),
        });
    }
    Ok(Request {
        directions,
        max_packets: args.max,
        bytes_each: args.bytes_each,
        interface: args.interface,
        filter: args.filter,
        error: args.error.as_deref().map(|name| reason(main, name)).transpose()?,
        file: args.file,
        preallocate: args.preallocate,
        free: args.free,
    })
}

/// That there is a filter for captures.
pub(super) fn check_filter(main: &Main) -> Result<(), Error> {
    let tables = main.classifier().filter_tables(main, FilterUse::Pcap);
    if tables.is_empty() {
        return Err(Error::failed(
            ApiError::NoSuchEntry,
            "no classifier filter for packet captures is set: `classify filter pcap ...' makes one",
        ));
    }
    Ok(())
}

/// The reason `<node>.<reason>`, with underscores as in the stats segment, too.
pub(super) fn reason(main: &Main, name: &str) -> Result<ErrorIndex, Error> {
    let unknown = || Error::NoSuch { kind: "reason".to_owned(), name: name.to_owned() };
    let (node, reason) = name.rsplit_once('.').ok_or_else(unknown)?;
    let reason = reason.replace('_', "-");
    let mut rows = main.errors().rows();
    let found = rows.find(|row| row.node == node && row.reason.name == reason);
    found.map(|row| row.index).ok_or_else(unknown)
}
