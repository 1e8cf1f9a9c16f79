//! A syntax line taken apart: `ip route add [count <n>] <prefix> [via <hop>]...`.

/// What a syntax line, or a part of it, asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A word as it stands.
    Word(String),
    /// A value, by the hint between `<` and `>`.
    Value(String),
    /// `{ ... }`.
    Block,
    /// One behind the other.
    Sequence(Vec<Self>),
    /// One of them.
    OneOf(Vec<Self>),
    /// `[...]`.
    Optional(Box<Self>),
    /// What `...` stands behind.
    Repeated(Box<Self>),
}

/// Takes `syntax` apart.
///
/// # Panics
/// When its brackets do not match.
pub(super) fn parse(syntax: &str) -> Part {
    let mut parser = Parser { rest: syntax };
    let part = parser.alternatives();
    assert_eq!(parser.rest, "", "what is behind the end of {syntax}");
    part
}

struct Parser<'s> {
    rest: &'s str,
}

impl Parser<'_> {
    /// Sequences with ` | ` or `|` between them, up to a closing bracket. Words that a `|` joins without blanks stand for
    /// one word.
    fn alternatives(&mut self) -> Part {
        let mut all = vec![self.sequence()];
        while self.rest.starts_with("| ") {
            self.rest = &self.rest[2..];
            all.push(self.sequence());
        }
        if all.len() == 1 { all.remove(0) } else { Part::OneOf(all) }
    }

    fn sequence(&mut self) -> Part {
        let mut parts = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty()
                || self.rest.starts_with([']', ')'])
                || self.rest.starts_with("| ")
            {
                return Part::Sequence(parts);
            }
            let mut part = self.choice();
            if let Some(rest) = self.rest.strip_prefix("...") {
                self.rest = rest;
                part = Part::Repeated(Box::new(part));
            }
            parts.push(part);
        }
    }

    /// `on|off`, or one thing.
    fn choice(&mut self) -> Part {
        let mut all = vec![self.one()];
        while let Some(rest) = self.rest.strip_prefix('|').filter(|rest| !rest.starts_with(' ')) {
            self.rest = rest;
            all.push(self.one());
        }
        if all.len() == 1 { all.remove(0) } else { Part::OneOf(all) }
    }

    fn one(&mut self) -> Part {
        if let Some(rest) = self.rest.strip_prefix("{ ... }") {
            self.rest = rest;
            return Part::Block;
        }
        match self.rest.as_bytes()[0] {
            b'[' => Part::Optional(Box::new(self.bracketed(']'))),
            b'(' => self.bracketed(')'),
            b'<' => {
                let end = self.closing();
                let hint = self.rest[1..end].to_owned();
                self.rest = &self.rest[end + 1..];
                Part::Value(hint)
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "[]()|".contains(c);
                let end = self.rest.find(ends).unwrap_or(self.rest.len());
                let word = self.rest[..end].trim_end_matches("...");
                assert!(!word.is_empty(), "no word at {}", self.rest);
                let part = Part::Word(word.to_owned());
                self.rest = &self.rest[word.len()..];
                part
            }
        }
    }

    fn bracketed(&mut self, close: char) -> Part {
        self.rest = &self.rest[1..];
        let part = self.alternatives();
        self.rest = self.rest.trim_start().strip_prefix(close).expect("a closing bracket");
        part
    }

    /// Where the `>` stands that closes the `<` at the beginning; hints like `<pg<N>>` have others inside.
    fn closing(&self) -> usize {
        let mut depth = 0;
        for (at, c) in self.rest.char_indices() {
            match c {
                '<' => depth += 1,
                '>' if depth == 1 => return at,
                '>' => depth -= 1,
                _ => {}
            }
        }
        panic!("no `>' behind {}", self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_brackets_choices_and_repetitions_are_told_apart() {
        let word = |text: &str| Part::Word(text.into());
        let value = |text: &str| Part::Value(text.into());
        let seq = Part::Sequence;
        let opt = |part| Part::Optional(Box::new(part));
        assert_eq!(
            parse("a [b <n>] on|off <pg<N>> [via [x|y]]... { ... }"),
            seq(vec![
                word("a"),
                opt(seq(vec![word("b"), value("n")])),
                Part::OneOf(vec![word("on"), word("off")]),
                value("pg<N>"),
                Part::Repeated(Box::new(opt(seq(vec![
                    word("via"),
                    opt(seq(vec![Part::OneOf(vec![word("x"), word("y")])])),
                ])))),
                Part::Block,
            ])
        );
        assert_eq!(
            parse("f (none | include <node>)"),
            seq(vec![
                word("f"),
                Part::OneOf(vec![
                    seq(vec![word("none")]),
                    seq(vec![word("include"), value("node")])
                ]),
            ])
        );
    }
}
