//! The grammar of a command's arguments: what authors compose, and what help and completion read.
//!
//! A [`Field`] describes one member and knows how to make its typed value from what was matched. Keywords come in any
//! order; places without a keyword ([`positional`]) are filled in the order in which they are declared.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::error::Error;
use super::value::{AnyValue, Value};

/// The arguments of a command as a typed struct. The [`args!`](crate::args) macro writes this for a struct; `()`
/// stands for no arguments.
pub trait Args: Sized + 'static {
    /// The grammar that gives this struct.
    fn grammar() -> Grammar<Self>;
}

impl Args for () {
    fn grammar() -> Grammar<Self> {
        Members::new().build(|_| Ok(()))
    }
}

/// One member of a grammar, giving a `T`.
pub struct Field<T> {
    leaves: Vec<Leaf>,
    /// Sets of alternatives used in `leaves`.
    choices: u32,
    syntax: String,
    take: Take<T>,
}

/// Takes one value out of what the leaves of a field have captured; `None` when nothing is (left) there.
type Take<T> = Box<dyn Fn(&mut [Captures]) -> Option<Result<T, Error>> + Send + Sync>;

type Captures = VecDeque<Capture>;

/// What the matcher keeps of a token.
pub(crate) enum Capture {
    /// The n-th of the leaf's words.
    Word(usize),
    Value(Box<dyn Any>),
    Group(Scope),
}

/// What was captured for the leaves of a grammar, in their order.
pub struct Scope {
    pub(crate) captures: Vec<Captures>,
}

/// A place in a grammar that can take tokens.
pub(crate) struct Leaf {
    pub(crate) shape: Shape,
    pub(crate) many: bool,
    /// Whether later positionals have to wait for this one.
    pub(crate) required: bool,
    /// (set of alternatives, alternative): leaves that share the set and not the alternative exclude each other.
    pub(crate) excludes: Vec<(u32, u32)>,
    /// A line for help.
    pub(crate) help: &'static str,
    /// How this leaf is written in help.
    pub(crate) syntax: String,
}

pub(crate) enum Shape {
    /// Any of these words by itself. Two words of the same meaning share their number.
    Words(Vec<(&'static str, usize)>),
    /// A word and a value behind it.
    Keyword(Vec<&'static str>, Arc<dyn AnyValue>),
    /// A value by itself.
    Positional(Arc<dyn AnyValue>),
    /// A word that opens members of its own.
    Group(&'static str, Arc<Shapes>),
    /// All the rest of the line, as written.
    Rest,
}

/// The untyped side of a grammar.
pub(crate) struct Shapes {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) syntax: String,
}

/// A complete grammar, giving a `T`.
pub struct Grammar<T> {
    pub(crate) shapes: Arc<Shapes>,
    build: Build<T>,
}

type Build<T> = Arc<dyn Fn(&mut Scope) -> Result<T, Error> + Send + Sync>;

impl<T> Grammar<T> {
    /// The syntax line of all members.
    pub fn syntax(&self) -> &str {
        &self.shapes.syntax
    }

    /// Makes the typed value of what was matched.
    pub fn build(&self, scope: &mut Scope) -> Result<T, Error> {
        (self.build)(scope)
    }
}

impl<T> fmt::Debug for Grammar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").field("syntax", &self.shapes.syntax).finish_non_exhaustive()
    }
}

/// A grammar under construction.
pub struct Members {
    leaves: Vec<Leaf>,
    choices: u32,
    syntax: Vec<String>,
}

impl Members {
    /// No members yet.
    #[allow(clippy::new_without_default, reason = "a grammar is always built up, never defaulted")]
    pub fn new() -> Self {
        Self { leaves: Vec::new(), choices: 0, syntax: Vec::new() }
    }

    /// Adds a member; the slot gives its value when the struct is made.
    pub fn add<T>(&mut self, field: Field<T>) -> Slot<T> {
        let start = self.leaves.len();
        let shift = self.choices;
        self.choices += field.choices;
        self.leaves.extend(field.leaves.into_iter().map(|leaf| leaf.shifted(shift)));
        self.syntax.push(field.syntax.clone());
        Slot { leaves: start..self.leaves.len(), take: field.take, syntax: field.syntax }
    }

    /// Ends the grammar: `build` makes the typed value, member by member.
    pub fn build<T>(
        self,
        build: impl Fn(&mut Scope) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Grammar<T> {
        let shapes = Shapes { leaves: self.leaves, syntax: self.syntax.join(" ") };
        Grammar { shapes: Arc::new(shapes), build: Arc::new(build) }
    }
}

/// Where the value of a member is found in a [`Scope`].
pub struct Slot<T> {
    leaves: Range<usize>,
    take: Take<T>,
    syntax: String,
}

impl<T> Slot<T> {
    /// The member's value; an error that shows its syntax when it is mandatory and was not given.
    pub fn take(&self, scope: &mut Scope) -> Result<T, Error> {
        let captured = scope.captures.get_mut(self.leaves.clone()).unwrap_or_default();
        (self.take)(captured).unwrap_or_else(|| Err(Error::Missing { what: self.syntax.clone() }))
    }
}

/// `[word]`: whether it was given.
pub fn flag(word: &'static str) -> Field<bool> {
    let mut field = choice([(word, ())]).optional().map(|given| given.is_some());
    field.syntax = format!("[{word}]");
    field
}

/// `a|b|c`: one of these words, as the value that belongs to it. Several words may have the same value.
pub fn choice<T, const N: usize>(words: [(&'static str, T); N]) -> Field<T>
where
    T: Clone + Send + Sync + 'static,
{
    let numbered = words.iter().enumerate().map(|(i, (word, _))| (*word, i)).collect();
    let syntax = words.each_ref().map(|(word, _)| *word).join("|");
    Field::leaf(Shape::Words(numbered), syntax, move |capture| match capture {
        Capture::Word(n) => words.get(n).map(|(_, value)| Ok(value.clone())),
        Capture::Value(_) | Capture::Group(_) => None,
    })
}

/// `word <value>`.
pub fn keyword<T: 'static>(word: &'static str, value: Value<T>) -> Field<T> {
    let syntax = format!("{word} {}", AnyValue::hint(&value));
    Field::leaf(Shape::Keyword(vec![word], Arc::new(value)), syntax, downcast)
}

/// `<value>`, in its place among the other positionals.
pub fn positional<T: 'static>(value: Value<T>) -> Field<T> {
    let syntax = AnyValue::hint(&value).to_owned();
    Field::leaf(Shape::Positional(Arc::new(value)), syntax, downcast)
}

/// `word ...`: a word that opens members of its own, up to the first word that is none of them.
pub fn group<A: Args>(word: &'static str) -> Field<A> {
    let grammar = A::grammar();
    let syntax = match grammar.syntax() {
        "" => word.to_owned(),
        inner => format!("{word} {inner}"),
    };
    let shapes = Arc::clone(&grammar.shapes);
    Field::leaf(Shape::Group(word, shapes), syntax, move |capture| match capture {
        Capture::Group(mut scope) => Some(grammar.build(&mut scope)),
        Capture::Word(_) | Capture::Value(_) => None,
    })
}

/// All the rest of the line, as written. Nothing can follow it.
pub fn rest(hint: &str) -> Field<String> {
    Field::leaf(Shape::Rest, format!("<{hint}>"), downcast)
}

/// `a | b`: exactly one of several members of the same type.
pub fn one_of<T: 'static, const N: usize>(alternatives: [Field<T>; N]) -> Field<T> {
    let mut leaves = Vec::new();
    let mut takes = Vec::new();
    let mut syntax = Vec::new();
    let mut choices = 1;
    for (alternative, field) in (0..).zip(alternatives) {
        let start = leaves.len();
        for leaf in field.leaves {
            let mut leaf = leaf.shifted(choices);
            leaf.excludes.push((0, alternative));
            // Whether one of them is there shows in the end; none has to be first.
            leaf.required = false;
            leaves.push(leaf);
        }
        choices += field.choices;
        takes.push((start..leaves.len(), field.take));
        syntax.push(field.syntax);
    }
    let take = move |captured: &mut [Captures]| {
        takes.iter().find_map(|(range, take)| {
            let own = captured.get_mut(range.clone())?;
            if own.iter().all(VecDeque::is_empty) { None } else { take(own) }
        })
    };
    Field { leaves, choices, syntax: format!("({})", syntax.join(" | ")), take: Box::new(take) }
}

impl<T: 'static> Field<T> {
    fn leaf(
        shape: Shape,
        syntax: String,
        value: impl Fn(Capture) -> Option<Result<T, Error>> + Send + Sync + 'static,
    ) -> Self {
        let leaf = Leaf {
            shape,
            many: false,
            required: true,
            excludes: Vec::new(),
            help: "",
            syntax: syntax.clone(),
        };
        let take = move |captured: &mut [Captures]| value(captured.first_mut()?.pop_front()?);
        Self { leaves: vec![leaf], choices: 0, syntax, take: Box::new(take) }
    }

    /// `[...]`: may be left out.
    #[must_use]
    pub fn optional(self) -> Field<Option<T>> {
        let syntax = bracketed(&self.syntax);
        let take = self.take;
        Field {
            leaves: self.leaves.into_iter().map(|leaf| Leaf { required: false, ..leaf }).collect(),
            choices: self.choices,
            syntax,
            take: Box::new(move |captured| Some(take(captured).transpose())),
        }
    }

    /// `[...]`: may be left out, and is then `value`.
    #[must_use]
    pub fn or(self, value: T) -> Self
    where
        T: Clone + Send + Sync,
    {
        self.optional().map(move |given| given.unwrap_or_else(|| value.clone()))
    }

    /// `[...]...`: any number of times, in the order given.
    #[must_use]
    pub fn many(self) -> Field<Vec<T>> {
        let syntax = format!("{}...", bracketed(&self.syntax));
        self.repeated(syntax, false)
    }

    /// `... [...]...`: at least once, in the order given.
    #[must_use]
    pub fn at_least_once(self) -> Field<Vec<T>> {
        let syntax = format!("{} {}...", self.syntax, bracketed(&self.syntax));
        self.repeated(syntax, true)
    }

    /// Converts the value.
    #[must_use]
    pub fn map<U: 'static>(self, map: impl Fn(T) -> U + Send + Sync + 'static) -> Field<U> {
        self.try_map(move |value| Ok(map(value)))
    }

    /// Converts or refuses the value.
    #[must_use]
    pub fn try_map<U: 'static>(
        self,
        map: impl Fn(T) -> Result<U, Error> + Send + Sync + 'static,
    ) -> Field<U> {
        let Self { leaves, choices, syntax, take } = self;
        let take = move |captured: &mut [Captures]| Some(take(captured)?.and_then(&map));
        Field { leaves, choices, syntax, take: Box::new(take) }
    }

    /// Another spelling of the keyword: understood, and not shown in the syntax.
    #[must_use]
    pub fn alias(mut self, word: &'static str) -> Self {
        for leaf in &mut self.leaves {
            match &mut leaf.shape {
                Shape::Keyword(words, _) => words.push(word),
                Shape::Words(words) => {
                    let meaning = words.first().map_or(0, |(_, n)| *n);
                    words.push((word, meaning));
                }
                Shape::Positional(_) | Shape::Group(..) | Shape::Rest => {}
            }
        }
        self
    }

    /// A line about this member for long help and the reference.
    #[must_use]
    pub fn help(mut self, help: &'static str) -> Self {
        for leaf in &mut self.leaves {
            leaf.help = help;
        }
        self
    }

    fn repeated(self, syntax: String, required: bool) -> Field<Vec<T>> {
        let take = self.take;
        let leaves = self.leaves.into_iter();
        Field {
            leaves: leaves.map(|leaf| Leaf { many: true, required, ..leaf }).collect(),
            choices: self.choices,
            syntax,
            take: Box::new(move |captured| {
                let mut values = Vec::new();
                while captured.iter().any(|leaf| !leaf.is_empty()) {
                    match take(captured)? {
                        Ok(value) => values.push(value),
                        Err(error) => return Some(Err(error)),
                    }
                }
                if required && values.is_empty() { None } else { Some(Ok(values)) }
            }),
        }
    }
}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("syntax", &self.syntax).finish_non_exhaustive()
    }
}

impl Leaf {
    /// The words that choose this leaf, each with the number of its meaning.
    pub(crate) fn words(&self) -> Vec<(&'static str, usize)> {
        match &self.shape {
            Shape::Words(words) => words.clone(),
            Shape::Keyword(words, _) => words.iter().map(|word| (*word, 0)).collect(),
            Shape::Group(word, _) => vec![(*word, 0)],
            Shape::Positional(_) | Shape::Rest => Vec::new(),
        }
    }

    /// Whether the token text is exactly one of this leaf's words.
    pub(crate) fn word(&self, text: &str) -> Option<usize> {
        match &self.shape {
            Shape::Words(words) => words.iter().find(|(w, _)| *w == text).map(|(_, n)| *n),
            Shape::Keyword(words, _) => words.contains(&text).then_some(0),
            Shape::Group(word, _) => (*word == text).then_some(0),
            Shape::Positional(_) | Shape::Rest => None,
        }
    }

    fn shifted(mut self, by: u32) -> Self {
        for (choice, _) in &mut self.excludes {
            *choice += by;
        }
        self
    }
}

impl Scope {
    pub(crate) fn new(shapes: &Shapes) -> Self {
        Self { captures: shapes.leaves.iter().map(|_| VecDeque::new()).collect() }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("members", &self.captures.len()).finish_non_exhaustive()
    }
}

fn downcast<T: 'static>(capture: Capture) -> Option<Result<T, Error>> {
    match capture {
        Capture::Value(value) => value.downcast().ok().map(|value| Ok(*value)),
        Capture::Word(_) | Capture::Group(_) => None,
    }
}

/// The syntax in square brackets, which take the place of round ones and are not doubled.
fn bracketed(syntax: &str) -> String {
    let inner = syntax.strip_prefix('(').and_then(|s| s.strip_suffix(')')).unwrap_or(syntax);
    if syntax.starts_with('[') && syntax.ends_with(']') {
        syntax.to_owned()
    } else {
        format!("[{inner}]")
    }
}

/// Declares a struct of arguments together with its grammar.
///
/// Each field is `name: Type = member`, where the member is a [`Field`] of that type. See the
/// [module's guide](crate::command).
#[macro_export]
macro_rules! args {
    ($(#[$attr:meta])* $vis:vis struct $name:ident {
        $($(#[$field_attr:meta])* $field_vis:vis $field:ident : $type:ty = $member:expr),+ $(,)?
    }) => {
        $(#[$attr])*
        $vis struct $name {
            $($(#[$field_attr])* $field_vis $field: $type),+
        }

        impl $crate::command::Args for $name {
            fn grammar() -> $crate::command::Grammar<Self> {
                let mut members = $crate::command::Members::new();
                let ($($field,)+) = ($(members.add::<$type>($member),)+);
                members.build(move |scope| Ok(Self { $($field: $field.take(scope)?),+ }))
            }
        }
    };
}
