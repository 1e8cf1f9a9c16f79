//! Words, files, switches and raw blocks.

use std::path::{Component, PathBuf};
use std::sync::Arc;

use super::{Offers, Value, bad};
use crate::command::error::Error;
use crate::command::lex::{Token, TokenKind};
use crate::command::resolve::Resolver;

/// A `{ ... }` value, whose inner grammar belongs to the command's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands between the braces, as written.
    pub text: String,
    /// Byte offset of the text in the line, for the owner's error messages.
    pub at: usize,
}

/// Any word, in quotes if it has spaces.
pub fn word(hint: &str) -> Value<String> {
    Value::new(hint, |text, _| Ok(text.to_owned()))
}

/// A file name, in quotes if it has spaces.
pub fn file() -> Value<PathBuf> {
    Value::new("file", |text, _| {
        if text.is_empty() { Err(bad(text, "a file name")) } else { Ok(PathBuf::from(text)) }
    })
}

/// A file to write, in quotes if it has spaces. A name that does not begin with `/` is one in `/tmp`, as in VPP.
pub fn tmp_file() -> Value<PathBuf> {
    file().try_map(|path, text| {
        let climbs = path.components().any(|part| part == Component::ParentDir);
        match (path.is_absolute(), climbs) {
            (true, _) => Ok(path),
            (false, false) => Ok(PathBuf::from("/tmp").join(path)),
            (false, true) => Err(bad(text, "a file name in /tmp, or a path that begins with /")),
        }
    })
}

/// A switch: `on`, `enable`, `yes` or `off`, `disable`, `no`.
pub fn on_off() -> Value<bool> {
    let mut value = Value::simple("on|off", "on or off", |text| match text {
        "on" | "enable" | "yes" => Some(true),
        "off" | "disable" | "no" => Some(false),
        _ => None,
    });
    "on|off".clone_into(&mut value.hint);
    value.offers.words = vec!["on", "off"];
    value
}

/// One of several words, as the value that belongs to it.
pub fn words<T: Clone + Send + Sync + 'static>(words: &[(&'static str, T)]) -> Value<T> {
    let table = words.to_vec();
    let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    let expected = format!("one of {}", names.join(", "));
    let mut value = Value::new("word", move |text, _| {
        let found = table.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| value.clone()).ok_or_else(|| bad(text, &expected))
    });
    value.hint = names.join("|");
    value.offers.words = names;
    value
}

/// A block in braces, raw.
pub fn block() -> Value<Block> {
    token("{ ... }", |token, _| match token.kind {
        // The text begins behind the opening brace.
        TokenKind::Block => Ok(Block { text: token.text.to_string(), at: token.start + 1 }),
        TokenKind::Word | TokenKind::Quoted => Err(bad(&token.text, "a block `{ ... }'")),
    })
}

/// A value that sees how its token was written. `hint` is shown as it is.
pub fn token<T>(
    hint: &str,
    parse: impl Fn(&Token<'_>, &dyn Resolver) -> Result<T, Error> + Send + Sync + 'static,
) -> Value<T> {
    Value {
        hint: hint.to_owned(),
        offers: Offers::default(),
        takes_block: true,
        parse: Arc::new(parse),
    }
}
