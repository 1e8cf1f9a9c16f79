//! The end of an engine: nothing that it holds is lost.

use core::time::Duration;

use vnet::{
    command::{self, Terminal},
    log::Level,
};

use crate::{args::Failure, plugins::Assembled};

/// What is run before an engine ends, where it has these commands.
const COMMANDS: &[&str] = &["ipfix flush"];
/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rounds in which packets that are on their way find their end. An input that never ends does not hold it up.
const ROUNDS: usize = 1000;

/// Lets the packets that are on their way find their end, or some of those that an input keeps bringing.
pub(crate) fn settle(assembled: &Assembled) {
    let mut rounds = 0..ROUNDS;
    while rounds.next().is_some() && assembled.engine.poll() {}
}

/// Has the records of all flows made and sent, and files written.
///
/// # Errors
/// What could not be written.
pub(crate) fn flush(assembled: &Assembled) -> Result<(), Failure> {
    let engine = &assembled.engine;
    settle(assembled);
    let all = engine.commands().commands();
    let present = COMMANDS.iter().filter(|path| all.iter().any(|command| command.path() == **path));
    for path in present {
        let session = engine.session(Terminal { pager: false, ansi: false, history: false });
        let (cx, run) = (engine.cx(), command::execute(session, path.as_bytes()));
        let reply = engine.run_until(async move { cx.timeout(PATIENCE, run).await });
        if let Some(Ok(reply)) = reply.filter(|reply| !reply.as_ref().is_ok_and(|r| r.ok)) {
            let text = reply.text.trim_end().to_owned();
            engine.with(|main| {
                let class = main.log().class("shutdown", "");
                main.log().write(class, Level::Notice, text);
            });
        }
    }
    settle(assembled);
    let errors: Vec<_> = engine.stop().iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(Failure::Failed(errors.join("; "))) }
}
