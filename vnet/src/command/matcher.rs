//! Matches the tokens of a line with a grammar, one after the other.
//!
//! A word is tried, in this order, as a keyword in full, as a value in its place, and as the unique beginning of a
//! keyword; within each step the innermost open group comes first. Matching a member of an outer group closes the
//! groups inside it. The same machine says what could come next, for completion.

use super::error::Error;
use super::grammar::{Args, Capture, Leaf, Scope, Shape, Shapes};
use super::lex::{Fault, Lexer, Token, TokenKind};
use super::resolve::Resolver;
use super::value::{AnyValue, Offers};

/// The state of a match.
pub(crate) struct Matcher<'g> {
    root: Level<'g>,
    /// Groups that are open, the innermost last.
    inner: Vec<Level<'g>>,
    /// The keyword whose value comes next.
    pending: Option<Pending<'g>>,
    resolver: &'g dyn Resolver,
}

struct Level<'g> {
    shapes: &'g Shapes,
    scope: Scope,
    /// The leaf of the next outer level that this group is.
    leaf: usize,
    /// The leaf whose group is open.
    open: Option<usize>,
}

struct Pending<'g> {
    leaf: usize,
    word: String,
    value: &'g dyn AnyValue,
}

/// What may come next.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Keywords, each with its line of help.
    pub(crate) words: Vec<(&'static str, &'static str)>,
    /// Values, each with its hint.
    pub(crate) values: Vec<(String, Offers)>,
}

enum Step {
    Next,
    /// The leaf takes the rest of the line, this token included.
    Rest {
        depth: usize,
        leaf: usize,
    },
}

/// Matches `text`, tokens of which start at `base` in the line that the user sees.
pub(crate) fn match_text(
    shapes: &Shapes,
    resolver: &dyn Resolver,
    text: &str,
    base: usize,
) -> Result<Scope, Fault> {
    let mut matcher = Matcher::new(shapes, resolver);
    matcher.feed_text(text, base, 0)?;
    matcher.finish().map_err(|error| Fault::new(base + text.len(), error))
}

/// Reads a text that is nothing but arguments.
pub(crate) fn match_arguments<A: Args>(text: &str, resolver: &dyn Resolver) -> Result<A, Error> {
    let grammar = A::grammar();
    let mut scope = match_text(&grammar.shapes, resolver, text, 0).map_err(|fault| fault.error)?;
    grammar.build(&mut scope)
}

impl<'g> Matcher<'g> {
    pub(crate) fn new(shapes: &'g Shapes, resolver: &'g dyn Resolver) -> Self {
        let root = Level::new(shapes, 0);
        Self { root, inner: Vec::new(), pending: None, resolver }
    }

    /// Ends the match: everything that was opened is closed.
    pub(crate) fn finish(mut self) -> Result<Scope, Error> {
        if let Some(pending) = self.pending {
            let expected = pending.value.hint().to_owned();
            return Err(Error::MissingValue { keyword: pending.word, expected });
        }
        self.close_down_to(0);
        Ok(self.root.scope)
    }

    /// Matches all tokens of `text`; levels below `floor` take no part.
    fn feed_text(&mut self, text: &str, base: usize, floor: usize) -> Result<(), Fault> {
        let mut lexer = Lexer::new(text, base);
        while let Some(token) = lexer.next_token()? {
            match self.feed(&token, floor)? {
                Step::Next => {}
                Step::Rest { depth, leaf } => {
                    let rest = text[token.start - base..].trim_end().to_owned();
                    self.close_down_to(depth);
                    self.capture(depth, leaf, Capture::Value(Box::new(rest)));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Matches one token of a line that is being completed. `false` when the rest of the line is free text.
    pub(crate) fn feed_one(&mut self, token: &Token<'_>) -> Result<bool, Fault> {
        self.feed(token, 0).map(|step| matches!(step, Step::Next))
    }

    /// Whether a block that opens here is a raw value.
    pub(crate) fn expects_raw_block(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.value.takes_block())
    }

    /// Whether a value comes next, and nothing else.
    pub(crate) fn expects_value(&self) -> bool {
        self.pending.is_some()
    }

    fn feed(&mut self, token: &Token<'_>, floor: usize) -> Result<Step, Fault> {
        let fault = |error| Fault::new(token.start, error);
        if let Some(pending) = self.pending.take() {
            let value = pending.value.parse_any(token, self.resolver).map_err(fault)?;
            self.capture(self.inner.len(), pending.leaf, Capture::Value(value));
            return Ok(Step::Next);
        }
        if token.kind == TokenKind::Block && !self.block_positional(floor) {
            // Braces that no value asked for only group: `plugin NAME { disable }`.
            let level = self.inner.len();
            self.feed_text(&token.text, token.start + 1, level)?;
            if let Some(pending) = &self.pending {
                let expected = pending.value.hint().to_owned();
                let keyword = pending.word.clone();
                return Err(Fault::new(token.end, Error::MissingValue { keyword, expected }));
            }
            self.close_down_to(level);
            return Ok(Step::Next);
        }
        self.feed_word(token, floor).map_err(fault)
    }

    fn feed_word(&mut self, token: &Token<'_>, floor: usize) -> Result<Step, Error> {
        let bare = token.kind == TokenKind::Word;
        let mut complaint = None;
        if bare {
            match self.exact(&token.text, floor) {
                Ok(Some((depth, leaf, meaning))) => {
                    self.take_word(depth, leaf, meaning, &token.text);
                    return Ok(Step::Next);
                }
                Ok(None) => {}
                Err(error) => complaint = Some(error),
            }
        }
        match self.positional(token, floor) {
            Ok(Some(step)) => return Ok(step),
            Ok(None) => {}
            Err(error) => complaint = complaint.or(Some(error)),
        }
        if bare && let Some((depth, leaf, meaning)) = self.prefix(&token.text, floor)? {
            self.take_word(depth, leaf, meaning, &token.text);
            return Ok(Step::Next);
        }
        Err(complaint.unwrap_or_else(|| Error::UnknownInput { word: token.text.to_string() }))
    }

    /// The leaf that has this very word and may still take it.
    fn exact(&self, text: &str, floor: usize) -> Result<Option<(usize, usize, usize)>, Error> {
        let mut complaint = None;
        for depth in self.depths(floor) {
            let level = self.level(depth);
            for (index, leaf) in level.shapes.leaves.iter().enumerate() {
                let Some(meaning) = leaf.word(text) else { continue };
                match level.obstacle(index) {
                    None => return Ok(Some((depth, index, meaning))),
                    Some(Obstacle::Taken) => {
                        complaint.get_or_insert(Error::Repeated { word: text.to_owned() });
                    }
                    Some(Obstacle::Excluded) => {
                        complaint.get_or_insert(Error::Conflict { word: text.to_owned() });
                    }
                }
            }
        }
        complaint.map_or(Ok(None), Err)
    }

    /// The leaf of the innermost level that has one with a word that begins like this.
    fn prefix(&self, text: &str, floor: usize) -> Result<Option<(usize, usize, usize)>, Error> {
        for depth in self.depths(floor) {
            let level = self.level(depth);
            let mut found: Vec<(usize, usize, &'static str)> = Vec::new();
            for (index, leaf) in level.available() {
                let fitting = leaf.words().into_iter().filter(|(word, _)| word.starts_with(text));
                for (word, meaning) in fitting {
                    if !found.iter().any(|f| (f.0, f.1) == (index, meaning)) {
                        found.push((index, meaning, word));
                    }
                }
            }
            match found.as_slice() {
                [] => {}
                [(leaf, meaning, _)] => return Ok(Some((depth, *leaf, *meaning))),
                several => {
                    let mut candidates: Vec<_> = several.iter().map(|f| f.2.to_owned()).collect();
                    candidates.sort();
                    return Err(Error::Ambiguous { word: text.to_owned(), candidates });
                }
            }
        }
        Ok(None)
    }

    /// Takes the token as a value in its place. `Ok(None)` when no place is free.
    fn positional(&mut self, token: &Token<'_>, floor: usize) -> Result<Option<Step>, Error> {
        let mut complaint = None;
        for depth in self.depths(floor) {
            for (index, leaf) in self.level(depth).open_positionals() {
                let Shape::Positional(value) = &leaf.shape else {
                    return Ok(Some(Step::Rest { depth, leaf: index }));
                };
                match value.parse_any(token, self.resolver) {
                    Ok(value) => {
                        self.close_down_to(depth);
                        self.capture(depth, index, Capture::Value(value));
                        return Ok(Some(Step::Next));
                    }
                    Err(error) => complaint = complaint.or(Some(error)),
                }
            }
        }
        complaint.map_or(Ok(None), Err)
    }

    fn take_word(&mut self, depth: usize, index: usize, meaning: usize, word: &str) {
        self.close_down_to(depth);
        let shapes = self.level(depth).shapes;
        match &shapes.leaves[index].shape {
            Shape::Keyword(_, value) => {
                let value = &**value;
                self.pending = Some(Pending { leaf: index, word: word.to_owned(), value });
            }
            Shape::Group(_, shapes) => {
                self.level_mut(depth).open = Some(index);
                self.inner.push(Level::new(shapes, index));
            }
            Shape::Words(_) | Shape::Positional(_) | Shape::Rest => {
                self.capture(depth, index, Capture::Word(meaning));
            }
        }
    }

    fn block_positional(&self, floor: usize) -> bool {
        self.depths(floor).any(|depth| {
            self.level(depth).open_positionals().iter().any(|(_, leaf)| match &leaf.shape {
                Shape::Positional(value) => value.takes_block(),
                Shape::Rest => true,
                _ => false,
            })
        })
    }

    fn capture(&mut self, depth: usize, index: usize, capture: Capture) {
        self.level_mut(depth).scope.captures[index].push_back(capture);
    }

    fn close_down_to(&mut self, depth: usize) {
        while self.inner.len() > depth {
            let Some(closed) = self.inner.pop() else { return };
            let outer = self.inner.len();
            self.level_mut(outer).open = None;
            self.capture(outer, closed.leaf, Capture::Group(closed.scope));
        }
    }

    /// Depths from the innermost outwards.
    fn depths(&self, floor: usize) -> impl Iterator<Item = usize> + use<> {
        (floor..=self.inner.len()).rev()
    }

    fn level(&self, depth: usize) -> &Level<'g> {
        depth.checked_sub(1).map_or(&self.root, |inner| &self.inner[inner])
    }

    fn level_mut(&mut self, depth: usize) -> &mut Level<'g> {
        match depth.checked_sub(1) {
            None => &mut self.root,
            Some(inner) => &mut self.inner[inner],
        }
    }

    /// What may come next.
    pub(crate) fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        if let Some(pending) = &self.pending {
            expected.values.push((pending.value.hint().to_owned(), pending.value.offers().clone()));
            return expected;
        }
        for depth in self.depths(0) {
            let level = self.level(depth);
            for (_, leaf) in level.available() {
                expected.words.extend(leaf.words().into_iter().map(|(word, _)| (word, leaf.help)));
            }
            let places = level.open_positionals();
            for (_, leaf) in &places {
                if let Shape::Positional(value) = &leaf.shape {
                    expected.values.push((value.hint().to_owned(), value.offers().clone()));
                }
            }
            if places.iter().any(|(index, leaf)| leaf.required && level.is_free(*index)) {
                // A group that still misses a value cannot be left.
                break;
            }
        }
        expected
    }
}

enum Obstacle {
    Taken,
    Excluded,
}

impl<'g> Level<'g> {
    fn new(shapes: &'g Shapes, leaf: usize) -> Self {
        Self { shapes, scope: Scope::new(shapes), leaf, open: None }
    }

    fn is_free(&self, index: usize) -> bool {
        self.scope.captures[index].is_empty() && self.open != Some(index)
    }

    /// Why a leaf can take nothing (more).
    fn obstacle(&self, index: usize) -> Option<Obstacle> {
        let leaf = &self.shapes.leaves[index];
        if !leaf.many && !self.is_free(index) {
            return Some(Obstacle::Taken);
        }
        let excludes = |other: &Leaf| {
            leaf.excludes.iter().any(|(choice, alternative)| {
                other.excludes.iter().any(|(c, a)| c == choice && a != alternative)
            })
        };
        let mut others = self.shapes.leaves.iter().enumerate();
        let excluded = others.any(|(other, leaf)| !self.is_free(other) && excludes(leaf));
        excluded.then_some(Obstacle::Excluded)
    }

    fn available(&self) -> impl Iterator<Item = (usize, &'g Leaf)> {
        let leaves = self.shapes.leaves.iter().enumerate();
        leaves.filter(|(index, _)| self.obstacle(*index).is_none())
    }

    /// The places that the next value could fill: none behind one that has to be filled first.
    fn open_positionals(&self) -> Vec<(usize, &'g Leaf)> {
        let mut open = Vec::new();
        for (index, leaf) in self.available() {
            if !matches!(leaf.shape, Shape::Positional(_) | Shape::Rest) {
                continue;
            }
            open.push((index, leaf));
            if leaf.required && self.is_free(index) {
                break;
            }
        }
        open
    }
}
