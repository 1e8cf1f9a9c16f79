//! `create packet-generator interface`, `packet-generator ...` and `show packet-generator`.

use std::path::PathBuf;

use vnet::{
    command::{
        ApiError, Args, Error, OperationError, Output, choice, flag, keyword, positional, rest,
        value,
    },
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
    wire::ethernet::MacAddress,
};

use super::{
    Generator, Mode, NewInterface, Offload, PgError, SpecError, StreamSpec, show, show::interface,
};

vnet::args! {
    struct Create {
        number: u32 = positional(interface_number()),
        mac: Option<[u8; 6]> = keyword("hw-addr", value::mac()).optional(),
        mode: Mode = keyword("mode", value::words(&MODES)).or(Mode::Ethernet),
        gso: bool = flag("gso-enabled").help("packets of TCP longer than a buffer stand for several, and leave by it whole"),
        gso_size: Option<u16> = keyword("gso-size", value::number(1..=65535)).help("octets of payload of each of these").optional(),
        coalesce: bool = flag("coalesce-enabled").help("segments of TCP that leave by it are put together"),
        csum_offload: bool = flag("csum-offload-enabled").help("its packets come with checksums that are still to be made"),
    }
}

vnet::args! {
    struct OfInterface {
        interface: SwIfIndex = positional(value::interface()),
    }
}

vnet::args! {
    struct New {
        definition: String = rest("parameters"),
    }
}

vnet::args! {
    struct Which {
        name: Option<String> = positional(value::word("name")).optional(),
    }
}

vnet::args! {
    struct Delete {
        name: String = positional(value::word("name")),
    }
}

vnet::args! {
    struct Configure {
        name: String = positional(value::word("name")),
        changes: String = rest("parameters"),
    }
}

vnet::args! {
    struct Capture {
        interface: String = positional(value::word("pg<N>")),
        file: Option<PathBuf> = keyword("pcap", value::file()).optional(),
        count: Option<u64> = keyword("count", value::positive("n")).optional(),
        disable: bool = flag("disable"),
    }
}

vnet::args! {
    struct Show {
        verbose: bool = choice([("verbose", true)]).or(false),
    }
}

const MODES: [(&str, Mode); 3] =
    [("ethernet", Mode::Ethernet), ("ip4", Mode::Ip4), ("ip6", Mode::Ip6)];

/// What `packet-generator new` has behind it.
const DEFINITION: &str = "\
In braces or without. Parameters, in any order: name <s>, limit <n>, rate <pps>, size <lo>-<hi> (counts up) or <lo>+<hi> (random), \
node <node>|<interface>, interface <interface>, tx-interface <interface>, source pg<N>, worker <n>, maxframe <n>, \
buffer-size <n>, buffer-flags <flag>, seed <n>, and pcap <file> or data { ... }.
Data are headers from the outside in, then the payload:
  <TYPE>: <mac> -> <mac> [vlan <id> [priority <n>] [cfi <n>]]...
  <PROTOCOL>: <ip4> -> <ip4> [version|header-length|tos|length|checksum|ttl <n>]... [fragment id <n> offset <bytes>] [mf] [df] [ce]
  <PROTOCOL>: <ip6> -> <ip6> [version|traffic-class|flow-label|length|hop-limit <n>]...
  UDP: <port> -> <port> [length|checksum <n>]...
  TCP: <port> -> <port> [window|seqnum|acknum|checksum <n>]... [fin] [syn] [rst] [psh] [ack] [urg] [ece] [cwr]
      [opt mss|winscale <n>] [opt sackperm] [opt timestamp <n> <n>] [opt sack nvalues <blocks> <n>...]
  ICMP <name of a type or code>|type <n> code <n> [checksum <n>]
  MPLS: label <n> [exp <n>] [s <n>] [ttl <n>]
  request|reply: <mac>/<ip4> -> <mac>/<ip4>
  incrementing <bytes>
  hex 0x<digits>
Any value may be <lo>-<hi>, which counts up packet by packet, or <lo>+<hi>, which is drawn.
Without a size packets are as long as their data, of which no more than 64 bytes are used.";

fn interface_number() -> value::Value<u32> {
    value::Value::simple("pg<N>", "a name like pg0", |text| {
        // One spelling for each number: what has a sign or leading zeros is none.
        let number = text.strip_prefix("pg")?.parse().ok()?;
        (text == format!("pg{number}")).then_some(number)
    })
}

/// The commands of `generator`.
pub(super) fn commands(generator: &Generator) -> Vec<Command> {
    vec![
        command("create packet-generator interface", "Make a packet-generator interface.", generator, create)
            .details(
                "The interface is called pg<N>. It is down, and goes up when a stream of it is enabled. One that there is \
                 already stays as it is. `gso-enabled' wants `gso-size', and `coalesce-enabled' wants `gso-enabled'; with \
                 `gso-enabled' checksums are still to be made as well.",
            ),
        command("delete packet-generator interface", "Delete a packet-generator interface.", generator, delete_interface)
            .details("Its streams go with it, what waits there is sent, and a capture of it ends."),
        command("packet-generator new", "Define a stream of packets.", generator, new).details(DEFINITION),
        command("packet-generator enable-stream", "Start a stream, or all.", generator, enable)
            .details("Each stream starts from its beginning. Without a name all streams are enabled, however few there are."),
        command("packet-generator disable-stream", "Stop a stream, or all.", generator, disable)
            .details("Without a name all streams are disabled, however few there are."),
        command("packet-generator delete", "Delete a stream.", generator, delete),
        command("packet-generator configure", "Change a stream.", generator, configure)
            .details("Parameters: limit <n>, rate <pps>, size <lo>-<hi>, size <lo>+<hi>, buffer-size <n>."),
        command("packet-generator capture", "Write what an interface sends to a file.", generator, capture)
            .details(
                "The file must not exist; it appears with the first packet, and holds whole packets whenever it is read. \
                 `disable' ends a capture, if there is one, and says how many packets it holds.",
            ),
        command("show packet-generator", "Show the streams.", generator, list),
        command("show packet-generator interface", "Show a packet-generator interface.", generator, show_interface)
            .details("What its packets leave to others, and, where segments that leave by it are put together, how much of that was done."),
    ]
}

/// The command `path`, which `run` does.
fn command<A: Args>(
    path: &str,
    help: &str,
    generator: &Generator,
    run: fn(&Generator, &mut Main, A) -> Result<Output, Error>,
) -> Command {
    let generator = generator.clone();
    let handler = move |cx: CommandCx, args: A| cx.with(|main| run(&generator, main, args));
    Command::sync(path, help, handler)
}

fn create(generator: &Generator, main: &mut Main, args: Create) -> Result<Output, Error> {
    let offload = offload(&args)?;
    let (number, mode) = (args.number, args.mode);
    let new = NewInterface { number, mac: args.mac.map(MacAddress), mode, offload };
    if generator.interface(number).is_none() {
        generator.create_interface(main, new)?;
    }
    Ok(Output::None)
}

/// What packets leave to others, by the words of VPP's, which belong together.
fn offload(args: &Create) -> Result<Offload, Error> {
    let coalesce = args.coalesce;
    let refuse = |text: &str| Err(Error::failed(ApiError::InvalidValue, text.to_owned()));
    match (args.gso, args.gso_size) {
        (true, Some(size)) => Ok(Offload::Gso { size, coalesce }),
        (true, None) => refuse("gso enabled but gso size missing"),
        (false, Some(_)) => refuse("`gso-size' without `gso-enabled'"),
        (false, None) if coalesce => refuse("`coalesce-enabled' without `gso-enabled'"),
        (false, None) if args.csum_offload => Ok(Offload::Checksum),
        (false, None) => Ok(Offload::None),
    }
}

fn show_interface(
    generator: &Generator,
    main: &mut Main,
    args: OfInterface,
) -> Result<Output, Error> {
    let name = || main.interface_name(args.interface);
    let shown = generator.of_index(args.interface, |port| interface(main, port));
    Ok(shown.ok_or_else(|| PgError::NotAnInterface(name()))?.into())
}

fn delete_interface(
    generator: &Generator,
    main: &mut Main,
    args: OfInterface,
) -> Result<Output, Error> {
    generator.delete_interface(main, args.interface)?;
    Ok(Output::None)
}

fn new(generator: &Generator, main: &mut Main, args: New) -> Result<Output, Error> {
    let spec = StreamSpec::parse(&args.definition)?;
    generator.new_stream(main, spec)?;
    Ok(Output::None)
}

fn enable(generator: &Generator, main: &mut Main, args: Which) -> Result<Output, Error> {
    match generator.enable(main, args.name.as_deref()) {
        Ok(0) if args.name.is_some() => Ok(Output::from("enabled already")),
        // As in VPP, all of none is no mistake.
        Ok(_) | Err(PgError::NoStreams) => Ok(Output::None),
        Err(error) => Err(error.into()),
    }
}

fn disable(generator: &Generator, main: &mut Main, args: Which) -> Result<Output, Error> {
    match generator.disable(main, args.name.as_deref()) {
        Ok(0) if args.name.is_some() => Ok(Output::from("disabled already")),
        // As in VPP, all of none is no mistake.
        Ok(_) | Err(PgError::NoStreams) => Ok(Output::None),
        Err(error) => Err(error.into()),
    }
}

fn delete(generator: &Generator, main: &mut Main, args: Delete) -> Result<Output, Error> {
    generator.delete(main, &args.name)?;
    Ok(Output::None)
}

fn configure(generator: &Generator, main: &mut Main, args: Configure) -> Result<Output, Error> {
    if args.changes.trim().is_empty() {
        return Err(Error::NothingToDo);
    }
    generator.configure(main, &args.name, |spec| spec.configure(&args.changes))?;
    Ok(Output::None)
}

fn capture(generator: &Generator, _: &mut Main, args: Capture) -> Result<Output, Error> {
    match (args.disable, args.file) {
        // As VPP's tests do: they end whatever may be on, and repeat which file it was.
        (true, _) => match generator.stop_capture(&args.interface) {
            Ok(packets) => Ok(Output::from(format!("{packets} packets captured"))),
            Err(PgError::NotCaptured(_)) => Ok(Output::None),
            Err(error) => Err(error.into()),
        },
        (false, Some(file)) => {
            generator.capture(&args.interface, &file, args.count)?;
            Ok(Output::None)
        }
        (false, None) => Err(Error::Missing { what: "pcap <file>".to_owned() }),
    }
}

fn list(generator: &Generator, main: &mut Main, args: Show) -> Result<Output, Error> {
    // Who waits for the end of a stream by this command finds all its packets where they went.
    main.held_mut();
    let rows = generator.streams();
    if rows.is_empty() {
        return Ok(Output::from("no streams currently defined"));
    }
    Ok(show(&rows, args.verbose).into())
}

impl OperationError for SpecError {
    fn api_error(&self) -> ApiError {
        ApiError::InvalidValue
    }
}

impl OperationError for PgError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Spec(_) => ApiError::InvalidValue,
            Self::NoStreams | Self::UnknownStream(_) | Self::NotCaptured(_) => {
                ApiError::NoSuchEntry
            }
            Self::NotAnInterface(_) => ApiError::InvalidSwIfIndex,
            Self::InterfaceExists(_) => ApiError::ValueExist,
            Self::FileExists(_) | Self::CannotOpen { .. } | Self::Write(_) => {
                ApiError::CannotCreatePcapFile
            }
            Self::NoGso(_) => ApiError::CannotEnableDisableFeature,
            Self::Interface(error) => error.api_error(),
            _ => ApiError::Unspecified,
        }
    }
}
