//! What almost every plugin needs: `use vnet::prelude::*;`.
//!
//! Where two modules have the same name, a node's or a report's is meant. The [`Error`](crate::command::Error) of commands is
//! [`CommandError`] here, so that a node can have an `Error` of its own.

pub use crate::{
    buffer::Buffer,
    command::{
        Align, ApiError, Column, Error as CommandError, OperationError, Record, Table, choice,
        flag, group, keyword, positional, value,
    },
    counter::{Count, Counter},
    error::NoError,
    frame::Frame,
    graph::{
        ArcSpec, FeatureSpec, Map, NextSet, NoNext, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict,
    },
    interface::SwIfIndex,
    ipfix::export::{Output, Report, TemplateFields},
    plugin::{Command, CommandCx, Engine, Plugin, Registrar},
    process::{Cx, Events, Signal, events, reply},
    runtime::{Clock, Main, PacketTime},
    trace::{NoTrace, TraceCx, TraceRecord},
};
