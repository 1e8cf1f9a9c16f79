//! Typed values: what may stand behind a keyword or in a place of its own.
//!
//! A [`Value`] knows how to parse one token, what to call itself in a syntax line, and what completion may offer. The
//! parsers for bare text, for owners of an inner grammar such as the packet generator's `data { ... }`, are in
//! [`lexeme`].

mod address;
pub mod lexeme;
mod name;
mod number;
mod text;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

pub use self::address::{IpWithLength, ip, ip_with_length, ip4, ip6, mac, prefix};
pub use self::lexeme::Span;
pub use self::name::{interface, named};
pub use self::number::{
    Unsigned, float, hex, id, number, number_list, number_span, port, positive, rate, seconds,
    seconds_in, size,
};
pub use self::text::{Block, block, file, on_off, tmp_file, token, word, words};
use super::error::Error;
use super::lex::{Token, TokenKind};
use super::resolve::{NameKind, Resolver};

/// A parser of one token into a `T`.
pub struct Value<T> {
    hint: String,
    offers: Offers,
    takes_block: bool,
    parse: Parse<T>,
}

type Parse<T> = Arc<dyn Fn(&Token<'_>, &dyn Resolver) -> Result<T, Error> + Send + Sync>;

/// What completion can offer for a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Words that are always possible.
    pub words: Vec<&'static str>,
    /// A family of names that the resolver lists.
    pub names: Option<NameKind>,
}

impl<T: 'static> Value<T> {
    /// A value parsed by `parse` from the token's text. `hint` names it in syntax lines, without brackets.
    pub fn new(
        hint: &str,
        parse: impl Fn(&str, &dyn Resolver) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Self {
        let expected = format!("<{hint}>");
        Self {
            hint: expected.clone(),
            offers: Offers::default(),
            takes_block: false,
            parse: Arc::new(move |token, resolver| match token.kind {
                TokenKind::Block => {
                    let word = format!("{{{}}}", token.text);
                    Err(Error::BadValue { word, expected: expected.clone() })
                }
                TokenKind::Word | TokenKind::Quoted => parse(&token.text, resolver),
            }),
        }
    }

    /// A value with one spelling of what it is: `parse` says yes or no, and the error says `expected`.
    pub fn simple(
        hint: &str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self::new(hint, move |text, _| parse(text).ok_or_else(|| bad(text, expected)))
    }

    /// The same value under another name in syntax lines; `hint` comes without brackets.
    #[must_use]
    pub fn hint(mut self, hint: &str) -> Self {
        self.hint = format!("<{hint}>");
        self
    }

    /// Converts what was parsed.
    #[must_use]
    pub fn map<U: 'static>(self, map: impl Fn(T) -> U + Send + Sync + 'static) -> Value<U> {
        let Self { hint, offers, takes_block, parse } = self;
        let parse: Parse<U> = Arc::new(move |token, names| parse(token, names).map(&map));
        Value { hint, offers, takes_block, parse }
    }

    /// Converts or refuses what was parsed.
    #[must_use]
    pub fn try_map<U: 'static>(
        self,
        map: impl Fn(T, &str) -> Result<U, Error> + Send + Sync + 'static,
    ) -> Value<U> {
        let Self { hint, offers, takes_block, parse } = self;
        let parse: Parse<U> = Arc::new(move |token, names| map(parse(token, names)?, &token.text));
        Value { hint, offers, takes_block, parse }
    }

    /// Accepts `word` as well, for which the value is `value`: `<interface>|any`.
    #[must_use]
    pub fn or_word(self, word: &'static str, value: T) -> Self
    where
        T: Clone + Send + Sync,
    {
        let Self { hint, mut offers, takes_block, parse } = self;
        offers.words.push(word);
        let parse: Parse<T> = Arc::new(move |token, names| match &*token.text {
            text if text == word && token.kind == TokenKind::Word => Ok(value.clone()),
            _ => parse(token, names),
        });
        Self { hint: format!("{hint}|{word}"), offers, takes_block, parse }
    }

    /// Parses a token.
    pub fn parse(&self, token: &Token<'_>, resolver: &dyn Resolver) -> Result<T, Error> {
        (self.parse)(token, resolver)
    }

    /// Parses a text that is one word.
    pub fn parse_text(&self, text: &str, resolver: &dyn Resolver) -> Result<T, Error> {
        let token = Token { kind: TokenKind::Word, text: text.into(), start: 0, end: text.len() };
        self.parse(&token, resolver)
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self {
            hint: self.hint.clone(),
            offers: self.offers.clone(),
            takes_block: self.takes_block,
            parse: Arc::clone(&self.parse),
        }
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// A [`Value`] whose type the grammar need not know.
pub(crate) trait AnyValue: Send + Sync {
    fn parse_any(&self, token: &Token<'_>, names: &dyn Resolver) -> Result<Box<dyn Any>, Error>;
    fn hint(&self) -> &str;
    fn offers(&self) -> &Offers;
    fn takes_block(&self) -> bool;
}

impl<T: 'static> AnyValue for Value<T> {
    fn parse_any(&self, token: &Token<'_>, names: &dyn Resolver) -> Result<Box<dyn Any>, Error> {
        self.parse(token, names).map(|value| Box::new(value) as Box<dyn Any>)
    }

    fn hint(&self) -> &str {
        &self.hint
    }

    fn offers(&self) -> &Offers {
        &self.offers
    }

    fn takes_block(&self) -> bool {
        self.takes_block
    }
}

/// The error for a word that is not what was expected.
pub(crate) fn bad(word: &str, expected: &str) -> Error {
    Error::BadValue { word: word.to_owned(), expected: expected.to_owned() }
}
