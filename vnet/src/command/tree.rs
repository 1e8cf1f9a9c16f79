//! Commands and the tree of their words.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::error::{Error, Failure};
use super::grammar::{Args, Scope, Shapes};
use super::lex::{Fault, Token, TokenKind, tokens};
use super::matcher::match_text;
use super::output::{Answer, Format, Output};
use super::resolve::Resolver;

/// A future that stays on the thread that runs commands.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A handler with its arguments, waiting for its context.
type Job<C> = Box<dyn FnOnce(C) -> LocalFuture<Result<Output, Error>>>;

type Bind<C> = Box<dyn Fn(&mut Scope) -> Result<Job<C>, Error>>;

/// A command: path, grammar, help and handler.
pub struct Command<C> {
    pub(crate) path: String,
    pub(crate) help: String,
    pub(crate) details: String,
    pub(crate) shapes: Arc<Shapes>,
    bind: Bind<C>,
}

impl<C: 'static> Command<C> {
    /// A command whose handler may wait. The handler's second parameter decides the grammar; `()` is none.
    pub fn new<A, R, H, F>(path: &str, help: &str, handler: H) -> Self
    where
        A: Args,
        R: Answer,
        H: Fn(C, A) -> F + Clone + 'static,
        F: Future<Output = R> + 'static,
    {
        let grammar = A::grammar();
        let shapes = Arc::clone(&grammar.shapes);
        let bind: Bind<C> = Box::new(move |scope| {
            let args = grammar.build(scope)?;
            let handler = handler.clone();
            Ok(Box::new(move |cx| {
                let running = handler(cx, args);
                Box::pin(async move { running.await.answer() })
            }))
        });
        Self { path: normalized(path), help: help.to_owned(), details: String::new(), shapes, bind }
    }

    /// A command whose handler answers at once.
    pub fn sync<A, R, H>(path: &str, help: &str, handler: H) -> Self
    where
        A: Args,
        R: Answer + 'static,
        H: Fn(C, A) -> R + Clone + 'static,
    {
        Self::new(path, help, move |cx, args| std::future::ready(handler(cx, args)))
    }

    /// Adds the long text that `help <path>` and the reference show.
    #[must_use]
    pub fn details(mut self, text: &str) -> Self {
        text.clone_into(&mut self.details);
        self
    }
}

impl<C> Command<C> {
    /// The command's words, separated by single blanks.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// One line on what it does.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Path and arguments: `set interface state <interface> up|down`.
    pub fn syntax(&self) -> String {
        let json = if self.has_json() { "[json]" } else { "" };
        let words = [self.path.as_str(), &self.shapes.syntax, json];
        words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether `json` as the last word asks for the JSON form: so with everything that shows.
    pub fn has_json(&self) -> bool {
        self.path.starts_with("show ")
    }
}

impl<C> fmt::Debug for Command<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a command cannot be added to a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The words are taken.
    #[error("command `{path}' is registered twice")]
    Duplicate {
        /// The words.
        path: String,
    },
    /// There are no words.
    #[error("a command without words cannot be registered")]
    NoWords,
}

/// All commands, by their words.
#[derive(Debug)]
pub struct Tree<C> {
    pub(crate) root: Node<C>,
}

#[derive(Debug)]
pub(crate) struct Node<C> {
    pub(crate) children: BTreeMap<String, Self>,
    pub(crate) command: Option<Command<C>>,
}

/// How far the words of a line lead into the tree.
pub(crate) struct Walk<'t, C> {
    pub(crate) node: &'t Node<C>,
    /// The words in full.
    pub(crate) path: Vec<&'t str>,
}

impl<C> Tree<C> {
    /// No commands.
    #[allow(clippy::new_without_default, reason = "a tree without commands is of no use as it is")]
    pub fn new() -> Self {
        Self { root: Node::new() }
    }

    /// Adds a command.
    pub fn add(&mut self, command: Command<C>) -> Result<(), TreeError> {
        if command.path.is_empty() {
            return Err(TreeError::NoWords);
        }
        let words = command.path.split(' ');
        let node = words.fold(&mut self.root, |node, word| {
            node.children.entry(word.to_owned()).or_insert_with(Node::new)
        });
        if node.command.is_some() {
            return Err(TreeError::Duplicate { path: command.path });
        }
        node.command = Some(command);
        Ok(())
    }

    /// All commands, sorted by their words.
    pub fn commands(&self) -> Vec<&Command<C>> {
        let mut commands = Vec::new();
        self.root.collect(&mut commands);
        commands
    }

    /// Parses a line: finds the command, and matches all of the rest with its grammar. Nothing has happened when this
    /// fails. `None` is a line without words.
    pub fn parse(
        &self,
        resolver: &dyn Resolver,
        line: &str,
    ) -> Result<Option<Invocation<C>>, Failure> {
        let no_path = |fault: Fault| failure(&[], None, fault);
        let mut tokens = tokens(line).map_err(no_path)?;
        let Some(last) = tokens.last() else { return Ok(None) };
        if let Some(before) = last.text.strip_suffix('?').filter(|_| last.kind == TokenKind::Word) {
            let output = self.help_at(resolver, &line[..last.start + before.len()]);
            return Ok(Some(Invocation::answered("help", output)));
        }
        let walk = self.walk(&tokens)?;
        let Some(command) = &walk.node.command else {
            let path = walk.path.join(" ");
            let fault = Fault::new(line.trim_end().len(), Error::Incomplete { path });
            return Err(failure(&[], None, fault));
        };
        let mut end = line.len();
        let mut format = Format::Text;
        if command.has_json()
            && tokens.len() > walk.path.len()
            && let Some(json) = tokens.pop_if(|t| t.kind == TokenKind::Word && t.text == "json")
        {
            format = Format::Json;
            end = json.start;
        }
        let start = tokens.get(walk.path.len()).map_or(end, |token| token.start);
        let failed = |fault| failure(&walk.path, Some(command.syntax()), fault);
        let mut scope =
            match_text(&command.shapes, resolver, &line[start..end], start).map_err(failed)?;
        let bound = (command.bind)(&mut scope);
        let job = bound.map_err(|error| failed(Fault::new(line.trim_end().len(), error)))?;
        let syntax = command.syntax();
        Ok(Some(Invocation { path: command.path.clone(), syntax, format, job }))
    }

    /// Follows the words of a line as far as they are words of commands.
    pub(crate) fn walk(&self, tokens: &[Token<'_>]) -> Result<Walk<'_, C>, Failure> {
        let mut walk = Walk { node: &self.root, path: Vec::new() };
        for token in tokens {
            match walk.node.find(token) {
                Found::Child(word, child) => {
                    walk.path.push(word);
                    walk.node = child;
                }
                _ if walk.node.command.is_some() => break,
                Found::Several(candidates) => {
                    let word = token.text.to_string();
                    let fault = Fault::new(token.start, Error::Ambiguous { word, candidates });
                    return Err(failure(&walk.path, None, fault));
                }
                Found::None => {
                    let word = token.text.to_string();
                    let fault = Fault::new(token.start, Error::UnknownInput { word });
                    return Err(failure(&walk.path, walk.node.group_syntax(&walk.path), fault));
                }
            }
        }
        Ok(walk)
    }
}

enum Found<'t, C> {
    Child(&'t str, &'t Node<C>),
    Several(Vec<String>),
    None,
}

impl<C> Node<C> {
    fn new() -> Self {
        Self { children: BTreeMap::new(), command: None }
    }

    /// The child of that name, or the only one whose name begins like that.
    fn find(&self, token: &Token<'_>) -> Found<'_, C> {
        if token.kind != TokenKind::Word {
            return Found::None;
        }
        if let Some((word, child)) = self.children.get_key_value(&*token.text) {
            return Found::Child(word, child);
        }
        let fitting = self.beginning_with(&token.text).collect::<Vec<_>>();
        match fitting.as_slice() {
            [] => Found::None,
            [(word, child)] => Found::Child(word, child),
            several => Found::Several(several.iter().map(|(word, _)| (*word).to_owned()).collect()),
        }
    }

    pub(crate) fn beginning_with<'t>(
        &'t self,
        start: &str,
    ) -> impl Iterator<Item = (&'t str, &'t Self)> {
        let all = self.children.iter().map(|(word, child)| (word.as_str(), child));
        all.filter(move |(word, _)| word.starts_with(start))
    }

    /// A syntax line for words that only lead to commands; none when it would be long.
    fn group_syntax(&self, path: &[&str]) -> Option<String> {
        const LISTED: usize = 10;
        let words = self.children.keys().map(String::as_str).collect::<Vec<_>>();
        let short = !path.is_empty() && words.len() <= LISTED;
        short.then(|| format!("{} {}", path.join(" "), words.join("|")))
    }

    pub(crate) fn collect<'t>(&'t self, commands: &mut Vec<&'t Command<C>>) {
        commands.extend(&self.command);
        for child in self.children.values() {
            child.collect(commands);
        }
    }
}

/// A parsed line: the command and its typed arguments.
pub struct Invocation<C> {
    path: String,
    syntax: String,
    format: Format,
    job: Job<C>,
}

impl<C> Invocation<C> {
    /// The command's words in full.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The form in which the output was asked for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Runs the command.
    pub async fn run(self, cx: C) -> Result<Output, Failure> {
        let Self { path, syntax, job, .. } = self;
        job(cx).await.map_err(|error| Failure { path, syntax: Some(syntax), error, at: None })
    }

    /// What is answered from the tree itself.
    fn answered(path: &str, output: Output) -> Self {
        Self {
            path: path.to_owned(),
            syntax: String::new(),
            format: Format::Text,
            job: Box::new(move |_| Box::pin(std::future::ready(Ok(output)))),
        }
    }
}

impl<C> fmt::Debug for Invocation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("path", &self.path).finish_non_exhaustive()
    }
}

fn failure(path: &[&str], syntax: Option<String>, fault: Fault) -> Failure {
    Failure { path: path.join(" "), syntax, error: fault.error, at: Some(fault.at) }
}

fn normalized(path: &str) -> String {
    path.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}
