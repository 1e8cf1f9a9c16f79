//! Editing of a line on a terminal whose keys come one by one, and which shows what it is sent: the keys of VPP's CLI.

use std::mem;

/// Bytes of an escape sequence that are waited for.
const LONGEST_ESCAPE: usize = 8;
/// Characters of a line.
const LONGEST_LINE: usize = 64 << 10;

/// What a key asks for beside editing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing.
    None,
    /// Run the line.
    Run(String),
    /// Complete the word before the cursor.
    Complete,
    /// Tell what can stand at the end of the line.
    Help,
    /// Clear the terminal.
    Clear,
    /// An older line (`true`), or a newer one.
    Recall(bool),
}

/// A line and its cursor.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<char>,
    at: usize,
    /// What was cut out last.
    cut: Vec<char>,
    /// Bytes of an escape sequence, or of a character.
    pending: Vec<u8>,
    /// The last byte was a carriage return, of which a line feed or a zero is a part.
    after_return: bool,
}

impl Editor {
    /// The line.
    pub(super) fn text(&self) -> String {
        self.line.iter().collect()
    }

    /// The part of the line before the cursor.
    pub(super) fn before(&self) -> String {
        self.line[..self.at].iter().collect()
    }

    /// What shows the line, and puts the cursor where it is.
    pub(super) fn show(&self, echo: &mut Vec<u8>) {
        echo.extend_from_slice(self.text().as_bytes());
        back(self.line.len() - self.at, echo);
    }

    /// Puts `text` in the place of the characters from `start` to the cursor.
    pub(super) fn replace(&mut self, start: usize, text: &str, echo: &mut Vec<u8>) {
        let start = start.min(self.at);
        let text: Vec<_> = text.chars().collect();
        let same = self.line[start..self.at].iter().zip(&text).take_while(|(a, b)| a == b).count();
        self.change(start + same, self.at, &text[same..], echo);
    }

    /// Puts `text` in the place of the whole line.
    pub(super) fn recall(&mut self, text: &str, echo: &mut Vec<u8>) {
        self.move_to(self.line.len(), echo);
        self.replace(0, text, echo);
    }

    /// Takes a byte, and adds to `echo` what shows its effect.
    pub(super) fn key(&mut self, byte: u8, echo: &mut Vec<u8>) -> Action {
        let after_return = mem::replace(&mut self.after_return, byte == b'\r');
        if after_return && matches!(byte, b'\n' | 0) {
            return Action::None;
        }
        match self.pending.first() {
            Some(0x1b) => return self.escape(byte, echo),
            _ if byte >= 0x80 => {
                self.character(byte, echo);
                return Action::None;
            }
            _ => self.pending.clear(),
        }
        match byte {
            b'\r' | b'\n' => {
                echo.extend_from_slice(b"\r\n");
                self.at = 0;
                return Action::Run(mem::take(&mut self.line).into_iter().collect());
            }
            b'\t' => return Action::Complete,
            b'?' if self.asks() => return Action::Help,
            0x0c => return Action::Clear,
            0x10 => return Action::Recall(true),
            0x0e => return Action::Recall(false),
            0x1b => self.pending.push(byte),
            b' '..=b'~' => self.insert(&[char::from(byte)], echo),
            byte => self.control(byte, echo),
        }
        Action::None
    }

    /// Whether a `?` is a question: not inside of a quoted word.
    fn asks(&self) -> bool {
        self.at == self.line.len() && self.line.iter().filter(|c| **c == '"').count() % 2 == 0
    }

    fn control(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let end = self.line.len();
        match byte {
            0x01 => self.move_to(0, echo),
            0x02 => self.move_to(self.at.saturating_sub(1), echo),
            0x05 => self.move_to(end, echo),
            0x06 => self.move_to(self.at + 1, echo),
            0x04 => self.change(self.at, self.at + 1, &[], echo),
            0x08 | 0x7f => self.change(self.at.saturating_sub(1), self.at, &[], echo),
            0x15 => self.cut_out(0, self.at, echo),
            0x0b => self.cut_out(self.at, end, echo),
            0x17 => self.cut_out(self.word_left(), self.at, echo),
            0x19 => self.insert(&self.cut.clone(), echo),
            _ => {}
        }
    }

    fn escape(&mut self, byte: u8, echo: &mut Vec<u8>) -> Action {
        self.pending.push(byte);
        let is_whole = match self.pending.as_slice() {
            [_, b'[' | b'O'] => false,
            [_, b'[', .., last] => {
                (0x40..0x7f).contains(last) || self.pending.len() == LONGEST_ESCAPE
            }
            _ => true,
        };
        if !is_whole {
            return Action::None;
        }
        match &mem::take(&mut self.pending)[1..] {
            b"[A" | b"OA" => return Action::Recall(true),
            b"[B" | b"OB" => return Action::Recall(false),
            b"[C" | b"OC" => self.move_to(self.at + 1, echo),
            b"[D" | b"OD" => self.move_to(self.at.saturating_sub(1), echo),
            b"[H" | b"OH" | b"[1~" => self.move_to(0, echo),
            b"[F" | b"OF" | b"[4~" => self.move_to(self.line.len(), echo),
            b"[3~" => self.change(self.at, self.at + 1, &[], echo),
            b"b" | b"[1;5D" => self.move_to(self.word_left(), echo),
            b"f" | b"[1;5C" => self.move_to(self.word_right(), echo),
            _ => {}
        }
        Action::None
    }

    /// A byte of a character of several; what is none goes.
    fn character(&mut self, byte: u8, echo: &mut Vec<u8>) {
        self.pending.push(byte);
        match str::from_utf8(&self.pending) {
            Ok(text) => {
                let characters: Vec<_> = text.chars().collect();
                self.insert(&characters, echo);
                self.pending.clear();
            }
            Err(error) if error.error_len().is_some() => self.pending.clear(),
            Err(_) => {}
        }
    }

    fn insert(&mut self, characters: &[char], echo: &mut Vec<u8>) {
        if self.line.len() + characters.len() <= LONGEST_LINE {
            self.change(self.at, self.at, characters, echo);
        }
    }

    fn cut_out(&mut self, start: usize, end: usize, echo: &mut Vec<u8>) {
        self.cut = self.line[start..end].to_vec();
        self.change(start, end, &[], echo);
    }

    /// Puts `new` in the place of the characters from `start` to `end`, and the cursor behind it.
    fn change(&mut self, start: usize, end: usize, new: &[char], echo: &mut Vec<u8>) {
        let end = end.min(self.line.len());
        let gone = (end - start).saturating_sub(new.len());
        self.move_to(start, echo);
        self.line.splice(start..end, new.iter().copied());
        if start == end && start + new.len() == self.line.len() {
            self.at = self.line.len();
            return echo.extend_from_slice(new.iter().collect::<String>().as_bytes());
        }
        let rest: String = self.line[start..].iter().collect();
        echo.extend_from_slice(rest.as_bytes());
        echo.resize(echo.len() + gone, b' ');
        self.at = start + new.len();
        back(self.line.len() + gone - self.at, echo);
    }

    fn move_to(&mut self, at: usize, echo: &mut Vec<u8>) {
        let at = at.min(self.line.len());
        match self.at.checked_sub(at) {
            Some(left) => back(left, echo),
            None => {
                let passed: String = self.line[self.at..at].iter().collect();
                echo.extend_from_slice(passed.as_bytes());
            }
        }
        self.at = at;
    }

    fn word_left(&self) -> usize {
        let before = &self.line[..self.at];
        let end = before.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
        before[..end].iter().rposition(|c| *c == ' ').map_or(0, |space| space + 1)
    }

    fn word_right(&self) -> usize {
        let behind = &self.line[self.at..];
        let start = behind.iter().position(|c| *c != ' ').unwrap_or(behind.len());
        let word = behind[start..].iter().position(|c| *c == ' ');
        self.at + start + word.unwrap_or(behind.len() - start)
    }
}

fn back(characters: usize, echo: &mut Vec<u8>) {
    echo.resize(echo.len() + characters, 0x08);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a terminal shows that is sent `echo`, and where its cursor is.
    fn screen(echo: &[u8]) -> (String, usize) {
        let (mut line, mut at) = (Vec::new(), 0_usize);
        for c in String::from_utf8(echo.to_vec()).unwrap().chars() {
            match c {
                '\u{8}' => at -= 1,
                '\r' | '\n' => (line, at) = (Vec::new(), 0),
                c => {
                    if at == line.len() {
                        line.push(c);
                    } else {
                        line[at] = c;
                    }
                    at += 1;
                }
            }
        }
        (line.into_iter().collect(), at)
    }

    fn typed(keys: &[u8]) -> (Editor, Vec<Action>, Vec<u8>) {
        let (mut editor, mut actions, mut echo) = (Editor::default(), Vec::new(), Vec::new());
        for &key in keys {
            match editor.key(key, &mut echo) {
                Action::None => {}
                action => actions.push(action),
            }
        }
        (editor, actions, echo)
    }

    #[test]
    fn keys_do_what_they_do_in_vpp() {
        for (keys, line) in [
            (&b"show vesion\x1b[D\x1b[D\x1b[D\x1b[Dr"[..], "show version"),
            (b"abc\x7f\x08d", "ad"),
            (b"abc\x01\x04x", "xbc"),
            (b"one two\x17three", "one three"),
            (b"one two\x1bb\x0bx\x19", "one xtwo"),
            (b"one\x15two \x19", "two one"),
            (b"ab\x02\x1b[3~\x1b[3~c", "ac"),
            (b"ab\x1bOH\x1bOC-\x1b[4~.", "a-b."),
            (b"one two\x01\x1b[1;5C!", "one! two"),
            (b"a\xc3\xa4\xffb\xc3c\x7f", "a\u{e4}b"),
            (b"a\x1b[99;99;99;99Zb", "a99;99Zb"),
            (b"a \"b?c\"", "a \"b?c\""),
        ] {
            assert_eq!(typed(keys).0.text(), line, "{}", keys.escape_ascii());
        }
        let run = |line: &str| Action::Run(line.into());
        let (_, actions, _) = typed(b"a\r\nb\r\0c\rd\n\te?\x10\x1b[B\x0c");
        let asked = [
            Action::Complete,
            Action::Help,
            Action::Recall(true),
            Action::Recall(false),
            Action::Clear,
        ];
        assert_eq!(actions, [&["a", "b", "c", "d"].map(run)[..], &asked].concat());
    }

    proptest! {
        #[test]
        fn the_terminal_shows_the_line_and_its_cursor(
            keys in "([a-d ]|\u{e4}|\u{1}|\u{2}|\u{4}|\u{5}|\u{6}|\u{8}|\u{b}|\u{15}|\u{17}|\u{19}|\u{1b}[A-Fb-f\\[]|\u{1b}\\[[CDHF]|\u{1b}\\[3~){0,40}"
        ) {
            let (mut editor, actions, mut echo) = typed(keys.as_bytes());
            prop_assume!(actions.iter().all(|action| matches!(action, Action::Recall(_))));
            let (line, at) = screen(&echo);
            let text = editor.text();
            prop_assert_eq!(line.trim_end(), text.trim_end());
            prop_assert_eq!(at, editor.before().chars().count());
            editor.recall("recalled", &mut echo);
            let (line, at) = screen(&echo);
            prop_assert_eq!((line.trim_end(), at), ("recalled", 8));
        }
    }
}
