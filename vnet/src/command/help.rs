//! `?`, `help`, `show cli`, and the reference that is written from the tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::Failure;
use super::grammar::{Shape, Shapes};
use super::lex::{Token, TokenKind};
use super::output::{Align, Column, Output, Record, Table};
use super::resolve::Resolver;
use super::tree::{Command, Tree};

impl<C> Tree<C> {
    /// What `?` behind `text` prints: the command's syntax, and what can follow.
    pub fn help_at(&self, resolver: &dyn Resolver, text: &str) -> Output {
        let Some(context) = self.context(resolver, text) else {
            return match text.trim() {
                "" => "no commands".into(),
                typed => format!("nothing known about `{typed}'").into(),
            };
        };
        let mut out = String::new();
        if let Some(command) = &context.node.command {
            let _ = writeln!(out, "{}\n  {}", command.syntax(), command.help);
        }
        let completions = context.completions(resolver);
        let listed = completions.candidates.iter().map(|c| (c.text.as_str(), c.help.as_str()));
        let hints = completions.hints.iter().map(|hint| (hint.as_str(), ""));
        let mut table = word_table();
        for (word, help) in listed.chain(hints) {
            table.row([word.into(), help.into()]);
        }
        table.write_text(&mut out, 2);
        if out.is_empty() {
            out = format!("nothing known about `{}'\n", text.trim());
        }
        trimmed(&out).into()
    }

    /// What `help <words>` prints: everything about a command, or a list of those that the words lead to.
    pub fn help(&self, words: &str) -> Result<Output, Failure> {
        let tokens: Vec<_> = words.split_whitespace().map(token).collect();
        let walk = self.walk(&tokens)?;
        if let Some(command) = &walk.node.command {
            return Ok(long_help(command).into());
        }
        let mut commands = Vec::new();
        walk.node.collect(&mut commands);
        let mut table = word_table();
        for command in commands {
            table.row([command.path.as_str().into(), command.help.as_str().into()]);
        }
        let mut out = String::new();
        table.write_text(&mut out, 2);
        Ok(trimmed(&out).into())
    }

    /// All commands with their syntax, as `show cli` lists them.
    pub fn list(&self) -> Output {
        let entry = |command: &Command<C>| {
            let syntax = command.syntax();
            Record::new()
                .line(&*syntax)
                .line(format!("  {}", command.help))
                .field("command", command.path.as_str())
                .field("syntax", syntax)
                .field("help", command.help.as_str())
                .into()
        };
        Output::List(self.commands().into_iter().map(entry).collect())
    }

    /// The complete reference in Markdown, grouped by the first word.
    pub fn reference(&self) -> String {
        let mut groups: BTreeMap<&str, Vec<&Command<C>>> = BTreeMap::new();
        for command in self.commands() {
            let first = command.path.split(' ').next().unwrap_or_default();
            groups.entry(first).or_default().push(command);
        }
        let mut out = String::from(
            "# Commands\n\nWritten from the command tree: do not edit. Any unique beginning of a word will do; \
             `?` and `help` say the same\nas this page. Words in any order, `[...]` may be left out, `a|b` is one of \
             them, `...` repeats.\n",
        );
        for (group, commands) in groups {
            let _ = write!(out, "\n## {group}\n");
            for command in commands {
                out.push_str(&reference_entry(command));
            }
        }
        out
    }
}

fn word_table() -> Table {
    Table::new([Column::new("Word", 30, Align::Left), Column::new("Help", 0, Align::Left)])
        .without_header()
}

/// Everything about a command, for a terminal.
fn long_help<C>(command: &Command<C>) -> String {
    let mut out = format!("{}\n  {}\n", command.syntax(), command.help);
    for line in command.details.lines() {
        let _ = writeln!(out, "  {line}");
    }
    let mut table = word_table();
    for (syntax, help) in members(&command.shapes) {
        table.row([syntax.into(), help.into()]);
    }
    table.write_text(&mut out, 2);
    trimmed(&out)
}

fn reference_entry<C>(command: &Command<C>) -> String {
    let mut out =
        format!("\n### `{}`\n\n    {}\n\n{}\n", command.path, command.syntax(), command.help);
    if !command.details.is_empty() {
        let _ = write!(out, "\n{}\n", command.details);
    }
    let members = members(&command.shapes);
    if !members.is_empty() {
        out.push('\n');
    }
    for (syntax, help) in members {
        let _ = writeln!(out, "- `{syntax}`: {help}");
    }
    out
}

/// The members that have a line of help, those of groups included.
fn members(shapes: &Shapes) -> Vec<(&str, &str)> {
    let mut members = Vec::new();
    for leaf in &shapes.leaves {
        if !leaf.help.is_empty() {
            members.push((leaf.syntax.as_str(), leaf.help));
        }
        if let Shape::Group(_, inner) = &leaf.shape {
            members.extend(self::members(inner));
        }
    }
    members
}

fn token(word: &str) -> Token<'_> {
    Token { kind: TokenKind::Word, text: word.into(), start: 0, end: word.len() }
}

/// Without blanks at the ends of lines.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
