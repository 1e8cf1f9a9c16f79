//! Scripts: commands in a text, one a line unless braces or a backslash continue it.

use super::error::Error;
use super::lex::{Fault, Lexer, scan_line};

/// One command of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The command, over all its lines.
    pub text: &'a str,
    /// The line on which it starts, from 1.
    pub line: usize,
}

/// The commands of a text; blank lines and comments are left out. Ends after the first that cannot be delimited.
pub struct Statements<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    broken: bool,
}

/// Takes a text apart.
pub fn statements(text: &str) -> Statements<'_> {
    Statements { text, at: 0, line: 1, broken: false }
}

/// Whether the text goes on: a brace is open, or its last line ends with a backslash.
pub fn is_unfinished(text: &str) -> bool {
    let mut lines = Lines::default();
    text.split_inclusive('\n').fold(false, |_, line| lines.go_on_behind(line))
}

/// Follows a text line by line, and says where it may be cut so that no statement is. However long the text, each line is
/// looked at once.
#[derive(Debug, Default)]
pub struct Lines {
    depth: usize,
    broken: bool,
}

impl Lines {
    /// Takes the next line, of which the last may lack its end. Whether its statement goes on behind it.
    pub fn go_on_behind(&mut self, line: &str) -> bool {
        if self.broken {
            return false;
        }
        let scanned = if line.ends_with('\n') {
            scan_line(line, self.depth)
        } else {
            scan_line(&format!("{line}\n"), self.depth)
        };
        match scanned {
            Ok((depth, continued)) => {
                self.depth = depth;
                depth > 0 || continued
            }
            Err(_) => {
                self.broken = true;
                false
            }
        }
    }
}

impl<'a> Iterator for Statements<'a> {
    /// A statement, or the line and the error.
    type Item = Result<Statement<'a>, (usize, Error)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let rest = &self.text[self.at..];
        let mut lexer = Lexer::new(rest, 0);
        lexer.skip_blank(false);
        let start = lexer.position();
        if start == rest.len() {
            return None;
        }
        let line = self.line + line_ends(&rest[..start]);
        match lexer.skip_statement() {
            Ok(()) => {
                let end = lexer.position();
                self.at += end;
                self.line = line + line_ends(&rest[start..end]);
                Some(Ok(Statement { text: rest[start..end].trim_end(), line }))
            }
            Err(Fault { at, error }) => {
                self.broken = true;
                Some(Err((self.line + line_ends(&rest[..at]), error)))
            }
        }
    }
}

fn line_ends(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(text: &str) -> Vec<(usize, String)> {
        let statement = |s: Statement<'_>| (s.line, s.text.to_owned());
        statements(text)
            .map(|s| s.map(statement).unwrap_or_else(|(l, e)| (l, e.to_string())))
            .collect()
    }

    #[test]
    fn commands_are_delimited_by_lines_unless_continued() {
        let script = "# comment\n\nshow a # b\r\n  new {\n x { }\n}\necho \\\n two\nquit";
        let expected = [
            (3, "show a # b".to_owned()),
            (4, "new {\n x { }\n}".to_owned()),
            (7, "echo \\\n two".to_owned()),
            (9, "quit".to_owned()),
        ];
        assert_eq!(taken(script), expected);
    }

    #[test]
    fn a_broken_statement_ends_the_script_and_names_its_line() {
        assert_eq!(taken("a\nb {\n c"), [(1, "a".into()), (2, "unclosed `{'".into())]);
        assert_eq!(taken("a }\nb"), [(1, "unexpected `}'".into())]);
    }

    #[test]
    fn unfinished_input_asks_for_more() {
        assert!(is_unfinished("new {"));
        assert!(is_unfinished("new { a }\nb { { }"));
        assert!(is_unfinished("echo \\"));
        assert!(!is_unfinished("new { }"));
        assert!(!is_unfinished("new }"));
        assert!(!is_unfinished("# a comment \\"));
        assert!(!is_unfinished("echo \"open {\n"));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_in_order(text in "[ -~\n\\\\{}\"#\u{e4}]{0,200}") {
            let mut last = 0;
            for statement in statements(&text).flatten() {
                prop_assert!(statement.line > last);
                prop_assert!(!statement.text.is_empty());
                last = statement.line;
            }
        }

        #[test]
        fn a_text_cut_where_no_statement_goes_on_has_the_same_statements(
            text in "([a ]|[\n\\\\{}\"#\u{e4}\r]){0,60}",
        ) {
            let (mut pieces, mut piece, mut lines) = (Vec::new(), String::new(), Lines::default());
            for line in text.split_inclusive('\n') {
                piece.push_str(line);
                if !lines.go_on_behind(line) {
                    pieces.push(std::mem::take(&mut piece));
                }
            }
            pieces.push(piece);
            let whole: Vec<_> = statements(&text).collect();
            let of_pieces = pieces.iter().flat_map(|piece| statements(piece));
            for (cut, whole) in of_pieces.zip(&whole) {
                match (cut, whole) {
                    (Ok(cut), Ok(whole)) => prop_assert_eq!(cut.text, whole.text),
                    // Behind an error the whole has nothing.
                    (Err((_, cut)), Err((_, whole))) => {
                        prop_assert_eq!(&cut, whole);
                        break;
                    }
                    other => prop_assert!(false, "{:?} of {:?}", other, text),
                }
            }
        }
    }
}
