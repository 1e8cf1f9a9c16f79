//! The commands of layer 2.

mod domain;
mod fib;
mod interface;
mod show;

use super::{BdId, L2};
use crate::{
    command::{Answer, Args, value},
    plugin::{Command, CommandCx},
    runtime::Main,
};

/// All of them.
pub(super) fn commands(l2: &L2) -> Vec<Command> {
    let mut all = domain::commands(l2);
    all.extend(fib::commands(l2));
    all.extend(interface::commands(l2));
    all.extend(show::commands(l2));
    all
}

/// The number of a bridge domain.
fn bd_id() -> value::Value<BdId> {
    value::number(1..=BdId::MAX).hint("bridge-domain-id").map(BdId)
}

/// A command that does `f` to the engine.
fn command<A: Args, R: Answer + 'static>(
    l2: &L2,
    path: &str,
    help: &str,
    f: impl Fn(&L2, &mut Main, A) -> R + Clone + 'static,
) -> Command {
    let l2 = l2.clone();
    Command::sync(path, help, move |cx: CommandCx, args: A| cx.with(|main| f(&l2, main, args)))
}
