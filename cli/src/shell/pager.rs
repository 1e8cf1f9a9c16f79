//! Long output, a screenful at a time.

use std::io::{self, Write};

use crate::terminal::{self, Keys};

/// Prints `text`, and stops after each screenful unless it has more than `limit` lines (0 is any).
///
/// # Errors
/// When the terminal is gone.
pub fn show(text: &str, limit: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Some((rows, columns)) = terminal::size() else { return out.write_all(text.as_bytes()) };
    let lines: Vec<_> = text.lines().collect();
    let paged = limit == 0 || lines.len() <= limit;
    // One row is the prompt's.
    let screen = rows.saturating_sub(1).max(1);
    let mut pages = Pages::new(&lines, columns);
    if !paged || pages.rows_from(0) <= screen {
        out.write_all(text.as_bytes())?;
        return out.flush();
    }
    out.write_all(pages.take(screen).as_bytes())?;
    let mut keys = Keys::new()?;
    while pages.next < lines.len() {
        let shown = format!("-- more -- ({}/{})", pages.next, lines.len());
        write!(out, "\x1b[7m{shown}\x1b[0m")?;
        out.flush()?;
        let step = step(keys.next(&mut [0; 16])?, screen);
        out.write_all(b"\r\x1b[K")?;
        match step {
            Step::Rows(rows) => out.write_all(pages.take(rows).as_bytes())?,
            Step::Nothing => {}
            Step::Leave => break,
        }
    }
    out.flush()
}

/// What a key does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many rows more.
    Rows(usize),
    /// It is none of the pager's.
    Nothing,
    /// Shows no more.
    Leave,
}

/// What `key` does on a screen of so many rows.
pub(crate) fn step(key: &[u8], screen: usize) -> Step {
    match key {
        b" " | b"f" | b"\x06" | b"\x1b[6~" => Step::Rows(screen),
        b"\r" | b"\n" | b"j" | b"\x1b[B" | b"\x1bOB" => Step::Rows(1),
        b"d" | b"\x04" => Step::Rows(screen.div_ceil(2)),
        b"G" | b">" | b"\x1b[F" | b"\x1bOF" | b"\x1b[4~" => Step::Rows(usize::MAX),
        b"q" | b"Q" | b"\x03" | b"\x1b" | b"" => Step::Leave,
        _ => Step::Nothing,
    }
}

/// Lines, and how many of them were shown.
pub(crate) struct Pages<'t> {
    lines: &'t [&'t str],
    columns: usize,
    next: usize,
}

impl<'t> Pages<'t> {
    /// Nothing was shown yet on a screen of so many columns.
    pub(crate) fn new(lines: &'t [&'t str], columns: usize) -> Self {
        Self { lines, columns: columns.max(1), next: 0 }
    }

    /// The line that is shown next.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// Rows that the lines from `first` on fill.
    pub(crate) fn rows_from(&self, first: usize) -> usize {
        self.lines[first..].iter().map(|line| self.rows(line)).sum()
    }

    fn rows(&self, line: &str) -> usize {
        line.chars().count().div_ceil(self.columns).max(1)
    }

    /// The next lines, as many as `rows` rows hold, and at least one.
    pub(crate) fn take(&mut self, rows: usize) -> String {
        let mut text = String::new();
        let mut room = rows;
        while let Some(line) = self.lines.get(self.next) {
            let needed = self.rows(line);
            if needed > room && !text.is_empty() {
                break;
            }
            room = room.saturating_sub(needed);
            text.push_str(line);
            text.push('\n');
            self.next += 1;
            if room == 0 {
                break;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_what_fits_and_together_everything() {
        let long = "x".repeat(25);
        let lines = ["a", "b", &long, "", "c"];
        let mut pages = Pages::new(&lines, 10);
        assert_eq!(pages.rows_from(0), 7);
        assert_eq!(pages.take(4), "a\nb\n");
        assert_eq!(pages.take(2), format!("{long}\n"), "at least one line, however long");
        assert_eq!(pages.take(usize::MAX), "\nc\n");
        assert_eq!(pages.take(1), "");
    }
}
