//! What can stand at a position of a line: for the Tab key, for `?`, and for clients at the other end of a socket.

use super::error::Error;
use super::lex::{Lexer, Token, TokenKind};
use super::matcher::{Expected, Matcher};
use super::resolve::Resolver;
use super::tree::{Command, Node, Tree};

/// What fits at a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// Byte offset in the line where the word that is completed starts.
    pub start: usize,
    /// Words that can stand there, sorted.
    pub candidates: Vec<Candidate>,
    /// Values without a list of words: `<port>`.
    pub hints: Vec<String>,
}

/// One word that fits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// A line about it; may be empty.
    pub help: String,
}

/// What leads up to the position.
pub(crate) struct Context<'t, C> {
    pub(crate) node: &'t Node<C>,
    /// Whether arguments were given already.
    pub(crate) in_args: bool,
    expected: Expected,
    partial: String,
    start: usize,
}

impl<C> Tree<C> {
    /// What fits at byte `at` of `line`; what stands behind it is not looked at.
    pub fn complete(&self, resolver: &dyn Resolver, line: &str, at: usize) -> Completions {
        let text = before(line, at);
        self.context(resolver, text).map_or_else(
            || Completions { start: text.len(), ..Completions::default() },
            |context| context.completions(resolver),
        )
    }

    pub(crate) fn context(&self, resolver: &dyn Resolver, text: &str) -> Option<Context<'_, C>> {
        let Pieces { mut tokens, blocks } = pieces(text)?;
        let ends_here =
            |token: &mut Token<'_>| token.kind == TokenKind::Word && token.end == text.len();
        let (partial, start) = match tokens.pop_if(ends_here) {
            Some(token) => (token.text.into_owned(), token.start),
            None => (String::new(), text.len()),
        };
        let walk = self.walk(&tokens).ok()?;
        let rest = &tokens[walk.path.len()..];
        let expected = match &walk.node.command {
            Some(command) => expected(command, resolver, rest, &blocks)?,
            None if rest.is_empty() && blocks.is_empty() => Expected::default(),
            None => return None,
        };
        let in_args = !rest.is_empty() || !blocks.is_empty();
        Some(Context { node: walk.node, in_args, expected, partial, start })
    }
}

impl<C> Context<'_, C> {
    pub(crate) fn completions(&self, resolver: &dyn Resolver) -> Completions {
        let mut candidates = Vec::new();
        let mut add = |text: &str, help: &str| {
            if text.starts_with(&self.partial) {
                candidates.push(Candidate { text: text.to_owned(), help: help.to_owned() });
            }
        };
        if !self.in_args {
            self.node.children.iter().for_each(|(word, child)| add(word, &child.summary()));
        }
        self.expected.words.iter().for_each(|(word, help)| add(word, help));
        let mut hints = Vec::new();
        for (hint, offers) in &self.expected.values {
            offers.words.iter().for_each(|word| add(word, ""));
            if let Some(kind) = offers.names {
                resolver.candidates(kind).iter().for_each(|name| add(name, kind.0));
            }
            hints.push(hint.clone());
        }
        candidates.sort();
        candidates.dedup_by(|a, b| a.text == b.text);
        Completions { start: self.start, candidates, hints }
    }
}

impl<C> Node<C> {
    /// A line about the word that leads here.
    fn summary(&self) -> String {
        if let Some(command) = &self.command {
            return command.help.clone();
        }
        let mut below = Vec::new();
        self.collect(&mut below);
        match below.as_slice() {
            [only] => only.help.clone(),
            several => format!("{} commands", several.len()),
        }
    }
}

fn expected<C>(
    command: &Command<C>,
    resolver: &dyn Resolver,
    args: &[Token<'_>],
    blocks: &[usize],
) -> Option<Expected> {
    let mut matcher = Matcher::new(&command.shapes, resolver);
    let mut blocks = blocks.iter().copied().peekable();
    for token in args {
        while blocks.next_if(|open| *open < token.start).is_some() {
            if matcher.expects_raw_block() {
                return None;
            }
        }
        if !matcher.feed_one(token).ok()? {
            return None;
        }
    }
    if blocks.next().is_some() && matcher.expects_raw_block() {
        return None;
    }
    let mut expected = matcher.expected();
    if command.has_json() && !matcher.expects_value() {
        expected.words.push(("json", "print as JSON"));
    }
    Some(expected)
}

/// The tokens before a position, inside of blocks that are still open too.
struct Pieces<'a> {
    tokens: Vec<Token<'a>>,
    /// Where the open blocks start.
    blocks: Vec<usize>,
}

/// `None` inside of a quoted word, where nothing can be offered.
fn pieces(text: &str) -> Option<Pieces<'_>> {
    let mut pieces = Pieces { tokens: Vec::new(), blocks: Vec::new() };
    let mut base = 0;
    let mut lexer = Lexer::new(text, base);
    loop {
        match lexer.next_token() {
            Ok(Some(token)) => pieces.tokens.push(token),
            Ok(None) => return Some(pieces),
            Err(fault) if fault.error == Error::UnclosedBrace => {
                let open = base + lexer.position();
                pieces.blocks.push(open);
                base = open + 1;
                lexer = Lexer::new(&text[base..], base);
            }
            Err(_) => return None,
        }
    }
}

/// The text before a byte offset, or before the character that it splits.
fn before(line: &str, at: usize) -> &str {
    let mut at = at.min(line.len());
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    &line[..at]
}
