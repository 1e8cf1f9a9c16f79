//! `set interface span`, `show interface span`.

use vnet::{
    command::{
        Align, Cell, Column, Error, Output, Table, choice, flag, keyword, positional, value,
    },
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::{Direction, Layer, Span};

vnet::args! {
    struct Set {
        source: SwIfIndex = positional(value::interface()),
        disable: bool = flag("disable"),
        direction: Option<Direction> = choice([
            ("both", Direction::Both),
            ("rx", Direction::Rx),
            ("tx", Direction::Tx),
        ]).optional(),
        l2: bool = flag("l2").help("only frames that it bridges or cross-connects"),
        destination: Option<SwIfIndex> = keyword("destination", value::interface()).optional(),
    }
}

fn state(of: Option<Direction>) -> Cell {
    let word = match of {
        Some(Direction::Rx) => "rx",
        Some(Direction::Tx) => "tx",
        Some(Direction::Both) => "both",
        None => "none",
    };
    Cell::shown(format!("({word:>6})"), word)
}

/// Both of them.
pub(super) fn commands(span: &Span) -> [Command; 2] {
    let of = span.clone();
    let set = move |cx: CommandCx, args: Set| -> Result<(), Error> {
        let layer = if args.l2 { Layer::Layer2 } else { Layer::Device };
        cx.with(|main| match (args.disable, args.direction, args.destination) {
            (true, None, destination) => Ok(of.stop(main, args.source, destination, layer)?),
            (true, Some(_), _) => Err(Error::Conflict { word: "disable".to_owned() }),
            (false, _, None) => Err(Error::Missing { what: "destination <interface>".to_owned() }),
            (false, direction, Some(destination)) => {
                let direction = direction.unwrap_or(Direction::Both);
                Ok(of.mirror(main, (args.source, destination), layer, direction)?)
            }
        })
    };
    let of = span.clone();
    let show = move |cx: CommandCx, (): ()| -> Output {
        cx.with(|main| {
            let columns = [
                Column::new("Source", 32, Align::Left),
                Column::new("Destination", 32, Align::Left).gap(1),
                Column::new("Device", 8, Align::Center).gap(2),
                Column::new("L2", 8, Align::Center).gap(2),
            ];
            let rows = of.list(main).into_iter().map(|pair| {
                [
                    main.interface_name(pair.source).into(),
                    main.interface_name(pair.destination).into(),
                    state(pair.device),
                    state(pair.layer2),
                ]
            });
            Table::new(columns).rows(rows).into()
        })
    };
    [
        Command::sync("set interface span", "Mirror the packets of an interface to another one, or do not.", set)
            .details(
                "`rx': what it receives, before anything else is done to it; `tx': what it sends. `l2': only frames that it bridges, \
                 also if it is a sub-interface; copies have the tags of the interface that they leave by. An interface can be \
                 mirrored to several; `disable' without a destination ends it for all of them.",
            ),
        Command::sync("show interface span", "Show which interfaces are mirrored where.", show),
    ]
}
