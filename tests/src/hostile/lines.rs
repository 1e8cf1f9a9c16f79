//! Lines of a command's syntax, whole and damaged.

use super::{
    Choose,
    syntax::{Part, parse},
    values::{self, Places},
};

/// Makes lines of one command.
pub struct Lines {
    syntax: String,
    part: Part,
}

impl Lines {
    /// Of the command with this syntax line.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn new(syntax: &str) -> Self {
        Self { syntax: syntax.to_owned(), part: parse(syntax) }
    }

    /// A line that the syntax allows, with values of which some are sound.
    pub fn line(&self, places: &Places<'_>, choose: &mut impl Choose) -> String {
        let mut words = Vec::new();
        put(&self.part, places, choose, &mut words);
        words.join(" ")
    }

    /// Each word of the syntax, and all words before it that cannot be left out, with something behind it that does not
    /// belong there; and the syntax line itself, and each beginning of it.
    pub fn oddities(&self, places: &Places<'_>, choose: &mut impl Choose) -> Vec<String> {
        let mut all = Vec::new();
        let mut before = Vec::new();
        follow(&self.part, places, choose, &mut before, &mut all);
        let ends = self.syntax.char_indices().map(|(at, _)| at).chain([self.syntax.len()]);
        all.extend(ends.map(|end| self.syntax[..end].to_owned()));
        all
    }
}

fn put(part: &Part, places: &Places<'_>, choose: &mut impl Choose, words: &mut Vec<String>) {
    match part {
        Part::Word(word) => words.push(word.clone()),
        Part::Value(hint) => words.push(values::value(hint, places, choose)),
        Part::Block => words.push(values::block(choose)),
        Part::Sequence(parts) => parts.iter().for_each(|part| put(part, places, choose, words)),
        Part::OneOf(parts) => put(choose.one(parts), places, choose, words),
        Part::Optional(part) => {
            if choose.once_in(2) {
                put(part, places, choose, words);
            }
        }
        Part::Repeated(part) => {
            let times = if choose.once_in(50) { 300 } else { choose.below(4) };
            (0..times).for_each(|_| put(part, places, choose, words));
        }
    }
}

fn follow(
    part: &Part,
    places: &Places<'_>,
    choose: &mut impl Choose,
    before: &mut Vec<String>,
    all: &mut Vec<String>,
) {
    match part {
        Part::Word(word) => {
            before.push(word.clone());
            let so_far = before.join(" ");
            all.push(so_far.clone());
            all.push(format!("{so_far} {word}"));
            all.extend((0..6).map(|_| format!("{so_far} {}", values::any(choose))));
        }
        Part::Value(_) | Part::Block => put(part, places, choose, before),
        Part::Sequence(parts) => {
            parts.iter().for_each(|part| follow(part, places, choose, before, all));
        }
        // What is left out again does not stand before the next word.
        Part::OneOf(parts) => {
            for part in parts {
                let mut before = before.clone();
                follow(part, places, choose, &mut before, all);
            }
            put(&parts[0], places, choose, before);
        }
        Part::Optional(part) | Part::Repeated(part) => {
            follow(part, places, choose, &mut before.clone(), all);
        }
    }
}

/// `line` with a defect: words gone, doubled, swapped or replaced, bytes changed, added or cut off.
pub fn damaged(line: &str, choose: &mut impl Choose) -> Vec<u8> {
    let mut bytes = line.as_bytes().to_vec();
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let at = choose.below(words.len());
    match choose.below(8) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        2 => words[at] = values::any(choose),
        3 => {
            let other = choose.below(words.len());
            words.swap(at, other);
        }
        4 => words[at] = words[at].chars().take(1 + choose.below(3)).collect(),
        5 => {
            bytes.truncate(choose.below(bytes.len() + 1));
            return bytes;
        }
        6 => {
            for _ in 0..=choose.below(4) {
                if !bytes.is_empty() {
                    let at = choose.below(bytes.len());
                    bytes[at] = choose.below(256) as u8;
                }
            }
            return bytes;
        }
        _ => {
            let at = choose.below(bytes.len() + 1);
            let piece: Vec<u8> = (0..choose.below(64)).map(|_| choose.below(256) as u8).collect();
            bytes.splice(at..at, piece);
            return bytes;
        }
    }
    words.join(" ").into_bytes()
}
