//! A thing with named values: lines for people beside fields for programs.

use serde_json::{Map, Value as Json};

use super::cell::Cell;
use super::{Output, push_lines};

/// Lines, fields and nested output, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Line(String),
    Field(String, Json),
    Nested { key: String, output: Output, indent: usize },
}

impl Record {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line for people only; the fields that say the same to programs follow it.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Line(text.into()));
        self
    }

    /// A field for programs only.
    #[must_use]
    pub fn field(mut self, key: &str, value: impl Into<Cell>) -> Self {
        self.parts.push(Part::Field(key.to_owned(), value.into().to_json()));
        self
    }

    /// A table, a record or a list under a key, its text indented by `indent` blanks.
    #[must_use]
    pub fn nested(mut self, key: &str, indent: usize, output: impl Into<Output>) -> Self {
        self.parts.push(Part::Nested { key: key.to_owned(), output: output.into(), indent });
        self
    }

    /// As an object.
    pub fn to_json(&self) -> Json {
        let mut object = Map::new();
        for part in &self.parts {
            match part {
                Part::Line(_) => {}
                Part::Field(key, value) => {
                    object.insert(key.clone(), value.clone());
                }
                Part::Nested { key, output, .. } => {
                    object.insert(key.clone(), output.to_json());
                }
            }
        }
        Json::Object(object)
    }

    pub(crate) fn write_text(&self, out: &mut String, indent: usize) {
        for part in &self.parts {
            match part {
                Part::Line(text) if text.is_empty() => out.push('\n'),
                Part::Line(text) => push_lines(out, indent, text),
                Part::Field(..) => {}
                Part::Nested { output, indent: more, .. } => output.write_text(out, indent + more),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::output::Format;

    #[test]
    fn text_and_json_of_a_record_say_the_same_side_by_side() {
        let addresses = Output::List(vec!["L3 10.0.0.1/24".into()]);
        let record = Record::new()
            .line("loop0 (up):")
            .field("name", "loop0")
            .field("up", Cell::shown("up", true))
            .nested("addresses", 2, addresses);
        let output = Output::from(record);
        assert_eq!(output.render(Format::Text), "loop0 (up):\n  L3 10.0.0.1/24\n");
        let json = r#"{"name":"loop0","up":true,"addresses":["L3 10.0.0.1/24"]}"#;
        assert_eq!(output.render(Format::Json), format!("{json}\n"));
    }
}
