//! What handlers return: values that render as text in VPP's columns or as JSON.

mod cell;
mod record;
mod table;

use serde_json::Value as Json;

use super::error::Error;

pub use self::cell::Cell;
pub use self::record::Record;
pub use self::table::{Align, Column, Row, Table};

/// The form in which output is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns for people, as VPP prints them.
    Text,
    /// JSON, asked for by `json` as the last word of a `show` command.
    Json,
}

/// The result of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Done, nothing to say.
    #[default]
    None,
    /// Lines; a string in JSON.
    Text(String),
    /// Columns; an array of objects in JSON.
    Table(Table),
    /// Lines, tables and nested records; an object in JSON.
    Record(Record),
    /// One after the other; an array in JSON.
    List(Vec<Self>),
}

impl Output {
    /// Renders in the wanted form. Text that is not empty ends with a line end; JSON is one line.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => {
                let mut out = String::new();
                self.write_text(&mut out, 0);
                out
            }
            Format::Json => format!("{}\n", self.to_json()),
        }
    }

    /// As JSON; [`Output::None`] is `null`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::None => Json::Null,
            Self::Text(text) => Json::from(text.trim_end_matches('\n')),
            Self::Table(table) => table.to_json(),
            Self::Record(record) => record.to_json(),
            Self::List(list) => list.iter().map(Self::to_json).collect(),
        }
    }

    pub(crate) fn write_text(&self, out: &mut String, indent: usize) {
        match self {
            Self::None => {}
            Self::Text(text) => push_lines(out, indent, text),
            Self::Table(table) => table.write_text(out, indent),
            Self::Record(record) => record.write_text(out, indent),
            Self::List(list) => list.iter().for_each(|output| output.write_text(out, indent)),
        }
    }
}

/// What a handler may give back: whatever an [`Output`] can be made of, or a `Result` of that.
pub trait Answer {
    /// The output, or why there is none.
    fn answer(self) -> Result<Output, Error>;
}

impl<T: Into<Output>> Answer for T {
    fn answer(self) -> Result<Output, Error> {
        Ok(self.into())
    }
}

impl<T: Into<Output>, E: Into<Error>> Answer for Result<T, E> {
    fn answer(self) -> Result<Output, Error> {
        self.map(Into::into).map_err(Into::into)
    }
}

impl From<()> for Output {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Output {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Table> for Output {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Record> for Output {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl From<Vec<Self>> for Output {
    fn from(list: Vec<Self>) -> Self {
        Self::List(list)
    }
}

/// Appends the lines of `text`, each indented and ended.
fn push_lines(out: &mut String, indent: usize, text: &str) {
    for line in text.lines() {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(line);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_output_has_a_text_and_a_json_form() {
        let list = Output::List(vec!["a\nb".into(), Output::None, String::new().into()]);
        assert_eq!(list.render(Format::Text), "a\nb\n");
        assert_eq!(list.render(Format::Json), "[\"a\\nb\",null,\"\"]\n");
        assert_eq!(Output::from(()).render(Format::Text), "");
    }
}
