//! `set interface span`, `show interface span`.

use vnet::{
    command::{
        Align, Cell, Column, Error, Output, Table, choice, flag, keyword, positional, value,
    },
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::{Direction, Span};

vnet::args! {
    struct Set {
        source: SwIfIndex = positional(value::interface()),
        disable: bool = flag("disable"),
        direction: Option<Direction> = choice([
            ("both", Direction::Both),
            ("rx", Direction::Rx),
            ("tx", Direction::Tx),
        ]).optional(),
        destination: Option<SwIfIndex> = keyword("destination", value::interface()).optional(),
    }
}

/// Both of them.
pub(super) fn commands(span: &Span) -> [Command; 2] {
    let of = span.clone();
    let set = move |cx: CommandCx, args: Set| -> Result<(), Error> {
        cx.with(|main| match (args.disable, args.direction, args.destination) {
            (true, None, destination) => Ok(of.stop(main, args.source, destination)?),
            (true, Some(_), _) => Err(Error::Conflict { word: "disable".to_owned() }),
            (false, _, None) => Err(Error::Missing { what: "destination <interface>".to_owned() }),
            (false, direction, Some(destination)) => {
                let direction = direction.unwrap_or(Direction::Both);
                Ok(of.mirror(main, args.source, destination, direction)?)
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
            let rows = of.list(main).into_iter().map(|(source, target, direction)| {
                let word = match direction {
                    Direction::Rx => "rx",
                    Direction::Tx => "tx",
                    Direction::Both => "both",
                };
                [
                    main.interface_name(source).into(),
                    main.interface_name(target).into(),
                    Cell::shown(format!("({word:>6})"), word),
                    Cell::shown("(  none)", "none"),
                ]
            });
            Table::new(columns).rows(rows).into()
        })
    };
    [
        Command::sync("set interface span", "Mirror the packets of an interface to another one, or do not.", set)
            .details(
                "`rx': what it receives, before anything else is done to it; `tx': what it sends. An interface can be mirrored \
                 to several; `disable' without a destination ends it for all of them.",
            ),
        Command::sync("show interface span", "Show which interfaces are mirrored where.", show),
    ]
}
