//! Command lines and scripts, which share a lexer and a tree.

use vnet::{
    command::{Candidate, Format, Resolver, Terminal, Tree, is_unfinished, lex, statements},
    plugin::{CommandCx, Engine},
    runtime::{Clock, PacketTime},
};

/// Paths of commands that are run, by their beginnings: they show something, or change what starts anew with a session.
/// All others are parsed only, as they open files, wait, or leave something behind.
const HARMLESS: [&str; 7] =
    ["clear ", "comment", "echo", "help", "history", "set terminal ", "show "];

/// It shows something in a file, if asked to.
const DRAWS: &str = "show vlib graphviz";

/// Positions of a line at which completions are asked for.
const POSITIONS: usize = 24;

/// Any bytes are commands or an error that says what and where, errors do nothing, completions fit where they are offered,
/// and whatever shows something does so as text and as sound JSON.
pub fn commands(data: &[u8]) {
    LAB.with(|lab| {
        let terminal = Terminal { pager: true, ansi: false, history: true };
        let session = lab.session(terminal);
        let Ok(text) = lex::decode(data) else {
            let reply = lab.execute(&session, data);
            return assert!(!reply.ok && reply.text.contains("is not text"), "{reply:?}");
        };
        check_tokens(text);
        let _either_way = is_unfinished(text);
        let mut last = 0;
        for statement in statements(text) {
            let Ok(statement) = statement else { break };
            assert!(statement.line > last && !statement.text.trim().is_empty());
            last = statement.line;
            line(lab, &session, statement.text);
        }
        let tree = lab.commands();
        for at in 0..=text.len().min(POSITIONS) {
            completions(tree, &session, text, at);
        }
        completions(tree, &session, text, text.len());
    });
}

/// Tokens come in order, do not overlap, and lie at characters of the text.
fn check_tokens(text: &str) {
    match lex::tokens(text) {
        Ok(tokens) => {
            let mut end = 0;
            for token in tokens {
                assert!(token.start >= end && token.end > token.start, "{token:?}");
                end = token.end;
                let raw = text.get(token.start..token.end);
                assert!(raw.is_some_and(|raw| token.text.len() <= raw.len()), "{token:?}");
            }
        }
        Err(fault) => assert!(text.is_char_boundary(fault.at), "{fault:?}"),
    }
}

fn line(lab: &Engine, session: &CommandCx, line: &str) {
    let invocation = match lab.commands().parse(session, line) {
        Ok(None) => return,
        Ok(Some(invocation)) => invocation,
        Err(failure) => {
            assert!(failure.at.is_some_and(|at| at <= line.len()), "{failure:?} in {line:?}");
            assert!(!failure.to_string().is_empty());
            let reply = lab.execute(session, line.as_bytes());
            return assert!(!reply.ok && reply.text.ends_with('\n'), "{reply:?}");
        }
    };
    let path = invocation.path();
    let is_known = lab.commands().commands().iter().any(|command| command.path() == path);
    assert!(is_known, "{path}");
    let is_harmless = HARMLESS.iter().any(|harmless| path.starts_with(harmless));
    if !is_harmless || path == DRAWS {
        return;
    }
    let format = invocation.format();
    let reply = lab.execute(session, line.as_bytes());
    if reply.ok && format == Format::Json {
        let sound = serde_json::from_str::<serde_json::Value>(&reply.text);
        assert!(sound.is_ok(), "{line:?} gives {:?}", reply.text);
    }
}

/// What is offered at a position is in order, begins with what stands there, and is still offered once it does.
fn completions(tree: &Tree<CommandCx>, resolver: &dyn Resolver, text: &str, at: usize) {
    let offered = tree.complete(resolver, text, at);
    assert!(offered.start <= at && text.is_char_boundary(offered.start));
    assert!(offered.candidates.is_sorted());
    // One stands for all; trying each would take most of the time.
    let Some(Candidate { text: word, .. }) = offered.candidates.first() else { return };
    let typed = (0..=at).rev().find_map(|at| text.get(offered.start..at)).unwrap_or_default();
    assert!(word.starts_with(typed), "{word} for {typed} in {text:?}");
    let completed = format!("{}{word}", &text[..offered.start]);
    let again = tree.complete(resolver, &completed, completed.len());
    assert!(again.candidates.iter().any(|c| c.text == *word), "{word} in {completed:?}");
}

thread_local! {
    static LAB: Engine = Engine::builder()
        .clock(Clock::virtual_at(PacketTime(0)))
        .buffers(64)
        .plugin(nodes::plugin())
        .build()
        .expect("the plugins fit together");
}
