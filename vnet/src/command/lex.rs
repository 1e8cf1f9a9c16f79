//! Words, quoted words and `{ ... }` blocks of a command line, a script or a startup file.
//!
//! One lexer serves all three, because they share one syntax: words separated by white space, `"quoted words"` with
//! `\"` and `\\`, `{ ... }` blocks that span lines, `#` comments where a word could start, and a backslash at the end
//! of a line to continue it. Scanning is iterative and bounded: no input makes it recurse, loop or allocate more
//! than its own length.

use std::borrow::Cow;

use super::error::Error;

/// Longest text that is taken as one command, script or startup file, in bytes.
pub const MAX_INPUT: usize = 16 << 20;

/// Deepest nesting of `{ }`.
pub const MAX_DEPTH: usize = 32;

/// A complaint and the byte offset of what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Byte offset in the text that was parsed.
    pub at: usize,
    /// What is wrong there.
    pub error: Error,
}

impl Fault {
    pub(crate) fn new(at: usize, error: Error) -> Self {
        Self { at, error }
    }
}

/// How a token was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word: may be a keyword or a value.
    Word,
    /// A word in double quotes: always a value.
    Quoted,
    /// `{ ... }`: the text is what stands between the braces, as written.
    Block,
}

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// How it was written.
    pub kind: TokenKind,
    /// Its text: without quotes, escapes and outer braces.
    pub text: Cow<'a, str>,
    /// Byte offset of its first character (a block's `{`, a quoted word's `"`).
    pub start: usize,
    /// Byte offset behind its last character.
    pub end: usize,
}

/// Checks that bytes from outside are text of a bearable length.
pub fn decode(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.len() > MAX_INPUT {
        return Err(Fault::new(MAX_INPUT, Error::TooLong { limit: MAX_INPUT }));
    }
    std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        Fault::new(at, Error::NotText { byte: bytes.get(at).copied().unwrap_or(0), at })
    })
}

/// All tokens of `text`; line ends are white space.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut lexer = Lexer::new(text, 0);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// Scans a line, with its end, behind `depth` open braces; how many are open behind it, and whether the line's end was
/// continued. Only blocks reach over line ends, so that this is all there is to know.
pub(crate) fn scan_line(line: &str, mut depth: usize) -> Result<(usize, bool), Fault> {
    let mut lexer = Lexer::new(line, 0);
    loop {
        lexer.skip_blank(true);
        match lexer.peek(0) {
            None => return Ok((depth, true)),
            Some(b'\n') => return Ok((depth, false)),
            Some(b'{') if depth == MAX_DEPTH => {
                return Err(lexer.fault(lexer.at, Error::TooDeep { limit: MAX_DEPTH }));
            }
            Some(b'}') if depth == 0 => return Err(lexer.fault(lexer.at, Error::StrayBrace)),
            Some(brace @ (b'{' | b'}')) => {
                depth = if brace == b'{' { depth + 1 } else { depth - 1 };
                lexer.at += 1;
            }
            Some(b'"') => drop(lexer.quoted()?),
            Some(_) => drop(lexer.word()),
        }
    }
}

/// A position in a text, moving from token to token.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Added to all reported offsets: where `text` stands in the text that the user sees.
    base: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, base: usize) -> Self {
        Self { text, at: 0, base }
    }

    /// Where the next token is looked for, relative to the lexer's own text.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The next token, or `None` at the end. After an error the position is that of the offending token's start.
    pub(crate) fn next_token(&mut self) -> Result<Option<Token<'a>>, Fault> {
        self.skip_blank(false);
        match self.peek(0) {
            None => Ok(None),
            Some(b'{') => self.block().map(Some),
            Some(b'}') => Err(self.fault(self.at, Error::StrayBrace)),
            Some(b'"') => self.quoted().map(Some),
            Some(_) => Ok(Some(self.word())),
        }
    }

    /// Moves behind the statement that starts here: up to a line end outside of braces and quotes.
    pub(crate) fn skip_statement(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_blank(true);
            match self.peek(0) {
                None | Some(b'\n') => return Ok(()),
                _ => self.next_token()?,
            };
        }
    }

    /// Skips white space, continued line ends and comments; stops before a line end if asked to.
    pub(crate) fn skip_blank(&mut self, stop_at_line_end: bool) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' if stop_at_line_end => return,
                _ if byte.is_ascii_whitespace() || byte == 0x0b => self.at += 1,
                b'\\' if self.continued_line(0).is_some() => {
                    self.at += self.continued_line(0).unwrap_or(1);
                }
                b'#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            let ends = byte.is_ascii_whitespace()
                || matches!(byte, b'{' | b'}' | 0x0b)
                || self.continued_line(0).is_some();
            if ends {
                break;
            }
            self.at += 1;
        }
        self.token(TokenKind::Word, Cow::Borrowed(&self.text[start..self.at]), start)
    }

    fn quoted(&mut self) -> Result<Token<'a>, Fault> {
        let start = self.at;
        let Some(length) = quoted_length(&self.text.as_bytes()[start..]) else {
            return Err(self.fault(start, Error::UnclosedQuote));
        };
        self.at = start + length;
        let inner = &self.text[start + 1..self.at - 1];
        let text =
            if inner.contains('\\') { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) };
        Ok(self.token(TokenKind::Quoted, text, start))
    }

    fn block(&mut self) -> Result<Token<'a>, Fault> {
        let start = self.at;
        let mut open = Vec::new();
        let mut inner = Lexer { text: self.text, at: start, base: self.base };
        loop {
            inner.skip_blank(false);
            match inner.peek(0) {
                None => {
                    let at = open.last().copied().unwrap_or(start);
                    return Err(self.fault(at, Error::UnclosedBrace));
                }
                Some(b'{') if open.len() == MAX_DEPTH => {
                    return Err(self.fault(inner.at, Error::TooDeep { limit: MAX_DEPTH }));
                }
                Some(b'{') => {
                    open.push(inner.at);
                    inner.at += 1;
                }
                Some(b'}') => {
                    open.pop();
                    inner.at += 1;
                    if open.is_empty() {
                        break;
                    }
                }
                Some(b'"') => {
                    inner.quoted()?;
                }
                Some(_) => {
                    inner.word();
                }
            }
        }
        self.at = inner.at;
        Ok(self.token(TokenKind::Block, Cow::Borrowed(&self.text[start + 1..self.at - 1]), start))
    }

    fn token(&self, kind: TokenKind, text: Cow<'a, str>, start: usize) -> Token<'a> {
        Token { kind, text, start: self.base + start, end: self.base + self.at }
    }

    fn fault(&self, at: usize, error: Error) -> Fault {
        Fault::new(self.base + at, error)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// Length of a backslash and the line end behind it, if they stand `ahead` bytes from here.
    fn continued_line(&self, ahead: usize) -> Option<usize> {
        match (self.peek(ahead), self.peek(ahead + 1), self.peek(ahead + 2)) {
            (Some(b'\\'), Some(b'\n'), _) => Some(2),
            (Some(b'\\'), Some(b'\r'), Some(b'\n')) => Some(3),
            _ => None,
        }
    }
}

/// Length of a quoted word with both quotes; `None` when it does not end on its line.
fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' => return None,
            b'\\' if matches!(bytes.get(at + 1), Some(b'"' | b'\\')) => at += 2,
            _ => at += 1,
        }
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(&escaped @ ('"' | '\\'))) => {
                out.push(escaped);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Vec<String> {
        tokens(line).unwrap().into_iter().map(|t| t.text.into_owned()).collect()
    }

    #[test]
    fn words_quotes_blocks_comments_and_continuations_are_told_apart() {
        assert_eq!(texts("  a  b\tc # d"), ["a", "b", "c"]);
        assert_eq!(texts("a#b #c\nd"), ["a#b", "d"]);
        assert_eq!(texts("a \\\n b\\\r\nc"), ["a", "b", "c"]);
        assert_eq!(texts(r#"x "two words" "q\"\\z\n""#), ["x", "two words", r#"q"\z\n"#]);
        assert_eq!(
            texts("new{ a { b } \"}\" # }\n }tail"),
            ["new", " a { b } \"}\" # }\n ", "tail"]
        );
        assert_eq!(texts("# only\n#comments"), Vec::<String>::new());
    }

    #[test]
    fn tokens_say_where_they_stand() {
        let tokens = tokens("ab { c } \"d\"").unwrap();
        let spans: Vec<_> = tokens.iter().map(|t| (t.kind, t.start, t.end)).collect();
        let expected =
            [(TokenKind::Word, 0, 2), (TokenKind::Block, 3, 8), (TokenKind::Quoted, 9, 12)];
        assert_eq!(spans, expected);
    }

    #[test]
    fn broken_nesting_is_an_error_that_points_at_its_cause() {
        let fault = |text: &str| tokens(text).unwrap_err();
        assert_eq!(fault("a { b"), Fault::new(2, Error::UnclosedBrace));
        assert_eq!(fault("a { b { c } d"), Fault::new(2, Error::UnclosedBrace));
        assert_eq!(fault("a }"), Fault::new(2, Error::StrayBrace));
        assert_eq!(fault("a \"b\nc\""), Fault::new(2, Error::UnclosedQuote));
        assert_eq!(fault(&"{".repeat(1 << 20)).error, Error::TooDeep { limit: MAX_DEPTH });
        let deep = format!("{}{}", "{".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
        assert_eq!(tokens(&deep).unwrap().len(), 1);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        assert_eq!(decode(b"ab\xffc").unwrap_err().error, Error::NotText { byte: 0xff, at: 2 });
        assert!(decode(&vec![b'a'; MAX_INPUT + 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_lexed_without_panic_and_spans_cover_the_tokens(text in "[ -~\n\\\\{}\"#\u{e4}]{0,200}") {
            if let Ok(tokens) = tokens(&text) {
                let mut last = 0;
                for token in tokens {
                    prop_assert!(last <= token.start && token.start < token.end);
                    prop_assert!(token.end <= text.len());
                    last = token.end;
                }
            }
        }
    }
}
