//! Tables in VPP's manner: columns of a stated width, put side by side without separators. A cell that is wider than
//! its column pushes the rest of its line to the right, unless the column cuts.

use serde_json::{Map, Value as Json};

use super::cell::Cell;

/// Where a text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Blanks behind it.
    Left,
    /// Blanks before it.
    Right,
    /// Blanks on both sides; an odd one stands before it, as with VPP.
    Center,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    title: String,
    title_align: Align,
    key: String,
    width: usize,
    align: Align,
    cuts: bool,
    gap: usize,
}

impl Column {
    /// A column with title and cells aligned alike. Its JSON key is the title in lower case, every run of other
    /// characters than letters and digits an underscore.
    pub fn new(title: &str, width: usize, align: Align) -> Self {
        let key = key_of(title);
        Self { title: title.to_owned(), title_align: align, key, width, align, cuts: false, gap: 0 }
    }

    /// Aligns the title differently from the cells.
    #[must_use]
    pub fn titled(mut self, align: Align) -> Self {
        self.title_align = align;
        self
    }

    /// Another key in JSON.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Puts so many blanks in front of the column, titles and cells alike.
    #[must_use]
    pub fn gap(mut self, blanks: usize) -> Self {
        self.gap = blanks;
        self
    }

    /// Cuts cells at the column's width, as VPP does where it prints a state as `interrupt wa`. JSON has all of it.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.cuts = true;
        self
    }
}

/// One row, and the details listed under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    cells: Vec<Cell>,
    details: Vec<(String, Cell)>,
}

impl Row {
    /// A row of cells, one a column; missing ones are empty.
    pub fn new(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self { cells: cells.into_iter().collect(), details: Vec::new() }
    }

    /// Adds a name and a value for the last two columns, on a line of its own from the second one on.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<Cell>) -> Self {
        self.details.push((name.into(), value.into()));
        self
    }
}

/// Columns and rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// JSON key of the details, which fill the last two columns.
    details: Option<String>,
    header: bool,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        let columns = columns.into_iter().collect();
        Self { columns, rows: Vec::new(), details: None, header: true }
    }

    /// Fills the last two columns with the rows' details (the counters of `show interface`): in JSON an object under
    /// `key`.
    #[must_use]
    pub fn with_details(mut self, key: &str) -> Self {
        self.details = Some(key.to_owned());
        self
    }

    /// Leaves the line of titles out of the text.
    #[must_use]
    pub fn without_header(mut self) -> Self {
        self.header = false;
        self
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a row of cells.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.push(Row::new(cells));
    }

    /// The table with these rows of cells behind those that it has.
    #[must_use]
    pub fn rows<R: IntoIterator<Item = Cell>>(mut self, rows: impl IntoIterator<Item = R>) -> Self {
        rows.into_iter().for_each(|cells| self.row(cells));
        self
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As an array of objects.
    pub fn to_json(&self) -> Json {
        self.rows.iter().map(|row| self.row_to_json(row)).collect()
    }

    pub(crate) fn write_text(&self, out: &mut String, indent: usize) {
        if self.header {
            let titles = self.columns.iter().map(|column| (column, column.title.as_str()));
            push_row(out, indent, titles.map(|(c, title)| (c, title.to_owned(), c.title_align)));
        }
        for row in &self.rows {
            self.write_row(out, indent, row);
        }
    }

    fn write_row(&self, out: &mut String, indent: usize, row: &Row) {
        let plain = self.plain_columns();
        let mut cells = row.cells.iter().map(Cell::text).take(plain.len()).collect::<Vec<_>>();
        let mut details = row.details.iter();
        loop {
            if let Some((name, value)) = details.next() {
                cells.resize(plain.len(), String::new());
                cells.push(name.clone());
                cells.push(value.text());
            }
            let filled = self.columns.iter().zip(cells.drain(..));
            push_row(out, indent, filled.map(|(c, text)| (c, c.fit(text), c.align)));
            if details.as_slice().is_empty() {
                return;
            }
        }
    }

    fn row_to_json(&self, row: &Row) -> Json {
        let mut object = Map::new();
        for (index, column) in self.plain_columns().iter().enumerate() {
            let value = row.cells.get(index).map_or(Json::Null, Cell::to_json);
            object.insert(column.key.clone(), value);
        }
        if let Some(key) = &self.details {
            let details = row.details.iter().map(|(name, value)| (name.clone(), value.to_json()));
            object.insert(key.clone(), Json::Object(details.collect()));
        }
        Json::Object(object)
    }

    /// The columns that are not filled by details.
    fn plain_columns(&self) -> &[Column] {
        let details = if self.details.is_some() { 2 } else { 0 };
        &self.columns[..self.columns.len().saturating_sub(details)]
    }
}

impl Column {
    fn fit(&self, text: String) -> String {
        if self.cuts { text.chars().take(self.width).collect() } else { text }
    }
}

fn push_row<'c>(
    out: &mut String,
    indent: usize,
    cells: impl Iterator<Item = (&'c Column, String, Align)>,
) {
    out.extend(std::iter::repeat_n(' ', indent));
    for (column, text, align) in cells {
        out.extend(std::iter::repeat_n(' ', column.gap));
        let blanks = column.width.saturating_sub(text.chars().count());
        let before = match align {
            Align::Left => 0,
            Align::Right => blanks,
            Align::Center => blanks.div_ceil(2),
        };
        out.extend(std::iter::repeat_n(' ', before));
        out.push_str(&text);
        out.extend(std::iter::repeat_n(' ', blanks - before));
    }
    out.push('\n');
}

fn key_of(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What VPP itself prints for `show interface` (its documentation and many transcripts agree to the blank).
    const SHOW_INTERFACE: &str =
        "              Name               Idx    State  MTU (L3/IP4/IP6/MPLS)     Counter          Count     
local0                            0     down          0/0/0/0       
tap0                              1      up          9000/0/0/0     rx packets                    43
                                                                    rx bytes                    6182
                                                                    tx packets                     4
";

    fn show_interface() -> Table {
        let columns = [
            Column::new("Name", 32, Align::Left).titled(Align::Center),
            Column::new("Idx", 5, Align::Center),
            Column::new("State", 10, Align::Center),
            Column::new("MTU (L3/IP4/IP6/MPLS)", 21, Align::Center).key("mtu"),
            Column::new("Counter", 16, Align::Left).titled(Align::Center),
            Column::new("Count", 16, Align::Right).titled(Align::Center),
        ];
        let mut table = Table::new(columns).with_details("counters");
        table.row(["local0".into(), 0u32.into(), "down".into(), Cell::shown("0/0/0/0", [0; 4])]);
        let tap =
            ["tap0".into(), 1u32.into(), "up".into(), Cell::shown("9000/0/0/0", [9000, 0, 0, 0])];
        table.push(
            Row::new(tap)
                .detail("rx packets", 43u64)
                .detail("rx bytes", 6182u64)
                .detail("tx packets", 4u64),
        );
        table
    }

    #[test]
    fn columns_stand_where_vpp_puts_them() {
        let mut text = String::new();
        show_interface().write_text(&mut text, 0);
        assert_eq!(text, SHOW_INTERFACE);
    }

    #[test]
    fn json_has_numbers_and_keys() {
        let json = serde_json::json!([
            {"name": "local0", "idx": 0, "state": "down", "mtu": [0, 0, 0, 0], "counters": {}},
            {"name": "tap0", "idx": 1, "state": "up", "mtu": [9000, 0, 0, 0],
             "counters": {"rx packets": 43, "rx bytes": 6182, "tx packets": 4}},
        ]);
        assert_eq!(show_interface().to_json(), json);
    }

    #[test]
    fn wide_cells_push_the_line_unless_the_column_cuts() {
        let mut table = Table::new([
            Column::new("Name", 4, Align::Left),
            Column::new("State", 12, Align::Center).cut(),
            Column::new("Clocks", 10, Align::Right),
        ])
        .without_header();
        table.row(["long-name".into(), "interrupt wait".into(), Cell::Exponent(15_700.0, 2)]);
        let mut text = String::new();
        table.write_text(&mut text, 2);
        assert_eq!(text, "  long-nameinterrupt wa    1.57e4\n");
        let json = serde_json::json!([{"name": "long-name", "state": "interrupt wait", "clocks": 15700.0}]);
        assert_eq!(table.to_json(), json);
    }

    #[test]
    fn blanks_in_front_of_a_column_are_no_column() {
        let mut table = Table::new([
            Column::new("A", 3, Align::Center).titled(Align::Right),
            Column::new("B", 3, Align::Left).gap(2),
        ]);
        table.row([1u32.into(), "x".into()]);
        let mut text = String::new();
        table.write_text(&mut text, 0);
        assert_eq!(text, "  A  B  \n 1   x  \n");
        assert_eq!(table.to_json(), serde_json::json!([{"a": 1, "b": "x"}]));
    }

    #[test]
    fn numbers_are_printed_as_vpp_prints_them() {
        assert_eq!(Cell::Exponent(0.0, 4).text(), "0.0000e0");
        assert_eq!(Cell::Exponent(3.7504e-4, 4).text(), "3.7504e-4");
        assert_eq!(Cell::Fixed(124.137, 2).text(), "124.14");
        assert_eq!(Cell::Fixed(f64::NAN, 2).to_json(), Json::Null);
        assert_eq!(key_of("Vectors/Call"), "vectors_call");
    }
}
