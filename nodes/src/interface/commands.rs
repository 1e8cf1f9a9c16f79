//! The commands of loopback interfaces.

use vnet::{
    command::{ApiError, OperationError, keyword, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::loopback::{LoopbackError, create, delete};

impl OperationError for LoopbackError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Interface(error) => error.api_error(),
            Self::NotLoopback(_) => ApiError::InvalidSwIfIndex,
            Self::Graph(_) => ApiError::Unspecified,
        }
    }
}

vnet::args! {
    struct Create {
        mac: Option<[u8; 6]> = keyword("mac", value::mac()).optional(),
        instance: Option<u32> = keyword("instance", value::number(0..=16383)).optional(),
    }
}

vnet::args! {
    struct Delete {
        interface: SwIfIndex = keyword("intfc", value::interface()),
    }
}

pub(super) fn commands() -> Vec<Command> {
    vec![
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
