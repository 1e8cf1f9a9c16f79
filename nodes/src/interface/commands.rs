//! The commands of loopback interfaces and of interfaces that route for bridge domains.

use vnet::{
    command::{ApiError, OperationError, keyword, positional, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::loopback::{LoopbackError, MAX_INSTANCE, create, create_bvi, delete, delete_bvi};

impl OperationError for LoopbackError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Interface(error) => error.api_error(),
            Self::NotLoopback(_) | Self::NotBvi(_) => ApiError::InvalidSwIfIndex,
            Self::Graph(_) | Self::NoLayer2 => ApiError::Unspecified,
        }
    }
}

vnet::args! {
    struct Create {
        mac: Option<[u8; 6]> = keyword("mac", value::mac()).optional(),
        instance: Option<u32> = keyword("instance", value::number(0..=MAX_INSTANCE)).optional(),
    }
}

vnet::args! {
    struct Delete {
        interface: SwIfIndex = keyword("intfc", value::interface()),
    }
}

vnet::args! {
    struct DeleteBvi {
        interface: SwIfIndex = positional(value::interface()),
    }
}

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::sync(
            "bvi create",
            "Make an interface that routes for a bridge domain.",
            |cx: CommandCx, args: Create| {
                let made = cx.with(|main| create_bvi(main, args.mac, args.instance));
                made.map(|made| format!("{}\n", cx.interface_name(made)))
            },
        ),
        Command::sync(
            "bvi delete",
            "Delete an interface made by `bvi create'.",
            |cx: CommandCx, args: DeleteBvi| cx.with(|main| delete_bvi(main, args.interface)),
        ),
        Command::sync(
            "create loopback interface",
            "Make a loopback interface.",
            |cx: CommandCx, args: Create| {
                let made = cx.with(|main| create(main, args.mac, args.instance));
                made.map(|made| format!("{}\n", cx.interface_name(made)))
            },
        ),
        Command::sync(
            "delete loopback interface",
            "Delete a loopback interface.",
            |cx: CommandCx, args: Delete| cx.with(|main| delete(main, args.interface)),
        ),
    ]
}
